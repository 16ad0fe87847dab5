"""Who may be changed by what: suppression outranks everything, stopping always works, nobody comes back by mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.people import Change, Wanted, decide, resume_after_change
from syndicate.core.subscriber import Subscriber, Subscription, SubscriptionStatus

LEFT_AT = datetime(2026, 5, 1, tzinfo=UTC)
CADENCES = {"morning": ("daily", "weekly"), "evening": ()}


def person(status: SubscriptionStatus | None = "active", *, cadence: str = "daily", suppressed: str = "") -> Subscriber:
    subscription = [Subscription("morning", cadence, status, LEFT_AT, changed_at=LEFT_AT)] if status else []
    return Subscriber(
        1, "ann@post.example", "ann@post.example", suppressed=suppressed, subscriptions=tuple(subscription)
    )


def wanted(status: str = "active", cadence: str | None = None, **more: object) -> Wanted:
    return Wanted("ann@post.example", "ann@post.example", {"morning": cadence}, status, **more)  # type: ignore[arg-type]


def step(change: Change) -> tuple[str, str, str] | None:
    return (
        (change.subscriptions[0].status, change.subscriptions[0].cadence, change.subscriptions[0].action)
        if change.subscriptions
        else None
    )


@pytest.mark.parametrize(
    ("before", "asked", "outcome", "expected"),
    [
        (None, wanted(), "new", ("active", "daily", "imported")),
        (None, wanted("pending"), "new", ("pending", "daily", "asked")),
        (None, wanted("left"), "new", ("left", "daily", "left")),
        (person(), wanted(), "unchanged", None),
        (person(cadence="weekly"), wanted(), "unchanged", None),
        # One that the newsletter has no more is sent to nobody.
        (person(cadence="hourly"), wanted(), "changed", ("active", "daily", "changed")),
        (person("pending", cadence="hourly"), wanted(), "changed", ("active", "daily", "confirmed")),
        (person(cadence="hourly"), wanted("left"), "changed", ("left", "hourly", "left")),
        (person(), wanted(cadence="weekly"), "changed", ("active", "weekly", "changed")),
        (person(), wanted("pending"), "unchanged", None),
        (person("pending"), wanted(), "changed", ("active", "daily", "confirmed")),
        (person(), wanted("left", "weekly"), "changed", ("left", "daily", "left")),
        (person("left"), wanted("left"), "unchanged", None),
        (person("left"), wanted(), "left", None),
        (person("left"), wanted("pending", consent_at=LEFT_AT + timedelta(1)), "left", None),
        (person("left"), wanted(consent_at=LEFT_AT), "left", None),
        (person("left"), wanted(consent_at=LEFT_AT + timedelta(1)), "changed", ("active", "daily", "rejoined")),
        (person(None), wanted(), "changed", ("active", "daily", "imported")),
        (person(suppressed="bounce"), wanted(cadence="weekly"), "suppressed", None),
        (person(), wanted(name="Ann"), "changed", None),
        (person(suppressed="manual"), wanted("left", name="Ann"), "changed", ("left", "daily", "left")),
        (person("left", suppressed="manual"), wanted("left"), "suppressed", None),
        (person(suppressed="manual"), wanted("suppressed"), "suppressed", None),
        (person(suppressed="unsubscribe"), wanted("suppressed"), "changed", ("left", "daily", "left")),
        (person(suppressed="unreachable"), wanted("suppressed"), "changed", ("left", "daily", "left")),
        (Subscriber(0, "", "ann@post.example", suppressed="unreachable"), wanted("suppressed"), "changed", None),
        (Subscriber(0, "", "ann@post.example", suppressed="erased"), wanted("left"), "suppressed", None),
    ],
)
def test_decisions(
    before: Subscriber | None, asked: Wanted, outcome: str, expected: tuple[str, str, str] | None
) -> None:
    change = decide(before, asked, cadences=CADENCES)
    assert (change.outcome, step(change)) == (outcome, expected)


def test_a_consent_given_now_brings_back_whoever_left_but_nobody_who_is_suppressed() -> None:
    assert step(decide(person("left"), wanted(), cadences=CADENCES, proven=True)) == ("active", "daily", "rejoined")
    assert (
        decide(person("left", suppressed="complaint"), wanted(), cadences=CADENCES, proven=True).outcome
        == "suppressed"
    )


def test_suppressing_leaves_every_newsletter_named() -> None:
    change = decide(person(), wanted("suppressed"), cadences=CADENCES)
    assert change.suppress
    assert step(change) == ("left", "daily", "left")


statuses = st.sampled_from(["active", "pending", "left", "suppressed"])
moments = st.none() | st.integers(-3, 3).map(lambda days: LEFT_AT + timedelta(days))


@given(
    st.sampled_from(["active", "pending", "left", None]), st.sampled_from(["", "bounce"]),
    statuses, moments, st.sampled_from([None, "daily", "weekly"]), st.booleans(),
)  # fmt: skip
def test_no_wish_ever_mails_somebody_who_must_not_be(
    status: SubscriptionStatus | None,
    suppressed: str,
    asked: str,
    consent_at: datetime | None,
    cadence: str | None,
    proven: bool,
) -> None:
    before = person(status, suppressed=suppressed)
    change = decide(before, wanted(asked, cadence, consent_at=consent_at), cadences=CADENCES, proven=proven)
    becomes = step(change)
    active_after = becomes[0] == "active" if becomes else status == "active"
    if suppressed and asked != "left":
        assert change == Change("suppressed")
    if asked == "left" or (asked == "suppressed" and not suppressed):
        assert not active_after
    if status == "left" and active_after:
        assert proven or (consent_at is not None and consent_at > LEFT_AT)


# --- after a change of cadence ----------------------------------------------------------------------------------


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.none() | st.integers(0, 50),
    st.none() | st.integers(0, 50),
)
def test_a_change_of_cadence_leaves_no_hole(
    counter: int, left_mark: int, joined_mark: int, accepted: int | None, resume: int | None
) -> None:
    """Whatever the person was still to get is above the point from which their next issue takes its articles."""
    found = resume_after_change(
        accepted_through=accepted, resume_from=resume, left_mark=left_mark, joined_mark=joined_mark
    )
    starts = joined_mark if found is None else found
    if accepted is not None:
        assert starts == accepted
    else:
        assert starts <= (left_mark if resume is None else resume) or starts == joined_mark
        assert starts <= max(joined_mark, left_mark, resume or 0)


def test_somebody_who_got_nothing_yet_takes_the_promise_of_the_old_cadence_along() -> None:
    assert resume_after_change(accepted_through=None, resume_from=None, left_mark=7, joined_mark=12) == 7
    assert resume_after_change(accepted_through=None, resume_from=None, left_mark=12, joined_mark=7) is None
    assert resume_after_change(accepted_through=None, resume_from=5, left_mark=9, joined_mark=12) == 5
    assert resume_after_change(accepted_through=30, resume_from=5, left_mark=9, joined_mark=12) == 30


def test_changing_to_and_fro_forgets_nothing() -> None:
    """daily (mark 7) → weekly (mark 12) → daily, before any issue: the promise of the first day still holds."""
    there = resume_after_change(accepted_through=None, resume_from=None, left_mark=7, joined_mark=12)
    back = resume_after_change(accepted_through=None, resume_from=there, left_mark=12, joined_mark=9)
    assert back == 7
