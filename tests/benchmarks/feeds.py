"""How long one new article takes until it is live in three formats, raw and compressed.

    python -m tests.benchmarks.feeds [--archive 100000] [--runs 10] [--without-pelican]

An archive, 300 feeds of 50 whole entries, one new article in 8 of them. Beside it, in the same run: the same files by
feedgen without stitching; the bare floor (the same bytes only compressed and put in place); a tenth of the archive (the
time must not grow with it); Pelican with a small archive, which it builds anew. Ends with 1 only on wrong results.

Timed is one whole call of `publish` in a process that has published before: the lock, finding what is due, the
article's own page, feeds, twins and what is recorded. `own` is the processor time of all threads of this process; other
work on the machine makes even that longer, so the least of all runs stands beside the median.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

import sqlalchemy as sa

from syndicate.core.feed import SITE_FEED, Feed
from syndicate.core.publication import Publication
from syndicate.core.selection import Selection
from syndicate.publishing.local import Local
from syndicate.publishing.twins import compress, put_with_twin
from syndicate.rendering import feed_json, feed_xml
from syndicate.rendering.entry import Entry, make_entry, make_head
from syndicate.rendering.environment import make_environment
from syndicate.rendering.feed_files import definition_hash
from syndicate.services.publish_feeds import Published, publish
from syndicate.storage import tables
from syndicate.storage.articles import get_article, select_articles
from syndicate.storage.database import Database, open_database
from syndicate.storage.feed_entries import place_in_feeds
from syndicate.storage.feeds import declare_feeds, shown_entries

FEEDS = 300
IN_FEEDS = 8
FORMATS = ("rss.xml", "atom.xml", "feed.json")
START = datetime(2015, 1, 1, tzinfo=UTC)
PUBLICATION = Publication("The Harbour Post", "https://post.example", "en", "Europe/Lisbon", "https://news.post.example")
SITE = Feed(SITE_FEED, PUBLICATION.title)
TOPICS = tuple(Feed(f"topic-{n}", f"Topic {n}", Selection({"tag": f"topic {n}"})) for n in range(FEEDS - 1))
ALL = (SITE, *TOPICS)

_WORDS = (
    *("harbour", "tide", "quay", "crane", "ferry", "pilot", "council", "budget", "bridge", "market", "winter"),
    *("lantern", "signal", "keeper", "breakwater", "schedule", "the", "of", "and", "to", "a", "in", "that", "was"),
)


def body(seed: int) -> str:
    """Some 4 KB of paragraphs."""
    chance = random.Random(seed)
    paragraphs = (" ".join(chance.choices(_WORDS, k=95)).capitalize() for _ in range(7))
    return "".join(f'<p>{text} <a href="https://post.example/{seed}">more</a>.</p>' for text in paragraphs)


def article_id(number: int) -> str:
    return UUID(int=number).urn


def topics_of(number: int) -> list[int]:
    """One article is in the site's feed and in seven topics."""
    return sorted({(number * 7 + step * 41) % len(TOPICS) for step in range(IN_FEEDS - 1)})


def row(number: int, *, url: bool = True) -> dict[str, object]:
    moment = START + timedelta(hours=number)
    return {
        "id": article_id(number),
        "source": "desk",
        "key": f"{number}.md",
        "status": "released",
        "arrived_at": moment,
        "published_at": moment,
        "updated_at": moment,
        "title": f"Article {number} & what came of it",
        "summary": f"What happened in hour {number}, told in a sentence or two for those who have little time.",
        "html": body(number % 500),
        "section": "world",
        "tags": [f"topic {each}" for each in topics_of(number)],
        "authors": ["Harbour desk"],
        "language": "en",
        "url": f"https://post.example/{number}" if url else None,
        "image": {"src": f"https://post.example/{number}.jpg", "alt": "A quay", "credit": "Photo desk", "use": "all"},
    }


def build(folder: Path, archive: int) -> Database:
    """The archive, with every feed's definition recorded, so that no selection has to be looked at again."""
    database = open_database(f"sqlite:///{folder}/syndicate.db")
    database.upgrade()
    with database.write() as connection:
        connection.execute(sa.insert(tables.sources).values(name="desk", kind="folder"))
        declare_feeds(connection, [feed.name for feed in ALL])
        for start in range(0, archive, 5000):
            numbers = range(start, min(start + 5000, archive))
            connection.execute(sa.insert(tables.articles), [row(number) for number in numbers])
            entries = [
                {"feed": name, "article_id": article_id(number), "published_at": START + timedelta(hours=number)}
                for number in numbers
                for name in ("", *(TOPICS[each].name for each in topics_of(number)))
            ]
            connection.execute(sa.insert(tables.feed_entries), entries)
        for feed in ALL:
            connection.execute(
                sa.update(tables.feeds)
                .where(tables.feeds.c.name == feed.name)
                .values(definition_hash=definition_hash(feed, PUBLICATION))
            )
    return database


class Bench:
    """One archive."""

    def __init__(self, folder: Path, archive: int) -> None:
        folder.mkdir()
        self.archive = archive
        self.next = archive
        self.folder = folder / "feeds"
        self.database = build(folder, archive)
        self.target = Local(self.folder)
        self.templates = make_environment()
        self.now = START + timedelta(hours=archive)

    def publish(self) -> Published:
        return publish(self.database, ALL, PUBLICATION, self.target, self.templates, self.now)

    def arrive(self) -> tuple[int, list[Feed]]:
        """A new article in eight feeds."""
        number, self.next = self.next, self.next + 1
        with self.database.write() as connection:
            connection.execute(sa.insert(tables.articles).values(**row(number, url=False)))
            names = place_in_feeds(connection, get_article(connection, article_id(number), PUBLICATION.web_url), ALL)
        return number, [feed for feed in ALL if feed.name in names]

    def entries(self, feeds: list[Feed]) -> list[tuple[Feed, list[Entry]]]:
        """What these feeds show, read again for the other writers."""
        found = []
        with self.database.read() as connection:
            for feed in feeds:
                shown = [each.article_id for each in shown_entries(connection, feed)[0]]
                read = select_articles(connection, ids=shown, web_url=PUBLICATION.web_url)
                articles = {each.id: each for each in read}
                kept = [articles[each] for each in shown]
                entries = [make_entry(each, content="full", link=each.link, own_language=False) for each in kept]
                found.append((feed, entries))
        return found


def documents(feeds: list[tuple[Feed, list[Entry]]]) -> Iterator[tuple[str, bytes]]:
    """Every file by the writers themselves, without stitching."""
    for feed, entries in feeds:
        head = make_head(feed, PUBLICATION)
        yield f"{feed.folder}rss.xml", feed_xml.whole_feed("rss", head, entries)
        yield f"{feed.folder}atom.xml", feed_xml.whole_feed("atom", head, entries)
        yield f"{feed.folder}feed.json", feed_json.render_feed(head, entries)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the wall and of this process."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - own) * 1000


def measure(bench: Bench, runs: int) -> tuple[list[tuple[float, float]], list[Feed]]:
    """Each time one article comes and is published; raises AssertionError unless it is live everywhere."""
    bench.publish()
    times = []
    for _ in range(runs):
        number, feeds = bench.arrive()
        times.append(timed(bench.publish))
        assert len(feeds) == IN_FEEDS, feeds
        for feed in feeds:
            for name in FORMATS:
                content = (bench.folder / feed.folder / name).read_bytes()
                assert content.count(article_id(number).encode()) == 1, f"{feed.folder}{name} lacks the new article"
                assert (bench.folder / feed.folder / f"{name}.gz").stat().st_mtime_ns >= 0
    return times, feeds


def put_all(folder: Path, files: Mapping[str, bytes]) -> None:
    target = Local(folder)
    for path, content in files.items():
        put_with_twin(target, path, content)


def pelican(folder: Path, archive: int) -> float:
    """Milliseconds that Pelican takes for a site of that size: it builds anew whatever changed."""
    content = folder / "content"
    content.mkdir(parents=True)
    for number in range(archive):
        tags = ", ".join(f"topic {each}" for each in topics_of(number))
        day = f"{START + timedelta(hours=number):%Y-%m-%d %H:%M}"
        head = f'<meta name="date" content="{day}"><meta name="tags" content="{tags}">'
        page = f"<html><head><title>Article {number}</title>{head}</head><body>{body(number % 500)}</body></html>"
        (content / f"{number}.html").write_text(page)
    (folder / "pelicanconf.py").write_text(
        "SITENAME='The Harbour Post'\nSITEURL='https://post.example'\nTIMEZONE='UTC'\nPATH='content'\n"
        "FEED_DOMAIN=SITEURL\nFEED_MAX_ITEMS=50\nFEED_ALL_ATOM='all.atom.xml'\nFEED_ALL_RSS='all.rss.xml'\n"
        "TAG_FEED_ATOM='{slug}.atom.xml'\nTAG_FEED_RSS='{slug}.rss.xml'\nCATEGORY_FEED_ATOM=None\n"
        "AUTHOR_FEED_ATOM=None\nAUTHOR_FEED_RSS=None\nTRANSLATION_FEED_ATOM=None\n"
    )
    command = [sys.executable, "-m", "pelican", "-q", "-s", "pelicanconf.py", "-o", "output"]
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--without-pelican", action="store_true")
    given = parser.parse_args()
    lines: list[tuple[str, list[float]]] = []

    def note(label: str, times: list[tuple[float, float]]) -> None:
        wall, own = zip(*times, strict=True)
        lines.append((label, [min(own), median(own), min(wall), median(wall)]))

    with tempfile.TemporaryDirectory(prefix="syndicate-benchmark-") as name:
        folder = Path(name)
        for archive in (given.archive // 10, given.archive):
            bench = Bench(folder / str(archive), archive)
            times, feeds = measure(bench, given.runs)
            note(f"Syndicate, archive of {archive:,}", times)
        read = bench.entries(feeds)
        made = dict(documents(read))
        for path, content in made.items():
            assert (bench.folder / path).read_bytes() == content, f"{path} is not what its writer makes of the whole"
        whole = [timed(lambda: dict(documents(read))) for _ in range(given.runs)]
        note("  the same files by their writers, unstitched", whole)
        old = {path: content + b"\n" for path, content in made.items()}
        floors = []
        for _ in range(given.runs):
            # Over other bytes: replacing a file costs more than making one.
            put_all(folder / "floor", old)
            floors.append(timed(lambda: put_all(folder / "floor", made)))
        note("  the same bytes compressed and put, one thread", floors)
        if not given.without_pelican:
            lines.append(("Pelican, archive of 1,000, RSS and Atom, raw", [pelican(folder / "pelican", 1000)]))
        size = sum(map(len, made.values())) / 1e6
        small = sum(len(compress(each)) for each in made.values()) / 1e6
    files = f"{len(made)} files of {size:.1f} MB, twins of {small:.2f} MB"
    print(f"One new article in {IN_FEEDS} of {FEEDS} feeds: {files}")
    print(f"{'milliseconds':50}" + "".join(f"{each:>11}" for each in ("own least", "median", "wall least", "median")))
    for label, figures in lines:
        print(f"{label:50}{'':{11 * (4 - len(figures))}}" + "".join(f"{each:11.1f}" for each in figures))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as wrong:
        print(f"Wrong result: {wrong}", file=sys.stderr)
        sys.exit(1)
