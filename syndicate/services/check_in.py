"""A process that is about to send looks whether its database is where it was left, and raises the epoch."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from syndicate.core.instance import Here, Judgement, judge, may_be_behind
from syndicate.storage import instance
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.epoch import raise_epoch, read_epoch
from syndicate.storage.journal_replay import begin_journal, is_behind, journal_gap, replay
from syndicate.storage.since_backup import doubt
from syndicate.storage.workers import workers_are_up


def check_in(
    database: Database,
    *,
    directory: Path,
    beside: Path,
    place: str,
    web_url: str,
    account: str,
    live: bool,
    now: datetime,
) -> Judgement:
    """Judges what is found against what the database remembers, and quarantines it when that says so; what it was about
    to send is in doubt then, where a newer state of it may have sent that. Whoever left or was suppressed and is only
    in the journal is taken in first.

    `beside` is the folder of the journal and the epoch, `directory` the site's, `account` the mail API's."""
    journal, gap = database.journal, ""
    if journal is not None:
        database.pay_journal()
        with database.read() as connection:
            behind = is_behind(connection, journal) or journal.length() is None
            gap = journal_gap(connection, journal) if behind else ""
        if behind:
            with database.write() as connection:
                replay(connection, journal, now)
                begin_journal(connection, journal)
    others = _others_are_up(database, directory, place)
    with database.write() as connection:
        before = instance.remembered(connection, lock=True)
        name = instance.instance_id(connection)
        here = Here(place, web_url, account, live, read_epoch(beside, name), others)
        judgement = judge(before, here)
        if judgement.quarantine and not before.quarantined:
            behind_here = may_be_behind(before, here, shared=not database.is_sqlite)
            doubted = str(doubt(connection, now)) if behind_here else ""
            why = " ".join([*(each.text for each in judgement.differences), *filter(None, [gap, doubted])])
            instance.quarantine(connection, why)
            record(connection, at=now, action="instance.quarantine", detail={"why": why})
        if judgement.remember is not None:
            instance.remember(connection, judgement.remember)
    if judgement.remember is not None:
        # After the database: a kill in between leaves it ahead, which is harmless.
        raise_epoch(beside, name, judgement.remember.epoch)
    return judgement


def foresee(
    database: Database, *, directory: Path, beside: Path, place: str, web_url: str, account: str, live: bool
) -> Judgement:
    """What checking in would come to, but for what only the journal knows. Looks, and changes nothing."""
    others = _others_are_up(database, directory, place)
    with database.read() as connection:
        before = instance.remembered(connection)
        epoch = read_epoch(beside, instance.instance_id(connection))
    return judge(before, Here(place, web_url, account, live, epoch, others))


def _others_are_up(database: Database, directory: Path, place: str) -> bool:
    with database.read() as connection:
        places = instance.remembered(connection).places
    hosts = {known.partition(":")[0] for known in places} - {place.partition(":")[0]}
    return not database.is_sqlite and bool(hosts) and workers_are_up(database, directory, hosts)
