"""Takes people over from a file: first a report of what would change, then, when asked, the changes and their proof.

The file is read as a stream, in chunks of one short transaction each. Every row is decided against what is there at
that moment, so an import that was interrupted is simply run again: what is done is found unchanged.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.engine import Connection

from syndicate.core.address import address_hash
from syndicate.core.newsletter import Newsletter
from syndicate.core.people import Wanted, decide
from syndicate.core.people_file import read_header, read_row
from syndicate.errors import BadInput
from syndicate.storage import audit, people
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.people_changes import Decided, Proof, apply

CHUNK_ROWS = 1000
SHOWN_PROBLEMS = 1000
LONGEST_HEADER = 2000
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(slots=True)
class Report:
    """How many rows did, or would do, what. `suppressed` and `left` are people kept out as they are; `problems` are
    (line, reason) of the first thousand bad rows."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    suppressed: int = 0
    left: int = 0
    bad: int = 0
    encoding: str = "utf-8"
    applied: bool = False
    problems: list[tuple[int, str]] = field(default_factory=list)

    def count(self, outcome: str) -> None:
        """One row more with that outcome."""
        setattr(self, outcome, getattr(self, outcome) + 1)

    def refuse(self, line: int, reason: str) -> None:
        """One bad row."""
        self.rows += 1
        self.bad += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append((line, reason))


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
    sha256, encoding, _ = _first_pass(path)
    report = Report(encoding=encoding, applied=consent is not None)
    by_name = {each.name: each for each in newsletters}
    firsts = {each.name: next(iter(each.cadences), "") for each in newsletters}
    with database.read() as connection:
        key = address_key(connection)
    name = name or path.name
    import_id = _start(database, name, sha256, consent, now) if consent is not None else None
    seen: dict[int, int] = {}
    for chunk in _chunks(path, encoding, by_name, now, report, seen):
        if consent is None or import_id is None:
            with database.read() as connection:
                for each in _decide(connection, chunk, firsts, key):
                    report.count(each.change.outcome)
        else:
            proof = Proof("import", consent.basis, consent.actor, import_id)
            with database.write() as connection:
                people.lock_people(connection)
                decided = _decide(connection, chunk, firsts, key)
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
    return _first_pass(path)[2]


def _start(database: Database, name: str, sha256: str, consent: Consent, now: datetime) -> int:
    with database.write() as connection:
        return people.start_import(
            connection, filename=name, sha256=sha256, basis=consent.basis, actor=consent.actor, now=now
        )


def _counts(report: Report, **more: bool) -> dict[str, object]:
    counts = asdict(report)
    return {key: counts[key] for key in ("rows", "new", "changed", "unchanged", "suppressed", "left", "bad")} | more


def _decide(connection: Connection, chunk: Sequence[Wanted], firsts: dict[str, str], key: bytes) -> list[Decided]:
    hashes = {each.address: address_hash(each.address, key) for each in chunk}
    known = people.find_people(connection, hashes)
    return [
        Decided(
            known.get(each.address),
            each,
            decide(known.get(each.address), each, first_cadence=firsts),
            hashes[each.address],
        )
        for each in chunk
    ]


def _chunks(
    path: Path, encoding: str, newsletters: dict[str, Newsletter], now: datetime, report: Report, seen: dict[int, int]
) -> Iterator[list[Wanted]]:
    """The good rows, in chunks in which every address stands once. Bad rows go to the report."""
    chunk: dict[str, Wanted] = {}
    for line, row in _rows(path, encoding, report):
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


def _rows(path: Path, encoding: str, report: Report) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        header = file.readline(LONGEST_HEADER)
        delimiter = read_header(header)
        columns = [name.strip().strip('"').lower() for name in header.rstrip("\r\n").split(delimiter)]
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + 2  # where the row begins; the header was line 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                report.refuse(line, f"not a row of this file: {error}; is a quote missing?")
                continue
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(columns):
                report.refuse(line, f"{len(cells)} cells, but the first line names {len(columns)} columns")
                continue
            yield line, dict(zip(columns, cells, strict=False))


def _first_pass(path: Path) -> tuple[str, str, int]:
    """SHA-256, encoding and number of lines. UTF-8 or UTF-16 by their marks, else UTF-8 if it is, else Windows-1252."""
    digest = hashlib.sha256()
    lines = 0
    try:
        with path.open("rb") as file:
            start = file.read(4)
            encoding = next((name for bom, name in _BOMS if start.startswith(bom)), "")
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            is_utf8 = True
            for block in _blocks(file):
                digest.update(block)
                lines += block.count(b"\n")
                if not encoding:
                    if b"\0" in block:
                        raise BadInput(f"{path} is not a text file.", cure="Save it as CSV, in UTF-8.")
                    is_utf8 = is_utf8 and _decodes(decoder, block)
            is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
    if not start:
        raise BadInput(f"{path} is empty.")
    return digest.hexdigest(), encoding or ("utf-8" if is_utf8 else "cp1252"), lines


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(1 << 20):
        yield block


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True
