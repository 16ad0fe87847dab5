"""A day in a newsroom, hour by hour: each step goes through the pages where somebody can do it there."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import requests
import sqlalchemy as sa

from syndicate.core.identity import PREFIX
from syndicate.core.message import Answer
from syndicate.demo.content import readers_csv, write_articles, write_pictures
from syndicate.mail.base import MailAPI
from syndicate.process.delivering import deliver_issue
from syndicate.process.posting import posting
from syndicate.services.collect_articles import collect
from syndicate.services.deliver_transactional import deliver_transactional
from syndicate.services.import_subscribers import Consent, import_subscribers
from syndicate.services.publish_feeds import publish
from syndicate.services.raise_alerts import raise_alerts
from syndicate.services.users import add_user
from syndicate.storage import tables
from syndicate.storage.articles import find_article
from syndicate.storage.people import find_subscriber
from syndicate.storage.transactional import queue_mail
from syndicate.storage.workers import worker_lock
from tests.web.newsroom_site import WebSite

MORE = """
[[sources]]
name = "agency"
kind = "folder"
path = "agency"
tripwire = { at_least = 3, times = 1 }

[[sources]]
name = "town-hall"
kind = "feed"
url = "http://127.0.0.1:1/feed.xml"         # nobody is there
allow_private = true

[[newsletters]]
name = "evening"
title = "Note du soir"
description = "La journée en une page, avant de fermer."
cadences = { daily = "mon-fri 18:00" }
language = "fr"
"""
SAVED = """Pilot boat gets a second engine

Pilot boat gets a second engine

The pilot boat left the yard on Thursday with two engines where there was one, and a little more room for coffee.

It will be at work before Christmas, the harbour office said, in time for the week in which everybody arrives at once.

NEXT Bus fares
"""
NEW_TODAY = {
    "harbour/quay-wall.md": "---\ntitle: The quay wall is sound, say the divers\nauthor: Harbour desk\n---\n\n"
    "Four divers looked at two hundred metres of it, by hand, in water of nine degrees.\n",
    "harbour/pilot-boat.txt": SAVED,
    "business/market-hall.md": "---\ntitle: The market hall opens on Sundays\n---\n\nTK Who decided it, and when.\n",
    "harbour/ferry-strike.md": "---\ntitle: No ferries until noon\n---\n\nThe crews meet at nine, on the quay.\n",
    "harbour/storm.md": "---\ntitle: Storm warning for Saturday night\n---\n\nBoats out of the outer basin by six.\n",
    "business/bakery.md": "---\ntitle: Who buys the bakery?\n---\n\nIts eleven bakers do, since yesterday.\n",
    "culture/tuba.md": "---\ntitle: The tuba is back\n---\n\nIt may be borrowed again from Monday.\n",
    "culture/embargoed.md": "---\ntitle: The museum has a director\nembargo: 2026-11-20T18:00\n---\n\nIt is her.\n",
    "culture/not-yet.md": "---\ntitle: The winter of the small theatre\ndraft: true\n---\n\nTwelve evenings.\n",
}
AROUND = {
    "intro": "Good morning. *Bring a coat*: it will rain at four, says the [harbour office](https://post.example/).",
    "links": "The tides of the week https://post.example/tides\nEvery boat that comes today https://post.example/boats",
    "sponsor": "The Ferry Line",
    "sponsor_url": "https://ferries.example/winter",
    "sponsor_text": "Ten crossings for the price of eight, *until Sunday*.",
}
FIRST, INVITED = "first-user", "invited-user"
"""The one-time links of the empty site and of the newsroom, as their addresses have them."""


class _Bad:
    """The mail API on a bad day: after `last` requests the worker is told to leave, and of those that are `forgotten`
    every tenth answer is lost and nobody can be asked about it."""

    def __init__(self, api: MailAPI, *, stop: threading.Event, last: int, forgotten: bool) -> None:
        self._api, self._posts, self._stop, self._last, self._forgotten = api, count(1), stop, last, forgotten
        self.sheet = replace(api.sheet, lookup=False)
        self.account, self.url, self.build = api.account, api.url, api.build

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        answer = self._api.post(body, key=key, count=count)
        number = next(self._posts)
        if number >= self._last:
            self._stop.set()
        lost = self._forgotten and number % 10 == 0
        return Answer("uncertain", "The answer did not come.") if lost else answer

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return None


class Day:
    """What happens in the newsroom, hour by hour; each step goes through the pages where they can do it."""

    def __init__(self, newsroom: WebSite, inbox: str) -> None:
        self.newsroom = newsroom
        self.inbox = inbox
        self.site = newsroom.site
        self.desk = newsroom.client("editor")
        self.sender = newsroom.client("sender")
        self.names: dict[str, str] = {}

    def lived(self) -> dict[str, str]:
        """The names of what it left."""
        self.newsroom.clock.pass_by(timedelta(hours=-26))
        self._people()
        write_pictures(self.site.feeds_folder)
        self._write({})
        self._collect()
        first = self._draft("daily")
        self._edit(first, **AROUND)
        self._send(first)
        self._deliver(first)
        self.names["sent"] = first
        self.newsroom.clock.pass_by(timedelta(hours=25))
        self._write(NEW_TODAY)
        self._collect()
        self._articles()
        self._issues()
        self._readers()
        self._users()
        self.newsroom.clock.pass_by(timedelta(hours=1))
        self._collect()
        self._trouble()
        self.names["countdown"] = self._by_hand("quay-wall", "The quay wall")
        self._send(self.names["countdown"])
        self._links()
        return self.names

    def _write(self, more: dict[str, str]) -> None:
        folder, agency = self.site.directory / "articles", self.site.directory / "agency"
        agency.mkdir(exist_ok=True)
        write_articles(folder, self.site.publication.web_url)
        for key, text in more.items():
            (folder / key).write_text(text, encoding="utf-8")
        # One on the first day; on the second far more than usual.
        for number in range(1, 9 if more else 2):
            (agency / f"{number}.md").write_text(f"# Telegram number {number}\n\nStop.\n", encoding="utf-8")
        earlier = self.newsroom.now.timestamp() - 600
        for path in (*folder.rglob("*.*"), *agency.iterdir()):
            os.utime(path, (earlier, earlier))

    def _collect(self) -> None:
        site = self.site
        for source in site.sources:
            collect(
                site.database,
                site.source(source.name),
                feeds=site.feeds,
                newsletters=site.newsletters,
                now=self.newsroom.now,
                sleep=time.sleep,
                precedence=[each.name for each in site.sources],
            )
        self._publish()

    def _publish(self) -> None:
        site = self.site
        publish(site.database, site.feeds, site.publication, site.target, site.templates, self.newsroom.now)

    def _people(self) -> None:
        path = self.site.directory / "readers.csv"
        path.write_text(readers_csv(), encoding="utf-8")
        import_subscribers(
            self.site.database,
            path=path,
            newsletters=self.site.newsletters,
            consent=Consent("Sample readers, who do not exist", "Ada"),
            now=self.newsroom.now,
        )

    def _articles(self) -> None:
        named = {
            "released": "harbour/quay-wall.md",
            "saved": "harbour/pilot-boat.txt",
            "corrected": "harbour/tide-clock.html",
            "held": "business/market-hall.md",
            "waiting": "culture/embargoed.md",
            "gone": "harbour/dredging-plan.md",
        }
        for name, key in named.items():
            with self.site.database.read() as connection:
                self.names[name] = find_article(connection, key).id.removeprefix(PREFIX)
        self._act("held", "hold", because="Who decided it?")
        self._act(
            "corrected", "correct", note="The clock stopped in 1961, not in 1962.", title="The tide clock is right"
        )
        self._act("gone", "retract", note="The plan that we reported is not the one that was decided.")

    def _act(self, name: str, verb: str, **fields: str) -> None:
        page = f"/console/articles/{self.names[name]}"
        form = page if verb == "hold" else f"{page}/{verb}"
        answer = self.desk.submit(form, f"{page}/{verb}", **fields)
        assert answer.status_code == 200, answer.text

    def _issues(self) -> None:
        draft = self._draft("weekly")
        self._act("corrected", "hold", because="One more look")
        self._act_release("corrected")
        self.names["draft"] = draft
        awaiting = self._draft("daily")
        self._approve(awaiting)
        self._edit(awaiting, subject="The quay wall is sound, and more", intro="Good morning. It will rain at four.")
        self.names["changed"] = awaiting
        self.names["sending"] = self._by_hand("ferry-strike", "No ferries until noon")
        self._send(self.names["sending"])
        self._deliver(self.names["sending"], only=120)
        self.names["paused"] = self._by_hand("storm", "Storm warning for Saturday night")
        self._send(self.names["paused"])
        self._deliver(self.names["paused"], only=60)
        self._do(self.names["paused"], "stop")
        self.names["uncertain"] = self._by_hand("bakery", "Who buys the bakery?", to=30)
        self._send(self.names["uncertain"])
        self._deliver(self.names["uncertain"], forgotten=True)
        self.names["cancelled"] = self._by_hand("tuba", "The tuba is back")
        self._do(self.names["cancelled"], "cancel")

    def _act_release(self, name: str) -> None:
        page = f"/console/articles/{self.names[name]}"
        assert self.desk.submit(page, f"{page}/release").status_code == 200

    def _draft(self, cadence: str) -> str:
        answer = self.desk.submit("/console/issues", "/console/issues/draft", newsletter="morning", cadence=cadence)
        return self._number(answer.url)

    def _by_hand(self, words: str, subject: str, *, to: int = 0) -> str:
        with self.site.database.read() as connection:
            keys = [key for key in self._keys() if words in key]
            article = find_article(connection, keys[0])
        names = [line.partition(",")[0] for line in readers_csv().splitlines()[1 : to + 1]]
        answer = self.desk.submit(
            "/console/send", "/console/send", newsletter="morning", article=article.id, to="\n".join(names), again="yes"
        )
        number = self._number(answer.url)
        self._edit(number, subject=subject)
        return number

    def _keys(self) -> list[str]:
        folder = self.site.directory / "articles"
        return [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")]

    def _number(self, url: str) -> str:
        found = re.search(r"/console/issues/(\d+)", url)
        assert found, url
        return found[1]

    def _seal(self, number: str) -> str:
        found = re.search(r'name="seal" value="([0-9a-f]{64})"', self.sender.get(f"/console/issues/{number}").text)
        assert found
        return found[1]

    def _edit(self, number: str, **fields: str) -> None:
        self._do(number, "edit", client=self.desk, seal=self._seal(number), **fields)

    def _approve(self, number: str) -> None:
        self._do(number, "approve", seal=self._seal(number))

    def _send(self, number: str) -> None:
        self._do(number, "send", seal=self._seal(number), again="yes")

    def _do(self, number: str, verb: str, *, client: Any = None, **fields: str) -> None:
        page = f"/console/issues/{number}"
        answer = (client or self.sender).submit(page, f"{page}/{verb}", **fields)
        assert answer.status_code == 200, answer.text

    def _deliver(self, number: str, *, only: int = 1_000, forgotten: bool = False) -> None:
        """Sends it; `only` about so many, and then the worker leaves."""
        self.newsroom.clock.pass_by(timedelta(seconds=11))
        stop = threading.Event()
        with posting(self.site, hurry=True) as api:
            bad = _Bad(api, stop=stop, last=only, forgotten=forgotten)
            deliver_issue(self.site, bad, int(number), stop=stop, clock=self.newsroom.clock)

    def _readers(self) -> None:
        self._add("ana.silva@harbour-post.example", "Ana Silva")
        self._sign_up("nora@harbour-post.example")
        self._letters()
        self._sign_up("pending@harbour-post.example")
        with self.site.database.read() as connection:
            for name, email in {
                "active": "reader001@example.org",
                "ana": "ana.silva@harbour-post.example",
                "pending": "pending@harbour-post.example",
                "closed": "reader003@example.com",
            }.items():
                person = find_subscriber(connection, email)
                assert person is not None, email
                self.names[name] = str(person.id)
        page = f"/console/readers/{self.names['closed']}"
        assert self.sender.submit(page, f"{page}/suppress", because="Asked us by telephone").status_code == 200

    def _add(self, email: str, name: str) -> None:
        page = "/console/readers/add"
        answer = self.desk.submit(
            page, page, email=email, name=name, newsletter="morning", confirmed="yes", because="At the fair"
        )
        assert answer.status_code == 200, answer.text

    def _sign_up(self, email: str) -> None:
        stranger = self.newsroom.stranger()
        token = stranger.get("/subscribe").text.split('name="form" value="')[1].split('"')[0]
        self.newsroom.clock.pass_by(timedelta(seconds=30))
        fields = {"email": email, "newsletter": ["morning", "evening"], "form": token}
        assert stranger.post("/subscribe", data=fields).status_code == 200

    def _letters(self) -> None:
        site = self.site
        now = self.newsroom.now
        with posting(site, hurry=True) as api, worker_lock(site.database, site.directory, "tests", now) as worker:
            deliver_transactional(site.database, api, site.sender, site.publication, worker, clock=lambda: now)

    def _links(self) -> None:
        """As the mails have them."""
        signer = self.site.signer()
        for name in ("active", "ana", "pending", "closed"):
            person = int(self.names[name])
            self.names[f"leave_{name}"] = signer.sign("unsubscribe", person, "morning", 1)
            self.names[f"choose_{name}"] = signer.sign("preferences", person, "morning", 1)
        self.names["leave_test"] = signer.sign("test", 1, "morning", 1)
        with self.site.database.read() as connection:
            asked = sa.select(tables.transactional_mails.c.text).order_by(tables.transactional_mails.c.id)
            texts = [text for text in connection.execute(asked).scalars() if "/confirm/" in text]
        self.names["confirm"] = texts[-1].split("/confirm/", 1)[1].split()[0]
        with requests.get(f"{self.inbox}/api/v1/messages", timeout=60) as answer:
            self.names["mail"] = answer.json()["messages"][-1]["ID"]

    def _users(self) -> None:
        now = self.newsroom.now
        add_user(self.site.database, "Grace", "editor", actor="Ada", token=INVITED, now=now)

    def _trouble(self) -> None:
        site = self.site
        mails = tables.transactional_mails
        with site.database.write() as connection:
            queue_mail(
                connection,
                kind="alert",
                request_key="alert of the night",
                to_email="night@harbour-post.example",
                subject="A slot was missed",
                html="<p>A slot was missed.</p>",
                text="A slot was missed.\n",
                now=self.newsroom.now,
            )
            lost = sa.update(mails).where(mails.c.request_key == "alert of the night")
            connection.execute(lost.values(state="uncertain", attempts=1, why="the answer was lost"))
        raise_alerts(
            site.database,
            site.house,
            site.settings.alerts,
            newsletters=site.newsletters,
            sources=site.sources,
            feeds=site.feeds,
            now=self.newsroom.now,
        )
