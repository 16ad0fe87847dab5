"""`syndicate sources|feeds …`: what the settings declare, how it stands, and whether it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import click

from syndicate.cli.frame import Frame, counted, site_command
from syndicate.core.health import feed_health, source_health

if TYPE_CHECKING:
    from syndicate.core.feed import Feed
    from syndicate.sources.base import SourceSettings
    from syndicate.storage.arrivals import HeldLot
    from syndicate.storage.feeds import FeedState
    from syndicate.storage.sources import SourceState


@click.group()
def sources() -> None:
    """Look at where articles come from; pause it."""


@sources.command("list")
@site_command
def list_sources(frame: Frame) -> None:
    """List the sources, and when each was last heard from."""
    known = _known_sources(frame)
    frame.rows(
        [_source_row(frame, each, known) for each in frame.site.sources],
        {
            "id": "name",
            "kind": "kind",
            "state": "state",
            "articles": "articles",
            "held": "held at once",
            "last_new_at": "last new",
        },
        empty="No source yet: [[sources]] in syndicate.toml makes one.",
    )


@sources.command("show")
@click.argument("name")
@site_command
def show_source(frame: Frame, name: str) -> None:
    """Show one source."""
    from syndicate.site import find_named

    declared = find_named(frame.site.sources, name, "source")
    row = _source_row(frame, declared, _known_sources(frame))
    show_row(frame, row)
    if row["held"] and not frame.as_json:
        frame.warn(f"`syndicate sources release {name}` lets them go; --as-backlog keeps them out of newsletters.")


@sources.command("release")
@click.argument("name")
@click.option("--as-backlog", is_flag=True, help="They were there all along: in the feeds, in no newsletter.")
@site_command
def release_source(frame: Frame, name: str, as_backlog: bool) -> int:
    """Let go what is held because far too much looked new at once.

    They are numbered as they came, and the next issues bring them. With --as-backlog they are published where they
    stand in time, and no newsletter brings them.
    """
    from syndicate.services.release_lot import release_lot
    from syndicate.site import find_named
    from syndicate.storage.arrivals import HeldLot, held_lots

    site = frame.site
    declared = find_named(site.sources, name, "source")
    with site.database.read() as connection:
        count = held_lots(connection).get(declared.name, HeldLot()).count
    what = f"{counted(count, 'article')} of {declared.name}"
    asked = f"Declare {what} backlog?" if as_backlog else f"Release {what}, so that the next issues bring them?"
    if count and not frame.confirm(asked):
        return 1
    released = release_lot(
        site.database, declared.name, backlog=as_backlog, actor=frame.actor, feeds=site.feeds, now=frame.now
    )
    frame.emit({"id": declared.name, "released": released, "backlog": as_backlog})
    if not frame.as_json:
        frame.say(f"{counted(len(released), 'article')} released." if released else f"Nothing of {name} is held so.")
    return 0


@sources.command("pause")
@click.argument("name")
@site_command
def pause_source(frame: Frame, name: str) -> None:
    """Do not look at a source until it is resumed.

    What it publishes meanwhile is taken in afterwards, as new.
    """
    _pause(frame, "sources", frame.site.source(name).name, paused=True)


@sources.command("resume")
@click.argument("name")
@site_command
def resume_source(frame: Frame, name: str) -> None:
    """Look at a paused source again."""
    _pause(frame, "sources", frame.site.source(name).name, paused=False)


@click.group()
def feeds() -> None:
    """Look at what is published in RSS, Atom and JSON; pause it."""


@feeds.command("list")
@site_command
def list_feeds(frame: Frame) -> None:
    """List the feeds; the first is the whole site's."""
    states, entries = _feed_states(frame)
    frame.rows(
        [_feed_row(frame, each, states.get(each.name), entries) for each in frame.site.feeds],
        {"folder": "folder", "title": "title", "state": "state", "entries": "entries", "published_at": "published"},
        empty="",
    )


@feeds.command("show")
@click.argument("name", default="")
@site_command
def show_feed(frame: Frame, name: str) -> None:
    """Show one feed; without NAME the whole site's."""
    declared = frame.site.feed(name)
    states, entries = _feed_states(frame)
    show_row(frame, _feed_row(frame, declared, states.get(name), entries))


@feeds.command("pause")
@click.argument("name", default="")
@site_command
def pause_feed(frame: Frame, name: str) -> None:
    """Leave a feed's files as they are.

    Without NAME it is the whole site's feed.
    """
    _pause(frame, "feeds", frame.site.feed(name).name, paused=True)


@feeds.command("resume")
@click.argument("name", default="")
@site_command
def resume_feed(frame: Frame, name: str) -> None:
    """Keep a paused feed up to date again.

    Without NAME it is the whole site's feed.
    """
    _pause(frame, "feeds", frame.site.feed(name).name, paused=False)


def _pause(frame: Frame, kind: Literal["sources", "feeds"], name: str, *, paused: bool) -> None:
    from syndicate.services.pause_definition import pause_definition

    frame.site.sync(frame.now)
    changed = pause_definition(frame.site.database, kind, name, paused=paused, actor=frame.actor, now=frame.now)
    frame.emit({"id": name, "name": name, "paused": paused, "changed": changed})
    if not frame.as_json:
        what = f"The {kind.removesuffix('s')} {name}" if name else "The whole site's feed"
        frame.say(f"{what} {'is paused' if paused else 'goes on'}{'.' if changed else ', as before.'}")


def show_row(frame: Frame, row: dict[str, Any]) -> None:
    """What one definition is: JSON, or a line for each thing known of it."""
    if frame.as_json:
        frame.emit(row)
        return
    for key, value in row.items():
        if key != "name" and value not in (None, "", {}, []):
            shown = frame.when(value) if isinstance(value, datetime) else _shown(value)
            frame.say(f"{key.replace('_', ' '):>14}  {shown}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {each}" for key, each in value.items())
    return str(value)


@dataclass(frozen=True, slots=True)
class _Sources:
    """What the database knows of the sources, by name."""

    states: Mapping[str, SourceState]
    articles: Mapping[str, int]
    held: Mapping[str, HeldLot]
    quiet_after: Mapping[str, timedelta | None]


def _known_sources(frame: Frame) -> _Sources:
    from syndicate.storage.arrivals import held_lots, quiet_after
    from syndicate.storage.definition_states import articles_by_source
    from syndicate.storage.sources import list_sources

    with frame.site.database.read() as connection:
        return _Sources(
            {each.name: each for each in list_sources(connection)},
            articles_by_source(connection),
            held_lots(connection),
            {each.name: quiet_after(connection, each.name, each.quiet_after_seconds) for each in frame.site.sources},
        )


def _feed_states(frame: Frame) -> tuple[dict[str, FeedState], dict[str, int]]:
    from syndicate.storage.definition_states import entries_by_feed
    from syndicate.storage.feeds import feed_states

    with frame.site.database.read() as connection:
        return feed_states(connection), entries_by_feed(connection)


def _source_row(frame: Frame, declared: SourceSettings, known: _Sources) -> dict[str, Any]:
    state = known.states.get(declared.name)
    quiet_after = known.quiet_after.get(declared.name)
    held = known.held.get(declared.name)
    health = state and source_health(
        paused=state.paused,
        problem=state.problem,
        last_ok_at=state.last_ok_at,
        last_new_at=state.last_new_at,
        now=frame.now,
        began_at=state.first_look_at,
        quiet_after=quiet_after,
    )
    return {
        "id": declared.name,
        "name": declared.name,
        "kind": declared.kind,
        "path": declared.path,
        "url": declared.url,
        "rights": declared.rights,
        "state": health or "not heard from",
        "problem": state.problem if state else "",
        "articles": known.articles.get(declared.name, 0),
        "held": held.count if held else 0,
        "held_because": held.reason if held else "",
        "last_look_at": state.last_look_at if state else None,
        "last_ok_at": state.last_ok_at if state else None,
        "last_new_at": state.last_new_at if state else None,
        "quiet_after": _span(quiet_after),
        "left_alone_until": _moment(state.state.get("retry_at")) if state else None,
    }


def _span(span: timedelta | None) -> str:
    """`3 days`, `36 hours`, or "" when its rhythm is not known."""
    if span is None:
        return ""
    hours = round(span.total_seconds() / 3600)
    return counted(hours // 24, "day") if hours % 24 == 0 else counted(hours, "hour")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _feed_row(frame: Frame, declared: Feed, state: FeedState | None, entries: dict[str, int]) -> dict[str, Any]:
    health = state and feed_health(
        paused=state.paused, problem=state.problem, published_at=state.published_at, behind=state.is_behind
    )
    return {
        "id": declared.name,
        "name": declared.name,
        "folder": f"feeds/{declared.folder}",
        "title": declared.title,
        "where": dict(declared.selection.where),
        "limit": declared.limit,
        "content": declared.content,
        "language": declared.language,
        "url": frame.site.publication.web(f"feeds/{declared.folder}rss.xml"),
        "state": health or "not published yet",
        "problem": state.problem if state else "",
        "entries": entries.get(declared.name, 0),
        "published_at": state.published_at if state else None,
    }
