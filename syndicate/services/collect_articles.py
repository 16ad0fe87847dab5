"""Collects one source: looks, takes in what is new, and publishes what is due.

A look happens outside any transaction; what it found is taken in by short ones. So killing it at any instant loses
nothing: what was taken in is known, the rest is found by the next look. Two collectors of one source share the work:
whoever comes second to an item finds it taken, or changed since, and looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from syndicate.core.feed import Feed
from syndicate.core.newsletter import Newsletter
from syndicate.core.tripwire import TOGETHER, Tripwire, Watch, lots
from syndicate.errors import BadInput
from syndicate.sources.base import Known, Look, Remembering, Sighting, Source, Watched
from syndicate.sources.sameness import canonical_url
from syndicate.storage import audit
from syndicate.storage.arrivals import arrivals, dates_since, has_history, hold_lot
from syndicate.storage.articles import get_article
from syndicate.storage.database import Database
from syndicate.storage.intake import Finding, Intake, Outcome
from syndicate.storage.missed import missed_newsletters
from syndicate.storage.source_items import FINGERPRINT, PROBLEM, ItemRow, known_items
from syndicate.storage.sources import get_source, record_failed_look, record_look
from syndicate.storage.standings import publish_due

CHUNK_ITEMS = 50
CHUNK_CHARACTERS = 1_000_000
"""What one transaction takes in: some 50 ms on an ordinary disk, so that other writers are never kept waiting."""

LOSE_ITEMS = 200
LOOKS = 5
"""How often it looks again because another collector was faster; after that the next `collect` goes on."""

WAIT_SECONDS = 2.0
"""How long it waits for files that are still being written."""
WAIT_STEP_SECONDS = 0.25


@dataclass
class CollectReport:
    """What one collection did. `outcomes` leaves out what did not change; `backlog` counts articles that the source
    held when it was first seen. `published` are the ids of all articles, of any source, that became publishable.
    `problem` is why the source could not be read at all."""

    source: str
    outcomes: list[Outcome] = field(default_factory=list)
    backlog: int = 0
    still_broken: list[Outcome] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    missed: dict[str, list[str]] = field(default_factory=dict)
    """Article id → newsletters that it came to belong to only after their issues had passed its number."""
    problem: str = ""
    warnings: tuple[str, ...] = ()
    """What a person should know of the source as a whole."""
    tripped: str = ""
    """Why all that looked new was held for an editor."""

    def of(self, *kinds: str) -> list[Outcome]:
        """The outcomes of these kinds."""
        return [each for each in self.outcomes if each.kind in kinds]


def collect(
    database: Database,
    source: Source,
    *,
    feeds: Sequence[Feed],
    newsletters: Sequence[Newsletter],
    now: datetime,
    sleep: Callable[[float], None],
    precedence: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
    at_once: bool = False,
) -> CollectReport:
    """Collects the source and publishes what is due, of any source.

    `precedence` names the sources in the order of the settings: the first wins an article that several carry. What the
    source holds at its very first whole look is backlog. `progress` takes (items done, items in this look). `sleep` is
    called only while files are still being written. A source that cannot be read is told by `problem`, not raised; one
    that failed is left alone for a while, and one that is paused for good, unless a person wants it `at_once`.
    """
    report = CollectReport(source.name)
    with database.read() as connection:
        paused = get_source(connection, source.name).paused
    if paused and not at_once:
        report.warnings = (f"It is paused: `syndicate sources resume {source.name}` goes on.",)
        return report
    watch = _watch(database, source, now)
    waited, looks = 0.0, 0
    while True:
        moment = now + timedelta(seconds=waited)
        take_in = _TakeIn(database, source.name, precedence, feeds, moment, watch)
        conflicts, state = _look(database, source, report, take_in, progress, at_once)
        looks += 1
        if report.unsettled and waited < WAIT_SECONDS:
            sleep(WAIT_STEP_SECONDS)
            waited += WAIT_STEP_SECONDS
        elif not conflicts or looks >= LOOKS:
            break
    if report.problem:
        with database.write() as connection:
            record_failed_look(connection, source.name, now, report.problem, state=state)
    elif not conflicts:
        with database.write() as connection:
            found_new = bool(report.backlog or report.of("new"))
            record_look(connection, source.name, now, found_new=found_new, state=state)
    if watch.tripped:
        _hold(database, report, watch, feeds, now)
    report.published = _publish(database, feeds, now)
    report.missed = _missed(database, report, newsletters)
    return report


class _Known(Mapping[str, Known]):
    """What the source is told of its items, one at a time: most of an archive is only compared by fingerprint."""

    def __init__(self, items: Mapping[str, ItemRow]) -> None:
        self._items = items

    def __getitem__(self, key: str) -> Known:
        return Known(*self._items[key][:PROBLEM])

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


@dataclass(frozen=True, slots=True)
class _TakeIn:
    """Takes items in, each call in one transaction."""

    database: Database
    source: str
    precedence: Sequence[str]
    feeds: Sequence[Feed]
    now: datetime
    watch: Watch

    def __call__(
        self, items: Mapping[str, ItemRow], findings: Sequence[Finding] = (), gone: Sequence[str] = ()
    ) -> list[Outcome]:
        keys = {*gone, *(key for each in findings for key in (each.key, each.renamed_from))}
        known = {key: items[key][FINGERPRINT] for key in keys if key in items}
        with self.database.write() as connection:
            intake = Intake(
                connection,
                self.source,
                known,
                precedence=self.precedence,
                feeds=self.feeds,
                now=self.now,
                tripwire=self.watch.reason if self.watch.tripped else "",
            )
            outcomes = intake.take(findings) if findings else intake.lose(gone)
            intake.save()
        return outcomes


def _look(
    database: Database,
    source: Source,
    report: CollectReport,
    take_in: _TakeIn,
    progress: Callable[[int, int], None],
    at_once: bool,
) -> tuple[int, Mapping[str, Any] | None]:
    """One look, taken in. Returns how many items another collector changed meanwhile, and what the source wants kept
    for the next look."""
    with database.read() as connection:
        items = known_items(connection, source.name)
        state = get_source(connection, source.name).state
    found: list[Outcome] = []
    settled: set[str] = set()
    kept: Mapping[str, Any] | None = None
    report.unsettled = []
    try:
        look = _looked(source, _Known(items), take_in.now, state, at_once)
        kept, report.problem, report.warnings = look.state, look.problem, look.warnings
        for chunk in _chunks(_watched(look.sightings, items, take_in.watch)):
            found += take_in(items, [_finding(each) for each in chunk])
            settled.update(key for each in chunk for key in (each.key, each.renamed_from))
            progress(len(found), look.total)
    except BadInput as error:
        report.problem = str(error)
    else:
        for start in range(0, len(look.gone), LOSE_ITEMS):
            found += take_in(items, gone=look.gone[start : start + LOSE_ITEMS])
        settled.update(look.gone)
        report.unsettled = list(look.waiting)
        settled.update(each.path.partition("/")[2] for each in report.of("broken"))
        report.still_broken = [
            Outcome("broken", f"{source.name}/{key}", note=item[PROBLEM])
            for key, item in items.items()
            if item[PROBLEM] and key not in settled and not look.problem
        ]
    _report(report, found)
    return sum(each.kind == "conflict" for each in found), kept


def _watch(database: Database, source: Source, now: datetime) -> Watch:
    with database.read() as connection:
        state = get_source(connection, source.name)
        recent = dates_since(connection, source.name, now - TOGETHER)
        known = has_history(connection, source.name, now - TOGETHER)

    def usual() -> list[int]:
        with database.read() as connection:
            return lots(arrivals(connection, source.name, before=now - TOGETHER))

    # What a source holds at its first look is backlog, however much it is; and where nothing ever came, as in a new
    # site whose first articles are copied in, nothing is more than usual.
    armed = isinstance(source, Watched) and state.first_look_at is not None and known
    wire = source.tripwire if isinstance(source, Watched) and armed else Tripwire(at_least=0)
    return Watch(wire, last_ok_at=state.last_ok_at, recent=recent, usual=usual)


def _watched(sightings: Iterable[Sighting], items: Mapping[str, ItemRow], watch: Watch) -> Iterator[Sighting]:
    """The same, but what looks new comes only when it is too much, which is known then, or when all was seen: nothing
    of it is published before that."""
    if not watch.is_armed:
        yield from sightings
        return
    kept: list[Sighting] = []
    for each in sightings:
        if each.draft is None or each.draft.hold or each.renamed_from or each.key in items:
            yield each
            continue
        watch.see(each.draft.content.date)
        kept.append(each)
        if watch.tripped:
            yield from kept
            kept = []
    yield from kept


def _hold(database: Database, report: CollectReport, watch: Watch, feeds: Sequence[Feed], now: datetime) -> None:
    """Holds the whole lot, with the figures as they are at the end."""
    new = [each.article_id for each in report.of("new") if each.article_id]
    if not new:
        return
    report.tripped = watch.reason
    for start in range(0, len(new), LOSE_ITEMS):
        with database.write() as connection:
            hold_lot(connection, new[start : start + LOSE_ITEMS], report.tripped, feeds, now)
    with database.write() as connection:
        detail = {"why": report.tripped, "articles": len(new)}
        audit.record(connection, at=now, action="source.tripwire", subject=report.source, detail=detail)
    report.outcomes = [
        replace(each, status="held", hold_reason=each.hold_reason if each.status == "held" else report.tripped)
        if each.kind == "new"
        else each
        for each in report.outcomes
    ]


def _looked(source: Source, known: Mapping[str, Known], now: datetime, state: Mapping[str, Any], at_once: bool) -> Look:
    if isinstance(source, Remembering):
        return source.look_again(known, now, state, at_once=at_once)
    return source.look(known, now)


def _report(report: CollectReport, found: Iterable[Outcome]) -> None:
    for each in found:
        if each.kind == "backlog":
            report.backlog += 1
        if (each.kind != "backlog" or each.warnings) and each.kind not in ("unchanged", "conflict"):
            report.outcomes.append(each)


def _publish(database: Database, feeds: Sequence[Feed], now: datetime) -> list[str]:
    published: list[str] = []
    while True:
        with database.write() as connection:
            step = publish_due(connection, feeds, now)
        if not step:
            return published
        published += step


def _missed(database: Database, report: CollectReport, newsletters: Sequence[Newsletter]) -> dict[str, list[str]]:
    edited = [each.article_id for each in report.of("changed", "renamed", "back") if each.article_id]
    if not edited:
        return {}
    with database.read() as connection:
        found = {each: missed_newsletters(connection, get_article(connection, each), newsletters) for each in edited}
    return {article_id: names for article_id, names in found.items() if names}


def _finding(sighting: Sighting) -> Finding:
    url = sighting.draft.content.url if sighting.draft else None
    return Finding(
        key=sighting.key,
        fingerprint=sighting.fingerprint,
        sha256=sighting.sha256,
        modified_at=sighting.modified_at,
        draft=sighting.draft,
        url=canonical_url(url) if url and sighting.draft and sighting.draft.url_is_its_own else "",
        problem=sighting.problem,
        renamed_from=sighting.renamed_from,
        received=sighting.received,
    )


def _chunks(sightings: Iterator[Sighting]) -> Iterator[list[Sighting]]:
    chunk: list[Sighting] = []
    characters = 0
    for each in sightings:
        chunk.append(each)
        characters += len(each.received) + (len(each.draft.content.html) if each.draft else 0)
        if len(chunk) >= CHUNK_ITEMS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
