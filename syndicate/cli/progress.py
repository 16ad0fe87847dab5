"""Progress of several long steps, one bar at a time."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from syndicate.cli.frame import Frame


class Bars:
    """Shows a bar for the step under way; the next step takes its place. Nothing is shown without a terminal."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._stack = ExitStack()
        self._what: tuple[str, int | None] | None = None
        self._step: Callable[[int], None] = lambda done: None

    def __enter__(self) -> Bars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def show(self, what: str, done: int, total: int | None) -> None:
        """`what` has come so far, of `total` if that is known."""
        if self._what != (what, total):
            self._stack.close()
            self._what = (what, total)
            self._step = self._stack.enter_context(self._frame.progress(what, total))
        self._step(done)
