"""The demo alive: the whole product on the sample site, with what there is to open and to try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from syndicate.process.log import Log
    from syndicate.site import Site

WIRE = "wire"


def keep_alive(site: Site) -> int:
    """Runs the site with its wire until Ctrl-C; the exit status. Whoever sits at this machine is signed in."""
    from syndicate.process.log import Log, start_log
    from syndicate.process.running import run_site

    start_log(secrets=site.secrets)
    log = Log("demo")
    host, port = site.settings.listen
    with ExitStack() as stack:
        stack.enter_context(_wire(site, port + 1, log))
        return run_site(
            site, log, host=host, port=port, up=lambda address: _invite(site, address), web_options=["--demo"]
        )


def _invite(site: Site, address: str) -> None:
    click.echo(
        f"""
{site.publication.title} is alive. Ctrl-C ends it; the next start goes on from there.

  Console   {address}/console/     what editors see; you are signed in
  Feeds     {address}/feeds/       every feed in three formats
  Readers   {address}/             sign-up, and what readers meet
  Archive   {address}/archive/     the issues that went out
  Inbox     {_inbox(site.outbox)}/             every mail, on a telephone and a desktop

Three things to try:
  1. Save a file, and watch it appear in the feeds within two seconds:
       {_save(site.directory)}
  2. Write a breaking mail: in the console open an article, choose "Send…", and stop it half-way.
  3. While a send runs, open a mail in the inbox and leave by one click: no further mail goes to that reader.
"""
    )


def _save(folder: Path) -> str:
    words = "A seal sleeps on the slipway again"
    return f'printf "# {words}\\n\\nIt came in with the morning tide.\\n" > {folder}/articles/harbour/seal.md'


def _inbox(outbox: Path) -> str:
    try:
        return f"http://127.0.0.1:{int((outbox / 'port').read_text(encoding='ascii'))}"
    except (OSError, ValueError):
        return f"see {outbox}"


@contextmanager
def _wire(site: Site, port: int, log: Log) -> Iterator[None]:
    """Serves the wire, and has it collected only while it is served."""
    from syndicate.demo.wire import running_wire

    with ExitStack() as stack:
        try:
            stack.enter_context(running_wire(port))
        except OSError as error:
            log.warn("wire", f"The wire cannot be served at port {port} ({error.strerror}): it goes without.")
        else:
            _pause(site, paused=False)
            stack.callback(_pause, site, paused=True)
        yield


def _pause(site: Site, *, paused: bool) -> None:
    from syndicate.services.pause_definition import pause_definition

    pause_definition(site.database, "sources", WIRE, paused=paused, actor="demo", now=datetime.now(UTC))
    site.database.dispose()
