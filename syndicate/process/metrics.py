"""Figures for Prometheus, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily

from syndicate.clock import slots_between, wall_of
from syndicate.core.slot import OPEN
from syndicate.storage.figures import figures
from syndicate.storage.pulse import pulse
from syndicate.storage.slots import list_rhythms, slots_from

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from syndicate.site import Site

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOOK_BACK = timedelta(days=2)
"""Slots that have been due for longer are not looked for."""


class Metrics:
    """`page` is what Prometheus reads, in its text format."""

    def __init__(self, site: Site) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Site(site))
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """Raises StorageError when the database cannot be read."""
        return bytes(generate_latest(self._registry))


class _Site:
    def __init__(self, site: Site) -> None:
        self._site = site

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing is read only to be registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = datetime.now(UTC)
        with self._site.database.read() as connection:
            signs, found = pulse(connection), figures(connection)
            overdue = oldest_due_seconds(self._site, connection, now)
        yield _one("clock_seconds_ago", "Since the clock last ticked.", signs.clock_seconds)
        yield _many("processes", "Processes that gave a sign of life within a minute.", "role", signs.roles)
        yield _one("slot_overdue_seconds", "Since the oldest slot that is due and not settled, else 0.", overdue)
        yield _many("issues", "Issues that are not over.", "state", found.issues)
        yield _many("batches", "Batches of issues that are being sent.", "state", found.batches)
        yield _one("uncertain_batches", "Batches that nobody can prove, of all issues.", found.uncertain_batches)
        yield _one("uncertain_people", "Readers in them.", found.uncertain_people)
        lags = {name: (now - at).total_seconds() for name, at in found.sources.items() if at is not None}
        yield _many("source_seconds_ago", "Since a source was last read well.", "source", lags)
        failing = {name: float(name in found.failing) for name in found.sources}
        yield _many("source_failing", "1 when the last look at a source failed.", "source", failing)
        yield _one("feeds_behind", "Feeds that have something to publish.", found.feeds_behind)
        yield _one("letters_waiting", "Mails to single persons that are not sent yet.", found.letters)
        waits = (now - found.oldest_letter_at).total_seconds() if found.oldest_letter_at else 0.0
        yield _one("letters_oldest_seconds", "How long the oldest of them has waited.", waits)
        yield _many("alerts", "Troubles that last.", "kind", found.alerts)
        yield _one("sending_stopped", "1 while all sending is stopped.", found.stopped)
        yield _one("quarantined", "1 while the database is in quarantine.", found.quarantined)
        jobs = GaugeMetricFamily("syndicate_jobs", "Jobs in the queue.", labels=["lane", "state"])
        for lane, depth in self._site.queue.depth().items():
            jobs.add_metric([lane, "waiting"], depth.waiting)
            jobs.add_metric([lane, "under way"], depth.under_way)
        yield jobs


def oldest_due_seconds(site: Site, connection: Connection, now: datetime) -> float:
    """How long the oldest slot that is due has waited to be settled, whether or not the clock has seen it."""
    rhythms = list_rhythms(connection)
    oldest = now
    for newsletter in site.newsletters:
        for cadence in newsletter.cadences.values():
            rhythm = rhythms.get((newsletter.name, cadence.name))
            if rhythm is None or rhythm.paused or rhythm.horizon_at is None:
                continue
            horizon = max(rhythm.horizon_at, now - LOOK_BACK)
            first = wall_of(horizon, newsletter.timezone) - timedelta(days=1)
            known = slots_from(connection, newsletter.name, cadence.name, f"{first:%Y-%m-%dT%H:%M}")
            for slot in slots_between(cadence, newsletter.timezone, horizon, now):
                if slot.wall_time not in known or known[slot.wall_time].state in OPEN:
                    oldest = min(oldest, slot.due_at)
    return (now - oldest).total_seconds()


def _one(name: str, told: str, value: float | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"syndicate_{name}", told)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _many(name: str, told: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"syndicate_{name}", told, labels=[label])
    for each, value in values.items():
        family.add_metric([each], float(value))
    return family
