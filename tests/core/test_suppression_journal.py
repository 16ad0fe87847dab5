"""What the journal of suppressions says of everybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.suppression_journal import ACTS, Entry, read_entries, standing, written

NOW = datetime(2026, 3, 1, 7, tzinfo=UTC)
ENTRIES = st.lists(
    st.builds(
        Entry,
        act=st.sampled_from(ACTS),
        address_hash=st.sampled_from(["a" * 64, "b" * 64]),
        at=st.just(NOW),
        about=st.sampled_from(["", "morning", "bounce", "erased"]),
    ),
    max_size=12,
)


@given(ENTRIES, st.data())
def test_what_was_written_is_read_again_up_to_where_a_kill_cut_it(entries: list[Entry], data: st.DataObject) -> None:
    whole = b"".join(written(entry, "site") for entry in entries)
    assert list(read_entries(whole.splitlines(True), "site")) == entries
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    # A line without its end may be whole JSON already; all before it is there.
    assert list(read_entries(cut.splitlines(True), "site"))[: cut.count(b"\n")] == entries[: cut.count(b"\n")]
    assert not list(read_entries(whole.splitlines(True), "another"))


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_garbage_is_passed_over(lines: list[bytes]) -> None:
    assert not list(read_entries(lines, "site"))


@given(ENTRIES, st.data())
def test_what_allows_mail_again_and_is_written_twice_counts_once(entries: list[Entry], data: st.DataObject) -> None:
    marked = [
        replace(entry, token=str(place)) if entry.act in ("lifted", "joined") else entry
        for place, entry in enumerate(entries)
    ]
    again = list(marked)
    for entry in [each for each in marked if each.token]:
        # Any time after the first.
        again.insert(data.draw(st.integers(again.index(entry) + 1, len(again))), entry)
    assert standing(again) == standing(marked)


@given(ENTRIES)
def test_the_last_word_counts_and_an_erasure_stays(entries: list[Entry]) -> None:
    found = standing(entries)
    for keyed in ("a" * 64, "b" * 64):
        own = [each for each in entries if each.address_hash == keyed and each.act in ("suppressed", "lifted")]
        erased = any(each.act == "suppressed" and each.about == "erased" for each in own)
        assert (keyed in found.suppressed) == (erased or bool(own and own[-1].act == "suppressed"))
        assert (keyed in found.lifted) == (not erased and bool(own and own[-1].act == "lifted"))
        moved = [each for each in entries if each.address_hash == keyed and each.about == "morning"]
        moved = [each for each in moved if each.act in ("left", "joined")]
        assert ((keyed, "morning") in found.left) == bool(moved and moved[-1].act == "left")


def test_what_a_late_report_may_lift_takes_the_place_of_nothing_else() -> None:
    def told(*reasons: str) -> str:
        return standing(Entry("suppressed", "a" * 64, NOW, about) for about in reasons).suppressed["a" * 64].about

    assert told("unreachable", "unsubscribe") == told("unsubscribe", "unreachable") == "unsubscribe"
    assert told("unreachable", "manual") == "manual"
    assert told("unreachable") == "unreachable"
