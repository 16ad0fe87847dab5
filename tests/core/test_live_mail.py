"""When mail may reach people."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syndicate.core.live_mail import settings_faults, standing_of_test, web_fault
from syndicate.core.publication import Publication, Sender

NOW = datetime(2026, 3, 1, 7, tzinfo=UTC)
API = "https://api.resend.com/emails/batch"
PUBLICATION = Publication("Quay News", "https://quay-news.pt", "en", "Europe/Lisbon", "https://mail.quay-news.pt")
SENDER = Sender("Quay", "news@quay-news.pt", "desk@quay-news.pt", "Quay Ltd", "2 Mole Road", "https://quay-news.pt/p")


def test_nothing_forbids_live_mail_of_a_real_publication() -> None:
    assert settings_faults(PUBLICATION, SENDER, API) == []


@pytest.mark.parametrize(
    ("publication", "sender", "key"),
    [
        (replace(PUBLICATION, title="The Harbour Post"), SENDER, "[site] title"),
        (replace(PUBLICATION, url="https://post.example"), SENDER, "[site] url"),
        (replace(PUBLICATION, web_url="https://news.example.com"), SENDER, "[web] url"),
        (PUBLICATION, replace(SENDER, from_email="news@post.example"), "[mail] from"),
        (PUBLICATION, replace(SENDER, reply_to="desk@example.org"), "[mail] reply_to"),
        (PUBLICATION, replace(SENDER, legal_name="Harbour Post Ltd"), "[mail] legal_name"),
        (PUBLICATION, replace(SENDER, postal_address="1 Quay Street, Lisbon"), "[mail] postal_address"),
        (PUBLICATION, replace(SENDER, privacy_url="https://post.example/p"), "[mail] privacy_url"),
        (PUBLICATION, replace(SENDER, test_to=("a@quay-news.pt", "b@x.example.net")), "[mail] test_to"),
    ],
)
def test_one_sample_forbids_it(publication: Publication, sender: Sender, key: str) -> None:
    [fault] = settings_faults(publication, sender, API)
    assert key in fault


@pytest.mark.parametrize(
    "url",
    [
        *("http://mail.quay-news.pt", "https://127.0.0.1", "https://localhost", "https://10.0.0.7", "https://intranet"),
        *("https://[::1]", "https://192.168.1.2:8000", "https://a.localhost", "https://[fe80::1]"),
    ],
)
def test_the_way_out_is_public_and_safe(url: str) -> None:
    assert web_fault(url)


def test_an_api_in_the_clear_is_refused() -> None:
    assert settings_faults(PUBLICATION, SENDER, "http://mail.quay-news.pt:8025")


def test_a_passed_test_counts_for_a_day_for_its_own_address() -> None:
    url = PUBLICATION.web_url
    ages = {0: "fresh", 19: "fresh", 21: "due", 23: "due", 25: "over", -1: "over"}
    for hours, state in ages.items():
        assert standing_of_test((url, NOW - timedelta(hours=hours)), url, NOW) == state
    assert standing_of_test((url, NOW), "https://other.quay-news.pt", NOW) == "over"
    assert standing_of_test(None, url, NOW) == "over"
