"""`syndicate publish`, as somebody at a terminal meets it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.article import Article, Content
from syndicate.core.identity import mint
from syndicate.storage import tables
from syndicate.storage.articles import content_to_row
from syndicate.storage.database import open_database
from syndicate.storage.feed_entries import place_in_feeds
from syndicate.storage.feeds import declare_feeds
from tests.end_to_end.site import call


def run(folder: Path, *words: str, status: int = 0) -> tuple[str, str]:
    """Standard output and standard error of one command."""
    done = call(folder, *words, environment=os.environ)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    run(tmp_path, "init", "site")
    return tmp_path / "site"


def add(site: Path, name: str, title: str, url: str | None = None) -> None:
    """A released article, put straight into the tables."""
    from syndicate.site import open_site

    opened = open_site(site)
    now = datetime.now(UTC)
    content = Content(title=title, html="<p>Body</p>", summary="Summary", url=url)
    article = Article(mint("desk", name), "desk", name, content, "", url is None, "released", published_at=now)
    database = open_database(opened.settings.database_url)
    with database.write() as connection:
        declare_feeds(connection, [feed.name for feed in opened.feeds])
        connection.execute(
            sa.insert(tables.articles).values(
                **content_to_row(content), id=article.id, source="desk", key=name, status="released", arrived_at=now,
                published_at=now, updated_at=now,
            )
        )  # fmt: skip
        place_in_feeds(connection, article, opened.feeds)
    database.dispose()


def test_it_says_what_changed_and_then_that_nothing_is_new(site: Path) -> None:
    add(site, "one.md", "One")
    said, _ = run(site, "publish")
    assert "feeds/  rss.xml atom.xml feed.json — 1 entry" in said
    assert "feeds/articles/  1 written" in said
    assert (site / "feeds" / "rss.xml").exists() and (site / "feeds" / "index.html.gz").exists()
    assert run(site, "publish") == ("Nothing new to publish.\n", "")
    assert run(site, "publish", "--force") == ("Nothing new to publish.\n", "")
    (site / "feeds" / "atom.xml").write_text("damaged")
    assert run(site, "publish", "--force")[0] == "feeds/  atom.xml — 1 entry\n"


def test_programs_read_the_same(site: Path) -> None:
    add(site, "one.md", "One")
    done = json.loads(run(site, "publish", "--json")[0])
    assert done["changed"] and done["pages_written"] == 1
    assert [(each["id"], each["entries"], each["changed"]) for each in done["feeds"]] == [
        ("", 1, ["rss.xml", "atom.xml", "feed.json"])
    ]
    assert not json.loads(run(site, "publish", "--json")[0])["changed"]


def test_an_article_that_no_feed_can_carry_ends_with_1_and_its_name(site: Path) -> None:
    add(site, "one.md", "One")
    add(site, "bad.md", "Bad", url="javascript:alert(1)")
    _, complaints = run(site, "publish", status=1)
    assert "bad.md" in complaints and "Correct its url" in complaints
    assert "One" in (site / "feeds" / "rss.xml").read_text() and "Bad" not in (site / "feeds" / "rss.xml").read_text()


def test_an_unknown_feed_is_named(site: Path) -> None:
    _, complaints = run(site, "publish", "wrold", status=1)
    assert "No feed is called 'wrold'" in complaints
