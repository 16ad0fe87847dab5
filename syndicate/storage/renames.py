"""Names that newsletters had before: links in mails and lines of the journal of suppressions go on by them.

A name may be another newsletter's later, or two may change theirs: what a name means depends on when it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import audit, tables

_ACTION = "newsletter.rename"


@dataclass(frozen=True, slots=True)
class Rename:
    """`old` is called `new` since `at`."""

    at: datetime
    old: str
    new: str


def record_rename(connection: Connection, old: str, new: str, now: datetime) -> None:
    """The newsletter `old` is called `new` from now on."""
    audit.record(connection, at=now, action=_ACTION, subject=new, detail={"was": old})


def list_renames(connection: Connection) -> list[Rename]:
    """Every rename of a newsletter, in their order."""
    log = tables.audit_log
    rows = connection.execute(
        sa.select(log.c.at, log.c.subject, log.c.detail).where(log.c.action == _ACTION).order_by(log.c.id)
    )
    return [Rename(row.at, row.detail["was"], row.subject) for row in rows]


def name_now(renames: Sequence[Rename], name: str, written_at: datetime | None = None) -> str:
    """What the newsletter is called whose name was `name` when that was written; None for ever so long ago."""
    for each in renames:
        if each.old == name and (written_at is None or written_at <= each.at):
            name = each.new
    return name


def newsletter_of_link(connection: Connection, name: str, issue: str) -> str:
    """The newsletter that a link in a mail of that issue means, which names it as it was called then."""
    issues, newsletters = tables.issues.c, tables.newsletters.c
    if issue.isascii() and issue.isdecimal() and len(issue) <= 18:
        found = connection.execute(sa.select(issues.newsletter).where(issues.id == int(issue))).scalar()
        if found is not None:
            return str(found)
    # Of an issue that a restored database does not know.
    if connection.execute(sa.select(newsletters.name).where(newsletters.name == name)).first() is not None:
        return name
    return name_now(list_renames(connection), name)
