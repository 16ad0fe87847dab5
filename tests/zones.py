"""Every change of the clocks that the time zone database knows, found by looking at what the clocks show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

_STEP, _EXACT = timedelta(days=14), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` (UTC) on clocks are `after` ahead of UTC, and `before` until then."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def wall(self) -> datetime:
        """What clocks would have shown then, naive: the first wall time that is left out, or the end of those that come
        twice."""
        return self.at.replace(tzinfo=None) + self.before

    @property
    def odd(self) -> datetime:
        """A wall time in the middle of those that are left out, or come twice."""
        return self.wall + (self.after - self.before) / 2


def offset(zone: str, moment: datetime) -> timedelta:
    """How far its clocks are ahead of UTC at that instant."""
    found = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


@lru_cache(maxsize=1024)
def changes(zone: str, start: datetime, end: datetime) -> tuple[Change, ...]:
    """Those of one zone between two instants, in order."""
    rules, moments, found = ZoneInfo(zone), _moments(start, end), []
    offsets = [each.astimezone(rules).utcoffset() or timedelta(0) for each in moments]
    for (low, before), (high, after) in pairwise(zip(moments, offsets, strict=True)):
        if before != after:
            while high - low > _EXACT:
                middle = low + (high - low) // _EXACT // 2 * _EXACT
                low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
            found.append(Change(high, before, after))
    return tuple(found)


@lru_cache(maxsize=8)
def _moments(start: datetime, end: datetime) -> list[datetime]:
    return [start + _STEP * place for place in range((end - start) // _STEP + 1)] + [end]


def names() -> list[str]:
    """All zones that a site may name."""
    return sorted(available_timezones() - {"Factory", "localtime"})


def families(start: datetime, end: datetime) -> list[str]:
    """One zone of each kind: zones whose clocks show the same between two instants are one."""
    kinds = {(offset(name, start), changes(name, start, end)): name for name in reversed(names())}
    return sorted(kinds.values())
