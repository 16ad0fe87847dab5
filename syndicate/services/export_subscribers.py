"""Gives everybody out as rows of a file that the import takes: nobody is locked in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from syndicate.core.line import line_fault
from syndicate.core.newsletter import Newsletter
from syndicate.core.people_file import COLUMNS, LONGEST_SOURCE
from syndicate.core.portions import portions
from syndicate.core.spreadsheet import to_cell
from syndicate.rendering.text import one_line
from syndicate.storage.database import Database
from syndicate.storage.people_export import closed_people, sources_of, subscriptions_of

_STATUSES = ("active", "pending", "left")
_CHUNK = 1_000


def export_subscribers(database: Database, newsletters: Sequence[Newsletter]) -> Iterator[dict[str, str]]:
    """A row (by `core.people_file.COLUMNS`) for each person in each newsletter of the settings, and one for each closed
    address. One newsletter after another, so that an address never stands twice in one chunk of an import. Addresses
    that are suppressed without being known are kept as hashes only, and cannot be given out. No cell is a formula for a
    spreadsheet."""
    for newsletter in newsletters:
        for status in _STATUSES:
            for chunk in portions(subscriptions_of(database, newsletter.name, status), _CHUNK):
                sources = sources_of(database, newsletter.name, [row.id for row in chunk])
                for row in chunk:
                    yield _cells(
                        row,
                        newsletters=newsletter.name,
                        cadence=row.cadence if row.cadence in newsletter.cadences else "",
                        status=status,
                        consent_at=row.since.isoformat() if status == "active" else "",
                        consent_source=one_line(sources.get(row.id, ""))[:LONGEST_SOURCE],
                    )
    declared = {each.name: each for each in newsletters}
    fallback = {each.name: "" for each in newsletters[:1]}
    for row, theirs in closed_people(database):
        named = {name: cadence for name, cadence in theirs.items() if name in declared} or fallback
        cadences = [cadence if cadence in declared[name].cadences else "" for name, cadence in named.items()]
        yield _cells(row, newsletters=";".join(named), cadence=";".join(cadences), status="suppressed")


def _cells(row: Any, **more: str) -> dict[str, str]:
    # A name from before the rules for names may not be one line: the import would refuse the row.
    name = one_line(row.name) if line_fault(row.name) else row.name
    given = {"email": row.email, "name": name, "language": row.language, "timezone": row.timezone, **more}
    return {column: to_cell(given.get(column, "")) for column in COLUMNS}
