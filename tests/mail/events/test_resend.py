"""Resend's webhooks: signed by a secret that may be changing, and only of now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syndicate.errors import Refused
from syndicate.mail.events.base import Arrival
from syndicate.mail.events.resend import ResendWebhook
from tests.mail.events.signing import SECRET, signed

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BODY = b'{"type":"email.delivered","created_at":"2026-11-20T09:29:00Z","data":{"email_id":"e1","to":["a@b.example"]}}'


def take(body: bytes, headers: dict[str, str]) -> str:
    (event,) = ResendWebhook(SECRET).take(Arrival(body, headers), NOW).events
    return event.event_id


def test_a_signed_event_is_taken() -> None:
    assert take(BODY, signed(BODY, NOW)) == "msg_1"


def test_one_of_several_signatures_is_enough_while_a_secret_changes() -> None:
    headers = signed(BODY, NOW)
    headers["svix-signature"] = f"v1,AAAA v1a,BBBB {headers['svix-signature']}"
    assert take(BODY, headers) == "msg_1"


@pytest.mark.parametrize(
    "change",
    [
        {"svix-id": "msg_2"},
        {"svix-timestamp": "1"},
        {"svix-timestamp": "abc"},
        {"svix-signature": "v1,AAAA"},
        {"svix-signature": ""},
        {"svix-signature": "v1,é"},
        {"svix-id": ""},
    ],
)
def test_what_was_changed_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(Refused):
        take(BODY, {**signed(BODY, NOW), **change})
    with pytest.raises(Refused):
        take(BODY + b" ", signed(BODY, NOW))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_signature_is_refused(minutes: int) -> None:
    with pytest.raises(Refused):
        take(BODY, signed(BODY, NOW + timedelta(minutes=minutes)))
    assert take(BODY, signed(BODY, NOW + timedelta(minutes=minutes * 0.8)))
