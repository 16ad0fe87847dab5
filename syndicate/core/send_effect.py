"""What sending at a moment means for readers: whether it is still to come, what their clocks show then, and when would
be a better time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

NIGHT_BEGINS, MORNING = time(22, 0), time(6, 30)
"""Between these, by their own clocks, people are not to be woken without an editor having seen it."""

STILL_NOW = timedelta(minutes=1)
"""A time so lately past is that of the minute in which somebody chose it."""

_ENOUGH = 0.1
"""A moment at which at most this share has night is a good one."""


@dataclass(frozen=True, slots=True)
class Hour:
    """So many readers whose clocks show this (aware, in one of their zones)."""

    at: datetime
    people: int

    @property
    def is_night(self) -> bool:
        """Whether they sleep."""
        return not MORNING <= self.at.time() < NIGHT_BEGINS


@dataclass(frozen=True, slots=True)
class SendEffect:
    """Who has what hour when it is sent at `at`, the largest group first; `better` is a later time at which fewer have
    night, None when this one is good enough or none is better within a day."""

    at: datetime
    hours: tuple[Hour, ...]
    better: datetime | None

    @property
    def people(self) -> int:
        """All readers."""
        return sum(each.people for each in self.hours)

    @property
    def at_night(self) -> int:
        """Readers whose night it is."""
        return sum(each.people for each in self.hours if each.is_night)

    @property
    def wakes_many(self) -> bool:
        """Whether more have night than a good moment allows."""
        return self.at_night > self.people * _ENOUGH


def is_past(at: datetime, now: datetime) -> bool:
    """Whether nothing can be set for `at` any more."""
    return at < now - STILL_NOW


def send_effect(zones: Mapping[str, int], at: datetime, default_zone: str) -> SendEffect:
    """From how many readers have which time zone ("" and what is no zone: the default)."""
    known: dict[str, int] = {}
    for name, people in zones.items():
        zone = name if _is_zone(name) else default_zone
        known[zone] = known.get(zone, 0) + people
    hours = _hours(known, at)
    better = None
    total = sum(known.values())
    night = sum(each.people for each in hours if each.is_night)
    if total and night > total * _ENOUGH:
        candidates = sorted({morning for zone in known if (morning := _next_morning(zone, at))})
        asleep = [(moment, _asleep(known, moment)) for moment in candidates]
        good = [moment for moment, count in asleep if count <= total * _ENOUGH]
        fewest = min(asleep, key=lambda each: (each[1], each[0]), default=None)
        better = good[0] if good else fewest[0] if fewest and fewest[1] < night else None
    return SendEffect(at, hours, better)


def in_words(effect: SendEffect, zone: str, *, chosen: bool = False) -> str:
    """One sentence for the editor, whose own clock is in `zone`; `chosen` when the moment is not now but one that they
    named."""
    if not effect.people:
        return "Nobody would get it."
    first = effect.hours[0]
    if not effect.at_night:
        if len(effect.hours) == 1:
            return f"{first.at:%H:%M} for all {effect.people:,}."
        return f"{first.at:%H:%M} for {first.people:,} of {effect.people:,}, and day for the others too."
    sleepers = [each for each in effect.hours if each.is_night]
    most = sleepers[0]
    if len(sleepers) == 1:
        told = f"{most.at:%H:%M} at night for {most.people:,} of {effect.people:,}"
    else:
        told = f"night for {effect.at_night:,} of {effect.people:,} ({most.at:%H:%M} for {most.people:,} of them)"
    if effect.better is None:
        return f"{told[0].upper()}{told[1:]}."
    better = effect.better.astimezone(ZoneInfo(zone))
    day = "" if better.date() == effect.at.astimezone(ZoneInfo(zone)).date() else f" on {better:%A}"
    return f"{told[0].upper()}{told[1:]}: {'then' if chosen else 'now'}, or at {better:%H:%M}{day}?"


def _hours(zones: Mapping[str, int], at: datetime) -> tuple[Hour, ...]:
    """Zones whose clocks show the same are one."""
    clocks: dict[timedelta, datetime] = {}
    people: dict[timedelta, int] = {}
    for zone in sorted(zones):
        local = at.astimezone(ZoneInfo(zone))
        offset = local.utcoffset() or timedelta()
        clocks.setdefault(offset, local)
        people[offset] = people.get(offset, 0) + zones[zone]
    hours = [Hour(local, people[offset]) for offset, local in clocks.items()]
    return tuple(sorted(hours, key=lambda each: (-each.people, each.at)))


def _asleep(zones: Mapping[str, int], at: datetime) -> int:
    return sum(each.people for each in _hours(zones, at) if each.is_night)


def _next_morning(zone: str, after: datetime) -> datetime | None:
    local = after.astimezone(ZoneInfo(zone))
    morning = local.replace(hour=MORNING.hour, minute=MORNING.minute, second=0, microsecond=0, fold=0)
    if morning.astimezone(UTC) <= after.astimezone(UTC):
        morning += timedelta(days=1)  # wall time: the same hour on the next day
    return morning.astimezone(UTC)


def _is_zone(name: str) -> bool:
    try:
        return bool(name) and ZoneInfo(name) is not None
    except (KeyError, ValueError, OSError):
        return False
