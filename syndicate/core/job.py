"""Jobs: signals that something may be due.

A job carries no work: whoever takes it reads the rows, which hold the truth. So one too many does nothing, and one that
is lost is put again by whoever looks at the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["collect", "publish", "prepare", "deliver"]

HANDS = 4
"""How many workers are called to one issue that is being sent: each claims batches beside the others."""


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """Two jobs of the same kind and subject are one. `lane` says whom it waits behind."""

    kind: Kind
    subject: str = ""
    lane: str = ""

    @property
    def key(self) -> str:
        """What makes it one with others."""
        return f"{self.kind} {self.subject}"


def collect(source: str, *, folder: bool) -> Job:
    """Look at a source. A folder waits behind folders only: a web server that is slow to answer never keeps a saved
    file waiting."""
    return Job("collect", source, "folders" if folder else "collect")


def publish(*, everything: bool = False) -> Job:
    """Bring the files of the feeds up to date: those that changed, or `everything`, looking for files that went
    missing."""
    return Job("publish", "everything" if everything else "changes", "publish")


def draft(newsletter: str, cadence: str) -> Job:
    """Draft a cadence's next issue, for the slot that is near."""
    return Job("prepare", f"{newsletter}/{cadence}", "prepare")


def freeze(issue_id: int) -> Job:
    """Fix an issue's audience and its batches, now that its time has come."""
    return Job("prepare", str(issue_id), "prepare")


def deliver(issue_id: int) -> tuple[Job, ...]:
    """Send an issue: a call to each of several workers."""
    return tuple(Job("deliver", f"{issue_id}/{hand}", "deliver") for hand in range(1, HANDS + 1))


def issue_of(job: Job) -> int | None:
    """The issue that is to be frozen or delivered; None for a job that is about something else."""
    number = job.subject.partition("/")[0] if job.kind == "deliver" else job.subject
    return int(number) if job.kind in ("prepare", "deliver") and number.isdecimal() else None
