"""What makes two manual sends the same request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta

from syndicate.core.issue import Audience

SAME_AGAIN = timedelta(hours=24)
"""Within this time, the same manual send again is asked about first (DESIGN §4)."""
TYPE_THE_NUMBER_OVER = 1_000
"""Above this many readers the number has to be typed."""


def is_the_number(typed: int, readers: int) -> bool:
    """Whether somebody who typed that number knows to how many it goes: within a thousandth, for of millions some come
    and go while it is typed."""
    return abs(typed - readers) <= readers // 1_000



def request_hash(newsletter: str, article_ids: Iterable[str], audience: Audience) -> str:
    """40 hexadecimal digits over newsletter, articles in any order, and audience rule. An issue's `request_id` is this,
    a dot, and how often the same had been asked for before."""
    asked: list[object] = [newsletter, sorted(article_ids), sorted(audience.to or ()), audience.to is None]
    if audience.cadence is not None:
        asked.append(audience.cadence)
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:40]
