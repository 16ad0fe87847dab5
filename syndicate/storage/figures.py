"""Figures of a site for whoever watches it: each by index, and none that grows with the readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import FINISHED, NEXT
from syndicate.storage import tables

_issues, _batches, _sources, _feeds = tables.issues, tables.batches, tables.sources, tables.feeds
_counted = tables.ledger_counts
_mails, _alerts, _instance = tables.transactional_mails, tables.alerts, tables.instance


@dataclass(frozen=True, slots=True)
class Figures:
    """`issues` that are not over, by state; `batches` of those that are being sent, by state; `uncertain` batches and
    the people in them, of all issues. `sources` maps names to when each was last read well, None for never; `failing`
    are those whose last look failed. Mails that one person waits for: how many, and since when the oldest."""

    issues: Mapping[str, int]
    batches: Mapping[str, int]
    uncertain_batches: int
    uncertain_people: int
    sources: Mapping[str, datetime | None]
    failing: frozenset[str]
    feeds_behind: int
    letters: int
    oldest_letter_at: datetime | None
    alerts: Mapping[str, int]
    stopped: bool
    quarantined: bool


def figures(connection: Connection) -> Figures:
    """All of them, as the caller's transaction sees them."""
    open_states = sa.select(_issues.c.state, sa.func.count()).where(_issues.c.state.in_(sorted(set(NEXT) - FINISHED)))
    under_way = sa.select(_issues.c.id).where(_issues.c.state.in_(["freezing", "sending", "paused", "cancelling"]))
    of_batches = sa.select(_counted.c.state, sa.func.sum(_counted.c.batches)).where(_counted.c.issue_id.in_(under_way))
    some = sa.func.sum(_counted.c.batches) != 0
    uncertain = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_batches.c.recipients), 0))
    people = connection.execute(uncertain.where(_batches.c.state == "uncertain")).one()
    sources = connection.execute(
        sa.select(_sources.c.name, _sources.c.last_ok_at, _sources.c.problem).where(
            _sources.c.retired.is_(False), _sources.c.paused.is_(False)
        )
    ).all()
    behind = sa.and_(_feeds.c.generation > _feeds.c.published_generation, _feeds.c.retired.is_(False))
    letters = sa.select(sa.func.count(), sa.func.min(_mails.c.created_at))
    waiting = connection.execute(letters.where(_mails.c.state.in_(["planned", "retry", "sending"]))).one()
    alerts = sa.select(_alerts.c.kind, sa.func.count()).where(_alerts.c.ended_at.is_(None)).group_by(_alerts.c.kind)
    switch = connection.execute(sa.select(_instance.c.sending_stopped, _instance.c.quarantined)).one_or_none()
    return Figures(
        issues=_counts(connection, open_states.group_by(_issues.c.state)),
        batches=_counts(connection, of_batches.group_by(_counted.c.state).having(some)),
        uncertain_batches=int(people[0]),
        uncertain_people=int(people[1]),
        sources={row.name: row.last_ok_at for row in sources},
        failing=frozenset(row.name for row in sources if row.problem),
        feeds_behind=int(
            connection.execute(sa.select(sa.func.count()).select_from(_feeds).where(behind)).scalar_one()
        ),
        letters=int(waiting[0]),
        oldest_letter_at=waiting[1],
        alerts=_counts(connection, alerts),
        stopped=bool(switch and switch.sending_stopped),
        quarantined=bool(switch and switch.quarantined),
    )


def _counts(connection: Connection, query: sa.Select[Any]) -> dict[str, int]:
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}
