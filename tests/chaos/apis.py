"""The mail APIs of the rounds: each that there is, and SendGrid once more with the record for which it is paid."""

from __future__ import annotations

from syndicate.mail import ADAPTERS, sheet_of

ACTIVITY = "sendgrid+activity"
APIS = sorted([*ADAPTERS, ACTIVITY])


def adapter_of(api: str) -> str:
    """As `[mail] api` names it."""
    return api.partition("+")[0]


def can_know(api: str) -> bool:
    """Whether this mail API tells what became of a request whose answer was lost, by its key or by its record: then
    nobody may stay uncertain."""
    sheet = sheet_of(adapter_of(api))
    return bool(sheet.idempotency_seconds or sheet.lookup or api == ACTIVITY)
