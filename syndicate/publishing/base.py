"""The port of the target family."""

from __future__ import annotations

from typing import Protocol


class Target(Protocol):
    """A place that holds published files under relative paths with `/`."""

    def put(self, path: str, content: bytes) -> bool:
        """Puts the bytes there as a whole, never half; False when it already held these bytes (nothing is touched)."""

    def get(self, path: str) -> bytes | None:
        """The bytes there, or None."""

    def remove(self, path: str) -> bool:
        """Removes it; False when there was nothing."""

    def holds(self, path: str) -> bool:
        """Whether something is there that is not empty, without reading it."""
