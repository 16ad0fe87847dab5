"""The rows of a file of people: columns, what may stand in them, and what is wrong with one.

Columns: email, name, language, timezone, newsletters, cadence, status, consent_at, consent_source; only email must be
there. `;` stands between newsletters, and between cadences in the same order. A cadence that is left out is the one
that the person has, else the newsletter's first. Newsletters may be left out where there is only one. An apostrophe
that keeps a spreadsheet from running a cell is not part of it (`core.spreadsheet`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches

from syndicate.core.address import mailable, normalise, shown
from syndicate.core.line import line_fault
from syndicate.core.newsletter import Newsletter
from syndicate.core.people import Wanted, check_details
from syndicate.core.spreadsheet import from_cell
from syndicate.core.subscriber import WANTED
from syndicate.errors import BadInput

COLUMNS = (
    "email", "name", "language", "timezone", "newsletters", "cadence", "status", "consent_at", "consent_source",
)  # fmt: skip
DELIMITERS = (",", ";", "\t")
LONGEST_SOURCE = 500


def read_header(line: str) -> str:
    """The delimiter of a file whose first line this is. Raises BadInput when it does not name the columns."""
    for delimiter in DELIMITERS:
        names = [name.strip().strip('"').lower() for name in line.rstrip("\r\n").split(delimiter)]
        if "email" in names:
            break
    else:
        what = "it is a row, not the names of the columns" if "@" in line else f"found {shown(line.strip())}"
        raise BadInput(
            f"The first line must name the columns, email among them; {what}.", cure=f"Columns: {','.join(COLUMNS)}."
        )
    for name in names:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, 1)
            raise BadInput(
                f"The first line names a column {shown(name)}, which is not known"
                + (f"; did you mean {near[0]!r}?" if near else "."),
                cure=f"Columns: {','.join(COLUMNS)}. Take out the others.",
            )
    if len(set(names)) < len(names):
        raise BadInput("The first line names a column twice.", cure="Take one of the two out.")
    return delimiter


def read_row(row: Mapping[str, str], newsletters: Mapping[str, Newsletter], now: datetime) -> Wanted:
    """What one row asks for. `now` bounds `consent_at`. Raises ValueError with what is wrong with the row."""
    for column, text in row.items():
        if fault := line_fault(text):
            hint = "; is a quote missing?" if "\n" in text else ""
            raise ValueError(f"{column} holds {fault}{hint}")
        if "\ufffd" in text:
            raise ValueError(f"{column} holds bytes that are no text; save the file as UTF-8")
    cell = {column: from_cell(row.get(column, "").strip()) for column in COLUMNS}
    if not cell["email"]:
        raise ValueError("email is empty")
    address = normalise(cell["email"])
    if len(cell["consent_source"]) > LONGEST_SOURCE:
        raise ValueError(f"consent_source is longer than {LONGEST_SOURCE} characters")
    check_details(cell["name"], cell["language"], cell["timezone"])
    status = next((each for each in WANTED if each == (cell["status"].lower() or "active")), None)
    if status is None:
        raise ValueError(f"status is not active, pending, left or suppressed: {shown(cell['status'])}")
    if status in ("active", "pending"):
        mailable(address)
    return Wanted(
        email=address.email,
        address=address.address,
        cadences=_cadences(cell["newsletters"], cell["cadence"], newsletters),
        status=status,
        name=cell["name"],
        language=cell["language"],
        timezone=cell["timezone"],
        consent_at=_consent_at(cell["consent_at"], now),
        consent_source=cell["consent_source"],
    )


def _cadences(named: str, cadence: str, newsletters: Mapping[str, Newsletter]) -> dict[str, str | None]:
    names = [part.strip() for part in named.split(";") if part.strip()]
    if not names and len(newsletters) == 1:
        names = list(newsletters)
    if not names:
        raise ValueError(f"newsletters is empty, and there are several: {', '.join(newsletters)}")
    rhythms: Sequence[str] = [part.strip() for part in cadence.split(";")]
    if len(rhythms) > len(names):
        raise ValueError(f"cadence names {len(rhythms)} for {len(names)} newsletter{'s' * (len(names) > 1)}")
    chosen: dict[str, str | None] = {}
    for position, name in enumerate(names):
        if name not in newsletters:
            near = get_close_matches(name, list(newsletters), 1)
            raise ValueError(
                f"no newsletter is called {shown(name)}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        if name in chosen:
            raise ValueError(f"newsletters names {name!r} twice")
        rhythm = rhythms[position] if position < len(rhythms) else ""
        if rhythm and rhythm not in newsletters[name].cadences:
            raise ValueError(f"the newsletter {name!r} has no cadence {shown(rhythm)}")
        chosen[name] = rhythm or None
    return chosen


def _consent_at(text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"consent_at is not a moment such as 2026-01-31T09:30:00Z: {shown(text)}") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment > now:
        raise ValueError(f"consent_at is in the future: {shown(text)}")
    return moment
