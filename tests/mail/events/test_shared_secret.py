"""The secret in the address: as Basic or Bearer, whole, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syndicate.errors import Refused
from syndicate.mail.events.base import Arrival
from syndicate.mail.events.postmark import PostmarkWebhook
from tests.mail.events.signing import SHARED, basic


@pytest.mark.parametrize(
    "headers",
    [
        basic(SHARED),
        basic(SHARED, "anybody"),
        basic(SHARED, ""),
        {"authorization": f"Bearer {SHARED}"},
        {"authorization": f"bearer  {SHARED} "},
    ],
)
def test_who_brings_the_secret_is_believed(headers: dict[str, str]) -> None:
    PostmarkWebhook(SHARED).admit(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(""),
        basic(SHARED[:-1]),
        basic(SHARED + "x"),
        basic("x", SHARED),
        basic(f"{SHARED}:"),
        {"authorization": SHARED},
        {"authorization": f"Token {SHARED}"},
        {"authorization": f"Basic {SHARED}"},
        {"authorization": f"Bearer {SHARED} x"},
        {"x-secret": SHARED},
        {"cookie": SHARED},
    ],
)
def test_anything_else_is_not(headers: dict[str, str]) -> None:
    with pytest.raises(Refused):
        PostmarkWebhook(SHARED).admit(headers)
    with pytest.raises(Refused):
        PostmarkWebhook(SHARED).take(Arrival(SHARED.encode(), headers), datetime(2026, 11, 20, tzinfo=UTC))
