"""A real site, served over real HTTP to readers, whose clock is in the test's hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from syndicate.core.subscriber import Subscriber
from syndicate.services.write_site import write_site
from syndicate.site import Site, open_site
from syndicate.storage import tables
from syndicate.storage.people import find_subscriber
from syndicate.web.app import make_app
from tests.web.newsroom_site import serving_for_real

ANN = "ann@post.example"
START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

EVENING = """
[[newsletters]]
name = "evening"
title = "Evening Note"
description = "What the day was, in one page."
cadences = { daily = "mon-fri 18:00", weekly = "sat 09:00" }
language = "fr"
"""


@dataclass
class ReadingSite:
    """The site, its address, and its clock."""

    site: Site
    url: str = ""
    now: datetime = START
    session: requests.Session = field(default_factory=requests.Session)

    def clock(self) -> datetime:
        return self.now

    def get(self, path: str, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.get(self.url + path, headers=named, timeout=60)

    def post(self, path: str, data: Any = None, **more: Any) -> requests.Response:
        return self.session.post(self.url + path, data=data, timeout=60, allow_redirects=False, **more)

    def sign_up(self, email: str = ANN, *newsletters: str, lang: str = "en", **more: str) -> requests.Response:
        """As a person does: opens the form, takes a while, sends it."""
        shown = self.get(f"/subscribe?lang={lang}").text
        token = shown.split('name="form" value="')[1].split('"')[0]
        self.now += timedelta(seconds=30)
        fields = {"email": email, "newsletter": list(newsletters or ("morning", "evening")), "form": token, **more}
        return self.post(f"/subscribe?lang={lang}", fields)

    def mails(self) -> list[Any]:
        table = tables.transactional_mails
        with self.site.database.read() as connection:
            return list(connection.execute(sa.select(table).order_by(table.c.id)))

    def link(self, path: str) -> str:
        """The path of the link in the last mail that begins with `path`."""
        text: str = self.mails()[-1].text
        return path + text.split(path, 1)[1].split()[0]

    def join(self, email: str = ANN, *newsletters: str, lang: str = "en") -> Subscriber:
        """Signs up and confirms."""
        assert self.sign_up(email, *newsletters, lang=lang).status_code == 200
        assert self.post(self.link("/confirm/")).status_code == 200
        return self.person(email)

    def person(self, email: str = ANN) -> Subscriber:
        with self.site.database.read() as connection:
            found = find_subscriber(connection, email)
        assert found is not None
        return found

    def statuses(self, email: str = ANN) -> dict[str, str]:
        return {each.newsletter: each.status for each in self.person(email).subscriptions}

    def path_to(self, purpose: str, subscriber: int, newsletter: str = "morning") -> str:
        """As a mail of an issue has it."""
        letter = {"unsubscribe": "u", "preferences": "p", "test": "u"}[purpose]
        return f"/{letter}/{self.site.signer().sign(purpose, subscriber, newsletter, 1)}"

    def everything(self) -> dict[str, Any]:
        """Every row of every table but the rate limits."""
        with self.site.database.read() as connection:
            return {
                table.name: connection.execute(sa.select(table)).all()
                for table in tables.metadata.sorted_tables
                if table.name != "rate_limits"
            }


@contextmanager
def reading_site(
    folder: Path, url: str, *, more: str = EVENING, environ: Mapping[str, str] = {}
) -> Iterator[ReadingSite]:
    """A site made by `init` on the database at `url`, with a second newsletter in French."""
    write_site(folder)
    settings = folder / "syndicate.toml"
    settings.write_text(settings.read_text() + more)
    plain = url.replace("+psycopg", "")
    with _serving(folder, {"SYNDICATE_DATABASE__URL": plain, **environ}, START) as served:
        yield served


@contextmanager
def with_other_settings(before: ReadingSite, *changes: tuple[str, str]) -> Iterator[ReadingSite]:
    """The same site a minute later, as a process serves it that begins after these words of its settings changed."""
    settings = before.site.directory / "syndicate.toml"
    text = settings.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    settings.write_text(text)
    environ = {"SYNDICATE_DATABASE__URL": before.site.settings.database_url.replace("+psycopg", "")}
    with _serving(before.site.directory, environ, before.now + timedelta(minutes=1)) as served:
        yield served


@contextmanager
def _serving(folder: Path, environ: Mapping[str, str], now: datetime) -> Iterator[ReadingSite]:
    site = open_site(folder, environ)
    site.sync(now)
    served = ReadingSite(site, now=now)
    with serving_for_real(make_app(site, clock=served.clock)) as address:
        served.url = address
        yield served
    served.session.close()
    site.database.dispose()
