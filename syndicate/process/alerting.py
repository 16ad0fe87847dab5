"""One round of alerts: what is wrong is told, and a sign of life is given."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from syndicate.http import Client
from syndicate.services.raise_alerts import Raised, beat, post_alerts, raise_alerts

if TYPE_CHECKING:
    from syndicate.site import Site

DEADLINE_SECONDS = 10.0
BEAT_EVERY = timedelta(minutes=1)


class Alerting:
    """Keeps what one process needs between its rounds."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._channels = site.settings.alerts
        self._client = Client(
            deadline_seconds=DEADLINE_SECONDS, max_answer_bytes=100_000, public_only=not self._channels.allow_private
        )
        self._beaten_at: datetime | None = None
        self.raised = Raised()

    def round(self, now: datetime, *, healthy: bool = True) -> list[str]:
        """Finds and tells what began and what ended (`raised`), then gives the sign of life, at most once a minute and
        only when this process is `healthy`: its clock is believed and its loops turn. Sentences of what could not be
        told; it is tried again. To be called every few seconds."""
        site = self._site
        self.raised = raise_alerts(
            site.database,
            site.house,
            self._channels,
            newsletters=site.newsletters,
            sources=site.sources,
            feeds=site.feeds,
            now=now,
        )
        problems = post_alerts(site.database, self._client, self._channels, site.publication, now=now)
        if healthy and (self._beaten_at is None or abs(now - self._beaten_at) >= BEAT_EVERY):
            self._beaten_at = now
            problems += filter(None, [beat(self._client, self._channels)])
        return problems
