"""A site that only hostile people have written for, and everything of it that can be asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
import sqlalchemy as sa
from fastapi.routing import APIRoute

from syndicate.core.asked import Asked
from syndicate.core.identity import PREFIX
from syndicate.storage import tables
from syndicate.storage.articles import find_article
from syndicate.storage.people import find_subscriber
from syndicate.storage.users import list_users
from syndicate.web.routes import routers
from tests.mail.events.signing import SECRET
from tests.sources.upstream import Upstream, upstream
from tests.web.hostile.newsroom import PUSHED, WELCOME, fill, settings
from tests.web.newsroom_site import WebSite, running_site
from tests.web.reading_site import ReadingSite

NONCE = "n" * 24


@dataclass
class HostileSite:
    """`web` is the site; the rest says what of it can be asked for."""

    web: WebSite
    upstream: Upstream
    token: str = ""
    job: str = ""
    listed: str = ""
    issues: dict[str, int] = field(default_factory=dict)
    mails: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the server is."""
        return self.web.url

    def article(self, key: str) -> str:
        """The id of an article as addresses have it."""
        with self.web.site.database.read() as connection:
            return find_article(connection, key).id.removeprefix(PREFIX)

    def reader(self, email: str = "ann@example.org") -> int:
        """The number of a reader."""
        with self.web.site.database.read() as connection:
            found = find_subscriber(connection, email)
        assert found is not None
        return found.id

    def user(self, name: str) -> int:
        """The number of a user."""
        with self.web.site.database.read() as connection:
            return next(each.user.id for each in list_users(connection) if each.user.name == name)

    def signed(self, purpose: str, email: str = "ann@example.org") -> str:
        """The token of a link of that reader, as mails have it."""
        signer = self.web.site.signer()
        if purpose == "confirm":
            keyed = self._hash(email)
            return Asked(keyed, ("morning", "evening"), self.web.now, "2026-11").token(signer)
        return signer.sign(purpose, self.reader(email), "morning", 1)

    def _hash(self, email: str) -> str:
        query = sa.select(tables.subscribers.c.address_hash).where(tables.subscribers.c.address == email)
        with self.web.site.database.read() as connection:
            found: str = connection.execute(query).scalar_one()
        return found

    @cached_property
    def parameters(self) -> dict[str, str]:
        """What stands for the variable parts of each route, by the beginning of its path up to it."""
        return {
            "/console/articles/{name}": self.article("first.md"),
            "/console/sources/{name}": "desk",
            "/console/feeds/{key}": "world",
            "/console/newsletters/{name}": "morning",
            "/console/newsletters/{name}/{cadence}": "daily",
            "/console/users/{key}": str(self.user("Ed")),
            "/console/issues/{number}": str(self.issues["draft"]),
            "/console/readers/{reader}": str(self.reader()),
            "/console/readers/import/{token}": self.job,
            "/console/welcome/{token}": WELCOME,
            "/u/{token}": self.signed("unsubscribe"),
            "/p/{token}": self.signed("preferences"),
            "/confirm/{token}": self.signed("confirm"),
            "/archive/{newsletter}": "morning",
            "/archive/{newsletter}/{issue}": str(self.issues["sent"]),
            "/.well-known/syndicate/{nonce}": NONCE,
            "/api/v1/articles/{external_id:path}": PUSHED,
        }

    def path(self, route: str) -> str:
        """A real path of that route."""
        path = route
        for start, value in self.parameters.items():
            if route.startswith(start):
                path = path.replace(start[start.rindex("{") :], quote(value, safe=""), 1)
        # What is not named above is asked for as something that there is none of.
        return re.sub(r"\{[^}]*\}", "1", path)


def routes(*methods: str) -> list[tuple[str, str]]:
    """(method, path as it is declared) of everything that the application answers to by one of these methods."""
    found = set()
    for router in routers():
        for route in router.routes:  # type: ignore[attr-defined]
            assert isinstance(route, APIRoute), f"{route}: is not covered here"
            found |= {(method, route.path) for method in route.methods or () if method in methods}
    return sorted(found)


def begin(client: requests.Session, method: str, path: str, **options: Any) -> requests.Response:
    """The answer to a request; of a stream without end, its beginning."""
    answer = client.request(method, path, stream=True, **options)
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        answer._content = next(answer.iter_content(100_000), b"")  # a HEAD has none
    assert answer.content is not None
    answer.close()
    return answer


def rows(site: WebSite | ReadingSite, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """A hash of all rows of each table. `but` names columns (`table.column`) or whole tables that do not count."""
    found = {}
    with site.site.database.read() as connection:
        for table in tables.metadata.sorted_tables:
            if table.name in but:
                continue
            columns = [each for each in table.c if f"{table.name}.{each.name}" not in but]
            kept = sorted(repr(tuple(row)) for row in connection.execute(sa.select(*columns)))
            found[table.name] = hashlib.sha256("\n".join(kept).encode("utf-8", "replace")).hexdigest()
    return found


def files(site: WebSite) -> dict[str, tuple[int, int]]:
    """Every file of the site but the database's and the locks: size and time of its last change."""
    folder = site.site.directory
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(("syndicate.db", ".syndicate/", "outbox/")):
            found[name] = (path.stat().st_size, path.stat().st_mtime_ns)
    return found


@contextmanager
def hostile_site(folder: Path, database_url: str = "") -> Iterator[HostileSite]:
    """The site, with its server, for as long as the block lasts; on SQLite, or the database at that address."""
    with upstream() as wire:
        environ = {"SYNDICATE_MAIL__WEBHOOK_SECRET": SECRET}
        written = settings(wire.url)
        with running_site(folder / "site", settings=written, environ=environ, database_url=database_url) as web:
            site = HostileSite(web, wire)
            fill(site)
            yield site


