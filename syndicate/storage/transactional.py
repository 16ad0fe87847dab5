"""Mails to one person outside of any issue: confirmations, previews for editors, alerts, tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from syndicate.storage.tables import newsletters, transactional_mails

Kind = Literal["confirmation", "preview", "alert", "test"]


@dataclass(frozen=True, slots=True)
class Copy:
    """A test of an issue to one editor; `state` is of its request, `why` what the mail API said of it."""

    to_email: str
    created_at: datetime
    state: str
    why: str

    @property
    def is_settled(self) -> bool:
        """Whether nothing will become of it any more by itself."""
        return self.state in ("accepted", "refused", "uncertain")


def queue_mail(
    connection: Connection,
    *,
    kind: Kind,
    request_key: str,
    to_email: str,
    subject: str,
    html: str,
    text: str,
    now: datetime,
    to_name: str = "",
    headers: Iterable[tuple[str, str]] = (),
    subscriber_id: int | None = None,
) -> bool:
    """Queues one mail in the caller's transaction, to be posted by a worker; False when `request_key` (80 characters at
    most) was queued before, which changes nothing."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    queued = connection.execute(
        insert(transactional_mails)
        .values(
            kind=kind,
            request_key=request_key,
            to_email=to_email,
            to_name=to_name,
            subject=subject,
            html=html,
            text=text,
            headers=[list(each) for each in headers],
            subscriber_id=subscriber_id,
            created_at=now,
            state="planned",
        )
        .on_conflict_do_nothing(index_elements=[transactional_mails.c.request_key])
        .returning(transactional_mails.c.id)
    )
    return queued.first() is not None


def is_queued(connection: Connection, request_key: str) -> bool:
    """Whether a mail of that key was queued, whatever became of it."""
    query = sa.select(transactional_mails.c.id).where(transactional_mails.c.request_key == request_key)
    return connection.execute(query).first() is not None


def test_key(issue_id: int, request: str, place: int) -> str:
    """The request key of a test of that issue; `request` tells one sending from the next."""
    return f"test {issue_id} {request} {place}"


def test_mails(connection: Connection, issue_id: int, limit: int) -> list[Copy]:
    """The last tests of an issue, the newest first."""
    key = transactional_mails.c.request_key
    query = (
        sa.select(*(transactional_mails.c[name] for name in ("to_email", "created_at", "state", "why")))
        # A range of the unique key: "!" follows " ".
        .where(key >= f"test {issue_id} ", key < f"test {issue_id}!", transactional_mails.c.kind == "test")
        .order_by(transactional_mails.c.id.desc())
        .limit(limit)
    )
    return [Copy(*row) for row in connection.execute(query)]


def newsletters_known(connection: Connection) -> list[str]:
    """The names of all newsletters that have rows, retired ones too."""
    return list(connection.execute(sa.select(newsletters.c.name).order_by(newsletters.c.name)).scalars())


def forget_mails(connection: Connection, before: datetime, limit: int) -> int:
    """Forgets up to `limit` mails that were queued before that moment; returns how many."""
    return forget_first(connection, transactional_mails, transactional_mails.c.created_at, before, limit)


def forget_first(
    connection: Connection, table: sa.Table, moment: sa.Column[datetime], before: datetime, limit: int
) -> int:
    """Deletes up to `limit` rows from the first on whose moment is before that one; returns how many. Ids and moments
    grow together, so no index on the moment is needed."""
    first = connection.execute(sa.select(table.c.id, moment.label("at")).order_by(table.c.id).limit(limit))
    old = [row.id for row in first if row.at < before]
    connection.execute(sa.delete(table).where(table.c.id.in_(old)))
    return len(old)
