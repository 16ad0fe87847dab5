"""`syndicate push`: brings an article to a source of kind push."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from syndicate.cli.frame import Frame, site_command

if TYPE_CHECKING:
    from syndicate.services.push_article import Taken

_SAID = {
    "new": "new",
    "changed": "changed",
    "back": "back again",
    "unchanged": "the same as before",
    "carried": "another source's version is shown",
    "missing": "taken away; the article stays",
}


@click.command()
@click.argument("source")
@click.argument("file", metavar="FILE|-", required=False)
@click.option("--id", "key", default="", help="Your own stable id of the article (default: what the file says).")
@click.option("--remove", is_flag=True, help="Take the article with --id away from the source again.")
@site_command
def push(frame: Frame, source: str, file: str | None, key: str, remove: bool) -> None:
    """Bring an article to a source of kind "push".

    FILE (- is standard input) is JSON, or Markdown, HTML or plain text with front matter. The same id again with the
    same content changes nothing; with other content it changes the article. What is pushed is released at once, unless
    something holds it.
    Programs do the same over HTTP: POST /api/v1/articles with a token ("syndicate token create").
    """
    from syndicate.errors import UsageError
    from syndicate.services.push_article import push_article, remove_pushed_article

    if remove == bool(file) or (remove and not key):
        raise UsageError("Say either FILE (or -), or --remove with --id.", cure='See "syndicate push --help".')
    site = frame.site
    desk = site.receiver(source)
    site.sync(frame.now)
    shared: dict[str, Any] = {
        "feeds": site.feeds,
        "precedence": [each.name for each in site.sources],
        "actor": frame.actor,
        "now": frame.now,
        "web_url": site.publication.web_url,
    }
    if remove:
        taken = remove_pushed_article(site.database, desk.name, key, **shared)
    else:
        assert file is not None
        taken = push_article(site.database, desk, _read(file, key), **shared)
    _tell(frame, taken)


def _read(file: str, key: str) -> Any:
    from syndicate.errors import BadInput
    from syndicate.sources.pushed import read_file

    raw = _bytes(file)
    try:
        return read_file("" if file == "-" else file, raw, key=key)
    except BadInput as error:
        raise BadInput(f"{file}: {error.message}", cure=error.cure) from None


def _bytes(file: str) -> bytes:
    import sys
    from pathlib import Path

    from syndicate.errors import BadInput
    from syndicate.sources.article_file import LARGEST_FILE

    try:
        if file == "-":
            return sys.stdin.buffer.read(LARGEST_FILE + 1)
        with Path(file).open("rb") as opened:
            return opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.", cure="Is the path right?") from None


def _tell(frame: Frame, taken: Taken) -> None:
    outcome, article = taken.outcome, taken.article
    frame.emit(
        {
            "id": article.id,
            "path": outcome.path,
            "result": outcome.kind,
            "title": article.content.title,
            "status": article.status,
            "hold_reason": article.hold_reason,
            "until": outcome.until,
            "number": article.number,
            "url": article.link,
            "warnings": list(outcome.warnings),
        }
    )
    if not frame.as_json:
        frame.say(f"{_SAID.get(outcome.kind, outcome.kind)}: {outcome.path}  {article.content.title}")
        if article.status == "held":
            frame.say(f"  held: {article.hold_reason}")
        if outcome.until:
            frame.say(f"  waits until {frame.when(outcome.until)}")
        if outcome.taken_back:
            frame.say("  taken back: it left the feeds and lost its number")
        if article.status == "released" and outcome.kind in ("new", "changed", "back"):
            frame.say('  released; its feeds follow with "syndicate publish", or at once while "syndicate run" is up')
    for warning in outcome.warnings:
        frame.warn(f"  {warning}")
