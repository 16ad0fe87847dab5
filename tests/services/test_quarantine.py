"""Databases that were copied or restored, and the journal that keeps those out who left since."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.feed import SITE_FEED, Feed
from syndicate.core.instance import Judgement
from syndicate.core.suppression_journal import read_entries
from syndicate.errors import StorageError
from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.check_in import check_in
from syndicate.services.confirm_live import confirm_live, what_differs
from syndicate.services.erase_subscriber import erase_subscriber
from syndicate.services.leave_newsletter import leave
from syndicate.services.restore_database import restore_database
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.services.unsuppress_subscriber import unsuppress_subscriber
from syndicate.storage import instance, people, tables
from syndicate.storage.database import open_database
from syndicate.storage.definitions import sync
from syndicate.storage.reader_steps import lift
from tests.services.reading_room import FORM
from tests.services.site_rows import EVENING, MORNING, DeclaredSource, start
from tests.services.test_import_subscribers import HEADER, take


class Place:
    """A started site with its folder, opened by the product."""

    def __init__(self, url: str, folder: Path, now: datetime) -> None:
        self.url, self.folder, self.now = url, folder, now
        self.database = open_database(url, folder / ".syndicate")

    def check_in(self, place: str = "here", *, live: bool = False, account: str = "key") -> Judgement:
        return check_in(
            self.database,
            directory=self.folder,
            beside=self.folder / ".syndicate",
            place=place,
            web_url="https://news.post.example",
            account=account,
            live=live,
            now=self.now,
        )

    def confirm(self, place: str = "here", *, live: bool = False) -> None:
        beside = self.folder / ".syndicate"
        seen = what_differs(
            self.database, beside=beside, place=place, web_url="https://news.post.example", account="key", live=live
        )
        confirm_live(
            self.database,
            beside=beside,
            place=place,
            web_url="https://news.post.example",
            account="key",
            live=live,
            seen=seen.differences,
            actor="ann",
            now=self.now,
        )

    def add(self, email: str) -> None:
        add_subscriber(
            self.database, email=email, newsletter=MORNING, cadence="daily", because="asked", now=self.now
        )

    def state(self) -> dict[str, str]:
        """Who gets mail or why not, by address."""
        table, subscriptions = tables.subscribers, tables.subscriptions
        with self.database.read() as connection:
            rows = connection.execute(
                sa.select(table.c.address, table.c.suppressed, subscriptions.c.status).join(
                    subscriptions, subscriptions.c.subscriber_id == table.c.id
                )
            )
            return {row.address: row.suppressed or row.status for row in rows}

    def quarantined(self) -> str | None:
        with self.database.read() as connection:
            return instance.quarantined_why(connection)


@pytest.fixture
def site(database_url: str, tmp_path: Path, now: datetime) -> Iterator[Place]:
    place = Place(database_url, tmp_path, now)
    start(place.database, now)
    yield place
    place.database.dispose()


def _forget(place: Place) -> None:
    """What a restored backup does not have: the changes of people, and the epochs since."""
    with place.database.write() as connection:
        connection.execute(sa.delete(tables.suppressions))
        connection.execute(sa.delete(tables.suppression_journals))
        connection.execute(sa.update(tables.subscribers).values(suppressed=""))
        connection.execute(sa.update(tables.subscriptions).values(status="active", changed_at=place.now))


def test_who_left_or_was_suppressed_since_the_backup_stays_out(site: Place) -> None:
    for email in ("ann@example.com", "ben@example.com", "cleo@example.com", "dan@example.com"):
        site.add(email)
    site.check_in()
    suppress_subscriber(site.database, email="ben@example.com", because="asked", now=site.now)
    suppress_subscriber(site.database, email="stranger@example.com", because="asked", now=site.now)
    suppress_subscriber(site.database, email="dan@example.com", because="a slip", now=site.now)
    unsuppress_subscriber(site.database, email="dan@example.com", because="a slip", now=site.now)
    with site.database.write() as connection:
        person = people.find_subscriber(connection, "cleo@example.com")
        assert person is not None
        keyed = people.hash_of(connection, person.id)
        connection.execute(
            sa.update(tables.subscriptions)
            .where(tables.subscriptions.c.subscriber_id == person.id)
            .values(status="left")
        )
        people.add_consents(
            connection,
            [
                {
                    "subscriber_id": person.id,
                    "address_hash": keyed,
                    "newsletter": "morning",
                    "action": "left",
                    "at": site.now,
                    "origin": "link",
                }
            ],
        )
    before = site.state()
    assert before == {
        "ann@example.com": "active",
        "ben@example.com": "manual",
        "cleo@example.com": "left",
        "dan@example.com": "active",
    }
    _forget(site)
    assert set(site.state().values()) == {"active"}
    site.check_in()
    assert site.state() == before
    with site.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.suppressions)).scalar_one() == 2
    text = (site.folder / ".syndicate" / "suppressions.log").read_text()
    assert "@" not in text
    assert (site.folder / ".syndicate" / "suppressions.log").stat().st_mode & 0o777 == 0o600


def test_who_left_a_newsletter_that_is_called_otherwise_since_stays_out(site: Place) -> None:
    for email in ("ann@example.com", "ben@example.com"):
        site.add(email)
    site.check_in()
    with site.database.read() as connection:
        ann = people.subscribers_where(connection, tables.subscribers.c.address == "ann@example.com")[0].id
    leave(site.database, subscriber_id=ann, newsletter="morning", proof=FORM, now=site.now)
    _forget(site)  # the backup, in which the newsletter has its old name
    with site.database.write() as connection:
        sync(
            connection,
            sources=[DeclaredSource("desk")],
            feeds=[Feed(SITE_FEED, "The Harbour Post")],
            newsletters=[replace(MORNING, name="dawn"), EVENING],
            renamed={"newsletters": {"dawn": "morning"}},
            now=site.now,
        )
    site.check_in()
    assert site.state() == {"ann@example.com": "left", "ben@example.com": "active"}


def test_what_was_closed_for_good_since_a_backup_in_which_it_was_unreachable_stays_closed_for_good(site: Place) -> None:
    site.add("ann@example.com")
    site.check_in()
    with site.database.write() as connection:
        keyed = connection.execute(sa.select(tables.subscribers.c.address_hash)).scalar_one()
    suppress_subscriber(site.database, email="ann@example.com", because="never again", now=site.now)
    _forget(site)
    with site.database.write() as connection:
        unreachable = {"address_hash": keyed, "reason": "unreachable", "at": site.now}
        connection.execute(sa.insert(tables.suppressions).values(unreachable))
        connection.execute(sa.update(tables.subscribers).values(suppressed="unreachable"))
    site.check_in()
    with site.database.write() as connection:
        lift(connection, keyed, "unreachable", by="webhook", now=site.now)
    assert site.state() == {"ann@example.com": "manual"}
    site.check_in()
    with site.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.suppressions)).scalar_one() == 2


def test_who_left_by_an_import_since_the_backup_stays_out_however_old_the_consent_of_the_row(
    site: Place, tmp_path: Path
) -> None:
    site.add("ann@example.com")
    site.check_in()
    file = tmp_path / "left.csv"
    # As it is exported: since when she was subscribed, and that she has left.
    file.write_text(HEADER + "ann@example.com,,,,morning,,left,2024-01-05T08:00:00Z,old form\n")
    take(site.database, file, site.now, newsletters=(MORNING,))
    assert site.state() == {"ann@example.com": "left"}
    _forget(site)
    site.check_in()
    assert site.state() == {"ann@example.com": "left"}


def test_the_erased_are_erased_again_in_a_restored_database(site: Place, tmp_path: Path) -> None:
    if not site.database.is_sqlite:
        pytest.skip("a file is the backup here")
    site.add("ann@example.com")
    site.check_in()
    path = Path(site.url.removeprefix("sqlite:///"))
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    erase_subscriber(site.database, email="ann@example.com", now=site.now)
    site.check_in()
    site.database.dispose()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(backup, path)
    restored = Place(site.url, tmp_path, site.now)
    assert restored.state() == {"ann@example.com": "active"}
    assert restored.check_in().quarantine
    assert restored.quarantined()
    assert restored.check_in().quarantine
    with restored.database.read() as connection:
        assert "ann@" not in str(connection.execute(sa.select(tables.subscribers)).all())
    restored.confirm()
    assert restored.quarantined() is None
    assert restored.check_in().remember is not None
    restored.database.dispose()


def test_a_restored_database_says_when_its_journal_is_not_there(site: Place, tmp_path: Path) -> None:
    if not site.database.is_sqlite:
        pytest.skip("a file is the backup here")

    def restored(folder: Path) -> str:
        folder.mkdir(exist_ok=True)
        there = Place(f"sqlite:///{folder / 'site.db'}", folder, site.now)
        done = restore_database(
            there.database, backup, directory=folder, beside=folder / ".syndicate", actor="ann", now=site.now
        )
        why = there.quarantined() or ""
        there.database.dispose()
        assert done.gap in why
        return done.gap

    site.add("ann@example.com")
    site.check_in()
    for email in ("ben@example.com", "cleo@example.com"):
        suppress_subscriber(site.database, email=email, because="asked", now=site.now)
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(site.url.removeprefix("sqlite:///"))) as source, closing(
        sqlite3.connect(backup)
    ) as target:
        source.backup(target)
    suppress_subscriber(site.database, email="ann@example.com", because="asked", now=site.now)
    alone = tmp_path / "alone"
    assert "There is no journal of suppressions at" in restored(alone)
    beside = tmp_path / "beside" / ".syndicate"
    beside.mkdir(parents=True)
    shutil.copyfile(tmp_path / ".syndicate" / "suppressions.log", beside / "suppressions.log")
    assert restored(tmp_path / "beside") == ""
    # What another site, or one begun since, has written is no witness.
    other = Place(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "other", site.now)
    other.database.upgrade()
    start(other.database, site.now)
    with other.database.write() as connection:
        connection.execute(sa.update(tables.signing_keys).values(secret=b"o" * 32))
    suppress_subscriber(other.database, email="eve@example.com", because="asked", now=site.now)
    other.database.dispose()
    assert "is another than this database's own" in restored(tmp_path / "other")
    lines = (beside / "suppressions.log").read_bytes().splitlines(keepends=True)
    (beside / "suppressions.log").write_bytes(b"".join(lines[:2]))
    assert "is shorter than it was" in restored(tmp_path / "beside")


def test_a_copy_that_finds_no_journal_says_so_in_its_quarantine(site: Place) -> None:
    site.add("ann@example.com")
    site.check_in(live=True)
    suppress_subscriber(site.database, email="ben@example.com", because="asked", now=site.now)
    (site.folder / ".syndicate" / "suppressions.log").unlink()
    assert site.check_in("elsewhere", live=True).quarantine
    assert "There is no journal of suppressions at" in (site.quarantined() or "")


def test_an_older_state_of_either_database_is_quarantined_until_somebody_confirms(site: Place) -> None:
    site.check_in()
    with site.database.read() as connection:
        old = instance.remembered(connection)
    for _ in range(3):
        assert site.check_in().remember is not None
    with site.database.write() as connection:
        instance.remember(connection, old)
    assert site.check_in().quarantine
    assert "older" in (site.quarantined() or "")
    site.confirm()
    assert site.check_in().remember is not None
    with site.database.read() as connection:
        query = sa.select(tables.audit_log.c.action).order_by(tables.audit_log.c.id)
        actions = connection.execute(query).scalars().all()
    assert [each for each in actions if each.startswith("instance.")] == ["instance.quarantine", "instance.confirm"]


def test_a_live_database_at_another_place_sends_nothing(site: Place) -> None:
    site.check_in(live=True)
    assert site.check_in("copy", live=False).remember is not None
    assert site.check_in("copy", live=True).quarantine
    site.confirm("copy", live=True)
    assert site.check_in("copy", live=True).remember is not None


def test_what_cannot_be_journalled_is_not_committed(site: Place) -> None:
    site.add("ann@example.com")
    site.check_in()
    journal = site.folder / ".syndicate" / "suppressions.log"
    journal.unlink(missing_ok=True)
    journal.mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        suppress_subscriber(site.database, email="ann@example.com", because="asked", now=site.now)
    assert site.state() == {"ann@example.com": "active"}


def test_a_transaction_that_fails_leaves_nothing_for_the_next(site: Place) -> None:
    def fail() -> None:
        with site.database.write() as connection:
            row = {"address_hash": "f" * 64, "reason": "manual", "at": site.now, "origin": "test"}
            people.add_suppressions(connection, [row])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    suppress_subscriber(site.database, email="ann@example.com", because="asked", now=site.now)
    lines = (site.folder / ".syndicate" / "suppressions.log").read_bytes().splitlines()
    assert b"f" * 64 not in b"".join(lines)
    with site.database.read() as connection:
        assert len(list(read_entries(lines, instance.instance_id(connection)))) == 1
