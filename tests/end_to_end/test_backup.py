"""Backups of a site that is at work, restored by commands."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from syndicate.errors import StorageError
from syndicate.services.back_up_database import back_up_database
from syndicate.storage.backups import copy_database
from syndicate.storage.database import Database
from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    made = make_site(tmp_path / "site", at_hand=True)
    made.readers(4)
    made.story(1)
    return made


def test_who_left_since_the_backup_stays_out_and_nothing_is_sent_before_somebody_confirms(site: SiteFolder) -> None:
    site.ok("collect")
    site.ok("subscribers", "suppress", "reader3@example.com", "--because", "a mistake")
    made = site.json("db", "backup")
    backup = Path(made["file"])
    assert backup.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in backup.parent.iterdir()) == [backup.name]
    site.ok("subscribers", "suppress", "reader1@example.com", "--because", "asked")
    site.ok("subscribers", "erase", "reader2@example.com", "--yes")
    site.ok("subscribers", "unsuppress", "reader3@example.com", "--because", "they asked", "--yes")
    site.ok("send", "morning", "--yes")
    assert len(site.mails) == 2
    restored = site.json("db", "restore", str(backup), "--yes")
    assert (restored["suppressed"], restored["erased"], restored["lifted"]) == (2, 1, 1)
    assert Path(restored["aside"]).exists()
    refused = site.run("send", "morning", "--yes")
    assert refused.returncode == 1
    assert "confirm-live" in refused.stderr
    assert len(site.mails) == 2
    site.ok("confirm-live", "--yes")
    site.ok("send", "morning", "--yes")
    # Who is still there gets the article again: that it was sent is known only to the database kept aside.
    assert len(site.mails) == 4
    assert not any(b"reader1@" in each.read_bytes() or b"reader2@" in each.read_bytes() for each in site.mails[2:])
    assert site.run("db", "check").returncode == 0


def test_a_damaged_database_is_replaced_and_a_damaged_backup_is_not_taken(site: SiteFolder) -> None:
    backup = Path(site.json("db", "backup")["file"])
    database = site.folder / "syndicate.db"
    broken = site.folder / "broken.db"
    broken.write_bytes(backup.read_bytes()[:20_000] + b"\x00" * 30_000)
    refused = site.run("db", "restore", str(broken), "--yes")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert site.run("db", "check").returncode == 0
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    database.write_bytes(b"no database at all" * 1000)
    site.ok("db", "restore", str(backup), "--yes")
    assert site.run("db", "check").returncode == 0
    assert len(site.json("subscribers", "list")) == 4


def test_a_worker_that_is_up_keeps_its_database(site: SiteFolder) -> None:
    backup = Path(site.json("db", "backup")["file"])
    holding = (
        "import sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from syndicate.site import open_site\nfrom syndicate.storage.workers import worker_lock\n"
        "site = open_site(Path(sys.argv[1]))\n"
        "with worker_lock(site.database, site.directory, 'work', datetime.now(UTC)):\n"
        "    print('up', flush=True)\n    sys.stdin.read()\nsite.database.dispose()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(site.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=site.environment(),
    ) as worker:
        assert worker.stdout is not None and worker.stdin is not None
        assert worker.stdout.readline() == "up\n"
        refused = site.run("db", "restore", str(backup), "--yes")
        worker.stdin.close()
    assert refused.returncode == 1
    assert "workers are up" in refused.stderr


def test_a_backup_is_of_one_moment_and_ends_while_others_write(tmp_path: Path) -> None:
    source = tmp_path / "busy.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE pairs (a INTEGER, b INTEGER, filler BLOB)")
        for number in range(6_000):
            made.execute("INSERT INTO pairs VALUES (?, ?, zeroblob(3000))", (number, number))
    over = threading.Event()
    writes = [0]

    def write() -> None:
        with closing(sqlite3.connect(source, isolation_level=None, timeout=60)) as writer:
            while not over.is_set():
                writer.execute("UPDATE pairs SET a = a + 1, b = b + 1 WHERE a % 100 = 7")
                writes[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        steps: list[int] = []

        def progress(done: int, _whole: int) -> None:
            before = writes[0]
            while writes[0] < before + 1:
                over.wait(0.001)
            steps.append(done)

        copy_database(source, tmp_path / "copy.db", progress)
    finally:
        over.set()
        thread.join()
    assert len(steps) >= 2
    assert steps == sorted(steps)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copied:
        assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copied.execute("SELECT count(*) FROM pairs WHERE a <> b").fetchone() == (0,)


def test_postgresql_is_told_its_own_line(database: Database, tmp_path: Path) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has its own")
    from datetime import UTC, datetime

    with pytest.raises(StorageError, match="pg_dump --format=custom"):
        back_up_database(database, tmp_path / "x.db", beside=tmp_path, actor="", now=datetime.now(UTC))
