"""What every webhook must keep: proof before reading, one id for one event, each kind as the vendor means it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.mail_event import MailEvent
from syndicate.errors import BadInput, MailAPIError, NotFound, Refused
from syndicate.mail import ADAPTERS
from syndicate.mail.events import WEBHOOKS, open_webhook
from syndicate.mail.events.base import Arrival
from tests.mail.events.signing import VENDORS

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "samples"

webhooks = pytest.mark.parametrize("name", sorted(WEBHOOKS))


def samples(name: str) -> list[dict[str, Any]]:
    """Requests as the vendor documents them, with our own people in them, and what each is to be read as."""
    found: list[dict[str, Any]] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def arrived(name: str, told: Any) -> Arrival:
    body, headers = VENDORS[name].prove(json.dumps(told).encode(), NOW)
    return Arrival(body, headers)


def taken(name: str, told: Any) -> tuple[MailEvent, ...]:
    return open_webhook(name, VENDORS[name].secret).take(arrived(name, told), NOW).events


@webhooks
def test_each_sample_is_read_as_the_vendor_means_it(name: str) -> None:
    kinds = set()
    for sample in samples(name):
        events = taken(name, sample["told"])
        assert len(events) == len(sample["events"])
        for event, expected in zip(events, sample["events"], strict=True):
            found = {
                "kind": event.kind,
                "vendor_id": event.vendor_id,
                "address": event.addresses[0] if event.addresses else "",
                "label": event.label,
                "code": event.code,
            }
            at = NOW if expected["at"] == "now" else datetime.fromisoformat(expected["at"])
            assert (event.api, event.at, found) == (name, at, {key: expected[key] for key in found})
            assert event.raw
            kinds.add(event.kind)
    assert {"delivered", "hard bounce", "soft bounce", "complaint", "other"} <= kinds


@webhooks
def test_an_event_keeps_its_id_and_no_other_has_it(name: str) -> None:
    everything = [event for sample in samples(name) for event in taken(name, sample["told"])]
    again = [event for sample in samples(name) for event in taken(name, sample["told"])]
    ids = [event.event_id for event in everything]
    assert ids == [event.event_id for event in again]
    assert all(1 <= len(each) <= 200 for each in ids)
    if name != "resend":
        # There it stands beside the body, in a header.
        assert len(set(ids)) == len(ids)


@webhooks
def test_without_proof_nothing_is_read(name: str) -> None:
    webhook = open_webhook(name, VENDORS[name].secret)
    good = arrived(name, samples(name)[0]["told"])
    for headers in ({}, {"authorization": "Basic é"}, {"authorization": "Bearer "}):
        # What is no JSON would be BadInput if it had been looked at.
        for body in (b"\xff", b"{}", *([good.body] if VENDORS[name].in_headers else [])):
            with pytest.raises(Refused) as refused:
                webhook.take(Arrival(body, headers), NOW)
            assert refused.value.message
        if VENDORS[name].in_headers:
            with pytest.raises(Refused):
                webhook.admit(headers)
    webhook.admit(good.headers)
    if VENDORS[name].over_the_body:
        with pytest.raises(Refused):
            webhook.take(Arrival(good.body.replace(b"mail.example", b"mail.example2"), good.headers), NOW)


@webhooks
@pytest.mark.parametrize("secret", ["", "short", "é" * 30, "a secret with spaces in it, and more"])
def test_what_cannot_be_a_secret_is_said_at_once(name: str, secret: str) -> None:
    with pytest.raises(MailAPIError) as refused:
        open_webhook(name, secret)
    assert "webhook secret" in refused.value.message
    assert refused.value.cure
    assert not secret or secret not in str(refused.value)


@webhooks
@pytest.mark.parametrize("told", [1, "x", None, [1], [[]], True])
def test_what_is_no_event_is_refused_however_it_is_proved(name: str, told: Any) -> None:
    with pytest.raises(BadInput):
        taken(name, told)


_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@webhooks
@given(data=st.data())
def test_whatever_stands_in_an_event_it_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """Any value in any place of a sample."""
    told = json.loads(json.dumps(data.draw(st.sampled_from(samples(name)))["told"]))
    events = told if isinstance(told, list) else [told]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(events))
        while isinstance(place, dict):
            key = data.draw(st.sampled_from(sorted(place)))
            if isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
                place = place[key]
                continue
            place[key] = data.draw(_json)
            break
    try:
        found = taken(name, told)
    except BadInput:
        return
    for event in found:
        assert 1 <= len(event.event_id) <= 200
        assert max(len(event.vendor_id), len(event.code), len(event.label)) <= 200
        assert event.at.tzinfo is not None
        json.dumps(event.raw)


def test_every_webhook_is_of_a_mail_api_that_is_known() -> None:
    assert set(WEBHOOKS) == set(VENDORS)
    assert set(WEBHOOKS) <= set(ADAPTERS)
    with pytest.raises(NotFound):
        open_webhook("mailpit", "x" * 30)
