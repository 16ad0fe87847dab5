"""Newsletters: standing digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Literal

from syndicate.core.first_wave import FirstWave, StopAt
from syndicate.core.quiet import QuietHours
from syndicate.core.selection import EVERYTHING, Selection


@dataclass(frozen=True, slots=True)
class Cadence:
    """One rhythm of a newsletter: `days` of the week (0 = Monday) at the wall times `times`."""

    name: str
    days: tuple[int, ...]
    times: tuple[time, ...]
    text: str
    """As written in the settings, e.g. `mon-fri 07:00`."""


@dataclass(frozen=True, slots=True)
class Newsletter:
    """`timezone` is an IANA name; slots are wall times in it. `cadences` keeps the order of the settings: the first is
    the default."""

    name: str
    title: str
    language: str
    timezone: str
    selection: Selection = EVERYTHING
    cadences: Mapping[str, Cadence] = field(default_factory=dict)
    min_articles: int = 1
    max_articles: int = 12
    approval: Literal["editor", "automatic"] = "editor"
    draft_at_minutes: int = 60
    """Minutes before the slot at which the issue is composed."""
    if_not_approved: Literal["hold", "skip", "send"] = "hold"
    when_uncertain: Literal["ask", "resend"] = "ask"
    template: str = "digest"
    description: str = ""
    quiet: QuietHours | None = None
    first_wave: FirstWave | None = None
    stop_at: StopAt = field(default_factory=StopAt)
