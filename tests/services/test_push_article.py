"""Articles that are brought here: taken in at once, once, and read again like a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.feed import Feed
from syndicate.core.selection import Selection
from syndicate.errors import BadInput, NotFound
from syndicate.services.collect_articles import CollectReport, collect
from syndicate.services.hold_article import hold_articles
from syndicate.services.push_article import Taken, push_article, remove_pushed_article
from syndicate.sources import open_source
from syndicate.sources.base import SourceSettings
from syndicate.sources.declared import BadFields
from syndicate.sources.push import Push
from syndicate.sources.pushed import read_file, read_json
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.definitions import sync
from syndicate.storage.integrity import find_damage
from syndicate.storage.pushed_articles import PushedArticles
from tests.services.newsroom import never_sleep

FEEDS = (Feed("", "All"), Feed("world", "World", Selection({"section": "world"})))
STORY: Mapping[str, Any] = {
    "id": "42",
    "title": "The ferry is back",
    "html": "<p>It sails at <b>noon</b>.</p><script>alert(1)</script>",
    "section": "world",
    "tags": ["harbour"],
    "authors": ["Harbour desk"],
}


class Desk:
    """A push source on a database."""

    def __init__(self, database: Database, now: datetime, **options: Any) -> None:
        self.database = database
        self.now = now
        settings = SourceSettings(
            "cms", kind="push", options={"timezone": "Europe/Lisbon", "language": "en"}, **options
        )
        with database.write() as connection:
            sync(connection, sources=[settings], feeds=FEEDS, newsletters=[], now=now)
        source = open_source(settings, Path("/nonexistent"), lambda name: PushedArticles(database, name))
        assert isinstance(source, Push)
        self.source = source

    def push(self, given: Mapping[str, Any] = STORY, *, now: datetime | None = None, **changed: Any) -> Taken:
        article, _ = read_json(json.dumps({**given, **changed}).encode())
        return push_article(
            self.database, self.source, article, feeds=FEEDS, precedence=["cms"], actor="cms", now=now or self.now
        )

    def remove(self, key: str) -> Taken:
        return remove_pushed_article(
            self.database, "cms", key, feeds=FEEDS, precedence=["cms"], actor="cms", now=self.now
        )

    def collect(self) -> CollectReport:
        return collect(
            self.database,
            self.source,
            feeds=FEEDS,
            newsletters=[],
            now=self.now,
            sleep=never_sleep,
            precedence=["cms"],
        )

    def scalars(self, query: sa.Select[Any]) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(query).scalars())

    @property
    def everything(self) -> list[list[Any]]:
        """All rows that a push may touch."""
        with self.database.read() as connection:
            each = (tables.articles, tables.source_items, tables.pushed_articles, tables.audit_log, tables.feeds)
            return [[tuple(row) for row in connection.execute(sa.select(table))] for table in each]


@pytest.fixture
def desk(database: Database, now: datetime) -> Desk:
    return Desk(database, now)


def test_a_pushed_article_is_published_at_once(desk: Desk, now: datetime) -> None:
    taken = desk.push()
    assert taken.is_new
    article = taken.article
    assert (article.status, article.number, article.backlog, article.published_at) == ("released", 1, False, now)
    assert article.content.html == "<p>It sails at <b>noon</b>.</p>"
    assert (article.content.section, article.content.tags) == ("world", ("harbour",))
    assert desk.scalars(sa.select(tables.feed_entries.c.feed)) == ["", "world"]
    assert min(desk.scalars(sa.select(tables.feeds.c.generation))) > 0, "the publisher finds something to do"
    with desk.database.read() as connection:
        assert not find_damage(connection)


def test_the_same_content_again_changes_nothing(desk: Desk, now: datetime) -> None:
    first = desk.push()
    before = desk.everything
    again = desk.push(now=now + timedelta(hours=1))
    assert (again.outcome.kind, again.is_new, again.article) == ("unchanged", False, first.article)
    assert desk.everything == before
    reordered = dict(reversed(list(STORY.items())))
    assert desk.push(reordered).outcome.kind == "unchanged"
    assert desk.everything == before


def test_other_content_under_the_same_id_is_an_edit(desk: Desk, now: datetime) -> None:
    first = desk.push()
    edited = desk.push(title="The ferry is late", now=now + timedelta(hours=1))
    assert (edited.outcome.kind, edited.article.id, edited.article.revision) == ("changed", first.article.id, 2)
    assert edited.article.content.title == "The ferry is late"
    assert (edited.article.number, edited.article.updated_at) == (1, now), "an edit moves no date"


def test_a_draft_waits_for_its_editor_and_an_embargo_for_its_time(desk: Desk, now: datetime) -> None:
    assert desk.push(draft=True).article.status == "held"
    assert desk.push(draft=False).article.status == "released"
    later = (now + timedelta(hours=2)).isoformat()
    taken = desk.push(id="43", title="Later", embargo=later)
    assert (taken.article.status, taken.outcome.until) == ("waiting", now + timedelta(hours=2))


def test_taken_away_it_is_like_a_deleted_file_and_may_come_back(desk: Desk) -> None:
    first = desk.push()
    gone = desk.remove("42")
    assert (gone.outcome.kind, gone.article.status) == ("missing", "released")
    assert gone.article.missing_since is not None
    with pytest.raises(NotFound):
        desk.remove("42")
    with pytest.raises(NotFound):
        desk.remove("41")
    assert desk.collect().outcomes == []
    back = desk.push()
    assert (back.outcome.kind, back.article.id, back.article.missing_since) == ("back", first.article.id, None)


def test_collecting_reads_it_again_like_a_folder(database: Database, desk: Desk, now: datetime) -> None:
    article = desk.push({**STORY, "section": None}).article
    assert desk.collect().outcomes == []
    moved = Desk(database, now, defaults={"section": "business"})
    report = moved.collect()
    assert [each.kind for each in report.outcomes] == ["changed"]
    assert moved.source.read("42").content.section == "business"
    with pytest.raises(NotFound):
        moved.source.read("nothing")
    assert [each.article_id for each in report.outcomes] == [article.id]


def test_an_editors_hold_outlasts_what_is_pushed(desk: Desk, now: datetime) -> None:
    article = desk.push().article
    hold_articles(desk.database, [article.id], because="Wait.", actor="desk", feeds=FEEDS, now=now)
    assert desk.push(title="Another title").article.status == "held"


def test_many_at_once_are_each_taken_once(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda place: desk.push(id=f"n{place % 5}", title=f"Story {place % 5}"), range(20)))
    assert sum(each.is_new for each in taken) == 5
    assert len({each.article.id for each in taken}) == 5
    assert sorted(desk.scalars(sa.select(tables.articles.c.number))) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"date": "yesterday"}, "date"),
        ({"language": "klingon language"}, "language"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"tags": {"a": 1}}, "tags"),
        ({"tags": list(map(str, range(51)))}, "tags"),
        ({"image": {"alt": "no address"}}, "image"),
        ({"image": {"src": "https://a.example/b.jpg", "use": "never"}}, "image"),
        ({"title": "x" * 501}, "title"),
        ({"title": 7}, "title"),
        ({"draft": "perhaps"}, "draft"),
        ({"id": ""}, "id"),
        ({"id": None}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "x" * 301}, "id"),
        ({"id": {"a": 1}}, "id"),
        ({"markdown": "two texts"}, "markdown"),
        ({"html": ["no text"]}, "html"),
        ({"source": 3}, "source"),
        ({"title": "nul \x00"}, "title"),
        ({"html": "half \ud800"}, "html"),
        ({"image": {"src": {"a": {"b": {"c": {"d": "e"}}}}}}, "image"),
    ],
)
def test_a_mistake_names_its_field_and_nothing_is_kept(desk: Desk, changed: dict[str, Any], field: str) -> None:
    with pytest.raises(BadFields) as raised:
        desk.push(**changed)
    assert raised.value.fields == (field,)
    assert f"`{field}`" in raised.value.message
    assert desk.scalars(sa.select(tables.pushed_articles.c.key)) == []


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b'{"a": NaN}', b"1", b"[" * 100_000, b'{"id": "1"}'])
def test_what_is_no_article_is_refused(desk: Desk, raw: bytes) -> None:
    with pytest.raises(BadInput):
        article, _ = read_json(raw)
        desk.source.sight(article, desk.now)


def test_unknown_keys_are_told_with_the_nearest(desk: Desk) -> None:
    taken = desk.push(titel="oops", whatever=[1])
    assert len(taken.outcome.warnings) == 2
    assert "did you mean 'title'?" in taken.outcome.warnings[0]
    assert desk.push(titel="oops", whatever=[1]).outcome.warnings == taken.outcome.warnings


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("story.md", "---\nsection: world\n---\n# The ferry\n\nIt *sails*.\n", "markdown"),
        ("story.html", "---\nsection: world\n---\n<h1>The ferry</h1><p>It <em>sails</em>.</p>", "html"),
        ("story.txt", "The ferry\n\nIt sails, and it sails again, said the harbour master on the quay.\n", "text"),
        ("", '{"id": "story", "title": "The ferry", "markdown": "It *sails*.", "section": "world"}', "markdown"),
        ("s.json", '{"id": "story", "title": "The ferry", "text": "It sails on."}', "text"),
    ],
)
def test_files_are_read_as_a_folder_reads_them(desk: Desk, name: str, text: str, kind: str) -> None:
    article = read_file(name, text.encode(), key="story")
    assert (article.key, article.kind) == ("story", kind)
    draft = desk.source.sight(article, desk.now).draft
    assert draft is not None
    assert draft.content.title == "The ferry"
    assert "sails" in draft.content.html


def test_a_files_id_is_what_is_said_else_what_it_declares_else_its_name() -> None:
    declares = b"---\nid: ferry-1\n---\n# Ferry\n\nText."
    assert read_file("a/story.md", declares, key="given").key == "given"
    assert read_file("a/story.md", declares).key == "ferry-1"
    assert read_file("a/story.md", b"# Ferry\n\nText.").key == "story.md"
    with pytest.raises(BadInput):
        read_file("story.docx", b"PK")


def test_far_too_many_at_once_are_held_from_there_on(desk: Desk, now: datetime) -> None:
    taken = [desk.push(id=f"n{place}", title=f"Story {place}") for place in range(23)]
    assert [each.article.status for each in taken] == ["released"] * 20 + ["held"] * 3
    assert "and none came before" in taken[-1].article.hold_reason
    assert desk.push(id="n22", title="Story 22, edited").article.status == "held"
    assert desk.push(id="later", title="Later", now=now + timedelta(minutes=5)).article.status == "released"
