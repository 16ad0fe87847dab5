"""The command line: one file per group of commands, imported when needed.

Exit status: 0 done (also when there was nothing new), 1 failed, 2 wrong usage or settings, 3 nothing to send.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from syndicate import __version__
from syndicate.errors import SyndicateError

COMMANDS = {
    "demo": "demo:demo",
    "init": "init:init",
    "check": "check:check",
    "run": "run:run",
    "stop": "halt:stop",
    "resume": "halt:resume",
    "confirm-live": "confirm_live:confirm_live",
    "collect": "collect:collect",
    "push": "push:push",
    "publish": "publish:publish",
    "articles": "articles:articles",
    "issues": "issues:issues",
    "send": "send:send",
    "letters": "letters:letters",
    "subscribers": "subscribers:subscribers",
    "sources": "definitions:sources",
    "feeds": "definitions:feeds",
    "newsletters": "newsletters:newsletters",
    "token": "token:token",
    "users": "users:users",
    "db": "db:db",
}


class Root(click.Group):
    """Loads a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"syndicate.cli.{module}"), attribute)
        return command


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--site", type=click.Path(path_type=Path, file_okay=False), help="The site's folder (default: this one).")
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context, site: Path | None) -> None:
    """Collect new articles, publish feeds and mail digests.

    Start with "syndicate demo --once", or "syndicate init mysite" for a site of your own.
    """
    ctx.obj = {"site": site}


def main() -> None:
    """Runs one command and ends the process with its exit status."""
    try:
        status = root.main(standalone_mode=False, prog_name="syndicate")
        sys.exit(status if isinstance(status, int) else 0)
    except SyndicateError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(error.exit_status)
    except click.exceptions.Abort:
        click.echo("Stopped. What was done is kept; the same command goes on from there.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
