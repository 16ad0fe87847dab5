"""What is exported can be imported elsewhere, and says the same there; and a suppression is lifted with a reason."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.people_file import COLUMNS
from syndicate.errors import NotFound
from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.erase_subscriber import erase_subscriber
from syndicate.services.export_subscribers import export_subscribers
from syndicate.services.import_subscribers import Consent, import_subscribers
from syndicate.services.leave_newsletter import leave
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.services.unsuppress_subscriber import unsuppress_subscriber
from syndicate.storage import people_export, tables
from syndicate.storage.database import Database, open_database
from tests.services.reading_room import BOTH, FORM, ask, join, person_of
from tests.services.site_rows import EVENING, MORNING, start


def people(database: Database) -> dict[str, Any]:
    """By address: details, suppression, and (status, cadence) by newsletter."""
    table = tables.subscriptions
    with database.read() as connection:
        rows = connection.execute(sa.select(tables.subscribers).where(tables.subscribers.c.erased_at.is_(None))).all()
        theirs: dict[int, dict[str, Any]] = {}
        for each in connection.execute(sa.select(table)):
            status = (each.status, each.cadence)
            theirs.setdefault(each.subscriber_id, {})[each.newsletter] = status
    return {
        row.address: (row.email, row.name, row.language, bool(row.suppressed), theirs.get(row.id, {})) for row in rows
    }


def written(rows: list[dict[str, str]], path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_an_import_of_an_export_says_the_same(
    database: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_export, "PAGE", 2)
    start(database, now)
    for number in range(5):
        add_subscriber(
            database,
            email=f"Reader{number}@post.example",
            newsletter=MORNING,
            because='asked by phone, "twice"',
            cadence="weekly" if number % 2 else "daily",
            name=f'O\'Neill, "Nº {number}"',
            language="fr",
            now=now,
        )
    join(database, now)
    ask(database, now + timedelta(hours=1), "reader1@post.example", (EVENING,))
    person = person_of(database, "reader2@post.example")
    assert person is not None
    leave(database, subscriber_id=person.id, newsletter="morning", proof=FORM, now=now)
    suppress_subscriber(database, email="reader3@post.example", because="asked", now=now)
    erase_subscriber(database, email="reader4@post.example", now=now)
    rows = list(export_subscribers(database, BOTH))
    assert len(rows) == 3 + 1 + 1 + 1 + 1
    assert {row["consent_source"] for row in rows} == {"", 'asked by phone, "twice"', "form, wording 2026-11"}
    other = open_database(f"sqlite:///{tmp_path}/other.db")
    other.upgrade()
    start(other, now)
    path = written(rows, tmp_path / "people.csv")
    later = now + timedelta(days=1)
    report = import_subscribers(other, path=path, newsletters=BOTH, consent=Consent("moved"), now=later)
    assert (report.bad, report.problems) == (0, [])
    before = people(database)
    # Who is suppressed is out of everything there.
    email, name, language, _, theirs = before["reader3@post.example"]
    before["reader3@post.example"] = (email, name, language, True, {key: ("left", c) for key, (_, c) in theirs.items()})
    assert people(other) == before
    again = import_subscribers(other, path=path, newsletters=BOTH, consent=Consent("moved"), now=later)
    assert (again.new, again.changed) == (0, 0)
    other.dispose()


HOSTILE = (
    ("+tag@post.example", "=HYPERLINK(\"https://evil.example\")"),
    ("=cmd@post.example", "-"),
    ("-ann@post.example", "@SUM(1)"),
    ("'=bea@post.example", "'=1+1"),
    ("cleo@post.example", "Cleo;=1+1"),
    ("dan@post.example", "Dan;\"=1+1\""),
    ("eve@post.example", "'s-Gravenhage"),
)


def test_no_cell_is_a_formula_and_everybody_comes_back_as_they_were(
    database: Database, now: datetime, tmp_path: Path
) -> None:
    start(database, now)
    for email, name in HOSTILE:
        add_subscriber(database, email=email, newsletter=MORNING, because="=1+1", name=name, now=now)
    path = written(list(export_subscribers(database, BOTH)), tmp_path / "people.csv")
    for separator in ",;":
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file, delimiter=separator) for cell in row]
        assert len(cells) > len(HOSTILE) and not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r"))]
    other = open_database(f"sqlite:///{tmp_path}/other.db")
    other.upgrade()
    start(other, now)
    import_subscribers(other, path=path, newsletters=BOTH, consent=Consent("moved"), now=now)
    assert people(other) == people(database)
    assert list(export_subscribers(other, BOTH)) == list(export_subscribers(database, BOTH))
    other.dispose()


def test_an_address_may_stand_once_for_each_newsletter(database: Database, now: datetime, tmp_path: Path) -> None:
    start(database, now)
    row = dict.fromkeys(COLUMNS, "") | {"email": "ann@post.example"}
    rows = [row | {"newsletters": name} for name in ("morning", "evening", "morning")]
    path = written(rows, tmp_path / "people.csv")
    report = import_subscribers(database, path=path, newsletters=BOTH, consent=Consent("moved"), now=now)
    assert (report.new, report.changed, report.bad) == (1, 1, 1)
    assert report.problems == [(4, "ann@post.example stands in line 2 already, for the same newsletter")]


def test_a_suppression_is_lifted_with_a_reason_and_nobody_is_subscribed_by_it(
    database: Database, now: datetime
) -> None:
    start(database, now)
    join(database, now, (MORNING,))
    suppress_subscriber(database, email="ann@post.example", because="asked", now=now)
    assert unsuppress_subscriber(
        database, email="Ann@post.example", because="wrote to us", actor="desk", now=now
    ) == ("manual",)
    person = person_of(database)
    assert person is not None
    assert person.suppressed == ""
    with database.read() as connection:
        line = connection.execute(sa.select(tables.audit_log).order_by(tables.audit_log.c.id.desc()).limit(1)).one()
        assert (line.action, line.actor, line.detail["because"]) == ("subscriber.unsuppress", "desk", "wrote to us")
        assert "ann" not in line.subject
    with pytest.raises(NotFound):
        unsuppress_subscriber(database, email="ann@post.example", because="again", now=now)
    # An address that nobody here has: only the hash was kept, and that is enough.
    suppress_subscriber(database, email="gone@post.example", because="asked", now=now)
    assert unsuppress_subscriber(database, email="gone@post.example", because="asked again", now=now) == ("manual",)
