"""What all mail APIs' answers have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from syndicate.core.message import Answer
from syndicate.core.reason import words_in
from syndicate.http import Failure, Reply

LONGEST_WAIT = 86_400.0
"""Seconds. However long an API says to wait, it is asked again after a day."""

_MOMENTS = 1_000_000_000.0
"""A number of seconds from here on is Unix time: thirty years are no wait. A thousand times as much is the same in
milliseconds."""


def of_failure(failure: Failure) -> Answer:
    """No whole answer: not accepted if nothing left this machine, else uncertain."""
    return Answer("uncertain" if failure.left else "not_accepted", failure.why)


def json_of(reply: Reply) -> Any:
    """The body as JSON, None when it is none."""
    try:
        return json.loads(reply.body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def stopped(cure: str, why: str) -> Answer:
    """Not accepted, nor would any other request be: what to do, then what the API said."""
    return Answer("not_accepted", f"{cure} ({why})", stops=True)


def of_results(
    ids: tuple[str, ...],
    refused: Mapping[int, str],
    not_taken: Mapping[int, str],
    *,
    cure: str,
    stops: bool = False,
    retry_after_seconds: float | None = None,
) -> Answer:
    """What results for single messages come to: `ids` of those taken, the reasons for those `refused`, and for those
    `not_taken` for what is no fault of theirs: with a `cure` of the account (it `stops` then), else of the moment.

    When none was taken and nothing is wrong but with the messages, a batch is halved until single messages remain, so
    that what is wrong with all of them pauses the issue instead of refusing everybody."""
    why = next(iter((not_taken or refused).values()), "200")
    why = f"{cure} ({why})" if cure else why
    stops = bool(cure) or stops
    if ids:
        return Answer(
            "accepted",
            why,
            refused=refused,
            stops=stops,
            retry_after_seconds=retry_after_seconds,
            vendor_ids=ids,
            not_taken=frozenset(not_taken),
        )
    if cure:
        return Answer("not_accepted", why, stops=True)
    if retry_after_seconds is not None:
        return Answer("not_accepted", why, retry_after_seconds=retry_after_seconds)
    return Answer("not_accepted", why, permanent=True)


def excerpt(reply: Reply) -> str:
    """`status: what it says in words`, printable and short, to be shown to people; the beginning of the body where no
    words are found in it."""
    words = printable(words_in(json_of(reply)) or reply.body[:600].decode("utf-8", "replace"))
    return f"{reply.status}: {words}" if words else f"{reply.status}"


def printable(words: str) -> str:
    """What an API said, in one line of at most 200 printable characters."""
    return " ".join("".join(character if character.isprintable() else " " for character in words).split())[:200]


def without(secret: str, answer: Answer) -> Answer:
    """The answer, with the secret blacked out in case the API repeated it."""
    if not secret or not any(secret in words for words in (answer.why, *answer.refused.values())):
        return answer
    refused = {place: words.replace(secret, "[secret]") for place, words in answer.refused.items()}
    return replace(answer, why=answer.why.replace(secret, "[secret]"), refused=refused)


def wait_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the API asks to wait: Retry-After in seconds or as a date (RFC 9110 §10.2.3), else RateLimit-Reset
    (seconds, draft-ietf-httpapi-ratelimit-headers, or as vendors call it; some give the moment in Unix time). A date or
    moment is counted from the answer's own Date, else from `now`. Between 0 and LONGEST_WAIT; None when nothing
    readable is said."""
    since = _date(headers.get("date", "")) or now
    for name in ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-sib-ratelimit-reset"):
        value = headers.get(name, "").strip()
        if not value:
            continue
        seconds = _seconds(value)
        if seconds is None and name == "retry-after":
            until = _date(value)
            seconds = (until - since).total_seconds() if until else None
        elif seconds is not None and seconds >= _MOMENTS:
            seconds = (seconds / 1000 if seconds >= 1000 * _MOMENTS else seconds) - since.timestamp()
        if seconds is not None:
            return min(max(seconds, 0.0), LONGEST_WAIT)
    return None


def _seconds(value: str) -> float | None:
    whole, _, part = value.partition(".")
    if whole.isascii() and whole.isdigit() and len(whole) < 16 and (not part or part.isdigit()):
        return float(value)
    return None


def _date(value: str) -> datetime | None:
    """A date of HTTP in any of its three forms (RFC 9110 section 5.6.7), one of which names no zone and is in UTC all
    the same; or as some write it, in ISO 8601."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(value)
        except ValueError:
            continue
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None
