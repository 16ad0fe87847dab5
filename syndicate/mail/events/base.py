"""The port of webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar

from syndicate.core.mail_event import MailEvent
from syndicate.errors import Refused

_Found = TypeVar("_Found")


class Arrival(NamedTuple):
    """A request as it came. `headers` are by lower-case name."""

    body: bytes
    headers: Mapping[str, str]


class Report(NamedTuple):
    """What a request told, proved to be the mail API's. `once` is a token that may come with this very body only, for
    the time of `once_for`, where the proof is not over the body; "" where it is, or where there is none but the
    secret."""

    events: tuple[MailEvent, ...]
    once: str = ""
    once_for: timedelta = timedelta(0)


class Webhook(Protocol):
    """The webhook of one mail API."""

    @property
    def largest_body(self) -> int:
        """In octets, what one request may have."""

    def admit(self, headers: Mapping[str, str]) -> None:
        """Turns away whose headers, by lower-case name, alone tell that they are not the mail API, before their body is
        read. Raises Refused."""

    def take(self, arrival: Arrival, now: datetime) -> Report:
        """What the request reports; events of kinds that are not known are among them as "other".

        Raises Refused when it does not prove that it comes from the mail API, before anything else of it is read;
        BadInput when it is not what the API sends; MailAPIError when that cannot be told now."""


class AnyOf:
    """The webhooks of several accounts of one mail API: what proves itself to any of them."""

    def __init__(self, webhooks: Sequence[Webhook]) -> None:
        self._webhooks = webhooks

    @property
    def largest_body(self) -> int:
        return max(each.largest_body for each in self._webhooks)

    def admit(self, headers: Mapping[str, str]) -> None:
        self._first(lambda webhook: webhook.admit(headers))

    def take(self, arrival: Arrival, now: datetime) -> Report:
        return self._first(lambda webhook: webhook.take(arrival, now))

    def _first(self, ask: Callable[[Webhook], _Found]) -> _Found:
        *others, last = self._webhooks
        for webhook in others:
            try:
                return ask(webhook)
            except Refused:
                continue
        return ask(last)
