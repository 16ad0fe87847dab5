"""`syndicate newsletters …`: the digests, their slots, and what an editor says of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from syndicate.cli.definitions import show_row
from syndicate.cli.frame import Frame, counted, site_command
from syndicate.errors import NotFound, Refused, UsageError

if TYPE_CHECKING:
    from syndicate.core.issue import Issue
    from syndicate.core.newsletter import Cadence, Newsletter
    from syndicate.core.slot import KnownSlot
    from syndicate.storage.definition_states import NewsletterState

    Known = dict[tuple[str, str, str], KnownSlot]


@click.group()
def newsletters() -> None:
    """Look at the digests and their times; pause, skip them."""


@newsletters.command("list")
@site_command
def list_newsletters(frame: Frame) -> None:
    """List the newsletters."""
    states, known = _states(frame)
    frame.rows(
        [_row(frame, each, states.get(each.name), known, count=1) for each in frame.site.newsletters],
        {
            "id": "name",
            "title": "title",
            "state": "state",
            "readers": "readers",
            "next_at": "next (local time)",
            "next_state": "",
        },
        empty="No newsletter yet: [[newsletters]] in syndicate.toml makes one.",
    )


@newsletters.command("show")
@click.argument("name")
@click.option(
    "--next", "count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many slots ahead."
)
@site_command
def show_newsletter(frame: Frame, name: str, count: int) -> None:
    """Show one newsletter and its next slots."""
    declared = frame.site.newsletter(name)
    states, known = _states(frame)
    row = _row(frame, declared, states.get(name), known, count=count)
    if frame.as_json:
        frame.emit(row)
        return
    slots = row.pop("next")
    for key in ("next_at", "next_state"):
        row.pop(key)
    missed = row.pop("missed")
    show_row(frame, row)
    for each in slots:
        told = "" if each["state"] == "planned" else f"  {each['state']}"
        frame.say(f"  {each['wall_time'].replace('T', ' ')} {declared.timezone}  {each['cadence']}{told}")
    if not slots:
        frame.say("  It has no cadence: it goes out when an editor sends it.")
    for each in missed:
        frame.warn(f"Missed: {each['cadence']}, {each['wall_time'].replace('T', ' ')}. {each['why']}")


@newsletters.command("pause")
@click.argument("name")
@site_command
def pause_newsletter(frame: Frame, name: str) -> None:
    """Draft and send nothing of a newsletter until it is resumed.

    What is being sent goes on ("issues pause" stops that), and "send" still works by hand.
    """
    from syndicate.services.pause_newsletter import pause_newsletter as pause

    declared = frame.site.newsletter(name)
    frame.site.sync(frame.now)
    changed = pause(frame.site.database, name, actor=frame.actor, now=frame.now)
    frame.emit({"id": name, "name": name, "paused": True, "changed": changed})
    if not frame.as_json:
        frame.say(f"{declared.title} is paused{'.' if changed else ', as before.'}")


@newsletters.command("resume")
@click.argument("name")
@site_command
def resume_newsletter(frame: Frame, name: str) -> None:
    """Go on with a paused newsletter.

    Its next issue takes all that came since the last one; the slots of the pause are not made up for.
    """
    from syndicate.services.pause_newsletter import resume_newsletter as resume

    declared = frame.site.newsletter(name)
    frame.site.sync(frame.now)
    changed = resume(frame.site.database, name, actor=frame.actor, now=frame.now)
    frame.emit({"id": name, "name": name, "paused": False, "changed": changed})
    if not frame.as_json:
        frame.say(f"{declared.title} goes on{'.' if changed else ', as before.'}")


@newsletters.command("skip")
@click.argument("name")
@click.argument("cadence", default="")
@click.option("--undo", is_flag=True, help="Plan it again.")
@site_command
def skip(frame: Frame, name: str, cadence: str, undo: bool) -> None:
    """Skip the next slot of a newsletter, and only that one.

    Its articles go with the slot after it. CADENCE is needed where the newsletter has several.
    """
    from syndicate.services.skip_slot import skip_next, unskip_next

    declared = frame.site.newsletter(name)
    chosen = _cadence(declared, cadence)
    frame.site.sync(frame.now)
    do = unskip_next if undo else skip_next
    slot = do(frame.site.database, declared, chosen, actor=frame.actor, now=frame.now)
    frame.emit({**_slot(slot), "state": "planned" if undo else slot.state})
    if not frame.as_json:
        when = slot.wall_time.replace("T", " ")
        frame.say(f"{declared.title}, {when}: {'planned again' if undo else 'skipped'}.")


@newsletters.command("missed")
@click.argument("name", default="")
@click.argument("cadence", default="")
@click.option("--send-now", is_flag=True, help="Compose it if need be, show it, ask, and send it at once.")
@click.option("--merge", is_flag=True, help="Let its articles go with the next issue.")
@click.option("--skip", is_flag=True, help="Let its articles go with no issue at all.")
@site_command
def missed(frame: Frame, name: str, cadence: str, send_now: bool, merge: bool, skip: bool) -> None:
    """List the slots that were missed, or settle those of NAME.

    A slot is missed when nobody was there at its time, and it is too late for it to go by itself.
    """
    if send_now + merge + skip > 1:
        raise UsageError("Choose one of --send-now, --merge and --skip.")
    if not (send_now or merge or skip):
        _list_missed(frame, name, cadence)
        return
    if not name:
        raise UsageError("Say which newsletter.", cure="`syndicate newsletters missed` lists what is missed.")
    declared = frame.site.newsletter(name)
    chosen = _missed_cadence(frame, declared, cadence)
    if send_now:
        _send_missed(frame, declared, chosen)
        return
    from syndicate.services.settle_missed import merge_missed, skip_missed

    if skip and not frame.confirm("What it would have carried goes out with no issue of this newsletter. Skip it?"):
        raise Refused("Nothing was changed.")
    settle = merge_missed if merge else skip_missed
    settled = settle(frame.site.database, name, chosen.name, actor=frame.actor, now=frame.now)
    frame.emit([{**_slot(each), "state": "merged" if merge else "skipped"} for each in settled])
    if not frame.as_json:
        for each in settled:
            what = "goes with the next issue" if merge else "is skipped"
            frame.say(f"{declared.title}, {each.wall_time.replace('T', ' ')}: {what}.")


@newsletters.command("clock")
@click.option("--go-on", is_flag=True, help="Say that this machine's clock is right.")
@site_command
def clock(frame: Frame, go_on: bool) -> None:
    """Show whether the clock can be believed.

    A clock that jumps sends nothing until it is consistent again, or until somebody says that it is right.
    """
    from syndicate.services.trust_clock import trust_clock
    from syndicate.storage.clock_memory import clock_memory

    if go_on:
        shown = frame.when(frame.now)
        if not frame.confirm(f"Here it is {shown} ({frame.site.publication.timezone}). Is that right?"):
            raise Refused("Nothing was changed.", cure="Set this machine's clock first.")
        trust_clock(frame.site.database, actor=frame.actor, now=frame.now)
    with frame.site.database.read() as connection:
        memory = clock_memory(connection)
    frame.emit({"held": memory.held, "last_tick_at": memory.believed_at})
    if not frame.as_json:
        last = f"Its last tick was at {frame.when(memory.believed_at)}." if memory.believed_at else "It never ticked."
        frame.say(f"The clock is held: {memory.held} {last}" if memory.held else f"The clock goes. {last}")


def _list_missed(frame: Frame, name: str, cadence: str) -> None:
    from syndicate.services.settle_missed import missed_slots

    if name:
        frame.site.newsletter(name)
    with frame.site.database.read() as connection:
        found = [
            slot
            for each in ([name] if name else [each.name for each in frame.site.newsletters])
            for slot in missed_slots(connection, each, cadence or None)
        ]
    frame.rows(
        [_slot(each) for each in found],
        {"newsletter": "newsletter", "cadence": "cadence", "wall_time": "planned for", "why": ""},
        empty="Nothing is missed.",
    )


def _send_missed(frame: Frame, declared: Newsletter, cadence: Cadence) -> None:
    from syndicate.cli.sending import follow, says_how_far
    from syndicate.services.approve_issue import approve
    from syndicate.services.settle_missed import send_missed

    database = frame.site.database
    issue = _composed(frame, declared, cadence)
    if not issue.expected:
        raise Refused(f"Nobody would get it: {declared.title}, {cadence.name}, has no active reader.")
    question = f"Send issue {issue.id} to {counted(issue.expected, 'reader')} now?"
    if not frame.confirm(question):
        raise Refused("Nothing was sent.", cure=f"Issue {issue.id} awaits approval; the slot stays missed.")
    with says_how_far(frame, issue.id):
        approve(database, issue.id, now=frame.now, actor=frame.actor, seal=issue.seal)
        send_missed(database, declared.name, cadence.name, issue.id, actor=frame.actor, now=frame.now)
        follow(frame, issue.id)


def _composed(frame: Frame, declared: Newsletter, cadence: Cadence) -> Issue:
    """The sealed issue that a missed slot goes with: the one it has, or one composed now."""
    from syndicate.cli.issue_lines import say_sealed
    from syndicate.services.draft_issue import draft_cadence_issue
    from syndicate.services.settle_missed import missed_slots
    from syndicate.storage.issues import get_issue

    with frame.site.database.read() as connection:
        latest = missed_slots(connection, declared.name, cadence.name)[0]
        issue = get_issue(connection, latest.issue_id) if latest.issue_id else None
    if issue is None or issue.state not in ("awaiting", "approved"):
        site = frame.site
        issue = draft_cadence_issue(
            site.database, declared, cadence.name, site.house, now=frame.now, actor=frame.actor
        ).issue
    if not frame.as_json:
        say_sealed(frame, issue.id)
    return issue


def _missed_cadence(frame: Frame, declared: Newsletter, cadence: str) -> Cadence:
    """The cadence that is named, or the only one that has missed a slot."""
    from syndicate.services.settle_missed import missed_slots

    if cadence:
        return _cadence(declared, cadence)
    with frame.site.database.read() as connection:
        names = {each.cadence for each in missed_slots(connection, declared.name)}
    if not names:
        raise NotFound(f"{declared.title} has missed nothing.")
    if len(names) > 1:
        raise UsageError(f"Several cadences have: {', '.join(sorted(names))}.", cure="Name one after the newsletter.")
    return _cadence(declared, names.pop())


def _cadence(declared: Newsletter, name: str) -> Cadence:
    if name in declared.cadences:
        return declared.cadences[name]
    known = ", ".join(declared.cadences) or "none"
    if name:
        raise NotFound(f"{declared.title} has no cadence {name!r}.", cure=f"Known: {known}.")
    if len(declared.cadences) == 1:
        return next(iter(declared.cadences.values()))
    raise UsageError(f"Say which cadence of {declared.title}.", cure=f"Known: {known}.")


def _states(frame: Frame) -> tuple[dict[str, NewsletterState], Known]:
    """How the newsletters stand, and the rows of slots that are still to come or were missed."""
    from syndicate.storage.definition_states import newsletter_states
    from syndicate.storage.slots import list_slots

    with frame.site.database.read() as connection:
        states = newsletter_states(connection)
        rows = [*list_slots(connection, due_after=frame.now), *list_slots(connection, states=["missed"])]
    return states, {(each.newsletter, each.cadence, each.wall_time): each for each in rows}


def _row(
    frame: Frame, declared: Newsletter, state: NewsletterState | None, known: Known, *, count: int
) -> dict[str, Any]:
    from syndicate.clock import next_slots
    from syndicate.core.slot import outlook

    paused = bool(state and state.paused)
    slots = sorted(
        (
            (slot, cadence.name)
            for cadence in declared.cadences.values()
            for slot in next_slots(cadence, declared.timezone, frame.now, count)
        ),
        key=lambda each: each[0],
    )[:count]
    coming = [
        {
            "wall_time": slot.wall_time,
            "due_at": slot.due_at,
            "cadence": cadence,
            "state": outlook(known.get((declared.name, cadence, slot.wall_time)), paused=paused),
        }
        for slot, cadence in slots
    ]
    return {
        "id": declared.name,
        "name": declared.name,
        "title": declared.title,
        "where": dict(declared.selection.where),
        "language": declared.language,
        "timezone": declared.timezone,
        "cadences": {each.name: each.text for each in declared.cadences.values()},
        "approval": declared.approval,
        "min_articles": declared.min_articles,
        "max_articles": declared.max_articles,
        "state": "paused" if paused else "on",
        "readers": state.readers if state else 0,
        "marks": state.marks if state else {},
        "next_at": _local(slots[0][0].due_at, declared.timezone) if slots else "",
        "next_state": coming[0]["state"] if coming and coming[0]["state"] != "planned" else "",
        "next": coming,
        "missed": [
            _slot(each) for each in known.values() if each.newsletter == declared.name and each.state == "missed"
        ],
    }


def _slot(each: KnownSlot) -> dict[str, Any]:
    return {
        "id": f"{each.newsletter}/{each.cadence}/{each.wall_time}",
        "newsletter": each.newsletter,
        "cadence": each.cadence,
        "wall_time": each.wall_time,
        "due_at": each.due_at,
        "state": each.state,
        "issue": each.issue_id,
        "why": each.why,
    }


def _local(moment: datetime, timezone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(timezone)):%a %Y-%m-%d %H:%M}"
