"""How long it takes to collect and number one new article, and many, beside an archive.

    python -m tests.benchmarks.numbering [--archive 100000] [--runs 10] [--due 1000]

A folder of files that were all collected before, by the product itself (which takes some minutes); then one new file
at a time, collected whole: look, read, take in, number, place in the feeds. A tenth of the archive is measured too:
only looking at the folder may grow with it. Beside it, in the same run: the bare floor, which lists and stats the same
folder and writes the same rows with plain statements in one transaction. Then the numbering step alone: articles whose
time comes, all at once, beside plain statements that write the same rows. Ends with 1 only when a result is wrong.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from syndicate.core.feed import SITE_FEED, Feed
from syndicate.core.selection import Selection
from syndicate.core.tripwire import Tripwire
from syndicate.services.collect_articles import CollectReport, collect
from syndicate.services.release_due import release_due
from syndicate.services.start_site import Declared, begin_empty, sync_site
from syndicate.sources.base import SourceSettings
from syndicate.sources.folder import Folder
from syndicate.storage import tables
from syndicate.storage.database import Database, open_database

SETTINGS = SourceSettings("desk", "folder", "articles", "ours", {}, {}, tripwire=Tripwire(at_least=0))
FEEDS = (
    Feed(SITE_FEED, "The Harbour Post"),
    *(Feed(f"s{n}", f"Section {n}", Selection({"section": f"s{n}"})) for n in range(10)),
)
PER_FOLDER = 1000

Times = tuple[float, float]


class Archive:
    """A folder of so many articles, all known."""

    def __init__(self, place: Path, size: int) -> None:
        self.root = place / "articles"
        self.now = datetime.now(UTC)
        self.next = 0
        for _ in range(size):
            self.write()
        self.database = open_database(f"sqlite:///{place}/syndicate.db")
        self.database.upgrade()
        declared = Declared((SETTINGS,), FEEDS, (), {}, {})
        sync_site(
            self.database, declared, secret=bytes(32), place="bench", web_url="https://news.example.com", now=self.now
        )
        begin_empty(self.database, ["desk"], self.now)
        self.source = Folder(SETTINGS, place)
        self.filled = timed(self.collect)

    def write(self) -> Path:
        """One more file, settled."""
        number, self.next = self.next, self.next + 1
        path = self.root / f"s{number % 10}" / str(number // PER_FOLDER) / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"---\ntitle: What happened in hour {number}\n---\n\nIt was a long day for number {number}.\n")
        moment = time.time() - 60
        os.utime(path, (moment, moment))
        return path

    def collect(self) -> CollectReport:
        """One collection, as the command does it."""
        return collect(self.database, self.source, feeds=FEEDS, newsletters=(), now=datetime.now(UTC), sleep=time.sleep)

    def one_new(self) -> Times:
        """Milliseconds to take in one new file. Raises AssertionError unless it has the next number and is in feeds."""
        with self.database.read() as connection:
            before = connection.execute(sa.select(tables.counters.c.value)).scalar_one()
        path = self.write()
        # The look waits for what is younger than a second by its time of change, which nobody can set.
        time.sleep(1.05)
        reports: list[CollectReport] = []
        took = timed(lambda: reports.append(self.collect()))
        [new] = reports[0].of("new")
        assert new.path.endswith(path.name), new
        with self.database.read() as connection:
            number = connection.execute(
                sa.select(tables.articles.c.number).where(tables.articles.c.id == new.article_id)
            ).scalar_one()
            feeds = connection.execute(
                sa.select(sa.func.count()).where(tables.feed_entries.c.article_id == new.article_id)
            ).scalar_one()
        assert number == before + 1, (number, before)
        assert feeds == 2, feeds
        return took

    def one_by_hand(self) -> Times:
        """The floor: the same folder listed, the same rows written."""

        def work() -> None:
            assert sum(1 for _ in files(self.root)) >= self.next
            copy_rows(self.database, 1)

        took = timed(work)
        forget_copies(self.database)
        return took


def files(root: Path | str) -> Iterator[os.stat_result]:
    """The stat of every file, by nothing but os.scandir."""
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files(entry.path)
            else:
                yield entry.stat(follow_symlinks=False)


def timed(work: Callable[[], object]) -> Times:
    """Milliseconds by the wall and of this process."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - own) * 1000


def raw(database: Database) -> sqlite3.Connection:
    """The same file, as durable, with nothing in between."""
    connection = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


_made = iter(range(10**9))


def copy_rows(database: Database, count: int) -> None:
    """Writes as many articles with their items, revisions, numbers and entries, by plain statements."""
    connection = raw(database)
    connection.execute("BEGIN IMMEDIATE")
    (highest,) = connection.execute("UPDATE counters SET value = value RETURNING value").fetchone()
    columns = [column.name for column in tables.articles.columns]
    model = connection.execute(f"SELECT {', '.join(columns)} FROM articles LIMIT 1").fetchone()
    made = [f"urn:floor:{next(_made):035}" for _ in range(count)]
    rows = [
        tuple({"id": each, "key": each, "number": highest + n}.get(c, v) for c, v in zip(columns, model, strict=True))
        for n, each in enumerate(made, 1)
    ]
    at = "2026-01-01T00:00:00.000000Z"
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO articles ({', '.join(columns)}) VALUES ({marks})", rows)
    connection.executemany(
        "INSERT INTO source_items (source, key, fingerprint, article_id, seen_at) VALUES ('desk', ?, '', ?, ?)",
        [(each, each, at) for each in made],
    )
    connection.executemany(
        "INSERT INTO article_revisions (article_id, revision, at, kind, content) VALUES (?, 1, ?, 'first', '{}')",
        [(each, at) for each in made],
    )
    write_numbers(connection, made, highest, at)
    connection.execute("COMMIT")
    connection.close()


def forget_copies(database: Database) -> None:
    """Takes them out again."""
    connection = raw(database)
    for table in ("feed_entries", "article_numbers", "article_revisions", "source_items"):
        connection.execute(f"DELETE FROM {table} WHERE article_id LIKE 'urn:floor:%'")
    connection.execute("DELETE FROM articles WHERE id LIKE 'urn:floor:%'")
    connection.close()


def write_numbers(connection: sqlite3.Connection, article_ids: list[str], highest: int, at: str) -> None:
    """The rows of numbers and of two feeds each."""
    connection.executemany(
        "INSERT INTO article_numbers (number, article_id, given_at) VALUES (?, ?, ?)",
        [(highest + n, each, at) for n, each in enumerate(article_ids, 1)],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO feed_entries (feed, article_id, published_at) VALUES (?, ?, ?)",
        [(feed, each, at) for each in article_ids for feed in ("", "s0")],
    )


def take_back(database: Database, count: int) -> list[str]:
    """Makes so many articles wait for a moment that has just come, as if they had an embargo."""
    with database.write() as connection:
        query = sa.select(tables.articles.c.id).where(tables.articles.c.number.is_not(None)).limit(count)
        chosen = list(connection.execute(query).scalars())
        for table in (tables.article_numbers, tables.feed_entries):
            connection.execute(sa.delete(table).where(table.c.article_id.in_(chosen)))
        connection.execute(
            sa.update(tables.articles)
            .where(tables.articles.c.id.in_(chosen))
            .values(
                status="waiting", number=None, published_at=None, not_before=datetime.now(UTC) - timedelta(seconds=1)
            )
        )
    return chosen


def number_many(archive: Archive, count: int) -> Times:
    """Milliseconds to publish so many articles at once. Raises AssertionError unless each has a number of its own."""
    chosen = take_back(archive.database, count)
    done: list[str] = []
    took = timed(lambda: done.extend(release_due(archive.database, FEEDS, now=datetime.now(UTC))))
    assert sorted(done) == sorted(chosen), (len(done), len(chosen))
    with archive.database.read() as connection:
        query = sa.select(tables.articles.c.number).where(tables.articles.c.id.in_(chosen))
        numbers = set(connection.execute(query).scalars())
    assert len(numbers) == count
    return took


def number_by_hand(archive: Archive, count: int) -> Times:
    """The floor of that: one transaction of plain statements."""
    chosen = take_back(archive.database, count)
    connection = raw(archive.database)

    def work() -> None:
        at = "2026-01-01T00:00:00.000000Z"
        connection.execute("BEGIN IMMEDIATE")
        (highest,) = connection.execute("UPDATE counters SET value = value + ? RETURNING value", (count,)).fetchone()
        connection.executemany(
            "UPDATE articles SET status = 'released', number = ?, published_at = ?, updated_at = ? WHERE id = ?",
            [(highest - count + n, at, at, each) for n, each in enumerate(chosen, 1)],
        )
        write_numbers(connection, chosen, highest - count, at)
        connection.execute("COMMIT")

    took = timed(work)
    connection.close()
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--due", type=int, default=1000, help="articles whose time comes at once")
    given = parser.parse_args()
    lines: list[tuple[str, Times]] = []

    def note(label: str, times: list[Times]) -> None:
        lines.append((label, (median(wall for wall, _ in times), median(own for _, own in times))))

    with tempfile.TemporaryDirectory(prefix="syndicate-benchmark-") as name:
        for size in (given.archive // 10, given.archive):
            place = Path(name) / str(size)
            place.mkdir()
            print(f"collecting {size:,} files for the first time …", file=sys.stderr)
            archive = Archive(place, size)
            note(f"first collect of {size:,} new files", [archive.filled])
            archive.collect()
            note("  nothing new", [timed(archive.collect) for _ in range(given.runs)])
            note("  one new file", [archive.one_new() for _ in range(given.runs)])
            note("    floor: scandir, and the same rows by hand", [archive.one_by_hand() for _ in range(given.runs)])
        note(f"{given.due:,} articles numbered at once", [number_many(archive, given.due) for _ in range(3)])
        note("    floor: the same rows by hand", [number_by_hand(archive, given.due) for _ in range(3)])
    print(f"{'':<48}{'wall ms':>12}{'own ms':>12}")
    for label, (wall, own) in lines:
        print(f"{label:<48}{wall:>12,.1f}{own:>12,.1f}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as error:
        print(f"wrong result: {error}", file=sys.stderr)
        sys.exit(1)
