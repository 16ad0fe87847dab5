"""A whole site in motion: its web server and its work, each in a process of its own, under one supervisor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from syndicate.process.drain import kill_seconds
from syndicate.process.log import Log
from syndicate.process.supervisor import Child, child_command, only_one, supervise
from syndicate.process.web import address_of, listen

if TYPE_CHECKING:
    from syndicate.site import Site


def run_site(
    site: Site,
    log: Log,
    *,
    host: str,
    port: int,
    up: Callable[[str], None],
    options: Sequence[str] = (),
    web_options: Sequence[str] = (),
    work_options: Sequence[str] = (),
) -> int:
    """Runs the site until it is told to leave, and returns the exit status. `up` is called with its address once
    everything works; `options` go to both processes. Raises Refused when it runs already, or cannot listen there."""
    with ExitStack() as stack:
        stack.enter_context(only_one(site.directory, address_of(host, port)))
        sock = stack.enter_context(listen(host, port))
        address = address_of(*sock.getsockname()[:2])
        # No connection is open while a process is started.
        site.database.dispose()
        handed = str(sock.fileno())
        children = [
            Child(
                "web",
                child_command(site.directory, "web", "--listener", handed, *web_options, *options),
                log,
                hand_down=[sock.fileno()],
            ),
            Child("work", child_command(site.directory, "work", *work_options, *options), log),
        ]
        patience = kill_seconds(site.mail.deadline_seconds)
        return supervise(children, log, up=lambda: up(address), patience_seconds=patience)
