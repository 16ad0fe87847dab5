"""The ledger of mails to one person: each row is one request, claimed, posted and settled as a batch is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.batch import Step
from syndicate.storage.fair_locks import SITE, share
from syndicate.storage.tables import instance
from syndicate.storage.tables import transactional_mails as _mails


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """One row, as it was read."""

    id: int
    kind: str
    to_email: str
    to_name: str
    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    created_at: datetime
    state: str
    attempts: int
    generation: int
    api: str
    account: str
    sha256: str
    first_posted_at: datetime | None
    posted_at: datetime | None
    owners: tuple[str, ...]
    """The worker that claimed it last, after those that it was taken from and that may still be posting it."""


def may_post_mails(connection: Connection, *, hold: bool = False) -> bool:
    """Whether the database is not in quarantine; `hold` keeps that so to commit. `syndicate stop` is of issues alone:
    one person waits for each of these mails, and somebody who signs up or leaves meanwhile needs it."""
    if hold:
        share(connection, SITE)
    query = sa.select(instance.c.quarantined).where(instance.c.id == 1)
    return not connection.execute(query.with_for_update(read=True) if hold else query).scalar_one_or_none()


def due_mails(connection: Connection, now: datetime, limit: int) -> list[QueuedMail]:
    """Those to be posted for the first time, before those to be posted again and those uncertain that go on by
    themselves: whom a record that hardly answers keeps waiting is nobody who signs up now. The oldest first."""
    due = sa.or_(
        _mails.c.state == "planned",
        sa.and_(_mails.c.state.in_(["retry", "uncertain"]), _mails.c.retry_at <= now),
    )
    order = (sa.case((_mails.c.state == "planned", 0), else_=1), _mails.c.id)
    return _read(connection, sa.select(_mails).where(due).order_by(*order).limit(limit))


def sending_mails(connection: Connection) -> list[QueuedMail]:
    """Those that some worker claimed and has not settled."""
    return _read(connection, sa.select(_mails).where(_mails.c.state == "sending").order_by(_mails.c.id))


def claim_mail(
    connection: Connection,
    mail: QueuedMail,
    *,
    owners: Sequence[str],
    api: str,
    account: str,
    sha256: str,
    replay: bool,
    now: datetime,
) -> bool:
    """Claims it for the last of these workers in the caller's transaction; False when another was faster. A replay
    keeps the generation."""
    changed = connection.execute(
        sa.update(_mails)
        .where(_mails.c.id == mail.id, _mails.c.state == mail.state, _mails.c.attempts == mail.attempts)
        .values(
            state="sending",
            attempts=mail.attempts + 1,
            generation=mail.generation if replay else mail.generation + 1,
            api=api,
            account=account,
            sha256=sha256,
            first_posted_at=mail.first_posted_at if replay else now,
            posted_at=now,
            worker_id=" ".join(owners),
            retry_at=None,
        )
    )
    return changed.rowcount == 1


def settle_mail(
    connection: Connection, mail_id: int, was: str, step: Step, attempts: int, owners: Sequence[str] = ()
) -> bool:
    """Writes what became of it, and the workers that may still be posting it; False when it is in another state, or has
    been claimed again since. Acceptance is monotone: an answer that says so holds whenever it comes."""
    values: dict[str, Any] = {"state": step.state, "why": step.why[:1000], "retry_at": step.retry_at}
    values["worker_id"] = " ".join(owners)
    if step.vendor_ids:
        values["vendor_id"] = step.vendor_ids[0][:200]
    if step.state == "accepted" or step.state == "refused":
        # What it said is of no use any more, and it may hold a link that acts.
        values |= {"html": "", "text": ""}
    as_it_was = sa.and_(_mails.c.state == was, _mails.c.attempts == attempts)
    holds = _mails.c.state != "accepted" if step.state == "accepted" else as_it_was
    changed = connection.execute(sa.update(_mails).where(_mails.c.id == mail_id, holds).values(**values))
    return changed.rowcount == 1


def prove_mails(connection: Connection, mail_ids: Collection[int]) -> None:
    """The mail API has these mails, whatever became of their requests here."""
    if mail_ids:
        connection.execute(
            sa.update(_mails)
            .where(_mails.c.id.in_(list(mail_ids)), _mails.c.state != "accepted")
            .values(state="accepted", why="", retry_at=None, html="", text="")
        )


def _read(connection: Connection, query: sa.Select[Any]) -> list[QueuedMail]:
    return [
        QueuedMail(
            id=row.id,
            kind=row.kind,
            to_email=row.to_email,
            to_name=row.to_name,
            subject=row.subject,
            html=row.html,
            text=row.text,
            headers=tuple((name, value) for name, value in row.headers),
            created_at=row.created_at,
            state=row.state,
            attempts=row.attempts,
            generation=row.generation,
            api=row.api,
            account=row.account,
            sha256=row.sha256,
            first_posted_at=row.first_posted_at,
            posted_at=row.posted_at,
            owners=tuple(row.worker_id.split()),
        )
        for row in connection.execute(query)
    ]
