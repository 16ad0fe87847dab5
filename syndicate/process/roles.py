"""One role of a site as a process: it works until it is told to leave, or until its parent is gone."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import IO

from syndicate.errors import SyndicateError
from syndicate.process.log import Log
from syndicate.process.signals import Signals

READY = "ready\n"
"""The one line that a child writes to its parent once it works."""


def live(body: Callable[[threading.Event, Callable[[], None]], int], log: Log, *, child: bool) -> int:
    """Runs `body(stop, ready)` in a thread while this one, the main one, minds signals: the first sets `stop`, the
    second ends the process at once. Returns what the body returned, or 1 when it raised.

    A `child` has a pipe from its parent as its standard input, and leaves when that ends, as it does the instant the
    parent is killed."""
    stop, over = threading.Event(), threading.Event()
    orphaned = threading.Event()
    outcome: list[int] = []

    def ready() -> None:
        if child:
            _tell_parent()

    def run() -> None:
        try:
            outcome.append(body(stop, ready))
        except SyndicateError as error:
            # Foreseen, such as a database that is away: whoever keeps this process going starts it again.
            log.warn("failed", str(error))
        except Exception as error:
            log.fail("failed", f"{type(error).__name__}: {error}")
        finally:
            over.set()

    with Signals() as signals:
        if child:
            threading.Thread(target=_await_end, args=(sys.stdin, orphaned), name="parent", daemon=True).start()
        threading.Thread(target=run, name="role", daemon=True).start()
        told = 0
        while not over.is_set():
            for number in signals.wait(0.1):
                told += 1
                if told > 1:
                    log.warn("left", "Told twice: leaves at once. The next start goes on from here.")
                    leave_at_once(128 + number)
                log.say("leaving", "Finishes what is under way, then leaves. Once more: leaves at once.")
                stop.set()
            if orphaned.is_set() and not stop.is_set():
                log.warn("orphaned", "The supervisor is gone: finishes what is under way, then leaves.")
                stop.set()
    return outcome[0] if outcome else 1


def leave_at_once(status: int) -> None:
    """Ends the process without waiting for anything."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # whoever read it is gone
    os._exit(status)


def _await_end(stream: IO[str], orphaned: threading.Event) -> None:
    try:
        while os.read(stream.fileno(), 4096):
            pass
    except OSError:
        pass  # a pipe that cannot be read has no parent at its other end
    orphaned.set()


def _tell_parent() -> None:
    try:
        sys.stdout.write(READY)
        sys.stdout.flush()
    except OSError:
        pass  # the pipe that tells of the parent's end says the same
