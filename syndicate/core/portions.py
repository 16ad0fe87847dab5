"""Many things, a limited number at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

_Each = TypeVar("_Each")


def portions(values: Iterable[_Each], size: int) -> Iterator[list[_Each]]:
    """The values in their order, `size` together, the last ones perhaps fewer; none for no values."""
    left = iter(values)
    while portion := list(islice(left, size)):
        yield portion
