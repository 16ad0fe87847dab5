"""The inbox shows people every mail, and nothing that a mail holds reaches the page around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection
from syndicate.sandbox.start import running_sandbox
from tests.mail.samples import message

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCRIPT = "<script>document.title='taken'</script>"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with running_sandbox(tmp_path / "outbox") as sandbox:
        yield sandbox.url


@pytest.fixture
def web() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def send(url: str, number: int = 1, **changes: Any) -> str:
    """Sends one mail; returns its id."""
    api = open_mail_api("mailpit", Connection(url, "", 10.0))
    answer = api.post(api.build([replace(message(number), **changes)]), key="", count=1)
    assert answer.verdict == "accepted"
    return answer.vendor_ids[0]


def test_an_empty_inbox_says_so(url: str, web: requests.Session) -> None:
    assert "No mail yet" in web.get(url).text


def test_the_newest_mail_comes_first_and_the_rest_is_a_page_further(url: str, web: requests.Session) -> None:
    for number in range(1, 53):
        send(url, number, subject=f"Number {number}.")
    first, second = web.get(url).text, web.get(url, params={"start": "50"}).text
    assert "52 mails" in first
    assert first.index("Number 52.") < first.index("Number 51.")
    assert "Number 2." not in first.replace("52.", "").replace("42.", "").replace("32.", "").replace("22.", "")
    assert "Number 2." in second and "Number 3." not in second
    assert 'rel="next"' in first and 'rel="next"' not in second and 'rel="prev"' in second


def test_a_search_finds_one_reader(url: str, web: requests.Session) -> None:
    send(url, 1, to_email="ada@example.com", subject="For the one")
    send(url, 2, to_email="grace@example.com", subject="For the other")
    found = web.get(url, params={"query": "to:grace@example.com"}).text
    assert "For the other" in found and "For the one" not in found
    assert "Nothing was found" in web.get(url, params={"query": "nobody"}).text
    assert "knows no filter" in web.get(url, params={"query": "before:2026"}).text


def test_a_mail_is_shown_whole(url: str, web: requests.Session) -> None:
    id_ = send(url, 1, html="<html><head></head><body><p>Bonjour, ça va</p></body></html>", text="Bonjour, ça va\n")
    page = web.get(f"{url}/mail/{id_}").text
    assert page.count(f'src="/mail/{id_}/html"') == 2
    assert "Bonjour, ça va" in page
    assert "List-Unsubscribe" in page
    assert "ça va" in web.get(f"{url}/mail/{id_}/html").text
    assert web.get(f"{url}/mail/{id_}/text").text.splitlines()[0] == "Bonjour, ça va"
    assert web.get(f"{url}/mail/latest").text == page


def test_one_click_leaves_as_a_mail_program_does_it(url: str, web: requests.Session) -> None:
    """RFC 8058 section 3.2: a POST to the address in the header, and only where the mail says that it may be done."""
    leave, mailto = "https://news.post.example/u/token?a=1&b=2", "<mailto:out@post.example>"
    post = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    shown = web.get(f"{url}/mail/{send(url, headers=(('List-Unsubscribe', f'{mailto}, <{leave}>'), post))}")
    assert f'action="{leave.replace("&", "&amp;")}"' in shown.text
    assert 'name="List-Unsubscribe" value="One-Click"' in shown.text
    assert shown.headers["Content-Security-Policy"].endswith("form-action 'self' https://news.post.example")
    for headers in (
        [("List-Unsubscribe", f"<{leave}>")],
        [("List-Unsubscribe", mailto), post],
        [("List-Unsubscribe", "<javascript:alert(1)>"), post],
        [("List-Unsubscribe", "<https://evil.example;script-src*/u>"), post],
    ):
        shown = web.get(f"{url}/mail/{send(url, headers=tuple(headers))}")
        assert "One-Click" not in shown.text.partition("<details")[0], headers
        assert shown.headers["Content-Security-Policy"].endswith("form-action 'self'"), headers


def test_what_is_not_there_is_not_found(url: str, web: requests.Session) -> None:
    for path in ("/mail/none", "/mail/none/html", "/mail/..%2f..%2fport", "/mail/%00"):
        assert web.get(url + path).status_code == 404


def test_a_mail_cannot_reach_the_page_around_it(url: str, web: requests.Session) -> None:
    id_ = send(url, 1, subject=f"Hello {SCRIPT}", text=SCRIPT, html=f"<html><head></head><body>{SCRIPT}</body></html>")
    for page in (web.get(url), web.get(f"{url}/mail/{id_}")):
        assert SCRIPT not in page.text
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    framed = web.get(f"{url}/mail/{id_}/html")
    policy = framed.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ") and "allow-scripts" not in policy and "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.browser
def test_it_tells_that_mails_came_and_runs_nothing_of_theirs(url: str, chromium: Browser) -> None:
    id_ = send(url, 1, html=f"<html lang='en'><head><title>x</title></head><body><h1>Hi</h1>{SCRIPT}</body></html>")
    page = chromium.new_page()
    page.goto(f"{url}/mail/{id_}")
    page.frame_locator("iframe").first.get_by_text("Hi").wait_for()
    assert page.title() != "taken"
    page.goto(url)
    send(url, 2, subject="A second one")
    page.get_by_role("link", name="1 new mail").click()
    page.get_by_role("link", name="A second one").click()
    assert page.get_by_role("heading", name="A second one").is_visible()
    page.close()
