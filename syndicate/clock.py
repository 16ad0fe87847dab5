"""When slots are due: APScheduler's cron trigger enumerates wall times, and nothing else of it is used.

A slot is named by its wall time alone, so that it stays one slot whatever the zone does. Where the clocks go forward
over it, it is due at the same distance from midnight as on the day before (02:30 then reads 03:30); where they go
back, it is due the first time that the clock shows it.

The trigger counts in a time without changes, and the zone is applied to what it finds. Given the zone itself, it
steps over the slot after a change when that is soon after midnight (APScheduler 3.11: it adds wall time to instants).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from itertools import islice
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from syndicate.core.newsletter import Cadence
from syndicate.core.schedule import DAYS
from syndicate.core.slot import Slot

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)


def slots_after(cadence: Cadence, timezone: str, after: datetime) -> Iterator[Slot]:
    """The cadence's slots that are due later than `after`, in order, without end."""
    zone = ZoneInfo(timezone)
    days = ",".join(DAYS[day] for day in cadence.days)
    return merge(
        *(
            _fires(CronTrigger(day_of_week=days, hour=each.hour, minute=each.minute, timezone=UTC), zone, after)
            for each in cadence.times
        )
    )


def next_slots(cadence: Cadence, timezone: str, after: datetime, count: int) -> list[Slot]:
    """The first `count` of them."""
    return list(islice(slots_after(cadence, timezone, after), count))


def slots_between(cadence: Cadence, timezone: str, after: datetime, through: datetime) -> list[Slot]:
    """Those that are due in (after, through]."""
    found: list[Slot] = []
    day = after.astimezone(UTC).date()
    while day <= through.astimezone(UTC).date():
        found += (slot for slot in _slots_of_day(cadence, timezone, day) if after < slot.due_at <= through)
        day += _DAY
    return found


@lru_cache(maxsize=8192)
def _slots_of_day(cadence: Cadence, timezone: str, day: date) -> tuple[Slot, ...]:
    """Those due on that day of UTC. The clock asks for the same few days every second."""
    start = datetime.combine(day, time(), UTC)
    found = []
    for slot in slots_after(cadence, timezone, start - _TICK):
        if slot.due_at >= start + _DAY:
            break
        found.append(slot)
    return tuple(found)


def instant_of(wall: datetime, timezone: str) -> datetime:
    """The instant, in UTC, at which clocks in that zone first show the naive wall time `wall`."""
    return wall.replace(tzinfo=ZoneInfo(timezone), fold=0).astimezone(UTC)


def wall_of(moment: datetime, timezone: str) -> datetime:
    """What clocks in that zone show then, naive."""
    return moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def _fires(trigger: CronTrigger, zone: ZoneInfo, after: datetime) -> Iterator[Slot]:
    # No zone moves its clocks by more than a day.
    wall = after.astimezone(zone).replace(tzinfo=UTC) - timedelta(days=1)
    while (fire := trigger.get_next_fire_time(None, wall + _TICK)) is not None:
        wall = fire
        # fold=0: the first of two equal wall times; the old offset for one that is stepped over (PEP 495).
        due_at = fire.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if due_at > after:
            yield Slot(due_at, f"{fire:%Y-%m-%dT%H:%M}")


class Triggers:
    """APScheduler in the background: it calls back again and again, and what it calls only rings or notes, and works
    elsewhere."""

    def __init__(self) -> None:
        # A hundred milliseconds that only a process which stays has to pay.
        from apscheduler.executors.debug import DebugExecutor
        from apscheduler.schedulers.background import BackgroundScheduler
        from apscheduler.triggers.base import BaseTrigger

        class Every(BaseTrigger):  # type: ignore[misc]
            """Counts from now: the interval trigger of APScheduler 3.11 lists every moment that a clock which was set
            forward has stepped over, and a machine that starts without the time steps over decades."""

            def __init__(self, pause: timedelta) -> None:
                self.pause = pause

            def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
                return now + self.pause if previous is not None else now

        self._every = Every
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def every(self, seconds: float, name: str, call: Callable[[], None]) -> None:
        """Calls at once when it starts, and then every so many seconds."""
        self._scheduler.add_job(call, self._every(timedelta(seconds=seconds)), id=name, name=name)

    def start(self) -> None:
        """From now on it calls, in a thread of its own."""
        self._scheduler.start()

    def realign(self) -> None:
        """Calls each at once and counts anew: after the machine's clock was set back, the next call would be as far
        away as the clock was set."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Calls nothing any more."""
        self._scheduler.shutdown(wait=False)
