"""Find what should have happened and did not, and tell of it: once when it begins, once when it ends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.engine import Connection

from syndicate.clock import slots_between, wall_of
from syndicate.core.alert import (
    BLOCKED_FOR,
    BROKEN_AT_LEAST,
    SLOT_LATE,
    UNSEEN_AT_LEAST,
    AlertChannels,
    Trouble,
    blocked_trouble,
    compare,
    is_overdue,
    slot_trouble,
    told_time,
    unbegun_trouble,
)
from syndicate.core.feed import Feed
from syndicate.core.health import source_health
from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication
from syndicate.http import Client, Failure
from syndicate.rendering.issue import House
from syndicate.rendering.notice import Notice, render_notice
from syndicate.storage.alerts import (
    Alert,
    begin_alert,
    continue_alert,
    end_alert,
    list_alerts,
    lock_alerts,
    owed_to_webhook,
    record_webhook,
    stopped_issues,
    unbegun_issues,
    uncertain_issues,
    unsent_slots,
)
from syndicate.storage.arrivals import quiet_after
from syndicate.storage.clock_memory import clock_memory
from syndicate.storage.database import Database
from syndicate.storage.events import blocked_since
from syndicate.storage.feeds import feed_states
from syndicate.storage.letters import troubles_of_letters
from syndicate.storage.slots import list_rhythms, slots_from, spoken
from syndicate.storage.sources import list_sources
from syndicate.storage.standby import standby_state
from syndicate.storage.transactional import queue_mail

USUAL_EVERY = timedelta(minutes=15)
"""For a source whose settings do not say how often it is looked at."""
WEBHOOK_EVERY = timedelta(minutes=1)
"""Between two tries to reach it with the same news."""


class Watched(Protocol):
    """What is needed of a source's settings."""

    @property
    def name(self) -> str: ...

    @property
    def every_seconds(self) -> int | None: ...

    @property
    def quiet_after_seconds(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Raised:
    """What one round found: sentences of what began, and the keys of what ended."""

    began: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


def raise_alerts(
    database: Database,
    house: House,
    channels: AlertChannels,
    *,
    newsletters: Sequence[Newsletter],
    sources: Sequence[Watched],
    feeds: Sequence[Feed],
    now: datetime,
    missing: Iterable[Trouble] | None = None,
) -> Raised:
    """Compares what is wrong at `now` with what was known, keeps it, and queues a mail to each address for what began
    and for what ended, in one transaction. The webhook is `post_alerts`'s. Safe from several processes. `missing` is
    what is known of processes that do not live; None when nobody looked, and what was known of them stays."""
    with database.read() as connection:
        found = list(_troubles(connection, newsletters, sources, feeds, now, house.publication.timezone))
        found += [
            blocked_trouble(api, mails, house.sender.from_email)
            for api, mails in blocked_since(connection, now - BLOCKED_FOR).items()
        ]
        alerts = list_alerts(connection)
        known = {each.key: each.sentence for each in alerts}
        if missing is None:
            missing = [
                Trouble("process", each.key.partition(" ")[2], each.sentence)
                for each in alerts
                if each.kind == "process"
            ]
        found += missing
    if {each.key: each.sentence for each in found} == known:
        return Raised()
    with database.write() as connection:
        lock_alerts(connection)
        open_now = {each.key: each for each in list_alerts(connection)}
        changes = compare(open_now, found)
        for each in changes.began:
            begin_alert(connection, each, now, webhook=bool(channels.webhook))
            _mail(connection, house, channels, each.sentence, each.key, now, now, over=False)
        for each in changes.goes_on:
            continue_alert(connection, each, now)
        for key in changes.ended:
            end_alert(connection, key, now)
            alert = open_now[key]
            _mail(connection, house, channels, alert.sentence, key, alert.began_at, now, over=True)
    return Raised(tuple(each.sentence for each in changes.began), changes.ended)


def post_alerts(
    database: Database, client: Client, channels: AlertChannels, publication: Publication, *, now: datetime
) -> list[str]:
    """Posts to the webhook what it does not know yet, one JSON document for each thing that began or ended. What it
    does not take (any answer but 2xx) is tried again after a minute. Returns a sentence for each that failed."""
    if not channels.webhook:
        return []
    with database.read() as connection:
        owed = owed_to_webhook(connection, now - WEBHOOK_EVERY)
    failed = []
    for alert in owed:
        began, problem = alert.webhook_began_at is not None, ""
        ended = False
        if not began:
            problem = _post(client, channels.webhook, _document(alert, publication, over=False))
            began = not problem
        if began and alert.ended_at is not None and not problem:
            problem = _post(client, channels.webhook, _document(alert, publication, over=True))
            ended = not problem
        with database.write() as connection:
            fresh = began and alert.webhook_began_at is None
            record_webhook(connection, alert, now, began=fresh, ended=ended)
        if problem:
            failed.append(f"[alerts] webhook: {problem}.")
            break
    return failed


def beat(client: Client, channels: AlertChannels) -> str:
    """Asks for `heartbeat_url`: whoever listens there misses it when nothing runs here. Why it failed, or ""."""
    if not channels.heartbeat_url:
        return ""
    reply = client.get(channels.heartbeat_url)
    if isinstance(reply, Failure):
        return f"[alerts] heartbeat_url: {reply.why}."
    return "" if reply.status < 400 else f"[alerts] heartbeat_url answered {reply.status}."


def _troubles(
    connection: Connection,
    newsletters: Sequence[Newsletter],
    sources: Sequence[Watched],
    feeds: Sequence[Feed],
    now: datetime,
    zone: str,
) -> Iterator[Trouble]:
    held = clock_memory(connection).held
    if held:
        cure = "Nothing is drafted or sent. `syndicate newsletters clock --go-on` says that it is right."
        yield Trouble("clock", "held", f"The clock jumped. {held} {cure}")
    yield from _slots(connection, newsletters, now, held=bool(held))
    for issue in unbegun_issues(connection, now - SLOT_LATE):
        yield unbegun_trouble(issue, zone)
    for number, count in uncertain_issues(connection).items():
        cure = f"`syndicate issues resolve {number}` settles it."
        told = f"Of issue {number} nobody can tell whether {count:,} got it."
        yield Trouble("issue", f"{number} uncertain", f"{told} {cure}")
    for number, why in stopped_issues(connection).items():
        cure = f"`syndicate issues resume {number}` goes on."
        yield Trouble("issue", f"{number} paused", f"Issue {number} stopped: {why} {cure}")
    yield from troubles_of_letters(connection, now, zone)
    mail = standby_state(connection)
    if mail.stands_in_since is not None:
        when = told_time(mail.stands_in_since, zone)
        yield Trouble("mail", "standby", f"Mail has gone out through the standby since {when}: the first took nothing.")
    yield from _sources(connection, sources, now, zone)
    states = feed_states(connection)
    for feed in feeds:
        state = states.get(feed.name)
        if state is not None and not state.paused and state.problem and state.is_behind:
            name = feed.name or "the whole site's feed"
            yield Trouble("feed", feed.name or "site", f"The feed {name} cannot be published: {state.problem}")


def _slots(
    connection: Connection, newsletters: Sequence[Newsletter], now: datetime, *, held: bool
) -> Iterator[Trouble]:
    rhythms = list_rhythms(connection)
    going = {
        key: rhythm
        for key, rhythm in rhythms.items()
        if not rhythm.paused and any(each.name == key[0] and key[1] in each.cadences for each in newsletters)
    }
    for slot, issue_state in unsent_slots(connection, now):
        key = slot.newsletter, slot.cadence
        if key in rhythms and (slot.settled_at is not None or (key in going and not held)):
            trouble = slot_trouble(slot, issue_state, now)
            if trouble is not None:
                yield trouble
    if held:
        return
    for newsletter in newsletters:
        for cadence in newsletter.cadences.values():
            rhythm = going.get((newsletter.name, cadence.name))
            if rhythm is None or rhythm.horizon_at is None:
                continue
            due = slots_between(cadence, newsletter.timezone, rhythm.horizon_at, now - SLOT_LATE)
            first = wall_of(rhythm.horizon_at, newsletter.timezone) - timedelta(days=1)
            known = slots_from(connection, newsletter.name, cadence.name, f"{first:%Y-%m-%dT%H:%M}") if due else {}
            if due and due[-1].wall_time not in known:
                when = f"{newsletter.name}, {cadence.name}, {spoken(due[-1].wall_time)}"
                subject = f"{newsletter.name}/{cadence.name}/{due[-1].wall_time}"
                yield Trouble("slot", subject, f"The slot {when} did not go: the clock does not tick.")


def _sources(connection: Connection, sources: Sequence[Watched], now: datetime, zone: str) -> Iterator[Trouble]:
    states = {each.name: each for each in list_sources(connection)}
    for source in sources:
        state = states.get(source.name)
        if state is None or state.paused or state.last_look_at is None:
            continue
        every = timedelta(seconds=source.every_seconds) if source.every_seconds else USUAL_EVERY
        quiet = quiet_after(connection, source.name, source.quiet_after_seconds)
        health = source_health(
            paused=False,
            problem=state.problem,
            last_ok_at=state.last_ok_at,
            last_new_at=state.last_new_at,
            now=now,
            began_at=state.first_look_at,
            quiet_after=quiet,
        )
        if health == "broken" and is_overdue(state.last_ok_at, now, every, BROKEN_AT_LEAST):
            yield Trouble("source", f"{source.name} broken", f"The source {source.name} is broken: {state.problem}")
        elif is_overdue(state.last_look_at, now, every, UNSEEN_AT_LEAST):
            told = f"Nobody has looked at the source {source.name} since {told_time(state.last_look_at, zone)}."
            yield Trouble("source", f"{source.name} unseen", told)
        elif health == "not heard from" and state.last_ok_at is not None:
            since = state.last_new_at or state.first_look_at
            when = f" since {told_time(since, zone)}" if since else ""
            told = f"The source {source.name} has brought nothing new{when}, longer than it ever does."
            yield Trouble("source", f"{source.name} silent", told)


def _mail(
    connection: Connection,
    house: House,
    channels: AlertChannels,
    sentence: str,
    key: str,
    began_at: datetime,
    now: datetime,
    *,
    over: bool,
) -> None:
    publication = house.publication
    since = f"It began at {told_time(began_at, publication.timezone)}." if over else ""
    notice = Notice(
        subject=f"{publication.title}: {'over: ' if over else ''}{sentence.partition('. ')[0].rstrip('.')}",
        sentences=("This is over:", sentence, since) if over else (sentence,),
        link=publication.web("console/"),
        link_text="Look at the console",
    )
    html, text = render_notice(house.environment, publication, notice)
    for address in channels.email:
        told = hashlib.sha256(f"{key} {began_at.isoformat()} {over} {address}".encode()).hexdigest()
        queue_mail(
            connection,
            kind="alert",
            request_key=f"alert {told}",
            to_email=address,
            subject=" ".join(notice.subject.split())[:200],
            html=html,
            text=text,
            now=now,
        )


def _document(alert: Alert, publication: Publication, *, over: bool) -> dict[str, str]:
    at = alert.ended_at if over and alert.ended_at else alert.began_at
    return {
        "event": "ended" if over else "began",
        "key": alert.key,
        "kind": alert.kind,
        "sentence": alert.sentence,
        "at": at.isoformat(),
        "publication": publication.title,
        "url": publication.web("console/"),
    }


def _post(client: Client, url: str, document: dict[str, str]) -> str:
    body = json.dumps(document, ensure_ascii=False).encode()
    reply = client.post(url, body, {"Content-Type": "application/json"})
    if isinstance(reply, Failure):
        return reply.why
    return "" if 200 <= reply.status < 300 else f"it answered {reply.status}"
