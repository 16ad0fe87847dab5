"""`syndicate collect`: takes in what is new at the sources."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from syndicate.cli.frame import Frame, counted, site_command, split_values

if TYPE_CHECKING:
    from syndicate.services.collect_articles import CollectReport
    from syndicate.storage.intake import Outcome

_VERBS = {
    "new": "new",
    "backlog": "backlog",
    "changed": "changed",
    "renamed": "renamed",
    "back": "back",
    "carried": "other version",
    "missing": "file gone",
}


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]…")
@site_command
def collect(frame: Frame, sources: tuple[str, ...]) -> int:
    """Take in what is new, changed or gone at the sources.

    It also releases what is due. Without SOURCE all of them are looked at. A file that cannot be read is named with the
    cure, and everything else goes on; ends with 1 only when a whole source cannot be read. A web feed that failed is
    left alone for a while, unless it is named. The feeds' files follow with "syndicate publish".
    """
    import time

    from syndicate.services.collect_articles import collect as collect_source

    site = frame.site
    wanted = split_values(sources) or [each.name for each in site.sources]
    opened = [site.source(name) for name in wanted]
    site.sync(frame.now)
    reports = []
    for source in opened:
        with ExitStack() as stack:
            report = collect_source(
                site.database,
                source,
                feeds=site.feeds,
                newsletters=site.newsletters,
                now=frame.now,
                sleep=time.sleep,
                precedence=[each.name for each in site.sources],
                progress=_progress(frame, stack, source.name),
                at_once=bool(sources),
            )
        reports.append(report)
        if not frame.as_json:
            say_report(frame, report)
    frame.emit([as_dict(each) for each in reports])
    if not frame.as_json and not any(
        each.outcomes or each.backlog or each.published or each.problem for each in reports
    ):
        frame.say("Nothing new.")
    return 1 if any(each.problem for each in reports) else 0


def say_report(frame: Frame, report: CollectReport) -> None:
    """What one collection did, for people: a line for each item that they should know of."""
    for each in report.outcomes:
        if each.kind == "broken":
            continue
        frame.say(f"  {_VERBS[each.kind]:<13} {each.path}  {each.title}{_remarks(frame, each)}")
        for warning in each.warnings:
            frame.warn(f"    {warning}")
        if each.article_id in report.missed:
            names = ", ".join(report.missed[each.article_id])
            frame.warn(f"    too late for {names}, whose issues have passed it: send it by hand if it should go.")
    if report.backlog:
        frame.say(
            f"{report.source}: {counted(report.backlog, 'article')} of backlog, there before it was first seen: in the "
            'feeds, in no newsletter ("syndicate articles include" puts one in).'
        )
    if report.tripped:
        frame.warn(
            f"{report.source}: {report.tripped}: held. Look at them, then `syndicate sources release {report.source}` "
            "lets them go, and --as-backlog keeps them out of the newsletters."
        )
    if report.published:
        frame.say(f"{report.source}: {counted(len(report.published), 'article')} released.")
    for each in (*report.of("broken"), *report.still_broken):
        frame.warn(f"  {'broken':<13} {each.path}  {each.note}")
    for key in report.unsettled:
        frame.warn(f"  {'unsettled':<13} {report.source}/{key}  is still being written; the next collect looks again.")
    for warning in report.warnings:
        frame.warn(f"{report.source}: {warning}")
    if report.problem:
        frame.warn(f"{report.source}: {report.problem}")


def as_dict(report: CollectReport) -> dict[str, Any]:
    """One collection, for programs."""
    groups = {
        kind: [_outcome(each) for each in report.of(kind)]
        for kind in ("new", "changed", "renamed", "back", "carried", "missing")
    }
    return {
        "id": report.source,
        **groups,
        "held": [_outcome(each) for each in report.outcomes if each.status == "held"],
        "waiting": [_outcome(each) for each in report.outcomes if each.until],
        "broken": [_outcome(each) for each in (*report.of("broken"), *report.still_broken)],
        "backlog": report.backlog,
        "released": report.published,
        "missed": report.missed,
        "unsettled": [f"{report.source}/{key}" for key in report.unsettled],
        "tripped": report.tripped,
        "problem": report.problem,
        "warnings": list(report.warnings),
    }


def _outcome(each: Outcome) -> dict[str, Any]:
    return {
        "id": each.article_id,
        "path": each.path,
        "title": each.title,
        "status": each.status,
        "note": each.note,
        "until": each.until,
        "taken_back": each.taken_back,
        "warnings": list(each.warnings),
    }


def _remarks(frame: Frame, each: Outcome) -> str:
    remarks = []
    if each.status == "held":
        remarks.append(f"held: {each.hold_reason}" if each.hold_reason else "held")
    if each.until:
        remarks.append(f"waits until {frame.when(each.until)}")
    if each.taken_back:
        remarks.append("taken back: it left the feeds and lost its number")
    if each.note:
        remarks.append(each.note)
    return f"  ({'; '.join(remarks)})" if remarks else ""


def _progress(frame: Frame, stack: ExitStack, name: str) -> Callable[[int, int], None]:
    """A bar that appears with the first item read, when its length is known."""
    bar: list[Callable[[int], None]] = []

    def step(done: int, total: int) -> None:
        if not bar:
            bar.append(stack.enter_context(frame.progress(f"Reading {name}", total)))
        bar[0](done)

    return step
