"""People of a frozen audience, column by column: a mailing to a million makes no object for each of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Recipients:
    """Who they are, in the order of their ordinals: the same place in each column is the same person."""

    ordinals: Sequence[int] = ()
    subscriber_ids: Sequence[int] = ()
    emails: Sequence[str] = ()
    names: Sequence[str] = ()
    variant_keys: Sequence[str] = ()

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> Recipients:
        """Of rows (ordinal, subscriber id, e-mail address, name, variant key)."""
        return cls(*zip(*rows, strict=True))

    def __len__(self) -> int:
        return len(self.ordinals)

    def part(self, start: int, stop: int) -> Recipients:
        """Those from one place to another, without the last."""
        if start == 0 and stop == len(self):
            return self
        return self._columns(lambda column: column[start:stop])

    def between(self, first: int, last: int) -> Recipients:
        """Those with an ordinal from `first` to `last`, both included."""
        return self.part(bisect_left(self.ordinals, first), bisect_right(self.ordinals, last))

    def without(self, ordinals: Collection[int]) -> Recipients:
        """The others."""
        if not ordinals:
            return self
        stays = [ordinal not in ordinals for ordinal in self.ordinals]
        return self._columns(lambda column: tuple(compress(column, stays)))

    def _columns(self, of: Callable[[Sequence[Any]], Sequence[Any]]) -> Recipients:
        return Recipients(
            of(self.ordinals), of(self.subscriber_ids), of(self.emails), of(self.names), of(self.variant_keys)
        )
