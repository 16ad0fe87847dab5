"""The books of an issue: everybody planned is in exactly one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PLACES = ("accepted", "refused", "suppressed", "withdrawn", "uncertain", "waiting")


@dataclass(frozen=True, slots=True)
class Books:
    """Counts of people at one moment. accepted: taken by the mail API. refused: turned down for good. suppressed: left,
    suppressed or erased after the freezing. withdrawn: the issue was cancelled first. uncertain: sent, no proof either
    way. waiting: planned, to be tried again, or being sent by a live process."""

    planned: int
    accepted: int = 0
    refused: int = 0
    suppressed: int = 0
    withdrawn: int = 0
    uncertain: int = 0
    waiting: int = 0

    @property
    def balanced(self) -> bool:
        """Whether planned is the sum of the others, and none of them is negative."""
        parts: list[int] = [getattr(self, place) for place in PLACES]
        return self.planned == sum(parts) and min(parts) >= 0

    def as_dict(self) -> dict[str, int | bool]:
        """For `--json`: the counts by name, and `balanced`."""
        counts: dict[str, int | bool] = {name: getattr(self, name) for name in ("planned", *PLACES)}
        return {**counts, "balanced": self.balanced}


def books_of(planned: int, counts: Mapping[str, int]) -> Books:
    """The books from counts by place; places that are missing hold nobody."""
    return Books(planned, **{place: counts.get(place, 0) for place in PLACES})
