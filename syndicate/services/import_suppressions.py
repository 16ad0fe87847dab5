"""Takes over from a mail API whom it mails no more: first a report of what would change, then, when asked, the
suppressions.

Each address is decided against what is there at that moment, in chunks of one short transaction each: an import that
was interrupted is simply run again. Nobody is opened by it, and whom nobody knows here is suppressed all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from syndicate.core import reader_steps
from syndicate.core.address import address_hash
from syndicate.core.file_report import FileReport
from syndicate.core.people_file import DELIMITERS
from syndicate.core.reader_steps import OWN_SUPPRESSION, Circumstances
from syndicate.core.subscriber import Subscriber
from syndicate.core.vendor_suppressions import Listed, Shape, Why, flat, is_news, plain, read_row, recognise, records
from syndicate.errors import BadInput
from syndicate.storage import audit, people
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.reader_steps import write_steps
from syndicate.storage.table_file import Looked, csv_rows, look_at

CHUNK_ROWS = 1000
LARGEST_JSON = 200_000_000
"""Octets of a file of JSON, which is read as a whole; of lines of JSON and of CSV there is no end."""
_LONGEST_LINE = 1_000_000
ORIGIN = "import"


@dataclass(slots=True)
class SuppressionReport(FileReport):
    """How many rows did, or would do, what: those that suppress by their reason, with how many of them are readers
    here; those of addresses that are suppressed already; and those that keep nobody from mail. `lists` names whose
    lists were found. `unsure` are those of the bounces of whom it is so only if the list is none of blocks."""

    bounce: int = 0
    complaint: int = 0
    unsubscribe: int = 0
    other: int = 0
    readers: int = 0
    already: int = 0
    open: int = 0
    unsure: int = 0
    lists: list[str] = field(default_factory=list)

    @property
    def new(self) -> int:
        """How many addresses are suppressed by it."""
        return self.bounce + self.complaint + self.unsubscribe + self.other

    @property
    def caution(self) -> str:
        """What to make sure of before it is done, or ""."""
        if not self.unsure or self.applied:
            return ""
        return (
            f"Of {self.unsure:,} it says only that a mail was refused, and SendGrid's list of blocks, to whom it goes"
            " on mailing, has the same columns: if this is that list, leave it out, and take its list of bounces."
        )

    def count(self, why: Why) -> None:
        """One address more that is suppressed for that reason."""
        name = "other" if why == "import" else why
        setattr(self, name, getattr(self, name) + 1)


@dataclass(frozen=True, slots=True)
class _New:
    """An address that is to be suppressed; `person` is who has it here."""

    keyed: str
    why: Why
    kind: str
    person: Subscriber | None


def import_suppressions(
    database: Database,
    *,
    path: Path,
    vendor: str = "",
    apply: bool,
    actor: str = "",
    now: datetime,
    progress: Callable[[int], None] = lambda done: None,
    name: str = "",
) -> SuppressionReport:
    """Reads the whole file. Without `apply` nothing is changed and the report says what would be. `vendor` is whose
    list it is, "" to tell by its columns; `progress` takes how many rows are done. `name` is what people call the file,
    when that is not the path's.

    Raises BadInput when the file cannot be read, or is no list that is known."""
    looked = look_at(path)
    report = SuppressionReport(encoding=looked.encoding, applied=apply)
    name = name or path.name
    with database.read() as connection:
        key = address_key(connection)
    import_id: int | None = None
    # What the file itself has closed by now, also where nothing is written.
    seen: dict[int, Why] = {}
    for chunk in _chunks(path, looked, vendor, report):
        if not apply:
            with database.read() as connection:
                _decide(connection, chunk, seen, key, report)
        else:
            with database.write() as connection:
                people.lock_people(connection)
                if import_id is None:
                    basis = f"suppressions: {', '.join(report.lists)}"
                    import_id = people.start_import(
                        connection, filename=name, sha256=looked.sha256, basis=basis, actor=actor, now=now
                    )
                _suppress(connection, _decide(connection, chunk, seen, key, report), now)
                people.record_import(connection, import_id, _counts(report, finished=False))
        progress(report.rows)
    if import_id is not None:
        with database.write() as connection:
            people.record_import(connection, import_id, _counts(report, finished=True))
            audit.record(
                connection,
                at=now,
                action="suppression.import",
                subject=name,
                actor=actor,
                detail=_counts(report) | {"lists": report.lists},
            )
    return report


def _counts(report: SuppressionReport, **more: bool) -> dict[str, object]:
    counts = asdict(report)
    names = ("rows", "bounce", "complaint", "unsubscribe", "other", "readers", "already", "open", "bad")
    return {name: counts[name] for name in names} | more


def _decide(
    connection: Connection,
    chunk: Sequence[tuple[Listed, Shape]],
    seen: dict[int, Why],
    key: bytes,
    report: SuppressionReport,
) -> list[_New]:
    """Those of the chunk that are to be suppressed; all of them are counted."""
    hashes = {listed.address: address_hash(listed.address, key) for listed, _ in chunk}
    known = people.find_people(connection, hashes)
    lasting = people.lasting_reasons(connection, list(hashes.values()))
    new = []
    for listed, shape in chunk:
        report.rows += 1
        person = known.get(listed.address)
        before = seen.get(hash(listed.address)) or lasting.get(hashes[listed.address], "")
        if listed.why is None:
            report.open += 1
        elif not is_news(before, listed.why):
            report.already += 1
        else:
            seen[hash(listed.address)] = listed.why
            report.count(listed.why)
            report.unsure += not listed.sure
            is_reader = person is not None and person.id > 0
            report.readers += is_reader
            reader = person if is_reader else None
            new.append(_New(hashes[listed.address], listed.why, shape.name, reader))
    return new


def _suppress(connection: Connection, new: Sequence[_New], now: datetime) -> None:
    for each in new:
        if each.why == OWN_SUPPRESSION and each.person is not None:
            # Who left there has left everything here too, as when an event tells it.
            steps = reader_steps.leave(each.person, None)
            write_steps(connection, each.person.id, each.keyed, steps, Circumstances(ORIGIN), now)
    people.add_suppressions(
        connection,
        [
            {"address_hash": each.keyed, "reason": each.why, "at": now, "origin": ORIGIN, "note": each.kind}
            for each in new
        ],
    )


def _chunks(
    path: Path, looked: Looked, vendor: str, report: SuppressionReport
) -> Iterator[list[tuple[Listed, Shape]]]:
    """The good rows; the bad ones go to the report."""
    chunk: list[tuple[Listed, Shape]] = []
    for line, shape, row in _rows(path, looked, vendor, report):
        if shape.name not in report.lists:
            report.lists.append(shape.name)
        try:
            chunk.append((read_row(shape, row), shape))
        except ValueError as error:
            report.refuse(line, str(error))
        if len(chunk) >= CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _rows(
    path: Path, looked: Looked, vendor: str, report: SuppressionReport
) -> Iterator[tuple[int, Shape, dict[str, str]]]:
    begins = _beginning(path, looked)
    if begins.startswith(("{", "[")):
        yield from _json_rows(path, looked, vendor, report, by_line=_is_json(begins))
        return
    found: list[Shape] = []

    def delimiter_of(header: str) -> str:
        if "@" in header:
            raise BadInput("The first line must name the columns; it is a row.", cure="Export it with its header.")
        delimiter = max(DELIMITERS, key=header.count)
        names = [name.strip().strip('"') for name in header.rstrip("\r\n").split(delimiter)]
        found.append(recognise(names, vendor))
        return delimiter

    for line, row in csv_rows(path, looked.encoding, delimiter_of, report.refuse):
        yield line, found[0], {plain(name): cell for name, cell in row.items()}


def _beginning(path: Path, looked: Looked) -> str:
    """The first line with anything in it, if it is not very long."""
    with path.open(encoding=looked.encoding, errors="replace") as file:
        while (line := file.readline(_LONGEST_LINE)) and not line.strip():
            pass
    return line.lstrip()


def _json_rows(
    path: Path, looked: Looked, vendor: str, report: SuppressionReport, *, by_line: bool
) -> Iterator[tuple[int, Shape, dict[str, str]]]:
    documents = _by_line(path, looked, report) if by_line else iter(_documents(path, looked))
    shapes: dict[frozenset[str], Shape] = {}
    for line, document in documents:
        rows = records(document)
        for number, record in enumerate(rows, 1):
            place = f"row {number}: " if len(rows) > 1 else ""
            try:
                row = flat(record)
                columns = frozenset(row)
                if columns not in shapes:
                    shapes[columns] = recognise(columns, vendor)
            except (ValueError, RecursionError) as error:
                wrong = "it is nested too deeply" if isinstance(error, RecursionError) else error
                report.refuse(line, f"{place}{wrong}")
                continue
            except BadInput as error:
                if not shapes:
                    raise
                report.refuse(line, f"{place}{error.message}")
                continue
            yield line, shapes[columns], row


def _by_line(path: Path, looked: Looked, report: SuppressionReport) -> Iterator[tuple[int, Any]]:
    """A document in each line (newline-delimited JSON), of which a bad one harms no other."""
    with path.open(encoding=looked.encoding, errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                report.refuse(number, "it is not JSON")


def _documents(path: Path, looked: Looked) -> list[tuple[int, Any]]:
    """One document, or several after each other (pages of an answer), with the line that each begins in."""
    if path.stat().st_size > LARGEST_JSON:
        raise BadInput(f"{path} is too large to be read at once.", cure="Write one row a line, or several files.")
    text = path.read_text(encoding=looked.encoding, errors="replace")
    decoder, found, at, line, counted = json.JSONDecoder(), [], 0, 1, 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        line, counted = line + text.count("\n", counted, at), at
        try:
            document, at = decoder.raw_decode(text, at)
        except ValueError as error:
            wrong = error.lineno if isinstance(error, json.JSONDecodeError) else line
            raise BadInput(
                f"{path.name}, line {wrong}: it is not JSON from there on.", cure="Fetch the list again."
            ) from None
        except RecursionError:
            raise BadInput(f"{path.name}, line {line}: it is nested too deeply.") from None
        found.append((line, document))
    return found


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
