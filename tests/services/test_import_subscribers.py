"""Taking people over from a file: what is reported is what happens, and nothing that must stand is overwritten."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.errors import BadInput
from syndicate.services import import_subscribers as module
from syndicate.services.erase_subscriber import erase_subscriber
from syndicate.services.import_subscribers import Consent, Report, import_subscribers
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.services.site_rows import EVENING, MORNING, start

HEADER = "email,name,language,timezone,newsletters,cadence,status,consent_at,consent_source\n"
PROOF = Consent("moved from the old provider", "ann")


def take(
    database: Database, file: Path, now: datetime, *, apply: bool = True, newsletters: Any = (MORNING, EVENING)
) -> Report:
    return import_subscribers(database, path=file, newsletters=newsletters, consent=PROOF if apply else None, now=now)


def counts(report: Report) -> dict[str, int]:
    names = ("new", "changed", "unchanged", "suppressed", "left", "bad")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def standing(database: Database) -> dict[str, tuple[str, str, str]]:
    people, subscriptions = tables.subscribers, tables.subscriptions
    query = sa.select(people.c.address, subscriptions, people.c.suppressed).join(
        subscriptions, subscriptions.c.subscriber_id == people.c.id
    )
    with database.read() as connection:
        return {
            f"{row.address}/{row.newsletter}": (row.status, row.cadence, row.suppressed)
            for row in connection.execute(query)
        }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(
        HEADER
        + "ann@post.example,Ann,fr,Europe/Paris,morning;evening,weekly;,active,2025-03-01T08:00:00Z,old form\n"
        + "bea@post.example,,,,morning,,pending,,\n"
        + "cy@post.example,,,,morning,daily,left,,\n"
        + "dan@post.example,,,,morning,,suppressed,,\n",
        encoding="utf-8",
    )
    return path


def test_a_report_changes_nothing_and_then_comes_true(database: Database, file: Path, now: datetime) -> None:
    start(database, now)
    report = take(database, file, now, apply=False)
    assert counts(report) == {"new": 4}
    assert standing(database) == {}
    assert counts(take(database, file, now)) == {"new": 4}
    assert standing(database) == {
        "ann@post.example/morning": ("active", "weekly", ""),
        "ann@post.example/evening": ("active", "", ""),
        "bea@post.example/morning": ("pending", "daily", ""),
        "cy@post.example/morning": ("left", "daily", ""),
        "dan@post.example/morning": ("left", "daily", "import"),
    }


def test_the_proof_of_consent_is_kept(database: Database, file: Path, now: datetime) -> None:
    start(database, now)
    take(database, file, now)
    with database.read() as connection:
        imported = connection.execute(sa.select(tables.imports)).one()
        consents = {
            (row.newsletter, row.action, row.basis, row.at, row.import_id)
            for row in connection.execute(sa.select(tables.consents).where(tables.consents.c.subscriber_id == 1))
        }
    assert (imported.filename, imported.basis, imported.actor) == ("people.csv", PROOF.basis, "ann")
    assert imported.counts["new"] == 4
    assert imported.counts["finished"] is True
    given = datetime.fromisoformat("2025-03-01T08:00:00+00:00")
    assert consents == {(name, "imported", "old form", given, imported.id) for name in ("morning", "evening")}


def test_the_same_file_again_changes_nothing(database: Database, file: Path, now: datetime) -> None:
    start(database, now)
    take(database, file, now)
    before = standing(database)
    again = take(database, file, now + timedelta(1))
    assert counts(again) == {"unchanged": 3, "suppressed": 1}
    assert standing(database) == before


def test_suppressions_and_leavings_outrank_a_file(database: Database, file: Path, now: datetime) -> None:
    start(database, now)
    take(database, file, now)
    suppress_subscriber(database, email="ann@post.example", because="complained", now=now)
    erase_subscriber(database, email="bea@post.example", now=now)
    file.write_text(
        HEADER + "".join(f"{name}@post.example,,,,morning,,active,,\n" for name in ("ann", "bea", "cy", "dan"))
    )
    report = take(database, file, now + timedelta(1))
    assert counts(report) == {"suppressed": 3, "left": 1}
    assert "bea@post.example/morning" not in standing(database)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.subscribers)).scalar_one() == 4


def test_who_left_comes_back_by_a_later_consent_only(database: Database, file: Path, now: datetime) -> None:
    start(database, now)
    take(database, file, now)
    file.write_text(f"email,consent_at,newsletters\ncy@post.example,{now - timedelta(1):%Y-%m-%d},morning\n")
    assert counts(take(database, file, now + timedelta(2))) == {"left": 1}
    file.write_text(f"email,consent_at,newsletters\ncy@post.example,{now + timedelta(1):%Y-%m-%d},morning\n")
    assert counts(take(database, file, now + timedelta(2))) == {"changed": 1}
    assert standing(database)["cy@post.example/morning"] == ("active", "daily", "")


def test_bad_rows_are_named_and_everything_else_goes_on(database: Database, file: Path, now: datetime) -> None:
    start(database, now)
    file.write_text(
        HEADER
        + "ann@post.example,,,,morning,,,,\n"
        + "\n"
        + "not an address,,,,morning,,,,\n"
        + 'bea@post.example,"Bea\r\nBcc: x@post.example",,,morning,,,,\n'
        + "cy@post.example,,,,morning,,,,,,,,\n"
        + '"dan@post.example"x,,,,morning,,,,\n'
        + "ann@post.example,,,,morning,,,,\n"
        + "eve@post.example,,,,morning,,,,\n"
    )
    report = take(database, file, now)
    assert counts(report) == {"new": 2, "bad": 5}
    assert [line for line, _ in report.problems] == [4, 5, 7, 8, 9]
    assert "stands in line 2 already" in report.problems[-1][1]
    assert set(standing(database)) == {"ann@post.example/morning", "eve@post.example/morning"}


def test_a_row_that_stops_mail_counts_wherever_it_stands(database: Database, file: Path, now: datetime) -> None:
    start(database, now)
    file.write_text("email,newsletters,status\nann@post.example,morning,active\nann@post.example,morning,left\n")
    take(database, file, now)
    assert standing(database)["ann@post.example/morning"][0] == "left"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_files_as_programs_save_them(
    database: Database, file: Path, now: datetime, encoding: str, delimiter: str
) -> None:
    start(database, now)
    lines = [["email", "name", "newsletters"], ["bea@post.example", "Béa", "morning"]]
    file.write_bytes("\r\n".join(delimiter.join(line) for line in lines).encode(encoding))
    assert counts(take(database, file, now)) == {"new": 1}
    with database.read() as connection:
        assert connection.execute(sa.select(tables.subscribers.c.name)).scalar_one() == "Béa"


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00\x01\x02\x03 binary", b"<html><body>people</body></html>", b"bea@post.example\ncy@post.example\n",
     b"name,surname\nBea,Example\n", b"PK\x03\x04\x00\x00", b"x" * 100_000],
)  # fmt: skip
def test_a_file_of_the_wrong_shape_is_one_clear_error(
    database: Database, file: Path, now: datetime, raw: bytes
) -> None:
    start(database, now)
    file.write_bytes(raw)
    with pytest.raises(BadInput) as caught:
        take(database, file, now)
    assert len(str(caught.value)) < 400
    assert standing(database) == {}


def test_a_quote_that_is_never_closed_loses_no_good_row_before_it(
    database: Database, file: Path, now: datetime
) -> None:
    start(database, now)
    rest = "".join(f"r{number}@post.example,,morning\n" for number in range(50))
    file.write_text(f'email,name,newsletters\nann@post.example,,morning\nbea@post.example,"Bea,morning\n{rest}')
    report = take(database, file, now)
    assert report.new == 1
    assert report.problems[0][0] == 3
    assert "quote" in report.problems[0][1]


def test_an_interrupted_import_is_simply_run_again(
    database: Database, file: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(database, now)
    file.write_text("email,newsletters\n" + "".join(f"r{number}@post.example,morning\n" for number in range(95)))
    monkeypatch.setattr(module, "CHUNK_ROWS", 10)

    def stop(done: int) -> None:
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_subscribers(database, path=file, newsletters=(MORNING,), consent=PROOF, now=now, progress=stop)
    half = len(standing(database))
    assert 0 < half < 95
    with database.read() as connection:
        kept = connection.execute(sa.select(tables.imports.c.counts)).scalar_one()
    assert (kept["finished"], kept["new"]) == (False, half)
    assert counts(take(database, file, now, newsletters=(MORNING,))) == {"new": 95 - half, "unchanged": half}
    assert len(standing(database)) == 95


def test_a_hundred_thousand_rows_take_seconds(database: Database, file: Path, now: datetime) -> None:
    start(database, now)
    rows = 20_000
    with file.open("w") as out:
        out.write(HEADER)
        for number in range(rows):
            out.write(
                f"r{number}@mail{number % 100}.example.org,Reader {number},en,,morning,daily,active,2025-01-01,form\n"
            )
    began = time.process_time()
    assert counts(take(database, file, now)) == {"new": rows}
    assert time.process_time() - began < 10
