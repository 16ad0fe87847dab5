"""What an editor changes on an issue: orders, skips, links, sponsors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.article import Article
from syndicate.core.edits import Change, EditorLink, Edits, Sponsor, arrange, changed, edits_of, moved
from syndicate.errors import BadInput
from tests.rendering.digests import article

IDS = [article(number).id for number in range(1, 9)]
ids = st.sampled_from(IDS)


def found(count: int) -> list[Article]:
    return [article(number) for number in range(1, count + 1)]


steps = st.one_of(
    st.builds(lambda each, down: Change(move=(each, down)), ids, st.integers(-9, 9)),
    st.builds(lambda each: Change(skip=(each,)), ids),
    st.builds(lambda each: Change(unskip=(each,)), ids),
    st.builds(lambda some: Change(order=tuple(some)), st.lists(ids, max_size=4)),
)


def after(edits: Edits, step: Change, articles: list[Article]) -> Edits:
    roles = arrange(articles, edits, 3)
    return changed(
        edits, step, [a.id for a, role in roles if role != "skipped"], [a.id for a, role in roles if role == "skipped"]
    )


@given(st.lists(steps, max_size=12), st.integers(1, 8))
def test_no_edit_loses_or_doubles_an_article(taken: list[Change], most: int) -> None:
    edits, articles = Edits(), found(6)
    for step in taken:
        try:
            edits = after(edits, step, articles)
        except BadInput:
            continue
    roles = arrange(articles, edits, most)
    assert sorted(a.id for a, _ in roles) == sorted(a.id for a in articles)
    assert [role for _, role in roles] == sorted((role for _, role in roles), key=["full", "title", "skipped"].index)
    assert sum(role == "full" for _, role in roles) <= most
    assert {a.id for a, role in roles if role == "skipped"} == set(edits.skipped) & {a.id for a in articles}
    assert edits_of(edits.as_json()) == edits


@given(st.lists(steps, min_size=1, max_size=8))
def test_a_wider_window_keeps_the_order_and_appends(taken: list[Change]) -> None:
    edits, articles = Edits(), found(5)
    edits = after(edits, Change(move=(IDS[0], 1)), articles)
    for step in taken:
        try:
            edits = after(edits, step, articles)
        except BadInput:
            continue
    if not edits.order:
        return
    before = [a.id for a, role in arrange(articles, edits, 3) if role != "skipped"]
    # What is new comes first in the usual order.
    wider = [a.id for a, role in arrange([article(8), article(7), *articles], edits, 3) if role != "skipped"]
    assert wider == [*before, IDS[7], IDS[6]]
    narrower = [a.id for a, role in arrange(articles[1:], edits, 3) if role != "skipped"]
    assert narrower == [each for each in before if each != IDS[0]]


@given(st.permutations(IDS), ids, st.integers(-20, 20))
def test_a_move_shifts_one_and_stops_at_the_ends(order: list[str], one: str, down: int) -> None:
    result = moved(order, one, down, among=order)
    assert [each for each in result if each != one] == [each for each in order if each != one]
    assert result.index(one) == min(max(order.index(one) + down, 0), len(order) - 1)


def test_a_skipped_article_comes_back_to_its_place() -> None:
    articles = found(4)
    edits = after(Edits(), Change(order=(IDS[3], IDS[1])), articles)
    skipped = after(edits, Change(skip=(IDS[1],)), articles)
    assert [a.number for a, role in arrange(articles, skipped, 9) if role == "full"] == [4, 1, 3]
    again = after(skipped, Change(unskip=(IDS[1],)), articles)
    assert [a.number for a, _ in arrange(articles, again, 9)] == [4, 2, 1, 3]
    elsewhere = after(skipped, Change(move=(IDS[0], 1)), articles)
    again = after(elsewhere, Change(unskip=(IDS[1],)), articles)
    assert [a.number for a, _ in arrange(articles, again, 9)] == [4, 2, 3, 1]


def test_the_first_of_an_editors_order_leads() -> None:
    odd = article(1, suspects=("odd",))
    assert [a.number for a, _ in arrange([odd, article(2)], Edits(), 9)] == [2, 1]
    assert [a.number for a, _ in arrange([odd, article(2)], Edits(order=(odd.id,)), 9)] == [1, 2]


def test_a_stranger_is_refused() -> None:
    with pytest.raises(BadInput, match="not in this issue"):
        changed(Edits(), Change(skip=(IDS[7],)), IDS[:3])


@pytest.mark.parametrize(
    "url",
    [
        *("http://quay.example", "javascript:alert(1)", "//quay.example", "https://", "https:///a", "quay.example"),
        *("https://a b.example", "https://user:secret@quay.example", "https://x.example:port", "https://[", ""),
    ],
)
def test_a_link_is_a_whole_https_address(url: str) -> None:
    with pytest.raises(BadInput, match="https address"):
        changed(Edits(), Change(links=(EditorLink("The quay", url),)), IDS)


def test_links_and_sponsors_need_their_names() -> None:
    with pytest.raises(BadInput, match="no title"):
        changed(Edits(), Change(links=(EditorLink(" \n ", "https://quay.example"),)), IDS)
    with pytest.raises(BadInput, match="no name"):
        changed(Edits(), Change(sponsor=Sponsor(" ", "https://quay.example", "Boats.")), IDS)
    kept = changed(Edits(), Change(sponsor=Sponsor("Quay\n& Sons\u202e", " https://quay.example ", "Boats.")), IDS)
    assert kept.sponsor == Sponsor("Quay & Sons", "https://quay.example", "Boats.")
    assert changed(kept, Change(sponsor=Sponsor("")), IDS).sponsor is None
    with pytest.raises(BadInput, match="20 links"):
        changed(Edits(), Change(links=(EditorLink("x", "https://x.example"),) * 21), IDS)
