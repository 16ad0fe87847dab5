"""`syndicate publish`: brings the feeds' files up to date."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from syndicate.cli.frame import Frame, site_command, split_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from syndicate.services.publish_feeds import Published, PublishedFeed


@click.command()
@click.argument("feeds", nargs=-1, metavar="[FEED]…")
@click.option("--force", is_flag=True, help="Compare every file with what it should be, and repair what differs.")
@site_command
def publish(frame: Frame, feeds: tuple[str, ...], force: bool) -> int:
    """Write what is new into the feeds' files.

    RSS, Atom and JSON, and the articles' own pages. Without FEED all feeds are looked at. A file that would not change
    is not touched. Use --force after an edit of templates, or when files may have been damaged.
    """
    from syndicate.services.publish_feeds import publish as publish_feeds

    site = frame.site
    with ExitStack() as stack:
        done = publish_feeds(
            site.database,
            site.feeds,
            site.publication,
            site.target,
            site.templates,
            frame.now,
            only=split_values(feeds) or None,
            force=force,
            progress=_progress(frame, stack),
        )
    feeds_done = [{"id": each.name, **asdict(each)} for each in done.feeds]
    frame.emit({**asdict(done), "feeds": feeds_done, "changed": done.changed_anything})
    if not frame.as_json:
        report(frame, done)
    for name in done.undeclared:
        frame.warn(f"The feed {name} is not in syndicate.toml any more; its files are left as they are.")
    for problem in done.problems:
        frame.warn(problem)
    return 1 if done.problems else 0


def report(frame: Frame, done: Published) -> None:
    """What changed, a line for each place."""
    for each in done.feeds:
        if each.changed:
            frame.say(describe(each))
    if done.pages_written or done.pages_removed:
        parts = [f"{done.pages_written} written"] if done.pages_written else []
        parts += [f"{done.pages_removed} removed"] if done.pages_removed else []
        frame.say(f"feeds/articles/  {', '.join(parts)}")
    if done.lists:
        frame.say(f"feeds/  {' '.join(done.lists)}")
    if not done.changed_anything:
        frame.say("Nothing new to publish.")


def describe(feed: PublishedFeed) -> str:
    """`feeds/world/  rss.xml atom.xml feed.json — 14 entries`."""
    folder = f"feeds/{feed.name}/" if feed.name else "feeds/"
    entries = "1 entry" if feed.entries == 1 else f"{feed.entries} entries"
    return f"{folder}  {' '.join(feed.changed)} — {entries}"


def _progress(frame: Frame, stack: ExitStack) -> Callable[[str, int, int], None]:
    """A bar for each long part of the work."""
    bars: dict[str, Callable[[int], None]] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in bars:
            stack.close()
            bars[what] = stack.enter_context(frame.progress(what, total))
        bars[what](done)

    return show
