"""What was brought to a source and is kept for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Holding:
    """One thing: its content, as JSON has it, and when it came."""

    content: Mapping[str, Any]
    sha256: str
    pushed_at: datetime
