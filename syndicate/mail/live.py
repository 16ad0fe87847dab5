"""A mail API that reaches people: it takes no sample address, and posts nothing before somebody has looked."""

from __future__ import annotations

from collections.abc import Sequence

from syndicate.core.copies import addresses_of
from syndicate.core.message import Answer, CapabilitySheet, Message
from syndicate.core.sample import is_sample_address
from syndicate.errors import BadInput
from syndicate.mail.base import MailAPI

ASK_AGAIN_SECONDS = 60.0


class Live:
    """Another adapter behind a gate that is shut at first. Whoever has checked that live mail may go out opens it."""

    def __init__(self, api: MailAPI) -> None:
        self._api = api
        self.is_open = False

    @property
    def sheet(self) -> CapabilitySheet:
        return self._api.sheet

    @property
    def account(self) -> str:
        return self._api.account

    @property
    def url(self) -> str:
        return self._api.url

    def build(self, messages: Sequence[Message]) -> bytes:
        for email in addresses_of(messages):
            if is_sample_address(email):
                raise BadInput(f"{email} is a sample: no live mail goes there.", cure="Erase or suppress that reader.")
        return self._api.build(messages)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        if not self.is_open:
            why = "live mail is not allowed now: `syndicate check` says why"
            return Answer("not_accepted", why, retry_after_seconds=ASK_AGAIN_SECONDS)
        return self._api.post(body, key=key, count=count)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return self._api.lookup(message_ids, key=key)
