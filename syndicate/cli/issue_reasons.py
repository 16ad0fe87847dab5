"""What of an issue was not accepted, and why: in words, and person by person."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syndicate.cli.frame import Frame, counted, site_command
from syndicate.cli.issue_lines import gone_owners

if TYPE_CHECKING:
    from syndicate.storage.unsettled import Reason, RefusedReader

SHOWN = 100
"""Refused readers that are listed; the others are in the file."""
STATES = {"retry": "tried again", "suppressed": "left out"}
NEXT = {"retry": "next", "uncertain": "asked for again"}


def read_reasons(frame: Frame, issue_id: int) -> list[Reason]:
    """The reasons as they are now."""
    from syndicate.storage.unsettled import reasons

    gone = gone_owners(frame, issue_id)
    with frame.site.database.read() as connection:
        return reasons(connection, issue_id, gone=gone)


def reason_rows(found: list[Reason]) -> list[dict[str, Any]]:
    """They, for programs."""
    return [
        {
            "state": each.state,
            "why": each.why,
            "people": each.people,
            "at_least": each.more,
            "next_at": each.next_at,
        }
        for each in found
    ]


def say_reasons(frame: Frame, issue_id: int, found: list[Reason]) -> None:
    """They, a line each."""
    from syndicate.storage.unsettled import LEFT_ALONE

    for each in found:
        count = f"{'at least ' if each.more else ''}{each.people:,} {STATES.get(each.state, each.state)}"
        line = f"  {count}: {each.why or 'no reason was given'}"
        if each.next_at is not None:
            line += f" ({NEXT.get(each.state, 'next')} {frame.when(each.next_at)})"
        elif each.state == "uncertain" and each.why != LEFT_ALONE:
            line += f" (`syndicate issues resolve {issue_id}` settles it)"
        frame.say(line)
    if any(each.state == "refused" for each in found):
        frame.say(f"  Who was refused: `syndicate issues refused {issue_id}`.")


@click.command("refused")
@click.argument("issue", type=int)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@site_command
def refused(frame: Frame, issue: int, file: Path | None) -> None:
    """List who of an issue was refused, and why.

    The first hundred; with --json, or into FILE as CSV, all of them.
    """
    from syndicate.storage.issues import get_issue
    from syndicate.storage.unsettled import refused_readers

    with frame.site.database.read() as connection:
        found = get_issue(connection, issue)
        people = refused_readers(connection, issue)
        if file is not None:
            count = _write(file, people)
            frame.emit({"file": str(file), "rows": count})
            if not frame.as_json:
                frame.say(f"{counted(count, 'row')} in {file}. It holds people's addresses: keep it as you keep those.")
            return
        rows = [{"email": each.email, "why": each.why} for each in islice(people, None if frame.as_json else SHOWN + 1)]
    nobody = f"Nobody of issue {issue} was refused."
    if found.forgotten_at is not None:
        nobody = f"Who issue {issue} was for is no longer kept, since {found.forgotten_at:%Y-%m-%d}."
    shown = rows if frame.as_json else rows[:SHOWN]
    frame.rows(shown, {"email": "address", "why": "why"}, empty=nobody)
    if len(rows) > len(shown):
        frame.say(f"These are the first {SHOWN}: `syndicate issues refused {issue} FILE` writes all of them.")


def _write(file: Path, people: Iterable[RefusedReader]) -> int:
    import csv

    from syndicate.cli.private_file import written
    from syndicate.core.spreadsheet import to_cell

    count = 0
    with written(file) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["email", "why"])
        for each in people:
            writer.writerow([to_cell(each.email), to_cell(each.why)])
            count += 1
    return count
