"""What mail APIs reported, in rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

from syndicate.core.mail_event import Sign
from syndicate.storage import tables
from syndicate.storage.arrays import among
from syndicate.storage.transactional import forget_first

_events, _suppressions = tables.events, tables.suppressions


def add_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Keeps the reports as they came; returns (api, event id) of those that did not come before."""
    if connection.dialect.name == "sqlite":
        insert = sqlite.insert(_events).on_conflict_do_nothing(index_elements=[_events.c.api, _events.c.event_id])
        added = connection.execute(insert.returning(_events.c.api, _events.c.event_id), list(rows))
    else:
        added = connection.execute(_FROM_JSON, {"rows": json.dumps(list(rows), default=_moment)})
    return {(row.api, row.event_id) for row in added}


_COLUMNS = {
    **dict.fromkeys(("api", "event_id", "kind", "address_hash", "message_id", "code"), "text"),
    **{"issue_id": "bigint", "at": "timestamptz", "received_at": "timestamptz", "raw": "jsonb"},
}
# One parameter for all of them: the driver takes longer to spell thousands than the server to insert them.
_FROM_JSON = sa.text(
    f"INSERT INTO events ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} FROM jsonb_to_recordset("
    f"CAST(:rows AS jsonb)) AS told ({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})"
    " ON CONFLICT (api, event_id) DO NOTHING RETURNING api, event_id"
)


def _moment(value: object) -> str:
    """For JSON, which has no moments."""
    assert isinstance(value, datetime)
    return value.isoformat()


def signs_of(connection: Connection, hashes: Collection[str]) -> dict[str, list[Sign]]:
    """By address: every soft bounce, and every mail that is known to have arrived."""
    query = sa.select(_events.c.address_hash, _events.c.kind, _events.c.at, _events.c.issue_id).where(
        among(connection, _events.c.address_hash, hashes), _events.c.kind.in_(["soft bounce", "delivered"])
    )
    found: dict[str, list[Sign]] = {each: [] for each in hashes}
    for row in connection.execute(query):
        found[row.address_hash].append(Sign(row.at, row.issue_id, row.kind == "delivered"))
    return found


def opened_at(connection: Connection, hashes: Collection[str]) -> dict[str, datetime]:
    """When a suppression of the address was last lifted, for those that had one."""
    query = sa.select(_suppressions.c.address_hash, sa.func.max(_suppressions.c.lifted_at).label("at")).where(
        among(connection, _suppressions.c.address_hash, hashes), _suppressions.c.lifted_at.is_not(None)
    )
    return {row.address_hash: row.at for row in connection.execute(query.group_by(_suppressions.c.address_hash))}


def blocked_since(connection: Connection, moment: datetime) -> dict[str, dict[str, int]]:
    """By mail API, how many mails were turned away because of the sender since that moment, by status code."""
    query = (
        sa.select(_events.c.api, _events.c.code, sa.func.count().label("mails"))
        .where(_events.c.kind == sa.literal_column("'blocked'"), _events.c.received_at > moment)
        .group_by(_events.c.api, _events.c.code)
        .order_by(sa.func.count().desc(), _events.c.code)
    )
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.api, {})[row.code] = row.mails
    return found


def forget_raw_events(connection: Connection, before: datetime, limit: int) -> int:
    """Forgets up to `limit` reports that came before that moment; returns how many. Suppressions stay."""
    return forget_first(connection, _events, _events.c.received_at, before, limit)
