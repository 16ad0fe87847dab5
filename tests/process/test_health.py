"""The small port: up, ready, and figures that an operator can act on, with no secret in any of them."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core import job
from syndicate.errors import Refused, UsageError
from syndicate.process.health import health_port, listen_for_health, parse_address
from syndicate.site import Site
from syndicate.storage.tables import batches, cadences, instance, issues, sources
from syndicate.storage.workers import mark_seen, worker_lock


@contextmanager
def port_of(site: Site) -> Iterator[Callable[[str], tuple[int, str]]]:
    """Asks a path of the port."""
    listener = listen_for_health("127.0.0.1:0")
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def ask(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(address + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    with health_port(site, listener):
        yield ask


def test_it_is_up_and_ready(site: Site) -> None:
    with port_of(site) as ask, worker_lock(site.database, site.directory, "worker", datetime.now(UTC)) as worker:
        with site.database.write() as connection:
            mark_seen(connection, worker.id)
            connection.execute(sa.update(instance).values(clock_seen_at=datetime.now(UTC)))
        assert ask("/healthz") == (200, "Up.\n")
        status, text = ask("/readyz")
        said = json.loads(text)
        assert (status, said["ready"], said["processes"]) == (200, True, {"worker": 1})
        assert said["clock_seconds_ago"] < 60
        assert ask("/readyz?probe=1")[0] == 200
        assert ask("/elsewhere")[0] == 404


def test_a_database_that_is_away_or_old_makes_it_unready_and_is_not_described(site: Site) -> None:
    settings = replace(site.settings, database_url="postgresql://someone:secret@127.0.0.1:1/nowhere")
    with port_of(replace(site, settings=settings)) as ask:
        assert ask("/healthz")[0] == 200
        status, text = ask("/readyz")
        assert (status, json.loads(text)) == (503, {"ready": False, "database": "unreachable"})
        status, text = ask("/metrics")
        assert status == 503
        assert "secret" not in text
    with site.database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    with port_of(site) as ask:
        status, text = ask("/readyz")
        assert (status, json.loads(text)["database"]) == (503, "not as this program needs it")


def test_the_figures_tell_what_an_operator_acts_on(site: Site) -> None:
    now = datetime.now(UTC)
    with site.database.write() as connection:
        connection.execute(
            sa.update(sources)
            .where(sources.c.name == "desk")
            .values(last_ok_at=now - timedelta(hours=2), problem="No.")
        )
        values = {"newsletter": "morning", "kind": "cadence", "audience": {}, "drafted_at": now}
        issue = connection.execute(
            sa.insert(issues).values(state="sending", **values).returning(issues.c.id)
        ).scalar_one()
        for first, state in ((1, "planned"), (11, "planned"), (21, "accepted"), (31, "uncertain")):
            connection.execute(
                sa.insert(batches).values(issue_id=issue, first=first, last=first + 9, state=state, recipients=10)
            )
        # The clock has slept for a day: a daily slot came and went.
        connection.execute(
            sa.update(cadences).values(horizon_at=now - timedelta(days=8), rhythm="mon-sun 07:00", timezone="UTC")
        )
    site.queue.put([job.collect("desk", folder=True)])
    with port_of(site) as ask:
        status, text = ask("/metrics")
    assert status == 200
    figures = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"
    }
    assert figures['syndicate_batches{state="planned"}'] == 2
    assert figures['syndicate_batches{state="accepted"}'] == 1
    assert figures["syndicate_uncertain_batches"] == 1
    assert figures["syndicate_uncertain_people"] == 10
    assert figures['syndicate_issues{state="sending"}'] == 1
    assert 7000 < figures['syndicate_source_seconds_ago{source="desk"}'] < 9000
    assert figures['syndicate_source_failing{source="desk"}'] == 1
    assert figures['syndicate_jobs{lane="folders",state="waiting"}'] == 1
    assert figures["syndicate_sending_stopped"] == 0
    assert figures["syndicate_slot_overdue_seconds"] >= 0
    assert "postgresql://" not in text


def test_a_slot_that_is_due_is_overdue_until_it_is_settled(site: Site) -> None:
    from syndicate.process.metrics import oldest_due_seconds

    friday = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # the slot of 07:00 in Lisbon was five hours ago
    with site.database.write() as connection:
        connection.execute(sa.update(cadences).values(horizon_at=friday - timedelta(hours=12)))
    with site.database.read() as connection:
        assert oldest_due_seconds(site, connection, friday) == 5 * 3600
        assert oldest_due_seconds(site, connection, friday - timedelta(hours=6)) == 0
    with site.database.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO slots (newsletter, cadence, wall_time, due_at, state, why, claimed_at)"
                " VALUES ('morning', 'daily', '2026-11-20T07:00', :due, 'empty', '', :due)"
            ),
            {"due": friday - timedelta(hours=5) if not site.database.is_sqlite else "2026-11-20 07:00:00.000000"},
        )
    with site.database.read() as connection:
        assert oldest_due_seconds(site, connection, friday) == 0


@pytest.mark.parametrize(
    ("text", "place"),
    [("127.0.0.1:9101", ("127.0.0.1", 9101)), ("[::1]:0", ("::1", 0)), ("localhost:1", ("localhost", 1))],
)
def test_an_address_is_read(text: str, place: tuple[str, int]) -> None:
    assert parse_address(text) == place


@pytest.mark.parametrize("text", ["9101", ":9101", "127.0.0.1:", "127.0.0.1:none", "127.0.0.1:70000"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=r"Write it as 127\.0\.0\.1:9101"):
        parse_address(text)


def test_a_port_that_is_taken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syndicate.process.web.PATIENCE_SECONDS", 0.0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Refused, match="Nothing can listen"):
            listen_for_health(f"127.0.0.1:{other.getsockname()[1]}")
