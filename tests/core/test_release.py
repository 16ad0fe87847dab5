"""Numbering under any interleaving of collectors, edits, holds, releases, includes and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from syndicate.core.release import (
    Standing,
    hold,
    include,
    is_due,
    on_arrival,
    on_edit,
    publish,
    release,
    updated_after,
    wants_number,
    winner,
)
from syndicate.errors import Refused

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MARKS = st.sampled_from(["", "", "draft"])
HOURS = st.none() | st.integers(-5, 5)


class Newsroom(RuleBasedStateMachine):
    """Articles by name, the counter, and the book of every number that was ever given, in the order of giving."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.counter = 0
        self.book: list[tuple[int, int]] = []
        self.articles: list[Standing] = []
        self.ever_new: set[int] = set()

    def step(self, name: int, after: Standing) -> None:
        before = self.articles[name]
        assert before.number is None or after.number in (None, before.number)
        self.articles[name] = after

    def number(self) -> int:
        self.counter += 1
        return self.counter

    def moment(self, hours: int | None) -> datetime | None:
        return None if hours is None else self.now + timedelta(hours=hours)

    def pick(self, pick: int) -> int | None:
        return pick % len(self.articles) if self.articles else None

    @rule(mark=MARKS, hours=HOURS, first_look=st.booleans())
    def arrive(self, mark: str, hours: int | None, first_look: bool) -> None:
        standing = on_arrival(mark, self.moment(hours), self.now, backlog_since=START if first_look else None)
        assert standing.number is None
        self.articles.append(standing)

    @rule(pick=st.integers(0), mark=MARKS, hours=HOURS)
    def edit(self, pick: int, mark: str, hours: int | None) -> None:
        name = self.pick(pick)
        if name is not None:
            self.step(name, on_edit(self.articles[name], mark, self.moment(hours), self.now))

    @rule(pick=st.integers(0))
    def hold(self, pick: int) -> None:
        name = self.pick(pick)
        if name is not None:
            self.step(name, hold(self.articles[name], "the desk asks"))

    @rule(pick=st.integers(0), before_its_time=st.booleans())
    def release(self, pick: int, before_its_time: bool) -> None:
        name = self.pick(pick)
        if name is None:
            return
        try:
            self.step(name, release(self.articles[name], self.now, before_its_time=before_its_time))
        except Refused:
            return
        assert not self.articles[name].hold_reason
        assert not before_its_time or is_due(self.articles[name], self.now)

    @rule(pick=st.integers(0))
    def include(self, pick: int) -> None:
        name = self.pick(pick)
        if name is None or not self.articles[name].published or not self.articles[name].backlog:
            return
        after = include(self.articles[name], self.number())
        self.book.append((self.counter, name))
        self.articles[name] = after

    @rule()
    def publish_due(self) -> None:
        """The numbering step of one collector."""
        for name, standing in enumerate(self.articles):
            if is_due(standing, self.now):
                number = self.number() if wants_number(standing) else None
                self.articles[name] = publish(standing, number, self.now)
                if number is not None:
                    self.book.append((number, name))
        for standing in self.articles:
            assert not is_due(standing, self.now)
            if standing.published:
                assert standing.backlog or standing.number is not None

    @rule(hours=st.integers(1, 6))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def numbers_are_given_once_and_in_order(self) -> None:
        given = [number for number, _ in self.book]
        assert given == list(range(1, self.counter + 1))

    @invariant()
    def only_what_is_published_has_a_number_and_it_is_its_own(self) -> None:
        owners = dict(self.book)
        for name, standing in enumerate(self.articles):
            if standing.number is not None:
                assert standing.published and owners[standing.number] == name
            if not standing.published:
                assert standing.status in ("held", "waiting")
            assert (standing.status == "held") == bool(standing.held_by) == bool(standing.hold_reason)

    @invariant()
    def what_is_published_has_its_moment_and_its_time_has_come(self) -> None:
        for standing in self.articles:
            if standing.published:
                assert standing.published_at is not None and standing.updated_at is not None
                assert standing.not_before is None or standing.not_before <= self.now


TestNewsroom = Newsroom.TestCase


@given(MARKS, HOURS, MARKS, HOURS)
def test_an_editors_hold_outlasts_every_edit(mark: str, hours: int | None, later: str, later_hours: int | None) -> None:
    held = hold(on_arrival(mark, None, START), "wait for the lawyer")
    edited = on_edit(held, later, None if later_hours is None else START + timedelta(hours=later_hours), START)
    assert (edited.status, edited.held_by, edited.hold_reason) == ("held", "editor", "wait for the lawyer")


def test_a_release_overrides_the_mark_until_the_file_changes() -> None:
    marked = on_arrival("draft", None, START)
    released = publish(release(marked, START), 1, START)
    assert released.published
    assert on_edit(released, "draft", None, START).status == "held"


def test_backlog_that_was_held_returns_as_backlog_where_it_stood() -> None:
    backlog = on_arrival("", None, START, backlog_since=START - timedelta(days=30))
    back = publish(release(hold(backlog, ""), START), None, START)
    assert back == backlog


def test_an_embargo_must_be_lifted_by_name() -> None:
    waiting = on_arrival("", START + timedelta(days=1), START)
    with pytest.raises(Refused, match="--now"):
        release(waiting, START)
    assert is_due(release(waiting, START, before_its_time=True), START)
    # Held and embargoed: letting it go means that it waits again.
    assert not is_due(release(hold(waiting, ""), START), START)


def test_what_cannot_be_is_refused() -> None:
    released = publish(on_arrival("", None, START), 1, START)
    gone = replace(released, status="gone", number=None)
    forbidden: list[Callable[[], Standing]] = [
        lambda: release(released, START),
        lambda: release(gone, START),
        lambda: hold(gone, ""),
        lambda: include(released, 2),
        lambda: include(hold(released, ""), 2),
    ]
    for each in forbidden:
        with pytest.raises(Refused):
            each()
    assert on_edit(gone, "", None, START) == gone


def test_updated_never_moves_back_nor_past_the_present() -> None:
    hour = timedelta(hours=1)
    assert updated_after(None, None, START, START) == START
    assert updated_after(START - hour, None, START, START + hour) == START
    assert updated_after(START + hour, START, START, START + 2 * hour) == START + hour
    assert updated_after(START + hour, START + hour, START, START + 2 * hour) == START
    assert updated_after(START + 9 * hour, None, START, START + hour) == START + hour
    assert updated_after(START + hour, None, None, START + hour) is None


def test_the_source_named_first_wins_and_an_unnamed_one_never_does() -> None:
    assert winner(["wire", "desk"], ["desk", "wire"]) == "desk"
    assert winner(["old", "wire"], ["desk", "wire"]) == "wire"
