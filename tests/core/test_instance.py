"""Whether a database is where it was left."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.instance import Here, Remembered, confirmed, differences, judge, next_epoch

PLACES = st.sampled_from(["a:/site", "b:/site", "a:/copy"])
URLS = st.sampled_from(["https://one.example.com", "https://two.example.com"])
ACCOUNTS = st.sampled_from(["", "key1", "key2"])
REMEMBERED = st.builds(
    Remembered,
    places=st.lists(PLACES, max_size=2, unique=True).map(tuple),
    web_url=URLS,
    mail_account=ACCOUNTS,
    epoch=st.integers(0, 5),
    quarantined=st.booleans(),
)
HERE = st.builds(
    Here,
    place=PLACES,
    web_url=URLS,
    mail_account=st.sampled_from(["key1", "key2"]),
    live=st.booleans(),
    epoch=st.none() | st.integers(0, 6),
    others_are_up=st.booleans(),
)
LIVE = Remembered(("a:/site",), "https://one.example.com", "key1", 5)
SAME = Here("a:/site", "https://one.example.com", "key1", live=True, epoch=5)


def test_what_is_as_it_was_goes_on_with_a_higher_epoch() -> None:
    assert judge(LIVE, SAME).remember == replace(LIVE, epoch=6)


@given(REMEMBERED, HERE)
def test_an_older_database_is_quarantined_whatever_it_sends_through(remembered: Remembered, here: Here) -> None:
    if here.epoch is not None and here.epoch > remembered.epoch:
        assert judge(remembered, here).quarantine


@given(REMEMBERED, HERE)
def test_a_quarantine_never_ends_by_itself(remembered: Remembered, here: Here) -> None:
    judgement = judge(replace(remembered, quarantined=True), here)
    assert judgement.quarantine
    assert judgement.remember is None


@given(REMEMBERED, HERE)
def test_exactly_one_thing_follows_and_nothing_live_goes_on_unexplained(remembered: Remembered, here: Here) -> None:
    judgement = judge(remembered, here)
    assert judgement.quarantine + judgement.wait_here + (judgement.remember is not None) == 1
    if judgement.remember is not None and here.live and remembered.was_live:
        assert not judgement.differences


@given(REMEMBERED, HERE)
def test_a_rehearsal_is_bothered_only_by_a_restored_database(remembered: Remembered, here: Here) -> None:
    rehearsal, fresh = replace(here, live=False), replace(remembered, quarantined=False)
    judgement = judge(fresh, rehearsal)
    assert judgement.quarantine == (here.epoch is not None and here.epoch > remembered.epoch)
    if fresh.was_live and judgement.remember is not None:
        # What live mail is judged by stays as it was.
        assert replace(judgement.remember, epoch=0) == replace(fresh, epoch=0)


@given(REMEMBERED, HERE, st.booleans())
def test_once_confirmed_nothing_differs(remembered: Remembered, here: Here, shared: bool) -> None:
    after = confirmed(remembered, here, shared=shared)
    again = replace(here, epoch=after.epoch)
    assert not differences(after, again)
    assert judge(after, again).remember is not None
    assert after.epoch > max(remembered.epoch, here.epoch or 0)


@given(REMEMBERED, HERE)
def test_a_kill_between_database_and_file_raises_no_alarm(remembered: Remembered, here: Here) -> None:
    ahead = replace(LIVE, epoch=next_epoch(LIVE, SAME))
    assert not judge(ahead, SAME).differences


def test_a_copied_folder_and_a_copied_machine_are_noticed_only_where_mail_is_live() -> None:
    for place in ("a:/copy", "b:/site"):
        assert judge(LIVE, replace(SAME, place=place)).quarantine
        assert judge(LIVE, replace(SAME, place=place, live=False)).remember is not None


def test_another_machine_joins_without_stopping_the_others() -> None:
    joining = replace(SAME, place="b:/site", epoch=None)
    assert judge(LIVE, joining).quarantine
    assert judge(LIVE, replace(joining, others_are_up=True)).wait_here
    known = confirmed(LIVE, joining, shared=True)
    assert known.places == ("a:/site", "b:/site")


def test_a_changed_address_or_account_asks_when_mail_is_live() -> None:
    for changed in (replace(SAME, web_url="https://two.example.com"), replace(SAME, mail_account="key2")):
        assert judge(LIVE, changed).quarantine


def test_without_its_folder_nobody_can_tell_whether_a_live_database_is_the_newest() -> None:
    assert judge(LIVE, replace(SAME, epoch=None)).quarantine
    never = replace(LIVE, mail_account="")
    assert judge(never, replace(SAME, epoch=None)).remember is not None
