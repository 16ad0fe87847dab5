"""`syndicate subscribers import --suppressions`: whom a mail API mails no more, from its own list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from syndicate.cli.frame import Frame, counted
from syndicate.cli.import_report import end_with_what_was_left_out, tell_problems
from syndicate.errors import UsageError

if TYPE_CHECKING:
    from syndicate.services.import_suppressions import SuppressionReport


def import_list(frame: Frame, file: Path, vendor: str, basis: str) -> None:
    """Reports what would be suppressed; with --yes, suppresses it."""
    if basis:
        raise UsageError("--basis is for people who are to be mailed; suppressions need none.")
    from syndicate.services.import_suppressions import import_suppressions
    from syndicate.storage.table_file import look_at

    with frame.progress("Suppressing" if frame.yes else "Reading", look_at(file).lines) as show_progress:
        report = import_suppressions(
            frame.site.database,
            path=file,
            vendor=vendor,
            apply=frame.yes,
            actor=frame.actor,
            now=frame.now,
            progress=show_progress,
        )
    _tell(frame, file, report)
    end_with_what_was_left_out(report)


def _tell(frame: Frame, file: Path, report: SuppressionReport) -> None:
    if frame.as_json:
        from dataclasses import asdict

        value = asdict(report) | {"new": report.new, "caution": report.caution}
        value["problems"] = [{"line": line, "reason": reason} for line, reason in report.problems]
        frame.emit(value)
        return
    lists = f" ({', '.join(report.lists)})" if report.lists else ""
    frame.say(f"{file.name}: {counted(report.rows, 'row')}{lists}.")
    would = "suppressed" if report.applied else "would be suppressed"
    for count, text in (
        (report.bounce, f"{would}: their mailbox does not exist"),
        (report.complaint, f"{would}: they reported a mail as spam"),
        (report.unsubscribe, f"{would}: they left"),
        (report.other, f"{would}: the list says so"),
        (report.already, "suppressed already, and kept so"),
        (report.open, "that this keeps from no mail: not unsubscribed, or a failure that may pass"),
        (report.bad, "cannot be used"),
    ):
        if count:
            frame.say(f"  {count:>9,} {text}")
    if report.new:
        frame.say(f"{counted(report.readers, 'reader')} here; the other addresses are kept as hashes.")
    tell_problems(frame, report)
    if report.caution:
        frame.warn(report.caution)
    if not report.applied:
        frame.say("Nothing was changed. To do it: add --yes.")
