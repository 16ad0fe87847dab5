"""What a round comes to: who was lost, who was mailed twice, and of whom nobody can tell. Counted at the mail API."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables
from tests.mail_api_server import Acceptance, doubled, lost


@dataclass(frozen=True, slots=True)
class Count:
    """Readers. `lost`: the mail API has nothing for them, and the ledger does not say that this is uncertain."""

    lost: int
    doubled: int
    uncertain: int


def count(readers: Collection[str], accepted: Collection[Acceptance], uncertain: Collection[str]) -> Count:
    """By the addresses of all readers, what the mail API took, and of whom the ledger says that nobody can tell."""
    return Count(len(lost(accepted, readers).difference(uncertain)), len(doubled(accepted)), len(set(uncertain)))


def per_million(part: int, of: int) -> int:
    """So many of a million."""
    return round(part * 1_000_000 / of) if of else 0


def uncertain_readers(connection: Connection, issue_id: int) -> set[str]:
    """The addresses of those of whom the ledger says that nobody can tell whether they got it."""
    people, batches, outcomes = tables.issue_recipients, tables.batches, tables.recipient_outcomes
    own = sa.exists().where(outcomes.c.issue_id == people.c.issue_id, outcomes.c.ordinal == people.c.ordinal)
    query = (
        sa.select(people.c.email)
        .join(
            batches,
            sa.and_(
                batches.c.issue_id == people.c.issue_id, people.c.ordinal.between(batches.c.first, batches.c.last)
            ),
        )
        .where(people.c.issue_id == issue_id, batches.c.state == "uncertain", ~own)
    )
    return set(connection.execute(query).scalars())


def faults_in(lines: Iterable[str]) -> list[str]:
    """Of what processes logged as JSON: what was raised and foreseen by nobody."""
    found = []
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            # A command that cannot begin says so in one line.
            found += [line.rstrip()] if line.startswith("Traceback") else []
            continue
        if told["level"] == "error":
            found.append(f"{told['text']}\n{told.get('where', '')}")
    return found
