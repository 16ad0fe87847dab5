"""What an editor is promised of collecting."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.article import Image
from syndicate.core.identity import mint
from syndicate.services.collect_articles import WAIT_SECONDS
from syndicate.storage import tables
from syndicate.storage.database import Database, open_database
from syndicate.storage.revisions import list_revisions
from syndicate.storage.source_items import versions
from syndicate.storage.sources import get_source
from tests.services.memory_source import WRITTEN, MemorySource
from tests.services.newsroom import Newsroom


@pytest.fixture
def room(database: Database, now: datetime) -> Newsroom:
    return Newsroom(database, now).begin_empty()


def numbers(room: Newsroom) -> list[int]:
    return sorted(each.number for each in room.articles().values() if each.number is not None)


def test_a_new_article_is_published_numbered_and_in_its_feeds(room: Newsroom, now: datetime) -> None:
    room.desk.put("world/ferry.md", section="world")
    report = room.collect()
    article = room.only()
    assert [(each.kind, each.path) for each in report.outcomes] == [("new", "desk/world/ferry.md")]
    assert report.published == [article.id]
    assert (article.status, article.number, article.published_at, article.updated_at) == ("released", 1, now, now)
    assert article.id == mint("desk", "world/ferry.md")
    assert room.entries() == room.entries("world") == {article.id}
    assert room.generations() == {"": 1, "world": 1}


def test_looking_again_writes_nothing_more(room: Newsroom) -> None:
    room.desk.put("a.md")
    room.collect()
    before = room.articles(), room.generations()
    report = room.collect()
    assert (report.outcomes, report.published) == ([], [])
    assert (room.articles(), room.generations()) == before


def test_what_a_source_holds_when_it_is_first_seen_is_backlog(database: Database, now: datetime) -> None:
    room = Newsroom(database, now)
    room.desk.put("dated.md", date=now - timedelta(days=40))
    room.desk.put("undated.md")
    room.desk.put("draft.md", hold="draft: true")
    room.desk.put("later.md", not_before=now + timedelta(hours=1))
    report = room.collect()
    found = room.articles()
    assert report.backlog == 2 and report.published == []
    assert found["Title of dated.md"].published_at == now - timedelta(days=40)
    assert found["Title of undated.md"].published_at == WRITTEN
    assert numbers(room) == []
    assert len(room.entries()) == 2
    # Afterwards all is new, also what the first look held back.
    room.desk.put("next.md")
    room.desk.put("draft.md")
    room.collect(now=now + timedelta(hours=2))
    assert numbers(room) == [1, 2, 3]
    assert not room.articles()["Title of draft.md"].backlog


def test_an_interrupted_first_look_goes_on_as_a_first_look(database: Database, now: datetime) -> None:
    room = Newsroom(database, now)
    for place in range(120):
        room.desk.put(f"{place:03}.md")
    room.desk.interrupt_after = 70
    with pytest.raises(KeyboardInterrupt):
        room.collect()
    assert 0 < len(room.articles()) < 120
    room.desk.interrupt_after = None
    report = room.collect()
    assert report.backlog + 50 == 120
    assert len(room.entries()) == 120 and numbers(room) == []


def test_an_edit_is_a_new_revision_and_moves_no_date(room: Newsroom, now: datetime) -> None:
    room.desk.put("a.md", "One.")
    room.collect()
    room.desk.put("a.md", "Two.")
    report = room.collect(now=now + timedelta(hours=1))
    article = room.only()
    assert [each.kind for each in report.outcomes] == ["changed"]
    assert (article.revision, article.number, article.content.html) == (2, 1, "<p>Two.</p>")
    assert (article.published_at, article.updated_at) == (now, now)
    assert room.generations()[""] == 2
    with room.database.read() as connection:
        assert [(each.revision, each.kind) for each in list_revisions(connection, article.id)] == [
            (1, "first"),
            (2, "edit"),
        ]


def test_updated_moves_only_for_a_newer_declared_one(room: Newsroom, now: datetime) -> None:
    def moved(updated: datetime | None, words: str) -> datetime | None:
        room.desk.put("a.md", words, updated=updated)
        room.collect(now=now + timedelta(hours=5))
        return room.only().updated_at

    room.desk.put("a.md", "One.", updated=now - timedelta(days=2))
    room.collect()
    assert room.only().updated_at == now
    assert moved(now - timedelta(days=1), "Two.") == now  # newer than declared, older than its release
    assert moved(now + timedelta(hours=1), "Three.") == now + timedelta(hours=1)
    assert moved(now + timedelta(hours=1), "Four.") == now + timedelta(hours=1)
    assert moved(None, "Five.") == now + timedelta(hours=1)
    assert moved(now + timedelta(days=9), "Six.") == now + timedelta(hours=5)  # never past the present


def test_an_edit_of_the_section_moves_it_between_feeds(room: Newsroom) -> None:
    room.desk.put("a.md", section="world")
    room.collect()
    room.desk.put("a.md", section="sports")
    room.collect()
    assert room.entries("world") == set() and len(room.entries()) == 1
    assert room.generations() == {"": 2, "world": 2}


def test_a_renamed_file_is_the_same_article(room: Newsroom) -> None:
    room.desk.put("old.md", "Words.", title="Title")
    room.collect()
    before = room.only()
    room.desk.rename("old.md", "new.md")
    report = room.collect()
    assert [(each.kind, each.path, each.note) for each in report.outcomes] == [("renamed", "desk/new.md", "was old.md")]
    assert room.only() == before
    # Another file under the old path is another article.
    room.desk.put("old.md", "Other words.", title="Other")
    room.collect()
    assert len(room.articles()) == 2 and numbers(room) == [1, 2]


def test_a_deleted_file_is_reported_and_its_article_stays(room: Newsroom, now: datetime) -> None:
    room.desk.put("a.md")
    room.collect()
    draft = room.desk.items.pop("a.md")
    assert [each.kind for each in room.collect().outcomes] == ["missing"]
    article = room.only()
    assert article.missing_since == now and article.status == "released" and room.entries() == {article.id}
    assert room.collect().outcomes == []
    room.desk.items["a.md"] = draft
    assert [each.kind for each in room.collect().outcomes] == ["back"]
    assert room.only() == replace(article, missing_since=None)


def test_a_path_used_again_for_another_story_is_another_article(room: Newsroom) -> None:
    room.desk.put("today.md", "Monday's words.", title="Monday")
    room.collect()
    del room.desk.items["today.md"]
    room.collect()
    room.desk.put("today.md", "Tuesday's words.", title="Tuesday")
    room.collect()
    found = room.articles()
    assert found["Monday"].id == mint("desk", "today.md") and found["Monday"].missing_since
    assert found["Tuesday"].id == mint("desk", "today.md", 1)
    assert numbers(room) == [1, 2]


def test_a_file_that_comes_back_elsewhere_after_it_was_missed_is_the_same_article(room: Newsroom) -> None:
    room.desk.put("a.md", "Words.", title="Title")
    room.collect()
    del room.desk.items["a.md"]
    room.collect()
    room.desk.put("b.md", "Words.", title="Title")
    assert [each.kind for each in room.collect().outcomes] == ["back"]
    assert room.only().missing_since is None


def test_equal_words_with_another_picture_are_another_article(room: Newsroom) -> None:
    room.desk.put("mon.md", "See the picture.", title="Cartoon of the day", image=Image("https://post.example/1.png"))
    room.collect()
    del room.desk.items["mon.md"]
    room.collect()
    room.desk.put("tue.md", "See the picture.", title="Cartoon of the day", image=Image("https://post.example/2.png"))
    room.collect()
    assert len(room.scalars(sa.select(tables.articles.c.id))) == 2


def test_two_equal_files_side_by_side_are_two_articles_with_a_warning(room: Newsroom) -> None:
    room.desk.put("a.md", "See the picture.", title="Cartoon of the day")
    room.desk.put("b.md", "See the picture.", title="Cartoon of the day")
    report = room.collect()
    assert [each.kind for each in report.outcomes] == ["new", "new"]
    assert "Cartoon of the day" in report.outcomes[1].warnings[0]
    assert sorted(room.scalars(sa.select(tables.articles.c.number))) == [1, 2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"declared_id": "tag:post.example,2026:ferry"}, {"declared_id": "tag:post.example,2026:ferry"}),
        ({"url": "https://Post.example/ferry?utm_source=feed#top"}, {"url": "https://post.example/ferry"}),
        ({"text_hash": "5" * 64}, {"text_hash": "5" * 64}),
    ],
)
def test_two_sources_carry_one_article_and_the_first_named_wins(
    room: Newsroom, one: dict[str, str], other: dict[str, str]
) -> None:
    room.wire.put("w1", "As the wire has it.", title="Wire", **one)
    room.collect(room.wire)
    before = room.only()
    room.desk.put("ferry.md", "As the desk has it.", title="Desk", section="world", **other)
    room.collect()
    article = room.only()
    assert (article.id, article.number) == (before.id, before.number)
    assert (article.content.title, article.source, article.revision) == ("Desk", "desk", 2)
    # The wire's later edits do not show; its version is kept beside.
    room.wire.put("w1", "As the wire corrects it.", title="Wire", **one)
    assert [each.kind for each in room.collect(room.wire).outcomes] == ["carried"]
    assert room.only() == article
    with room.database.read() as connection:
        shown, beside = versions(connection, article.id)
    assert (shown.source, shown.carried) == ("desk", None)
    assert beside.source == "wire" and beside.carried and beside.carried.html == "<p>As the wire corrects it.</p>"
    # When the desk's file goes, the article is not missing, and the wire's next edit shows.
    del room.desk.items["ferry.md"]
    assert room.collect().outcomes == [] and room.only().missing_since is None
    room.wire.put("w1", "The wire again.", title="Wire", **one)
    room.collect(room.wire)
    assert room.only().content.html == "<p>The wire again.</p>"


def test_titles_and_bare_numbers_never_merge_sources(room: Newsroom) -> None:
    room.desk.put("a", "One.", title="Weather", declared_id="17", text_hash="1" * 64)
    room.wire.put("b", "Two.", title="Weather", declared_id="17", text_hash="2" * 64)
    room.collect()
    room.collect(room.wire)
    assert len(room.scalars(sa.select(tables.articles.c.id))) == 2


def test_a_mark_holds_and_an_edit_lets_go(room: Newsroom) -> None:
    room.desk.put("a.md", "Words TK.", hold="TK in the first lines")
    [outcome] = room.collect().outcomes
    assert (outcome.kind, outcome.status, outcome.hold_reason) == ("new", "held", "TK in the first lines")
    assert room.only().number is None and room.entries() == set()
    room.desk.put("a.md", "Words.")
    assert room.collect().published == [room.only().id]
    assert room.only().number == 1


def test_a_mark_that_appears_takes_a_published_article_back(room: Newsroom) -> None:
    room.desk.put("a.md", "Words.")
    room.collect()
    room.desk.put("a.md", "Words.", hold="draft: true")
    [outcome] = room.collect().outcomes
    assert outcome.taken_back and outcome.status == "held"
    assert room.entries() == set() and room.only().number is None and room.generations()[""] == 2
    table = tables.article_numbers
    assert room.scalars(sa.select(table.c.burnt_at).where(table.c.number == 1)) != [None]
    room.desk.put("a.md", "Words.")
    room.collect()
    assert room.only().number == 2 and room.entries() == {room.only().id}


def test_an_embargo_is_waited_for(room: Newsroom, now: datetime) -> None:
    until = now + timedelta(hours=3)
    room.desk.put("a.md", not_before=until)
    [outcome] = room.collect().outcomes
    assert (outcome.status, outcome.until) == ("waiting", until)
    assert room.collect(now=until - timedelta(seconds=1)).published == []
    assert room.entries() == set()
    assert room.collect(now=until).published == [room.only().id]
    assert (room.only().number, room.only().published_at) == (1, until)


def test_a_broken_file_is_named_and_the_others_go_on(room: Newsroom) -> None:
    room.desk.put("good.md", "One.")
    room.desk.items["bad.md"] = "bad.md: the front matter is not YAML (line 2). Close the quote."
    report = room.collect()
    assert [(each.path, each.note) for each in report.of("broken")] == [
        ("desk/bad.md", "bad.md: the front matter is not YAML (line 2). Close the quote.")
    ]
    assert numbers(room) == [1]
    again = room.collect()
    assert again.outcomes == [] and [each.path for each in again.still_broken] == ["desk/bad.md"]
    # A known article whose file breaks keeps its last good words.
    room.desk.items["good.md"] = "good.md: not UTF-8."
    room.collect()
    assert room.only().content.html == "<p>One.</p>" and room.entries()
    room.desk.put("good.md", "Two.")
    room.desk.put("bad.md")
    assert {each.kind for each in room.collect().outcomes} == {"changed", "new"}
    assert numbers(room) == [1, 2]


def test_a_source_that_cannot_be_read_says_so_and_loses_nothing(room: Newsroom) -> None:
    room.desk.put("a.md")
    room.collect()
    room.desk.unreadable = "The folder articles is gone. Put it back."
    report = room.collect()
    assert report.problem == "The folder articles is gone. Put it back."
    assert room.only().missing_since is None
    with room.database.read() as connection:
        assert get_source(connection, "desk").problem == report.problem
    room.desk.unreadable = ""
    room.collect()
    with room.database.read() as connection:
        assert get_source(connection, "desk").problem == ""


def test_files_still_being_written_are_waited_for_two_seconds_at_most(room: Newsroom) -> None:
    room.desk.put("slow.md")
    room.desk.unsettled = ["slow.md"]
    slept: list[float] = []
    report = room.collect(sleep=slept.append)
    assert sum(slept) == WAIT_SECONDS and report.unsettled == ["slow.md"] and not room.articles()

    def settle(seconds: float) -> None:
        room.desk.unsettled = []

    assert room.collect(sleep=settle).published == [room.only().id]


def test_an_edit_into_a_selection_whose_windows_have_passed_is_shown_as_missed(room: Newsroom, now: datetime) -> None:
    room.desk.put("a.md", section="sports")
    room.collect()
    with room.database.write() as connection:
        connection.execute(sa.update(tables.cadences).values(mark=1))
    room.desk.put("a.md", section="world")
    report = room.collect()
    assert report.missed == {room.only().id: ["morning"]}


def test_a_retracted_article_is_not_brought_back_by_its_file(room: Newsroom) -> None:
    room.desk.put("a.md", "One.")
    room.collect()
    with room.database.write() as connection:
        connection.execute(sa.update(tables.articles).values(status="gone", number=None))
    room.desk.put("a.md", "Two.")
    room.collect()
    assert (room.only().status, room.only().content.html) == ("gone", "<p>One.</p>")


def test_a_thousand_articles_are_numbered_without_holes(room: Newsroom) -> None:
    for place in range(333):
        room.desk.put(f"{place:04}.md", f"Words {place}.")
    room.collect()
    assert numbers(room) == list(range(1, 334))


def test_two_collectors_at_once_give_what_one_gives(room: Newsroom, database_url: str, now: datetime) -> None:
    for place in range(150):
        room.desk.put(f"{place:03}.md", hold="draft" if place % 10 == 0 else "", section="world" if place % 2 else "")
    rooms = [Newsroom(open_database(database_url), now, [each, MemorySource("wire")]) for each in [room.desk] * 3]
    with ThreadPoolExecutor(3) as threads:
        reports = [each.result() for each in [threads.submit(one.collect) for one in rooms]]
    assert sum(len(each.of("new")) for each in reports) == 150
    assert sum(len(each.published) for each in reports) == 135
    assert numbers(room) == list(range(1, 136))
    assert len(room.entries()) == 135 and len(room.entries("world")) == 75
    for one in rooms:
        one.database.dispose()


COLLECT = """
import sys
from datetime import datetime
from syndicate.storage.database import open_database
from tests.services.newsroom import Newsroom
database = open_database(sys.argv[1])
room = Newsroom(database, datetime.fromisoformat(sys.argv[2]))
for place in range(120):
    room.desk.put(f"{place:03}.md")
sys.stdin.readline()
print(len(room.collect().of("new")))
"""


def test_two_processes_at_once_give_what_one_gives(room: Newsroom, database_url: str, now: datetime) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", COLLECT, database_url, now.isoformat()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [child.communicate("go\n", timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sum(map(int, answers)) == 120
    assert numbers(room) == list(range(1, 121))


SLOW_COLLECT = """
import sys, time
from datetime import datetime
from syndicate.storage.database import open_database
from tests.services.newsroom import Newsroom
room = Newsroom(open_database(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))
for place in range(300):
    room.desk.put(f"{place:03}.md")
read = room.desk._sightings
def slowly(known, gone):
    for each in read(known, gone):
        time.sleep(0.002)
        yield each
room.desk._sightings = slowly
room.collect()
"""


def test_a_killed_collector_loses_nothing_and_doubles_nothing(room: Newsroom, database_url: str, now: datetime) -> None:
    child = subprocess.Popen([sys.executable, "-c", SLOW_COLLECT, database_url, now.isoformat()])
    count = sa.select(sa.func.count()).select_from(tables.articles)
    while child.poll() is None and room.scalars(count) < [100]:
        pass
    child.kill()
    child.wait()
    assert 100 <= room.scalars(count)[0] < 300 and numbers(room) == []
    for place in range(300):
        room.desk.put(f"{place:03}.md")
    report = room.collect()
    assert len(report.published) == 300
    assert numbers(room) == list(range(1, 301))
    assert len(room.entries()) == 300


def test_one_new_article_costs_no_scan_of_the_archive(room: Newsroom) -> None:
    if not room.database.is_sqlite:
        pytest.skip("read from SQLite's plans; PostgreSQL plans small tables as scans whatever the indexes")
    for place in range(60):
        room.desk.put(f"{place:03}.md", url=f"https://post.example/{place}", section="world")
    room.collect()
    statements: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, text: str, parameters: object, _context: object, many: bool) -> None:
        if text.startswith(("SELECT", "UPDATE", "DELETE")):
            statements.append((text, parameters[0] if many and isinstance(parameters, list) else parameters))

    sa.event.listen(room.database.engine, "before_cursor_execute", note)
    room.desk.put("new.md", url="https://post.example/new", section="world")
    room.desk.put("000.md", "Edited.", section="sports")
    assert {each.kind for each in room.collect().outcomes} == {"new", "changed"}
    sa.event.remove(room.database.engine, "before_cursor_execute", note)
    assert len(statements) > 10
    large = ("articles", "source_items", "feed_entries", "article_numbers", "article_revisions")
    with room.database.read() as connection:
        for text, parameters in statements:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)  # type: ignore[arg-type]
            for row in plan:
                assert not any(row[3].startswith(f"SCAN {table}") for table in large), (text, row[3])
