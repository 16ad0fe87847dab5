"""One round of alerts: what is wrong is told, and a sign of life is given."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from syndicate.core.alert import MISSED_FOR, Trouble, missing_trouble, roles_missing
from syndicate.http import Client
from syndicate.process.presence import living_roles
from syndicate.services.raise_alerts import Raised, beat, post_alerts, raise_alerts

if TYPE_CHECKING:
    from syndicate.site import Site

Role = Literal["web", "worker"]

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
        self._missed: dict[Role, datetime] = {}
        self.raised = Raised()

    def round(self, now: datetime, *, healthy: bool = True, stays: bool = True) -> list[str]:
        """Finds and tells what began and what ended (`raised`), then gives the sign of life, at most once a minute and
        only when this process is `healthy`: its clock is believed and its loops turn. One that `stays` also looks
        whether the site's other processes live, and gives none while one is missing. Sentences of what could not be
        told; it is tried again. To be called every few seconds."""
        site = self._site
        missing = self._missing(now) if stays else None
        self.raised = raise_alerts(
            site.database,
            site.house,
            self._channels,
            newsletters=site.newsletters,
            sources=site.sources,
            feeds=site.feeds,
            now=now,
            missing=missing,
        )
        problems = post_alerts(site.database, self._client, self._channels, site.publication, now=now)
        if healthy and not self._missed and (self._beaten_at is None or abs(now - self._beaten_at) >= BEAT_EVERY):
            self._beaten_at = now
            problems += filter(None, [beat(self._client, self._channels)])
        return problems

    def _missing(self, now: datetime) -> list[Trouble]:
        """Notes which processes are away, and since when this one has seen that."""
        away = roles_missing(living_roles(self._site), mails=bool(self._site.newsletters))
        self._missed = {role: self._missed.get(role, now) for role in away}
        zone = self._site.publication.timezone
        return [missing_trouble(role, since, zone) for role, since in self._missed.items() if now - since >= MISSED_FOR]
