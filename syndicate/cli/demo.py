"""`syndicate demo`: a whole sample site, the main job done in it, and all of it alive; with `--once`, only the job."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syndicate.errors import NothingToSend, Refused, Unfinished, UsageError

if TYPE_CHECKING:
    from syndicate.site import Site

MARK = ".syndicate/demo"
"""The file that tells a folder of ours from anybody else's."""


@click.command()
@click.option("--once", is_flag=True, help="Do the main job once, then end.")
@click.option("--dir", "directory", type=click.Path(path_type=Path, file_okay=False), help="Where (default: .demo/).")
@click.option("--port", type=click.IntRange(1, 65534), help="Where a new site is reached (default: a free one).")
@click.pass_context
def demo(ctx: click.Context, once: bool, directory: Path | None, port: int | None) -> int:
    """Make a sample site, do the job in it, and keep it alive.

    It collects the sample articles, publishes their feeds, and mails a digest to 200 sample readers. Nothing leaves
    this machine: the mails land in the folder's outbox/. Then the console, the readers' pages and an inbox are there
    to try, until Ctrl-C. A second time it goes on in the same site.
    """
    if (ctx.find_root().obj or {}).get("site"):
        raise UsageError("The demo makes a site of its own.", cure="Say where with --dir instead of --site.")
    from syndicate.cli.demo_steps import Steps

    folder, feeds_folder = _places(directory)
    now = datetime.now(UTC)
    began = time.monotonic()
    site = _open(folder, feeds_folder, now, port)
    steps = Steps(site, now, click.echo)
    try:
        steps.take_in()
        steps.enrol()
        steps.publish()
        steps.mail()
    except NothingToSend as nothing:
        click.echo(f"Mailed     nothing: {nothing.message}")
    finally:
        site.database.dispose()
    if not once:
        from syndicate.cli.demo_alive import keep_alive

        return keep_alive(site)
    click.echo(f"Done in {time.monotonic() - began:.1f} s. Look at:")
    click.echo(f"  {_shown(site.feeds_folder / 'index.html')}    the feeds, for people")
    click.echo(f"  {_shown(site.outbox)}/    the mails, one .eml each")
    click.echo(f"  {_program()} --site {_shown(folder)} issues list    and every other command")
    if steps.unfinished:
        raise Unfinished(steps.unfinished)
    return 0


def _places(directory: Path | None) -> tuple[Path, Path | None]:
    """The site's folder, and where it publishes when that is not inside it: in a checkout, the checkout's `feeds/`."""
    if directory is not None:
        return directory.resolve(), None
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "feeds" / "README.md").is_file():
        return checkout / ".demo", checkout / "feeds"
    return Path.cwd() / ".demo", None


def _open(folder: Path, feeds_folder: Path | None, now: datetime, port: int | None) -> Site:
    """The demo's site, made when it is not there. Raises Refused for a folder that is not ours."""
    from syndicate.demo.content import settings
    from syndicate.services.write_site import SETTINGS_NAME, write_site
    from syndicate.site import open_site

    mark = folder / MARK
    if not mark.exists():
        if folder.exists() and any(folder.iterdir()):
            raise Refused(
                f"{folder} is not empty and was not made by the demo.", cure="Name a new folder: --dir some/new/folder."
            )
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("The demo made this folder and may change anything in it.\n", encoding="utf-8")
    if not (folder / SETTINGS_NAME).exists():
        write_site(folder, settings(feeds_folder, port=port or _free_port()))
    site = open_site(folder)
    if port is not None and site.settings.listen[1] != port:
        raise Refused(
            f"This demo is reached at port {site.settings.listen[1]}, and its mails lead there.",
            cure="Make another one: --dir some/new/folder --port …",
        )
    # Run again after an interruption, each step changes only what is not done yet.
    site.start(now)
    return site


def _free_port() -> int:
    """One for the site that has another free after it, for the wire."""
    from contextlib import ExitStack
    from socket import create_server

    from syndicate.demo.content import PORT

    for port in range(PORT, PORT + 500, 2):
        with ExitStack() as stack:
            try:
                for each in (port, port + 1):
                    stack.enter_context(create_server(("127.0.0.1", each)))
            except OSError:
                continue
            return port
    raise Refused("No port between 8025 and 8525 is free.", cure="Name one: --port …")


def _program() -> str:
    """How this very program is typed."""
    return "python3 -m syndicate" if Path(sys.argv[0]).name == "__main__.py" else "syndicate"


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
