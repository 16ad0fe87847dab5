"""Windows: by number, no article twice, none missing, whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from syndicate.core.article import Article, Content
from syndicate.core.newsletter import Newsletter
from syndicate.core.selection import Selection
from syndicate.core.window import allocate, enough, in_window, mark_after_cancel, personal, with_roles


def article(
    number: int | None, *, section: str = "world", status: str = "released", suspects: tuple[str, ...] = ()
) -> Article:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    return Article(
        id=f"urn:uuid:{number or 0:032x}",
        source="desk",
        key=f"{number}.md",
        content=Content(title=f"Story {number}", html="<p>Words.</p>", section=section, suspects=suspects),
        link=f"https://news.example/{number}",
        own_page=False,
        status=status,  # type: ignore[arg-type]
        number=number,
        published_at=moment,
    )


NEWSLETTER = Newsletter("morning", "Morning", "en", "UTC", selection=Selection({"section": "world"}), min_articles=2)


def test_a_window_takes_what_is_above_lo_up_to_hi_in_the_selection_newest_first() -> None:
    articles = [article(n) for n in range(1, 8)] + [article(8, section="sport"), article(None)]
    articles.append(article(6, status="held"))
    assert [a.number for a in in_window(articles, NEWSLETTER, 2, 6)] == [6, 5, 4, 3]


def test_what_was_released_together_is_ordered_by_its_own_date_and_undated_comes_last() -> None:
    dates = {1: datetime(2026, 11, 3, tzinfo=UTC), 2: None, 3: datetime(2026, 11, 1, tzinfo=UTC)}
    articles = [replace(a, content=replace(a.content, date=dates[a.number or 0])) for a in map(article, (1, 2, 3))]
    later = replace(article(4), published_at=datetime(2026, 11, 21, tzinfo=UTC))
    assert [a.number for a in in_window([*articles, later], NEWSLETTER, 0, 4)] == [4, 1, 3, 2]


def test_the_lead_is_never_a_suspect_when_there_is_another() -> None:
    articles = [article(3, suspects=("unbalanced quotes",)), article(2), article(1)]
    assert [a.number for a, _ in with_roles(articles, 2)] == [2, 3, 1]
    assert [role for _, role in with_roles(articles, 2)] == ["full", "full", "title"]
    assert [a.number for a, _ in with_roles(articles[:1], 2)] == [3]


def test_too_few_articles_are_not_enough() -> None:
    assert not enough(1, NEWSLETTER)
    assert enough(2, NEWSLETTER)


@given(
    base=st.lists(st.integers(11, 20), unique=True),
    older=st.lists(st.integers(1, 10), unique=True),
    got=st.sets(st.integers(1, 20)),
    resume_from=st.none() | st.integers(0, 20),
)
def test_nobody_gets_an_article_twice_or_misses_one_of_their_range(
    base: list[int], older: list[int], got: set[int], resume_from: int | None
) -> None:
    without = {article(n).id for n in got}
    mine = personal(
        [article(n) for n in base], without=without, resume_from=resume_from, older=[article(n) for n in older]
    )
    numbers = [a.number for a in mine]
    start = 10 if resume_from is None else resume_from
    assert sorted(n or 0 for n in numbers) == sorted(n for n in {*base, *older} if n > start and n not in got)
    assert len(numbers) == len(set(numbers))


@dataclass
class Model:
    """One cadence: numbers given, its mark, its issues."""

    highest: int = 0
    mark: int = 0
    issues: list[tuple[int, int, str]] = field(default_factory=list)


class Windows(RuleBasedStateMachine):
    """Collectors give numbers, slots draft, issues freeze or are cancelled, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.dropped: set[int] = set()

    @rule(count=st.integers(1, 5))
    def collect(self, count: int) -> None:
        self.model.highest += count

    def _open(self) -> int | None:
        return next((i for i, (_, _, state) in enumerate(self.model.issues) if state == "open"), None)

    @rule()
    def slot(self) -> None:
        place = self._open()
        model = self.model
        lo, hi = allocate(model.mark, model.highest, model.issues[place][0] if place is not None else None)
        if hi == lo:
            return
        if place is None:
            model.issues.append((lo, hi, "open"))
        else:
            model.issues[place] = (lo, hi, "open")
        model.mark = hi

    @precondition(lambda self: self._open() is not None)
    @rule()
    def freeze(self) -> None:
        place = self._open()
        assert place is not None
        lo, hi, _ = self.model.issues[place]
        self.model.issues[place] = (lo, hi, "frozen")

    @precondition(lambda self: any(state != "cancelled" for _, _, state in self.model.issues))
    @rule(data=st.data(), drop=st.booleans())
    def cancel(self, data: st.DataObject, drop: bool) -> None:
        alive = [i for i, (_, _, state) in enumerate(self.model.issues) if state != "cancelled"]
        place = data.draw(st.sampled_from(alive))
        lo, hi, _ = self.model.issues[place]
        mark = mark_after_cancel(self.model.mark, lo, hi, drop=drop)
        if mark is None:
            return
        if drop:
            self.dropped |= set(range(lo + 1, hi + 1))
        self.model.mark = mark
        self.model.issues[place] = (lo, hi, "cancelled")

    @invariant()
    def windows_neither_overlap_nor_leave_holes(self) -> None:
        used = [n for lo, hi, state in self.model.issues if state != "cancelled" for n in range(lo + 1, hi + 1)]
        assert len(used) == len(set(used)), "an article in two windows"
        assert set(used) | self.dropped == set(range(1, self.model.mark + 1)), "an article in no window"
        assert not (set(used) & self.dropped)


TestWindows = Windows.TestCase
