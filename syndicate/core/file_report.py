"""What became of the rows of a file that is taken over, whatever it holds."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN_PROBLEMS = 1000


@dataclass(slots=True)
class FileReport:
    """How many rows were read, and how many of them cannot be used: `problems` are (line, reason) of the first
    thousand of those. `applied` tells whether anything was written, or only looked at."""

    rows: int = 0
    bad: int = 0
    encoding: str = "utf-8"
    applied: bool = False
    problems: list[tuple[int, str]] = field(default_factory=list)

    def refuse(self, line: int, reason: str) -> None:
        """One bad row."""
        self.rows += 1
        self.bad += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append((line, reason))
