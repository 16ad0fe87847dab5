"""Sending by a command that may be told to stop: what is under way comes to its end first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from syndicate.process.roles import leave_at_once
from syndicate.process.signals import Signals

Result = TypeVar("Result")
LOOK_SECONDS = 0.1


def drained(body: Callable[[threading.Event], Result], told: Callable[[], None]) -> tuple[Result, bool]:
    """Runs `body(stop)` in a thread while this one, the main one, minds signals. The first calls `told` and sets
    `stop`, upon which the body finishes what is under way; the second ends the process at once, with 128 + the signal.

    Returns what the body returned, and whether it was told to stop. Raises what the body raised."""
    stop, over = threading.Event(), threading.Event()
    returned: list[Result] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(body(stop))
        except BaseException as error:
            raised.append(error)
        finally:
            over.set()

    with Signals() as signals:
        thread = threading.Thread(target=run, name="sending", daemon=True)
        thread.start()
        while not over.is_set():
            for number in signals.wait(LOOK_SECONDS):
                if stop.is_set():
                    leave_at_once(128 + number)
                told()
                stop.set()
        thread.join()
    if raised:
        raise raised[0]
    return returned[0], stop.is_set()
