"""Words that are to become a page's own elements and scripts (cross-site scripting)."""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from fastapi.openapi.utils import get_openapi
from lxml import etree

from syndicate.web.routes import routers
from tests.web.hostile.markup import Page, faults
from tests.web.hostile.site import HostileSite, begin, routes
from tests.web.hostile.test_csrf import BY_SESSION, of
from tests.web.hostile.words import BREAK, MARKUP, PLANTED, PRODUCT, SCRIPTS, SHORT, TURN
from tests.web.newsroom_site import WebSite, running_site

NEVER_SHOWN = {"agent", "vendor-id", "to", "moment", "bounce", "diagnostic", "broken", "original"}
"""Kept as proof or for machines, and on no page of ours."""
READ_AS_MARKUP = {"title-wire", "wire"}
"""Where the words came as HTML, whose elements are gone."""
INERT = {"text/plain", "application/json", "text/event-stream"}
"""Types that no browser runs, when it is told not to guess."""
STRANGE = ("/nothing", "/console/nothing", "/console/articles/", "/archive/", "/archive/morning/", "/u/", "/feeds/")
"""Paths that a page about an error may repeat."""


def test_what_is_looked_for_would_be_found() -> None:
    for wrong in (BREAK, MARKUP, f'<p title="{SHORT}">', *(f"<a href='{each}'>a</a>" for each in SCRIPTS), PRODUCT):
        assert faults(wrong), wrong
    assert not faults(f"<p title='{html.escape(BREAK)}'>{html.escape(MARKUP)}</p>")


def every_page(hostile: HostileSite) -> Iterator[tuple[str, requests.Response]]:
    """Every page of the site as its people see it, and every article and issue there is."""
    admin, stranger = hostile.web.client("admin"), hostile.web.stranger()
    paths = [hostile.path(route) for _, route in routes("GET") if not route.startswith("/api/")]
    paths += [f"/console/issues/{hostile.issues['sent']}{end}" for end in ("", "/mail.html")]
    for key in ("second.md", "held.md", "retracted.md", "page.html"):
        at = f"/console/articles/{hostile.article(key)}"
        paths += [at, f"{at}/published", f"/feeds/articles/{hostile.article(key)}.html"]
    paths += [f"/console/readers/{hostile.reader(each)}" for each in ("bob@example.org", "eve@example.org")]
    paths += [f"/console/readers/import/{hostile.listed}"]
    paths += ["/feeds/", "/console/articles?q=title", "/console/readers?q=ann", "/archive?lang=fr"]
    for path in paths:
        yield path, begin(admin if path.startswith("/console") else stranger, "GET", path)
    yield "/console/sign-in", stranger.get("/console/sign-in")


def test_what_was_written_is_read_and_does_nothing(hostile: HostileSite) -> None:
    seen = set()
    for path, answer in every_page(hostile):
        assert answer.status_code in (200, 404, 410), (path, answer.text)
        page = answer.text.replace('action="https://news.example.com/', 'action="/')  # the form for others to copy
        mail = path.endswith("mail.html")
        if answer.headers["content-type"].startswith("text/html"):
            assert not faults(page, inline_style=mail), (path, faults(page, inline_style=mail))
            words = Page(page)
            seen |= {each for each in PLANTED if words.says(f"{each} {BREAK}")}
        else:
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["content-type"].partition(";")[0] in INERT, path
        assert PRODUCT not in page, path
        assert TURN not in page, path
    assert seen == PLANTED - NEVER_SHOWN - READ_AS_MARKUP, "each is shown somewhere, as the words that it is"


def test_whatever_an_address_says_stays_text(hostile: HostileSite) -> None:
    """Queries come back in fields and headings; paths, in what is said of them."""
    admin = hostile.web.client("admin")
    for path, names in fields_of("GET").items():
        if path.startswith("/api/"):
            continue
        query = dict.fromkeys((*names, "lang", "newsletter", "nothing", f"x{SHORT}"), SHORT)
        answer = begin(admin, "GET", hostile.path(path), params=query)
        assert answer.status_code < 500, (path, answer.text)
        if answer.headers["content-type"].startswith("text/html"):
            # The form that others may copy leads to our own public address.
            page = answer.text.replace("action='https://news.example.com/", "action='/")
            page = page.replace('action="https://news.example.com/', 'action="/')
            assert not faults(page, inline_style=path.endswith("mail.html")), path
        assert PRODUCT not in answer.text
    for start in STRANGE:
        for word in (BREAK, *SCRIPTS, f"{TURN}x", "%00", "%3Cxss%3E", "{{7*1910019}}"):
            answer = admin.get(start + quote(word, safe="%"))
            assert answer.status_code < 500, (start, word)
            assert not faults(answer.text), (start, word)


def test_whatever_a_form_says_stays_text(hostile: HostileSite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every field of every form is hostile; what is refused is often shown again."""
    with running_site(tmp_path_factory.mktemp("forms") / "site") as site:
        for path, names in fields_of("POST").items():
            for word in (SHORT, BREAK, "x" * 600, f"a\0b{TURN}c\r\nBcc: x"):
                if path in of(BY_SESSION):
                    _require_harmless(site, hostile.path(path), dict.fromkeys(names, word))
        stranger = site.stranger()
        for path, fields in (
            ("/subscribe", {"email": f"{SHORT}@example.org", "newsletter": SHORT, "form": SHORT}),
            ("/subscribe", {"email": BREAK, "newsletter": "morning"}),
            ("/u/x", {"action": SHORT}),
            ("/p/x", {"name": SHORT, "until": SHORT, "pause": "date", "language": SHORT, "newsletter": SHORT}),
        ):
            answer = stranger.post(path, data=fields)
            assert answer.status_code < 500 and not faults(answer.text), (path, faults(answer.text))
        entered = {"name": SHORT, "password": BREAK, "next": f"/console/{SHORT}"}
        answer = stranger.submit("/console/sign-in", "/console/sign-in", **entered)
        assert answer.status_code == 422 and not faults(answer.text)
        person = hostile.path("/p/{token}")
        bad = {"name": f"{TURN}{SHORT}", "until": SHORT, "pause": "date", "newsletter": SHORT, "cadence-morning": SHORT}
        answer = hostile.web.stranger().post(person, data=bad)
        assert answer.status_code == 422 and not faults(answer.text), faults(answer.text)


def _require_harmless(site: WebSite, path: str, fields: dict[str, str]) -> None:
    client = site.client("admin")
    token = client.form_token("/console/password")
    files = {"file": (fields.pop("file"), b"email\nx\n")} if "file" in fields else None
    answer = client.post(path, data={**fields, "csrf": token}, files=files)
    assert answer.status_code < 500, (path, answer.text)
    assert not faults(answer.text), (path, faults(answer.text))
    if "/console/sign-in" in answer.url:
        client.cookies.clear()
        client.cookies.set("syndicate", site.session("admin"), domain="127.0.0.1", path="/")


def fields_of(method: str) -> dict[str, list[str]]:
    """The names that each route reads: of the query of a GET, of the form of a POST."""
    everything = [each for one in routers() for each in one.routes]  # type: ignore[attr-defined]
    described = get_openapi(title="All", version="1", routes=everything)
    found: dict[str, list[str]] = {}
    for _, path in routes(method):
        operation = described["paths"].get(path.replace(":path}", "}"), {}).get(method.lower(), {})
        names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"].get("$ref", "").rpartition("/")[2]
            names += described["components"]["schemas"].get(schema, {}).get("properties", {})
        found[path] = names
    return found


def test_feeds_carry_words_as_words(hostile: HostileSite) -> None:
    """Atom, RSS, JSON and OPML: as feed readers parse them, titles are text and content is clean."""
    titles: set[str] = set()
    for name in ("atom.xml", "rss.xml", "world/atom.xml", "feeds.opml"):
        root = etree.fromstring(hostile.web.stranger().get(f"/feeds/{name}").content)
        for element in root.iter():
            assert isinstance(element.tag, str), "neither comments nor instructions"
            assert "xss" not in element.tag and not [each for each in element.attrib if "xss" in each], name
            text = element.text or ""
            local = etree.QName(element).localname
            assert not faults(_as_html(element)), (name, faults(_as_html(element)))
            if local == "title":
                titles.add(text)
            for each in (text, *map(str, element.attrib.values())):
                assert PRODUCT not in each
                assert TURN not in each
            if local == "link":
                address = element.get("href", text)
                assert not address or re.match(r"https?://", address), address
    feed = json.loads(hostile.web.stranger().get("/feeds/feed.json").content)
    for entry in feed["items"]:
        assert not faults(entry.get("content_html", "")), faults(entry["content_html"])
        titles.add(entry["title"])
    assert {f"title-{each} {BREAK}" for each in ("first.md", "second.md", "pushed")} <= titles
    # A title in RSS is markup (RSS 2.0 best practices): its elements are dropped, and what it spells out is text.
    assert "title-wire '\"><xss>{{7*1910019}}" in titles


def _as_html(element: Any) -> str:
    """What a feed reader makes of an element: markup where the format says so, else "" (RFC 4287 section 3.1; the
    content module of RSS)."""
    is_markup = element.get("type") == "html" or etree.QName(element).localname == "encoded"
    return element.text or "" if is_markup else ""


def test_mails_carry_words_as_words(hostile: HostileSite) -> None:
    seen: set[str] = set()
    assert len(hostile.mails) >= 2
    for raw in hostile.mails:
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert not message.defects
        assert not [name for name in message if "xss" in name.lower() or name.lower() == "bcc"]
        shown, text = (message.get_body((kind,)) for kind in ("html", "plain"))
        assert shown is not None and text is not None
        content = shown.get_content()
        assert not faults(content, inline_style=True), faults(content, inline_style=True)
        assert PRODUCT not in content + text.get_content()
        assert TURN not in content + text.get_content()
        page = Page(content)
        seen |= {each for each in PLANTED if page.says(f"{each} {BREAK}") or BREAK in str(message["Subject"])}
    assert {"subject", "intro", "sponsor", "legal", "postal", "newsletter"} <= seen


def test_the_api_answers_in_a_type_that_nobody_runs(hostile: HostileSite) -> None:
    headers = {"Authorization": f"Bearer {hostile.token}"}
    for path in (hostile.path("/api/v1/articles/{external_id:path}"), f"/api/v1/articles/{quote(BREAK, safe='')}"):
        answer = requests.get(hostile.url + path, headers=headers, timeout=60)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        json.loads(answer.content)
