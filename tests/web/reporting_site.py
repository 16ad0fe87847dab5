"""A site that two mail APIs report to, served with what takes reports in at once or by way of ASGI alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httptools
import sqlalchemy as sa

from syndicate.services.write_site import write_site
from syndicate.site import Site, open_site
from syndicate.storage import tables
from syndicate.web.app import make_app
from syndicate.web.front import Front
from syndicate.web.reports import Told
from tests.mail.events.signing import SHARED, SIGNING_KEY
from tests.process.waiting import until
from tests.web.newsroom_site import serving_for_real
from tests.web.reading_site import START
from tests.web.wire import END, Reply, wired

HOST = "news.post.example"
ENVIRON = {
    "SYNDICATE_WEB__URL": f"https://{HOST}",
    "SYNDICATE_MAIL__API": "mailgun",
    "SYNDICATE_MAIL__API_KEY": "key",
    "SYNDICATE_MAIL__WEBHOOK_SECRET": SIGNING_KEY,
    "SYNDICATE_STANDBY__API": "postmark",
    "SYNDICATE_STANDBY__API_KEY": "key",
    "SYNDICATE_STANDBY__WEBHOOK_SECRET": SHARED,
}


@dataclass(repr=False)
class Reported:
    """The site, its application, and how many reports were taken in at once."""

    site: Site
    app: Front
    at_once: int = 0

    def __post_init__(self) -> None:
        take = self.app.reports.take

        def counting(data: bytes, told: Told) -> bool:
            taken = take(data, told)
            self.at_once += taken
            return taken

        self.app.reports.take = counting  # type: ignore[method-assign]

    def rename(self, name: str, new: str) -> None:
        with self.site.database.write() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {new}")

    def kept(self) -> list[str]:
        """The kinds of the events that are kept, in their order."""
        with self.site.database.read() as connection:
            return list(connection.execute(sa.select(tables.events.c.kind).order_by(tables.events.c.id)).scalars())


@contextmanager
def reported(folder: Path, migrated: Path) -> Iterator[Reported]:
    """A site of its own on a copy of that database, not served."""
    write_site(folder)
    shutil.copyfile(migrated, folder / "syndicate.db")
    site = open_site(folder, ENVIRON)
    site.sync(START)
    yield Reported(site, make_app(site, clock=lambda: START))
    site.database.dispose()


@dataclass(repr=False)
class Both:
    """Two sites that hear the same, one in each way."""

    fast: Reported
    plain: Reported
    at_once: str
    by_asgi: str

    def require_same(self, *pieces: bytes) -> list[Reply | None]:
        """What both say to these."""
        said, plain = ([_without_nonces(each) for each in talk(url, pieces)] for url in (self.at_once, self.by_asgi))
        assert said == plain
        return said

    def require_same_kept(self) -> None:
        """Whether both keep the same, in the end: of one that was not waited for it is written by and by."""
        until(lambda: self.fast.kept() == self.plain.kept())


def _without_nonces(reply: Reply | None) -> Reply | None:
    """Pages have other ones each time."""
    if reply is None:
        return None
    headers = tuple((name, re.sub(r"'nonce-[^']*'", "'nonce'", value)) for name, value in reply.headers)
    return replace(reply, headers=headers, body=re.sub(rb'nonce="[^"]*"', b"nonce", reply.body))


class Owed:
    """What a server owes for the pieces sent so far, each body brought to its end."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._method = b""
        self._length = self._missing = 0
        self.methods: list[bytes] = []

    def on_message_begin(self) -> None:
        self._length = self._missing = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-length" and value.isdigit():
            self._length = int(value)

    def on_headers_complete(self) -> None:
        self._method, self._missing = self._parser.get_method(), self._length or 1

    def on_body(self, body: bytes) -> None:
        self._missing -= len(body)

    def on_message_complete(self) -> None:
        self._missing = 0
        self.methods.append(self._method)

    def after(self, piece: bytes) -> tuple[list[bytes] | None, bytes]:
        """The methods of the requests that are to be answered, None when the connection is to end; and what brings the
        body to its end that has begun."""
        self.methods = []
        with suppress(httptools.HttpParserUpgrade):
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserError:
                return None, b""
        return self.methods, b"x" * self._missing


def talk(url: str, pieces: Iterable[bytes]) -> list[Reply | None]:
    """As `conversation`, of requests that have bodies: the rest of one comes by itself."""
    owed = Owed()
    said: list[Reply | None] = []
    with wired(url) as wire:
        waiting = [*pieces, END]
        while waiting and not wire.ended:
            piece = waiting.pop(0)
            methods, rest = owed.after(piece)
            wire.send(piece)
            if methods is None:
                said += [wire.reply(), wire.reply()]
                break
            for method in methods:
                said.append(wire.reply(method))
                if said[-1] is not None and said[-1].status == 100:
                    said.append(wire.reply(method))
            if rest:
                waiting.insert(0, rest)
        assert wire.end() == b""
    return said


@contextmanager
def both_ways(folder: Path, migrated: Path) -> Iterator[Both]:
    """Both of them, served."""
    with ExitStack() as stack:
        fast, plain = (stack.enter_context(reported(folder / name, migrated)) for name in ("fast", "plain"))

        async def by_asgi(scope: Any, receive: Any, send: Any) -> None:
            await plain.app(scope, receive, send)

        yield Both(fast, plain, *(stack.enter_context(serving_for_real(each)) for each in (fast.app, by_asgi)))
