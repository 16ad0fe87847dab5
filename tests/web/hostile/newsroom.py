"""What hostile people wrote for their site: its settings, articles, readers, issues, users, events."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import requests
import sqlalchemy as sa

from syndicate.core.user import secret_hash
from syndicate.mail.events import open_webhook
from syndicate.mail.events.base import Arrival
from syndicate.process.delivering import deliver_issue
from syndicate.process.posting import posting
from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.collect_articles import collect
from syndicate.services.create_token import create_token
from syndicate.services.publish_feeds import publish
from syndicate.services.record_event import record_events
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.storage import tables
from syndicate.storage.issues import list_issues
from syndicate.storage.users import add_link
from tests.mail.events.signing import SECRET, signed
from tests.sources.upstream import item, rss
from tests.web.hostile.words import MARKUP, SCRIPTS, SHORT, TURN, hostile
from tests.web.newsroom_site import WebSite

if TYPE_CHECKING:
    from tests.web.hostile.site import HostileSite

WELCOME = "w" * 43
PUSHED = "a<xss>/42"


def fill(site: HostileSite) -> None:
    """By the ways that people have: files, feeds, the API, forms, webhooks, the console."""
    _articles(site)
    _people(site)
    _issues(site)
    _bookkeeping(site)


def _toml(text: str) -> str:
    return json.dumps(text)


def settings(upstream_url: str) -> str:
    """A site whose own settings are full of it too."""
    return f"""
[site]
title = {_toml(hostile("site"))}
description = {_toml(hostile("about"))}
url = "https://www.example.com"
timezone = "Europe/Lisbon"
[web]
url = "https://news.example.com"
[mail]
api = "sandbox"
from = "The Harbour Post <news@example.com>"
legal_name = {_toml(hostile("legal"))}
postal_address = {_toml(hostile("postal"))}
privacy_url = "https://www.example.com/privacy?'><xss"
[[sources]]
name = "desk"
path = "articles"
[[sources]]
name = "cms"
kind = "push"
[[sources]]
name = "wire"
kind = "feed"
url = "{upstream_url}/feed.xml"
allow_private = true
rights = "ours"
[[sources]]
name = "broken"
kind = "feed"
url = "{upstream_url}/broken?%3Cxss%3E{{{{7*1910019}}}}"
allow_private = true
[[feeds]]
name = "world"
title = {_toml(hostile("feed"))}
description = {_toml(hostile("feed-about"))}
[[newsletters]]
name = "morning"
title = {_toml(hostile("newsletter"))}
description = {_toml(hostile("newsletter-about"))}
cadences = {{ daily = "mon-fri 07:00", weekly = "sat 09:00" }}
max_articles = 4
[[newsletters]]
name = "evening"
title = "Evening Note"
cadences = {{ daily = "mon-fri 18:00" }}
language = "fr"
"""


def markdown(name: str, **more: Any) -> str:
    """An article whose every key is hostile. JSON is YAML, so each value arrives as it was meant."""
    keys = {
        "title": TURN + hostile(f"title-{name}"),
        "summary": TURN + hostile("summary"),
        "section": TURN + hostile("section"),
        "tags": [TURN + hostile("tag")],
        "authors": [TURN + hostile("author")],
        "rights": hostile("rights"),
        "translated_by": hostile("translator"),
        "translated_from": hostile("original"),
        "image": {
            "src": "https://ok.example/a.png?'\"><xss>",
            "alt": hostile("alt"),
            "credit": hostile("credit"),
        },
        **more,
    }
    front = "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())
    return f"---\n{front}---\n\n{MARKUP}\n\n[link]({SCRIPTS[0]}) ![]({SCRIPTS[3]}) `{{{{7*1910019}}}}`\n"


def _articles(site: HostileSite) -> None:
    web = site.web
    folder = web.site.directory / "articles"
    written: dict[str, dict[str, Any]] = {
        "first.md": {"url": "https://ok.example/?'\"><xss>"},
        "second.md": {},
        "held.md": {"draft": True},
        "retracted.md": {},
        "<xss onxss=1>'\".md": {},
    }
    for name, more in written.items():
        (folder / name).write_text(markdown(name, **more), encoding="utf-8")
    (folder / "page.html").write_text(
        f"<html><head><title>{hostile('title-html')}</title></head><body>{MARKUP}</body></html>", encoding="utf-8"
    )
    site.upstream.put(
        rss(
            item(1, title=hostile("title-wire"), description=MARKUP, guid="1<xss>"),
            item(2, title="A script for a link", link=SCRIPTS[0]),
            title="<![CDATA[" + hostile("wire") + "]]>",
        )
    )
    site.upstream.put(hostile("broken"), "/broken?%3Cxss%3E{{7*1910019}}", headers={"Content-Type": "text/<xss>"})
    site.token = create_token(
        web.site.database, "cms", source="", actor=SHORT, random=b"t" * 32, now=web.now
    )
    pushed = {"id": PUSHED, "title": hostile("title-pushed"), "html": MARKUP, "summary": hostile("summary")}
    answer = requests.post(
        f"{web.url}/api/v1/articles", json=pushed, headers={"Authorization": f"Bearer {site.token}"}, timeout=60
    )
    assert answer.status_code == 201, answer.text
    _collect(web)
    client = web.client("admin")
    for key, verb, note in (
        ("retracted.md", "retract", hostile("retraction")),
        ("second.md", "correct", hostile("correction")),
        ("page.html", "hold", hostile("reason")),
    ):
        page = f"/console/articles/{site.article(key)}"
        note, title = TURN + note, TURN + hostile("title-second.md")
        fields = {"note": note, "because": note, "title": title, "summary": "New.", "in_feeds": "1"}
        answer = client.submit(page, f"{page}/{verb}", **fields)
        assert answer.status_code == 200, answer.text


def _collect(web: WebSite) -> None:
    site = web.site
    for source in site.sources:
        if source.kind != "push":
            collect(
                site.database,
                site.source(source.name),
                feeds=site.feeds,
                newsletters=site.newsletters,
                now=web.now,
                sleep=time.sleep,
            )
    publish(site.database, site.feeds, site.publication, site.target, site.templates, web.now)


def _people(site: HostileSite) -> None:
    web = site.web
    database = web.site.database
    for email, name in (
        ("ann@example.org", hostile("reader")),
        ("o'x&{{7*1910019}}`|~@example.org", hostile("reader")),
        ("bob@example.org", hostile("reader")),
    ):
        add_subscriber(
            database,
            email=email,
            newsletter=web.site.newsletters[0],
            because=TURN + hostile("basis"),
            name=name,
            actor=hostile("actor"),
            now=web.now,
        )
    suppress_subscriber(database, email="bob@example.org", because=TURN + hostile("because"), actor=SHORT, now=web.now)
    # Signs up by the form, with a browser of that name, and is known by it in the proof of consent.
    stranger = web.stranger()
    stranger.headers["User-Agent"] = hostile("agent")
    shown = stranger.get("/subscribe").text
    web.clock.pass_by(timedelta(seconds=30))
    fields = {"email": "eve@example.org", "newsletter": "morning", "form": _value(shown, "form")}
    assert stranger.post("/subscribe", data=fields).status_code == 200
    # The vendor's words, in an event that is signed as it should be.
    event = {
        "type": "email.bounced",
        "created_at": hostile("moment"),
        "data": {
            "email_id": hostile("vendor-id"),
            "to": [f"{SHORT} <ann@example.org>", hostile("to")],
            "bounce": {"type": hostile("bounce"), "message": hostile("diagnostic"), "diagnosticCode": [SHORT]},
        },
    }
    body = json.dumps(event).encode()
    headers = signed(body, web.now, "<xss>{{7*1910019}}")
    # (The site mails through the sandbox, which reports nothing: what Resend's webhook does, without its address.)
    report = open_webhook("resend", SECRET).take(Arrival(body, headers), web.now)
    record_events(database, report.events, all_or_nothing=False, now=web.now)
    client = web.client("sender")
    people = f'email,name\nimp@example.org,"{SHORT}"\n<xss>@example.org,"x"\n'.replace("'\"", "'\"\"")
    token = client.form_token("/console/readers/import")
    uploaded = client.post(
        "/console/readers/import", data={"csrf": token}, files={"file": (f"../{SHORT}.csv", people.encode())}
    )
    site.job = uploaded.url.rpartition("/")[2]
    assert re.fullmatch("[0-9a-f]{32}", site.job), uploaded.text
    listed = f'EmailAddress,SuppressionReason,"{SHORT}"\n<xss>@example.org,x,\nbad@example.org,"{SHORT}",\n'
    uploaded = client.post(
        "/console/readers/import",
        data={"csrf": token, "what": "suppressions"},
        files={"file": (f"../{SHORT}.json", listed.replace("'\"", "'\"\"").encode())},
    )
    site.listed = uploaded.url.rpartition("/")[2]
    assert re.fullmatch("[0-9a-f]{32}", site.listed), uploaded.text
    for _ in range(200):
        if "being checked" not in client.get(f"/console/readers/import/{site.job}").text:
            break
        time.sleep(0.02)


def _issues(site: HostileSite) -> None:
    web = site.web
    client = web.client("sender")
    for name, cadence in (("sent", "daily"), ("draft", "weekly")):
        answer = client.submit("/console/issues", "/console/issues/draft", newsletter="morning", cadence=cadence)
        assert answer.status_code == 200, answer.text
        with web.site.database.read() as connection:
            number = max(each.id for each in list_issues(connection))
        site.issues[name] = number
        page = f"/console/issues/{number}"
        answer = client.submit(
            page,
            f"{page}/edit",
            seal=_value(client.get(page).text, "seal"),
            subject=TURN + hostile("subject"),
            preheader=TURN + hostile("preheader"),
            intro=f"{TURN}{hostile('intro')}\n\n[x]({SCRIPTS[0]}) <script>xss()</script>",
            links=f"{hostile('link')} https://ok.example/?'\"><xss>",
            sponsor=SHORT,
            sponsor_url="https://ok.example/?'\"><xss>",
            sponsor_text=hostile("sponsor"),
        )
        assert answer.status_code == 200, answer.text
        if name == "sent":
            _send(site, page, number)


def _send(site: HostileSite, page: str, number: int) -> None:
    web = site.web
    client = web.client("sender")
    sent = client.submit(page, f"{page}/send", seal=_value(client.get(page).text, "seal"))
    assert "Starts in" in sent.text, sent.text
    web.clock.pass_by(timedelta(seconds=11))
    with posting(web.site, hurry=True) as api:
        ended = deliver_issue(web.site, api, number, clock=web.clock)
    assert ended.issue.state == "sent", ended
    site.mails = [each.read_bytes() for each in sorted(web.site.outbox.glob("*.eml"))]
    assert site.mails


def _bookkeeping(site: HostileSite) -> None:
    web = site.web
    web.client("editor")
    web.session("editor", SHORT)
    with web.site.database.write() as connection:
        add_link(connection, secret_hash(WELCOME), site.user(SHORT), web.now)
        connection.execute(
            sa.insert(tables.audit_log).values(
                at=web.now,
                actor=hostile("who"),
                action=SHORT,
                subject=hostile("whom"),
                detail={hostile("key"): hostile("value"), "list": [SHORT, {"<xss>": SHORT}]},
            )
        )
        connection.execute(
            sa.insert(tables.alerts).values(
                key="k", kind="source", sentence=hostile("alert"), began_at=web.now, seen_at=web.now
            )
        )


def _value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]
