"""What a file that was read for an import could not give: line by line, and as the end of the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syndicate.cli.frame import Frame
from syndicate.errors import BadInput

if TYPE_CHECKING:
    from syndicate.core.file_report import FileReport

SHOWN_PROBLEMS = 20


def tell_problems(frame: Frame, report: FileReport) -> None:
    """The first lines that cannot be used, and how many more there are."""
    for line, reason in report.problems[:SHOWN_PROBLEMS]:
        frame.warn(f"  line {line}: {reason}")
    if report.bad > SHOWN_PROBLEMS:
        frame.warn(f"  … and {report.bad - SHOWN_PROBLEMS:,} more; --json lists a thousand.")


def end_with_what_was_left_out(report: FileReport) -> None:
    """Raises BadInput when an import was done without some of the rows."""
    if report.applied and report.bad:
        raise BadInput(
            f"{report.bad:,} of {report.rows:,} rows were left out.", cure="Mend them and import the file again."
        )
