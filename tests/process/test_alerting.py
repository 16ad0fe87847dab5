"""The sign of life stops, and somebody is told, when a process that a site needs is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syndicate.core.alert import AlertChannels, roles_missing
from syndicate.process.alerting import Alerting
from syndicate.site import Site
from syndicate.storage.alerts import list_alerts
from syndicate.storage.workers import worker_lock
from tests.services.alert_listener import Listener, listening

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
def heart() -> Iterator[Listener]:
    with listening() as found:
        yield found


@pytest.mark.parametrize(
    ("roles", "mails", "missing"),
    [
        ({"web", "work"}, True, ()),  # the one command
        ({"web", "clock", "worker"}, True, ()),  # apart
        ({"clock", "worker"}, True, ("web",)),
        ({"work"}, False, ()),  # feeds alone, served by something else
        ({"web", "clock"}, True, ("worker",)),
        ({"send"}, True, ("web", "worker")),
    ],
)
def test_a_site_that_mails_needs_its_web_and_every_site_a_worker(
    roles: set[str], mails: bool, missing: tuple[str, ...]
) -> None:
    assert roles_missing(roles, mails=mails) == missing


def alerts(site: Site) -> list[str]:
    with site.database.read() as connection:
        return [each.key for each in list_alerts(connection) if each.kind == "process"]


@pytest.mark.parametrize("roles", [("web", "work"), ("web", "clock", "worker")], ids="+".join)
def test_it_beats_while_all_are_there_and_tells_who_is_away(
    site: Site, heart: Listener, roles: tuple[str, ...]
) -> None:
    channels = AlertChannels(heartbeat_url=heart.url, allow_private=True)
    watched = replace(site, settings=replace(site.settings, alerts=channels))
    alerting = Alerting(watched)
    minute = timedelta(minutes=1)
    with ExitStack() as stay:
        stay.callback(watched.database.dispose)
        for role in roles[1:]:
            stay.enter_context(worker_lock(site.database, site.directory, role, NOW))
        with worker_lock(site.database, site.directory, roles[0], NOW):
            assert alerting.round(NOW) == [] and heart.asked == 1
            assert alerting.round(NOW + minute) == [] and heart.asked == 2
        assert alerting.round(NOW + 2 * minute) == [] and heart.asked == 2
        assert alerts(site) == []  # it may only be starting again
        alerting.round(NOW + 4 * minute)
        assert alerts(site) == ["process web"] and heart.asked == 2
        # Who does what is due, once, has not looked.
        Alerting(site).round(NOW + 4 * minute, stays=False)
        assert alerts(site) == ["process web"]
        with worker_lock(site.database, site.directory, roles[0], NOW):
            alerting.round(NOW + 5 * minute)
            assert alerts(site) == [] and heart.asked == 3
