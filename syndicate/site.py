"""One site: its settings, and the adapters they ask for. The only place that names adapters; it starts nothing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from syndicate.core.feed import Feed
from syndicate.core.mail_account import SANDBOX, MailAccount
from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication, Sender
from syndicate.core.tripwire import Tripwire
from syndicate.errors import MailAPIError, NotFound, Refused
from syndicate.mail import ADAPTERS, open_mail_api
from syndicate.settings import Settings, read_settings
from syndicate.sources import KINDS, open_source
from syndicate.sources.base import SourceSettings

if TYPE_CHECKING:
    from jinja2 import Environment

    from syndicate.core.token import TokenSigner
    from syndicate.mail.base import Connection, MailAPI
    from syndicate.publishing.base import Target
    from syndicate.queues.base import Queue
    from syndicate.rendering.issue import House
    from syndicate.sources.base import Source
    from syndicate.sources.push import Push
    from syndicate.storage.database import Database


BESIDE = ".syndicate"
"""The folder in a site's own for what is kept beside its database: locks, the journal of suppressions, the epoch."""


@dataclass(frozen=True)
class Site:
    """An opened site. What costs time (the database, the templates) is opened when it is first asked for."""

    directory: Path
    settings: Settings
    publication: Publication
    sender: Sender
    mail: MailAccount
    sources: tuple[SourceSettings, ...]
    feeds: tuple[Feed, ...]
    """The first is the implicit feed of the whole site, named ""."""
    newsletters: tuple[Newsletter, ...]
    feeds_folder: Path
    outbox: Path

    @property
    def editors(self) -> tuple[str, ...]:
        """Whom previews of drafted issues go to: those of `[mail] test_to` and of `[alerts] email`, each once."""
        return tuple(dict.fromkeys((*self.sender.test_to, *self.settings.alerts.email)))

    @property
    def place(self) -> str:
        """This machine and this folder, as the database remembers them."""
        return f"{gethostname()}:{self.directory}"

    @property
    def beside(self) -> Path:
        """The folder of what is kept beside the database."""
        return self.directory / BESIDE

    @cached_property
    def database(self) -> Database:
        """The database, whose transactions put jobs into the queue; nothing is read from it yet."""
        database = self._opened
        database.queue = self.queue
        return database

    @cached_property
    def _opened(self) -> Database:
        from syndicate.storage.database import open_database

        return open_database(self.settings.database_url, self.beside)

    @cached_property
    def queue(self) -> Queue:
        """How processes of this site call each other to work."""
        database = self._opened
        if database.is_sqlite:
            from syndicate.queues.local import LocalQueue

            return LocalQueue()
        from syndicate.queues.procrastinate import ProcrastinateQueue

        return ProcrastinateQueue(database.engine)

    @cached_property
    def templates(self) -> Environment:
        """The templates, those of the site's own folder first."""
        from syndicate.rendering.environment import make_environment

        return make_environment(self.directory / "templates")

    @cached_property
    def house(self) -> House:
        """What every mail of the site is made with."""
        from syndicate.rendering.issue import House

        return House(self.publication, self.sender, self.templates)

    @cached_property
    def target(self) -> Target:
        """Where feed files go."""
        from syndicate.publishing.local import Local

        return Local(self.feeds_folder)

    @cached_property
    def instance(self) -> str:
        """The site's stable id."""
        from syndicate.storage.instance import instance_id

        with self.database.read() as connection:
            return instance_id(connection)

    @cached_property
    def address_key(self) -> bytes:
        """The key of `core.address.address_hash`."""
        from syndicate.storage.instance import address_key

        with self.database.read() as connection:
            return address_key(connection)

    def signer(self) -> TokenSigner:
        """Signs with the newest key, verifies with all."""
        from syndicate.core.token import TokenSigner
        from syndicate.storage.instance import list_signing_keys

        with self.database.read() as connection:
            return TokenSigner(list_signing_keys(connection))

    def source(self, name: str) -> Source:
        """The adapter of the source of that name. Raises NotFound with the nearest name."""
        from syndicate.storage.pushed_articles import PushedArticles

        return open_source(
            find_named(self.sources, name, "source"), self.directory, lambda of: PushedArticles(self.database, of)
        )

    def receiver(self, name: str) -> Push:
        """The source of that name, which articles are brought to. Raises NotFound, or Refused for another kind."""
        from syndicate.sources.push import Push

        source = self.source(name)
        if not isinstance(source, Push):
            kind = find_named(self.sources, name, "source").kind
            raise Refused(
                f"Source {name!r} is of kind {kind!r}: nothing can be pushed to it.",
                cure='Make a [[sources]] table with kind = "push" in syndicate.toml.',
            )
        return source

    def newsletter(self, name: str) -> Newsletter:
        """Raises NotFound with the nearest name."""
        return find_named(self.newsletters, name, "newsletter")

    def feed(self, name: str) -> Feed:
        """The feed of that name; "" is the site's own. Raises NotFound with the nearest name."""
        return find_named(self.feeds, name, "feed")

    def mail_api(self, url: str | None = None) -> MailAPI:
        """The mail API, ready to post. `url` is where the sandbox listens, which only its starter knows.

        Raises MailAPIError when the sandbox does not run, or the adapter refuses the address or the key."""
        base = url if url is not None else self.mail.url
        if self.mail.is_sandbox and not base:
            raise MailAPIError(
                "The sandbox does not run.", cure="'syndicate send' and 'syndicate run --once' start it."
            )
        name = "mailpit" if self.mail.is_sandbox else self.mail.api
        return open_mail_api(name, self._connection(self.mail, base))

    def standby_api(self) -> MailAPI | None:
        """The mail API that stands in while the first takes nothing, if one is set up. Raises MailAPIError."""
        mail = self.settings.standby
        return open_mail_api(mail.api, self._connection(mail, mail.url)) if mail is not None else None

    def _connection(self, mail: MailAccount, url: str) -> Connection:
        from syndicate.mail.base import Connection

        return Connection(
            url,
            mail.api_key,
            mail.deadline_seconds,
            stream=mail.stream,
            region=mail.region,
            domain=mail.domain or self.sender.from_email.rpartition("@")[2],
            activity=mail.activity,
            proxy=mail.proxy,
            certificates=Path(mail.certificates) if mail.certificates else None,
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be told: the mail API's key, and the passwords of the database and of a proxy."""
        standby = self.settings.standby
        others = (standby.api_key,) if standby is not None else ()
        return (self.mail.api_key, *others, *password_of(self.settings.database_url), *password_of(self.mail.proxy))

    def sync(self, now: datetime | None = None) -> None:
        """Writes what is new, renamed or retired in the settings to the database: before anything is written that
        belongs to it.

        Raises SettingsError when something that has rows is neither in the settings nor retired nor renamed."""
        from syndicate.services.start_site import Declared, sync_site

        settings = self.settings
        sync_site(
            self.database,
            Declared(self.sources, self.feeds, self.newsletters, settings.retired, settings.renamed),
            secret=secrets.token_bytes(32),
            place=self.place,
            web_url=self.publication.web_url,
            now=now or datetime.now(UTC),
        )

    def start(self, now: datetime) -> None:
        """Makes the database of a new site, whose folders hold nothing yet."""
        from syndicate.services.start_site import begin_empty

        self.database.upgrade()
        self.sync(now)
        begin_empty(self.database, [each.name for each in self.sources if each.kind in ("folder", "push")], now)


def password_of(url: str) -> tuple[str, ...]:
    """The password in an address, as it stands there and as it is meant; none when it holds none."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return ()
    return (password, unquote(password)) if password else ()


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Definition = TypeVar("_Definition", bound=_Named)


def find_named(definitions: Sequence[_Definition], name: str, noun: str) -> _Definition:
    """The definition of that name. Raises NotFound with the nearest one."""
    for each in definitions:
        if each.name == name:
            return each
    names = [each.name for each in definitions if each.name]
    near = get_close_matches(name, names, 1)
    cure = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names) or 'none'}."
    raise NotFound(f"No {noun} is called {name!r}.", cure=cure)


def open_site(directory: Path, environ: Mapping[str, str] | None = None) -> Site:
    """The site in that folder. Raises SettingsError with every mistake at once. Nothing is opened or started."""
    directory = directory.resolve()
    settings = read_settings(
        directory, os.environ if environ is None else environ, kinds=tuple(KINDS), apis=(SANDBOX, *ADAPTERS)
    )
    publication = settings.publication
    # What an article that says nothing of its own takes from its publication.
    house = {"timezone": publication.timezone, "language": publication.language, "base_url": publication.url}
    return Site(
        directory=directory,
        settings=settings,
        publication=settings.publication,
        sender=settings.sender,
        mail=settings.mail,
        sources=tuple(
            SourceSettings(
                name=each.name,
                kind=each.kind,
                path=each.path,
                rights=each.rights or ("theirs" if each.kind == "feed" else "ours"),
                defaults=each.defaults.model_dump(exclude_none=True, exclude_unset=True),
                options={**house, **each.options},
                url=each.url or "",
                every_seconds=each.every,
                allow_private=each.allow_private,
                tripwire=Tripwire(each.tripwire.at_least, each.tripwire.times, each.tripwire.old),
                quiet_after_seconds=each.quiet_after,
            )
            for each in settings.sources
        ),
        feeds=settings.feeds,
        newsletters=settings.newsletters,
        feeds_folder=settings.feeds_folder,
        outbox=directory / "outbox",
    )
