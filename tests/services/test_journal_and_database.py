"""The journal of suppressions beside its database: killed at any point between the two, nobody is mailed who must not
be, and nobody stays out who came back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.core.reader_steps import Circumstances
from syndicate.core.suppression_journal import standing
from syndicate.errors import NotFound, StorageError
from syndicate.services.leave_newsletter import leave, undo_leave
from syndicate.services.restore_database import restore_database
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.services.unsuppress_subscriber import unsuppress_subscriber
from syndicate.storage import journal as journals
from syndicate.storage import tables
from syndicate.storage.backups import copy_database
from syndicate.storage.database import Database
from syndicate.storage.instance import instance_id
from syndicate.storage.journal import Journal
from tests.services.site_rows import start
from tests.services.test_quarantine import Place

ANN, BEN = "ann@example.com", "ben@example.com"
LINK = Circumstances("link")


@pytest.fixture
def site(database_url: str, tmp_path: Path, now: datetime) -> Iterator[Place]:
    place = Place(database_url, tmp_path, now)
    start(place.database, now)
    place.add(ANN)
    place.check_in()
    yield place
    place.database.dispose()


def told(site: Place) -> dict[str, bool]:
    """By hash, whether the journal ends with a suppression of it."""
    with site.database.read() as connection:
        found = standing(Journal(site.folder / ".syndicate").entries(instance_id(connection)))
    return dict.fromkeys(found.suppressed, True) | dict.fromkeys(found.lifted, False)


_KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.services.unsuppress_subscriber import unsuppress_subscriber
from syndicate.storage import journal
from syndicate.storage.database import Database, open_database
database = open_database(sys.argv[1], Path(sys.argv[2]))
act, instant = sys.argv[3], sys.argv[4]
write, append = journal.write_forbidding, journal.Journal.append
def die(*arguments):
    if instant == "after the line":
        write(*arguments)
    os._exit(9)
def die_with_the_line(*arguments):
    append(*arguments)
    os._exit(9)
if act == "suppress":
    journal.write_forbidding = die
elif instant == "before the commit":
    journal.owe = lambda *arguments: os._exit(9)
elif instant == "after the commit":
    Database.pay_journal = lambda self: os._exit(9)
else:
    journal.Journal.append = die_with_the_line
do = suppress_subscriber if act == "suppress" else unsuppress_subscriber
do(database, email="ann@example.com", because="asked", now=datetime.now(UTC))
"""


def killed(site: Place, act: str, instant: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, site.url, str(site.folder / ".syndicate"), act, instant],
        env=os.environ,
        timeout=60,
    )
    assert done.returncode == 9


@pytest.mark.parametrize(("instant", "after"), [("before the line", "active"), ("after the line", "manual")])
def test_killed_while_somebody_is_suppressed(site: Place, instant: str, after: str) -> None:
    killed(site, "suppress", instant)
    assert site.state() == {ANN: "active"}
    site.check_in()
    # In the journal, it was about to be committed: keeping them out is the safe side.
    assert site.state() == {ANN: after}


@pytest.mark.parametrize("instant", ["before the commit", "after the commit", "after the line"])
def test_killed_while_an_address_is_opened_again(site: Place, instant: str) -> None:
    suppress_subscriber(site.database, email=ANN, because="asked", now=site.now)
    site.check_in()
    killed(site, "unsuppress", instant)
    is_open = instant != "before the commit"
    assert site.state() == {ANN: "active" if is_open else "manual"}
    site.check_in()
    assert site.state() == {ANN: "active" if is_open else "manual"}
    assert list(told(site).values()) == [not is_open]
    with site.database.read() as connection:
        assert connection.execute(sa.select(tables.journal_owed)).all() == []


def test_a_line_that_comes_late_does_not_open_what_was_closed_after_it(
    site: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    suppress_subscriber(site.database, email=ANN, because="asked", now=site.now)
    slow = Place(site.url, site.folder, site.now)
    with monkeypatch.context() as patch:
        patch.setattr(slow.database, "pay_journal", lambda: None)
        unsuppress_subscriber(slow.database, email=ANN, because="a mistake", now=site.now)
    with slow.database.read() as connection:
        owed = journals.owed_lines(connection)
    suppress_subscriber(site.database, email=ANN, because="no mistake", now=site.now)
    assert list(told(site).values()) == [True]
    assert slow.database.journal is not None
    slow.database.journal.append(owed.values())
    assert list(told(site).values()) == [True]
    slow.database.dispose()


@pytest.mark.parametrize("before", ["nothing", "a line"])
def test_what_another_process_wrote_and_never_committed_is_not_passed_over(site: Place, before: str) -> None:
    site.add(BEN)
    if before == "a line":
        suppress_subscriber(site.database, email="cleo@example.com", because="asked", now=site.now)
    killed(site, "suppress", "after the line")
    suppress_subscriber(site.database, email=BEN, because="asked", now=site.now)
    assert site.state() == {ANN: "active", BEN: "manual"}
    site.check_in()
    assert site.state() == {ANN: "manual", BEN: "manual"}


def test_a_journal_that_cannot_be_written_holds_no_one_out_and_is_caught_up(
    site: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    suppress_subscriber(site.database, email=ANN, because="asked", now=site.now)

    def full(*_: object) -> None:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", full)
        unsuppress_subscriber(site.database, email=ANN, because="a mistake", now=site.now)
    assert site.state() == {ANN: "active"}
    assert list(told(site).values()) == [True]
    site.database.pay_journal()
    assert list(told(site).values()) == [False]


# --- any sequence, any kill, any backup ---


class Killed(BaseException):
    """Where a process would have ended."""


ACTS = ("suppress", "unsuppress", "leave", "come back", "backup")
KILLS = ("", "", "", "before the line", "after the line", "after the commit", "after the late line")
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from([ANN, BEN]), st.sampled_from(KILLS)), max_size=14)


class Story:
    """One site in which things happen, with what is true of each person."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        self.path = folder / "syndicate.db"
        shutil.copyfile(template, self.path)
        self.now = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
        self.place = Place(f"sqlite:///{self.path}", folder, self.now)
        start(self.place.database, self.now)
        self.reasons: dict[str, list[str]] = {ANN: [], BEN: []}
        for email in self.reasons:
            self.place.add(email)
        self.place.check_in()
        self.backups: list[Path] = []
        self.backup()

    def backup(self) -> None:
        self.backups.append(self.folder / f"backup-{len(self.backups)}.db")
        copy_database(self.path, self.backups[-1])

    def do(self, act: str, email: str, kill: str) -> None:
        self.now += timedelta(minutes=1)
        before = list(self.reasons[email])
        try:
            with _dying(kill):
                self.reasons[email] = self.done(act, email)
        except Killed:
            forbids = act in ("suppress", "leave")
            committed = kill in ("after the line",) if forbids else True
            if not committed:
                self.reasons[email] = before
            elif forbids:
                self.reasons[email] = _closed(before, "manual" if act == "suppress" else "unsubscribe")
            else:
                self.reasons[email] = _opened(before, act)
            self.place.database.dispose()
            self.place = Place(self.place.url, self.folder, self.now)
            self.place.check_in()

    def done(self, act: str, email: str) -> list[str]:
        database, reasons = self.place.database, self.reasons[email]
        if act == "suppress":
            suppress_subscriber(database, email=email, because="asked", now=self.now)
            return _closed(reasons, "manual")
        if act == "unsuppress":
            with suppress(NotFound):
                unsuppress_subscriber(database, email=email, because="asked", now=self.now)
            return []
        person = {ANN: 1, BEN: 2}[email]
        if act == "leave":
            leave(database, subscriber_id=person, newsletter=None, proof=LINK, now=self.now)
            return _closed(reasons, "unsubscribe")
        undo_leave(database, subscriber_id=person, newsletter=None, proof=LINK, now=self.now)
        return _opened(reasons, act)


def _closed(reasons: list[str], reason: str) -> list[str]:
    return reasons if reasons and (reason == "unsubscribe" or reason in reasons) else [*reasons, reason]


def _opened(reasons: list[str], act: str) -> list[str]:
    # Coming back lifts what the reader did, and only where nobody else closed the address.
    return reasons if act == "come back" and "manual" in reasons else []


class _dying:
    """Ends at the instant named, as a kill would: what a `with` block cleans up is rolled back anyway."""

    def __init__(self, instant: str) -> None:
        self.instant = instant
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        write, append = journals.write_forbidding, Journal.append

        def die_writing(connection: Any, journal: Journal, instance: str) -> None:
            pending = journals._pending(connection)
            if any(entry.act in ("suppressed", "left") for entry in pending):
                if self.instant == "after the line":
                    write(connection, journal, instance)
                raise Killed
            write(connection, journal, instance)

        def die(*_: object) -> None:
            raise Killed

        def die_with_the_line(self: Journal, lines: Any) -> None:
            append(self, lines)
            raise Killed

        if self.instant in ("before the line", "after the line"):
            self.patch.setattr(journals, "write_forbidding", die_writing)
        elif self.instant == "after the commit":
            self.patch.setattr(Database, "pay_journal", die)
        elif self.instant == "after the late line":
            pay = Database.pay_journal

            def pay_and_die(database: Database) -> None:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(Journal, "append", die_with_the_line)
                    pay(database)

            self.patch.setattr(Database, "pay_journal", pay_and_die)

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


@settings(max_examples=30)
@given(STEPS, st.data())
def test_whatever_happens_a_restored_database_knows_who_is_out_and_who_is_back(
    _migrated_sqlite: Path, steps: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        story = Story(Path(folder), _migrated_sqlite)
        for act, email, kill in steps:
            if act == "backup":
                story.backup()
            else:
                story.do(act, email, kill)
        expected = {email: bool(reasons) for email, reasons in story.reasons.items()}
        assert _out(story.place) == expected
        backup = data.draw(st.sampled_from(story.backups))
        restore_database(
            story.place.database,
            backup,
            directory=story.folder,
            beside=story.folder / ".syndicate",
            actor="desk",
            now=story.now,
        )
        restored = Place(story.place.url, story.folder, story.now)
        assert _out(restored) == expected
        restored.check_in()
        assert _out(restored) == expected
        restored.database.dispose()


def _out(place: Place) -> dict[str, bool]:
    table = tables.subscribers
    with place.database.read() as connection:
        return {row.address: bool(row.suppressed) for row in connection.execute(sa.select(table).order_by(table.c.id))}
