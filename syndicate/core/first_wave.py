"""The first wave of an issue, and when an issue stops by itself: what refusals, bounces and complaints tell."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

FEWEST = {"refused": 20, "bounced": 20, "complained": 5}
"""Below so many, a share tells nothing."""

MOST_PLACES = 20
"""Over so many places a first wave is spread."""

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%\Z")


@dataclass(frozen=True, slots=True)
class FirstWave:
    """`share` (0 to 1) of the readers get an issue first; the others when `look` has passed since all of them but a few
    got it, with nothing that stops it."""

    share: float
    look: timedelta


@dataclass(frozen=True, slots=True)
class StopAt:
    """Shares (0 to 1) of those mailed at which an issue stops by itself."""

    refused: float = 0.1
    bounced: float = 0.05
    complained: float = 0.003


@dataclass(frozen=True, slots=True)
class Standing:
    """How an issue does so far: readers taken by the mail API, turned down by it, bounced for good, and who said that
    it is spam."""

    accepted: int = 0
    refused: int = 0
    bounced: int = 0
    complained: int = 0

    def since(self, seen: Standing) -> Standing:
        """What came after somebody saw how it stood."""
        return Standing(
            self.accepted - seen.accepted,
            self.refused - seen.refused,
            self.bounced - seen.bounced,
            self.complained - seen.complained,
        )


def parse_share(text: str) -> float:
    """`1%` as 0.01. Raises ValueError."""
    found = _SHARE.match(text.strip())
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError(f"found {text!r}")
    return float(found[1]) / 100


def wave_spans(planned: int, wave: FirstWave, size: int, issue_id: int) -> tuple[tuple[int, int], ...]:
    """The ordinals at which requests of the first wave begin, as (first, last) of spans in order; none for no readers.
    A request holds `size` readers at most.

    Readers are planned in the order in which they came. So that the wave has old and new ones, its spans lie evenly
    over all of them, from a place on that is the issue's own. None is shorter than a request: so one begins in each."""
    if not planned:
        return ()
    wanted = min(planned, math.ceil(planned * wave.share))
    places = max(1, min(MOST_PLACES, wanted // max(1, size)))
    stride = planned // places
    width = min(stride, max(math.ceil(wanted / places), size))
    seed = int.from_bytes(hashlib.sha256(f"first wave of {issue_id}".encode()).digest()[:8])
    first = 1 + seed % (stride - width + 1)
    return tuple((first + place * stride, first + place * stride + width - 1) for place in range(places))


def past_limits(standing: Standing, stop_at: StopAt) -> str:
    """Why an issue that does so stops, in one sentence, or ""."""
    mailed = standing.accepted + standing.refused
    for what, count, share, said in (
        ("refused", standing.refused, stop_at.refused, "were refused by the mail API"),
        ("bounced", standing.bounced, stop_at.bounced, "bounced"),
        ("complained", standing.complained, stop_at.complained, "said that it is spam"),
    ):
        if count >= FEWEST[what] and count > mailed * share:
            return (
                f"It stopped by itself: {count:,} of {mailed:,} {said}, which is more than {share * 100:g} %. "
                "Find out why before the others get it."
            )
    return ""


def rest_goes_at(settled_at: datetime, wave: FirstWave) -> datetime:
    """When the others get it, if the first wave was settled then."""
    return settled_at + wave.look
