"""The tripwire of a source: when far more than usual looks new at once, somebody should look before it goes out.

A feed that gives all its items new ids, an archive copied into the folder, a program run twice: each looks like a day
of big news, and would be mailed. What is usual is told by the source's own history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

TOGETHER = timedelta(minutes=2)
"""What arrives within that time of each other counts as at once: a slow copy is several looks."""
OLD = timedelta(days=2)
"""What is dated that long before the last good look should have been seen then."""


@dataclass(frozen=True, slots=True)
class Tripwire:
    """Never trips up to `at_least` articles at once (0: never at all), nor up to `times` what is usual; but always
    above `old` articles that look new and are old by their date."""

    at_least: int = 20
    times: int = 5
    old: int = 5


def lots(arrivals: Sequence[datetime]) -> list[int]:
    """How many came together each time; `arrivals` is in order, up or down."""
    found: list[int] = []
    begin: datetime | None = None
    for each in arrivals:
        if begin is None or abs(each - begin) > TOGETHER:
            begin = each
            found.append(0)
        found[-1] += 1
    return found


def most(wire: Tripwire, usual: Sequence[int]) -> int:
    """How many may look new at once, by what came together before: several times the usual, and half as many again as
    the largest lot that was let through."""
    if not usual:
        return wire.at_least
    return max(wire.at_least, int(wire.times * median(usual)), max(usual) * 3 // 2)


class Watch:
    """Counts what looks new in one look. `recent` are the dates of what came just before, `usual` gives what came
    together at other times: it is asked once, and only when it matters. `last_ok_at` is the last good look before."""

    def __init__(
        self,
        wire: Tripwire,
        *,
        last_ok_at: datetime | None,
        recent: Sequence[datetime | None] = (),
        usual: Callable[[], Sequence[int]],
    ) -> None:
        self._wire = wire
        self._old_before = last_ok_at - OLD if last_ok_at is not None else None
        self._ask = usual
        self._usual: Sequence[int] | None = None
        self._most: int | None = None
        self.found = 0
        self.old = 0
        for date in recent:
            self._count(date)

    def see(self, date: datetime | None) -> None:
        """One more looks new, of that date."""
        self._count(date)

    @property
    def is_armed(self) -> bool:
        """Whether it can trip at all."""
        return self._wire.at_least > 0

    @property
    def tripped(self) -> bool:
        """Whether it is too much."""
        if not self.is_armed:
            return False
        if self.old > self._wire.old:
            return True
        if self.found <= self._wire.at_least:
            return False
        if self._most is None:
            self._most = most(self._wire, self._lots())
        return self.found > self._most

    @property
    def reason(self) -> str:
        """Why, as a person reads it after "held"."""
        usual = self._lots()
        said = f"{self.found:,} articles look new at once, "
        said += f"usually {round(median(usual)):,}" if usual else "and none came before"
        if self.old > self._wire.old:
            said += f"; {self.old:,} are old by their date"
        return said

    def _count(self, date: datetime | None) -> None:
        self.found += 1
        if date is not None and self._old_before is not None and date < self._old_before:
            self.old += 1

    def _lots(self) -> Sequence[int]:
        if self._usual is None:
            self._usual = self._ask()
        return self._usual
