"""What every command shares: the site, `--json`, tables, questions and progress."""

from __future__ import annotations

import functools
import getpass
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from syndicate.site import Site

_Answer = TypeVar("_Answer")


class Frame:
    """One run of one command. `now` is read once, so that a command acts at one instant."""

    def __init__(self, directory: Path, *, as_json: bool = False, yes: bool = False) -> None:
        self.directory = directory
        self.as_json = as_json
        self.yes = yes
        self.now = datetime.now(UTC)
        self._at_the_end = ExitStack()

    @functools.cached_property
    def opened(self) -> Site:
        """The site with its settings read, whatever its tables are like."""
        from syndicate.site import open_site

        site = open_site(self.directory)
        self._at_the_end.callback(site.database.dispose)
        return site

    @functools.cached_property
    def site(self) -> Site:
        """The opened site: its settings are read and its tables are up to date."""
        self.opened.database.require_current()
        return self.opened

    def close(self) -> None:
        """Closes what the command opened."""
        self._at_the_end.close()

    def when(self, moment: datetime) -> str:
        """`2026-01-31 07:00` in the publication's zone, whatever this machine's is."""
        return f"{moment.astimezone(ZoneInfo(self.site.publication.timezone)):%Y-%m-%d %H:%M}"

    @property
    def actor(self) -> str:
        """Who runs the command, for the audit log."""
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return "command line"

    def say(self, text: str) -> None:
        """A line for people: to standard output, or to standard error when `--json` owns standard output."""
        click.echo(text, err=self.as_json)

    def warn(self, text: str) -> None:
        """A line for people that something is off."""
        click.secho(text, fg="yellow", err=True)

    def emit(self, value: Any) -> None:
        """The result for programs, when `--json` was asked for."""
        if self.as_json:
            click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))

    def rows(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str) -> None:
        """A list: JSON with every key, or a table of `columns` (key → heading) for people, or the `empty` line."""
        if self.as_json:
            self.emit(list(rows))
        elif not rows:
            click.echo(empty)
        else:
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            table = Table(box=None, pad_edge=False, header_style="bold")
            for heading in columns.values():
                table.add_column(heading, overflow="fold")
            for row in rows:
                cells = [row.get(key) for key in columns]
                shown = [self.when(each) if isinstance(each, datetime) else _shown(each) for each in cells]
                table.add_row(*map(Text, shown))
            Console(width=None if sys.stdout.isatty() else 160).print(table)

    def confirm(self, question: str) -> bool:
        """Asks; `--yes` answers. Where nobody answers (the input is at its end) it is a no, and a line says so."""
        return self.yes or self._answered(lambda: click.confirm(question, err=self.as_json), instead=False)

    def confirm_number(self, question: str, number: int) -> bool:
        """Asks for the number to be typed, so that nobody sends to many by a slip; `--yes` answers."""
        if self.yes:
            return True
        typed = self._answered(
            lambda: str(click.prompt(question, default="", show_default=False, err=self.as_json)), instead=""
        )
        return "".join(each for each in typed if each not in ",. ") == str(number)

    @staticmethod
    def _answered(ask: Callable[[], _Answer], *, instead: _Answer) -> _Answer:
        try:
            return ask()
        except click.Abort:
            if sys.stdin.isatty():
                raise
            click.echo("\nNobody answers here: add --yes.", err=True)
            return instead

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A progress bar on a terminal; nothing elsewhere. Yields a function that takes how much is done so far."""
        if not sys.stderr.isatty():
            yield lambda done: None
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.update(task, completed=done)


def site_command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--site`, `--json` and `--yes`, and a Frame as its first argument."""

    @click.option(
        "--site", type=click.Path(path_type=Path, file_okay=False), help="The site's folder (default: this one)."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the result for programs.")
    @click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")
    @click.pass_context
    @functools.wraps(function)
    def run(ctx: click.Context, /, *args: Any, site: Path | None, as_json: bool, yes: bool, **options: Any) -> Any:
        directory = site or (ctx.find_root().obj or {}).get("site") or Path.cwd()
        frame = Frame(directory, as_json=as_json, yes=yes)
        ctx.call_on_close(frame.close)
        return function(frame, *args, **options)

    return run


def counted(count: int, noun: str) -> str:
    """`1 reader`, `1,200 readers`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def split_values(values: Iterable[str]) -> list[str]:
    """Comma-separated values that may repeat, as one list without blanks."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
