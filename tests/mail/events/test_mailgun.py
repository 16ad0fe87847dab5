"""Mailgun's webhooks: signed over a time and a token, which are therefore good for one body only."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from syndicate.errors import BadInput, Refused
from syndicate.mail.events.base import Arrival, Report
from syndicate.mail.events.mailgun import MailgunWebhook
from tests.mail.events.signing import SIGNING_KEY, mailgun

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
EVENT = b'{"event": "complained", "id": "1", "recipient": "ann@mail.example", "timestamp": 1795166940}'


def take(body: bytes, now: datetime = NOW) -> Report:
    return MailgunWebhook(SIGNING_KEY).take(Arrival(body, {}), now)


def test_the_token_comes_along_for_as_long_as_it_would_be_believed() -> None:
    report = take(mailgun(EVENT, NOW, "t1")[0])
    assert report.once == f"{NOW.timestamp():.0f} t1"
    first, last = NOW - timedelta(minutes=5), NOW + timedelta(hours=9)
    for now in (first, last):
        assert take(mailgun(EVENT, NOW, "t1")[0], now).once == report.once
    assert last - first <= report.once_for


@pytest.mark.parametrize("now", [NOW - timedelta(minutes=6), NOW + timedelta(hours=10)])
def test_an_old_signature_is_refused(now: datetime) -> None:
    with pytest.raises(Refused, match="old"):
        take(mailgun(EVENT, NOW)[0], now)


@pytest.mark.parametrize(
    "change",
    [
        {"token": "another"},
        {"timestamp": "1795166941"},
        {"timestamp": 1795166941},
        {"timestamp": "x"},
        {"signature": "0" * 64},
        {"signature": "é"},
        {"signature": ""},
        {"token": ""},
        {"token": "t" * 201},
        {"token": ["t"]},
    ],
)
def test_what_was_changed_is_refused(change: dict[str, object]) -> None:
    told = json.loads(mailgun(EVENT, NOW)[0])
    told["signature"].update(change)
    with pytest.raises(Refused):
        take(json.dumps(told).encode())


def test_time_and_token_cannot_change_places() -> None:
    """One text is signed that holds both: what is moved over its border is another request."""
    told = json.loads(mailgun(EVENT, NOW, "7token")[0])
    told["signature"].update(timestamp=told["signature"]["timestamp"] + "7", token="token")
    with pytest.raises(Refused):
        take(json.dumps(told).encode())


def test_a_route_for_incoming_mail_is_no_event() -> None:
    with pytest.raises(BadInput):
        take(mailgun(b'"x"', NOW)[0])
