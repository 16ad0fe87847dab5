"""The `web` role: the built-in web server of a site."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.errors import Refused
from syndicate.process.log import Log

if TYPE_CHECKING:
    from syndicate.site import Site

ATTENDANCE_SECONDS = 5.0
"""How long the sign of life that is just being given may take at the end."""
PATIENCE_SECONDS = 3.0
"""How long a web server that is just leaving may still hold the port."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one. Raises Refused with the cure when it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(1024)
        except (OSError, OverflowError) as error:
            listener.close()
            if time.monotonic() > patience or not isinstance(error, OSError) or _is_hopeless(error):
                reason = getattr(error, "strerror", None) or error
                raise Refused(
                    f"Nothing can listen at {address_of(host, port)} ({reason}).",
                    cure="Another program may use it: choose another by --port, --host or `[web] listen`.",
                ) from None
            time.sleep(0.05)
        else:
            return listener


def address_of(host: str, port: int) -> str:
    """`http://127.0.0.1:8000`, for people to open."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def serve_site(
    site: Site,
    listener: socket.socket,
    stop: threading.Event,
    ready: Callable[[], None],
    log: Log,
    *,
    demo: bool = False,
) -> int:
    """Serves until `stop`, then finishes open requests. In the `demo` whoever sits at this machine is signed in.
    As long as it lives it is among the site's workers, by a lock; it serves all the same while that cannot be had."""
    from syndicate.core.user import User
    from syndicate.process.attendance import Attendance
    from syndicate.process.loops import Loops
    from syndicate.web.app import make_app
    from syndicate.web.server import serve

    host, port = listener.getsockname()[:2]
    # The pages answer by the names of where they are, which an option may have changed.
    here = replace(site, settings=replace(site.settings, listen=(host, port)))
    at_home = demo and host in ("127.0.0.1", "::1")
    app = make_app(here, clock=lambda: datetime.now(UTC), open_to_loopback=User("demo", "admin") if at_home else None)
    log.say("listening", f"Listens at {address_of(host, port)}.", host=host, port=port)
    # Whoever connects from here on waits in the socket's queue until the server takes it.
    ready()
    loops = Loops(log)
    attendance = Attendance(site, "web", loops)
    loops.keep("attendance", attendance.step)
    try:
        serve(app, listener, stop)
    finally:
        loops.leave()
        loops.join(ATTENDANCE_SECONDS)
        attendance.close()
    return 0


def _is_hopeless(error: OSError) -> bool:
    import errno

    return error.errno != errno.EADDRINUSE
