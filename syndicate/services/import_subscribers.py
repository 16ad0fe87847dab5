"""Takes people over from a file: first a report of what would change, then, when asked, the changes and their proof.

The file is read as a stream, in chunks of one short transaction each. Every row is decided against what is there at
that moment, so an import that was interrupted is simply run again: what is done is found unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection

from syndicate.core.address import address_hash
from syndicate.core.file_report import FileReport
from syndicate.core.newsletter import Newsletter
from syndicate.core.people import Wanted, decide
from syndicate.core.people_file import read_header, read_row
from syndicate.storage import audit, people
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.people_changes import Decided, Proof, apply
from syndicate.storage.table_file import csv_rows, look_at

CHUNK_ROWS = 1000


@dataclass(slots=True)
class Report(FileReport):
    """How many rows did, or would do, what. `suppressed` and `left` are people kept out as they are."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    suppressed: int = 0
    left: int = 0

    def count(self, outcome: str) -> None:
        """One row more with that outcome."""
        setattr(self, outcome, getattr(self, outcome) + 1)


@dataclass(frozen=True, slots=True)
class Consent:
    """What stands for the consent of everybody in the file whose row does not say it: kept as proof."""

    basis: str
    actor: str = ""


def import_subscribers(
    database: Database,
    *,
    path: Path,
    newsletters: Sequence[Newsletter],
    consent: Consent | None,
    now: datetime,
    progress: Callable[[int], None] = lambda done: None,
    name: str = "",
) -> Report:
    """Reads the whole file. Without `consent` nothing is changed and the report says what would be. `progress` takes
    how many rows are done. `name` is what people call the file, when that is not the path's.

    Raises BadInput when the file cannot be read or has not the shape of a file of people."""
    looked = look_at(path)
    report = Report(encoding=looked.encoding, applied=consent is not None)
    by_name = {each.name: each for each in newsletters}
    cadences = {each.name: each.cadences for each in newsletters}
    with database.read() as connection:
        key = address_key(connection)
    name = name or path.name
    import_id = _start(database, name, looked.sha256, consent, now) if consent is not None else None
    seen: dict[int, int] = {}
    for chunk in _chunks(path, looked.encoding, by_name, now, report, seen):
        if consent is None or import_id is None:
            with database.read() as connection:
                for each in _decide(connection, chunk, cadences, key):
                    report.count(each.change.outcome)
        else:
            proof = Proof("import", consent.basis, consent.actor, import_id)
            with database.write() as connection:
                people.lock_people(connection)
                decided = _decide(connection, chunk, cadences, key)
                apply(connection, decided, proof, now)
                for each in decided:
                    report.count(each.change.outcome)
                people.record_import(connection, import_id, _counts(report, finished=False))
        progress(report.rows)
    if consent is not None and import_id is not None:
        with database.write() as connection:
            people.record_import(connection, import_id, _counts(report, finished=True))
            people.count_anew(connection)
            audit.record(
                connection,
                at=now,
                action="subscriber.import",
                subject=name,
                actor=consent.actor,
                detail=_counts(report),
            )
    return report


def count_lines(path: Path) -> int:
    """How many lines the file has, for a progress bar. Raises BadInput when it cannot be read."""
    return look_at(path).lines


def _start(database: Database, name: str, sha256: str, consent: Consent, now: datetime) -> int:
    with database.write() as connection:
        return people.start_import(
            connection, filename=name, sha256=sha256, basis=consent.basis, actor=consent.actor, now=now
        )


def _counts(report: Report, **more: bool) -> dict[str, object]:
    counts = asdict(report)
    return {key: counts[key] for key in ("rows", "new", "changed", "unchanged", "suppressed", "left", "bad")} | more


def _decide(
    connection: Connection, chunk: Sequence[Wanted], cadences: Mapping[str, Collection[str]], key: bytes
) -> list[Decided]:
    hashes = {each.address: address_hash(each.address, key) for each in chunk}
    known = people.find_people(connection, hashes)
    return [
        Decided(
            known.get(each.address),
            each,
            decide(known.get(each.address), each, cadences=cadences),
            hashes[each.address],
        )
        for each in chunk
    ]


def _chunks(
    path: Path, encoding: str, newsletters: dict[str, Newsletter], now: datetime, report: Report, seen: dict[int, int]
) -> Iterator[list[Wanted]]:
    """The good rows, in chunks in which every address stands once. Bad rows go to the report."""
    chunk: dict[str, Wanted] = {}
    for line, row in csv_rows(path, encoding, read_header, report.refuse):
        try:
            wanted = read_row(row, newsletters, now)
        except ValueError as error:
            report.refuse(line, str(error))
            continue
        first = min(seen.setdefault(hash((wanted.address, name)), line) for name in wanted.cadences)
        stops = wanted.status in ("left", "suppressed")
        if first != line and not stops:
            report.refuse(line, f"{wanted.address} stands in line {first} already, for the same newsletter")
            continue
        report.rows += 1
        if wanted.address in chunk or len(chunk) >= CHUNK_ROWS:
            yield list(chunk.values())
            chunk = {}
        chunk[wanted.address] = wanted
    if chunk:
        yield list(chunk.values())
