"""What one look at a feed leaves for the next: the marks by which its server tells that nothing changed, and for how
long it is left alone after it failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self

from syndicate.http import Reply

LONGEST_WAIT = timedelta(hours=6)
"""What the wait grows to after failures."""
LONGEST_ASKED = timedelta(days=1)
"""What a server may ask for by itself."""
LONGEST_VALIDATOR = 1000


@dataclass(frozen=True, slots=True)
class FeedState:
    """`settings` mark those that its items were read under; `sha256` is of the document. `retry_at` is when a feed that
    failed is asked again, in ISO 8601, and `problem` why it failed."""

    url: str
    settings: str = ""
    etag: str = ""
    modified: str = ""
    sha256: str = ""
    failures: int = 0
    retry_at: str = ""
    problem: str = ""

    @classmethod
    def of(cls, kept: Mapping[str, Any], url: str) -> Self:
        """From what JSON kept. What was kept of another address says nothing of this one."""
        if kept.get("url") != url:
            return cls(url)
        return cls(**{each.name: kept[each.name] for each in fields(cls) if each.name in kept})

    def as_json(self) -> dict[str, Any]:
        """What is to be kept."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value}

    def conditions(self, settings: str) -> dict[str, str]:
        """The headers that ask only for what changed (RFC 9110 §13.1); none when everything is to be read anew."""
        if self.settings != settings:
            return {}
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in headers.items() if value}

    def is_left_alone(self, now: datetime) -> bool:
        """Whether it failed so lately that it is not asked now."""
        return bool(self.retry_at) and now < datetime.fromisoformat(self.retry_at)

    def after_success(self) -> Self:
        """It answered that nothing changed."""
        return replace(self, failures=0, retry_at="", problem="")

    def after_failure(self, problem: str, now: datetime, *, every: timedelta, asked: timedelta) -> Self:
        """It is asked again after the time that it is usually asked in, twice that after the second failure, and so on;
        or after the time that its server asked for, whichever is later."""
        wait = max(min(every * 2 ** min(self.failures, 20), LONGEST_WAIT), min(asked, LONGEST_ASKED))
        retry_at = now + wait
        sentence = f"{problem} It is asked again after {retry_at:%Y-%m-%d %H:%M} UTC."
        # A clock that asks at equal intervals may come a little early.
        early = (retry_at - timedelta(seconds=1)).isoformat()
        return replace(self, failures=self.failures + 1, retry_at=early, problem=sentence)


def validators(reply: Reply) -> tuple[str, str]:
    """`etag` and `modified` as the server wrote them; "" for what cannot be kept."""
    return _printable(reply.headers.get("etag", "")), _printable(reply.headers.get("last-modified", ""))


def _printable(text: str) -> str:
    # No database keeps a NUL, and none of it goes back into a header.
    return text if len(text) <= LONGEST_VALIDATOR and text.isprintable() else ""


def wait_asked_for(reply: Reply, now: datetime) -> timedelta:
    """Retry-After (RFC 9110 §10.2.3), in seconds or as a date; none when it cannot be read."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return timedelta(seconds=int(text))
    try:
        moment = parsedate_to_datetime(text)
        return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now, timedelta())
    except (ValueError, OverflowError):
        return timedelta()
