"""The web server around the application: uvicorn, told to stop by an event and by nothing else."""

from __future__ import annotations

import gc
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from syndicate.web.protocol import Guarded

DRAIN_SECONDS = 10
"""How long open requests may take to end after the stop."""
KEEP_ALIVE_SECONDS = 75
"""How long a connection may stay open after an answer."""
SEARCHED_AFTER = (50_000, 20, 20)
"""After how many new objects Python looks for garbage that refers to itself, instead of 700: a report makes dozens, of
which none is such garbage, and the looks took a tenth of the time of taking it in."""
TURN_SECONDS = 0.0005
"""How long a thread that computes may keep the others waiting, the loop among them: it lets go at each answer that it
sends, and would get its turn again after Python's own 5 ms."""


class _Server(uvicorn.Server):
    """Leaves the process's signals alone: the process itself says when to stop."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def serve(app: Any, listener: socket.socket, stop: threading.Event) -> None:
    """Serves until `stop` is set, then takes nothing new, lets open requests end and returns. `listener` is bound and
    listening; an `app.stopping` event is set first, so that streams without end can end."""
    config = uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=Guarded,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        # A server in front on this machine says who asks; anybody else is not believed.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1,::1",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _Server(config)
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if stop.wait(0.2):
                stopping = getattr(app, "stopping", None)
                if stopping is not None:
                    stopping.set()
                server.should_exit = True
                return

    watcher = threading.Thread(target=watch, name="web-stop", daemon=True)
    watcher.start()
    turn, searched_after = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(TURN_SECONDS)
    gc.set_threshold(*SEARCHED_AFTER)
    try:
        server.run(sockets=[listener])
    finally:
        gc.set_threshold(*searched_after)
        sys.setswitchinterval(turn)
        ended.set()
        watcher.join()
