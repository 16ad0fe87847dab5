"""Whose standing changed is written down as it changes: looking only at them finds whom a look at everybody finds."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables
from syndicate.storage.batches import select_batches
from syndicate.storage.claims import planned_recipients
from syndicate.storage.database import Database
from syndicate.storage.issues import change_issue, get_issue
from syndicate.storage.people import erase, lock_people
from syndicate.storage.standing_changes import StandingChanges, forget_changes, put_mark
from tests.mailing import NOW, add_readers, freeze_it, make_issue, make_newsroom

people, subscriptions = tables.subscribers, tables.subscriptions
PERSONS = 30


def change(connection: Connection, rng: random.Random) -> None:
    """One thing of all that is done to these rows, to some of them at once."""
    lock_people(connection)
    some = rng.sample(range(1, PERSONS + 1), rng.choice((1, 1, 2, 5)))
    theirs = subscriptions.c.subscriber_id.in_(some)
    kind = rng.randrange(7)
    if kind == 0:
        connection.execute(sa.update(people).where(people.c.id.in_(some)).values(suppressed=rng.choice(("", "bounce"))))
    elif kind == 1:
        status = rng.choice(("active", "active", "left", "pending"))
        connection.execute(sa.update(subscriptions).where(theirs).values(status=status))
    elif kind == 2:
        until = rng.choice((None, NOW - timedelta(days=1), NOW + timedelta(days=1)))
        connection.execute(sa.update(subscriptions).where(theirs).values(paused_until=until))
    elif kind == 3:
        connection.execute(sa.delete(subscriptions).where(subscriptions.c.subscriber_id == some[0]))
    elif kind == 4:
        erase(connection, some[0], NOW)
    elif kind == 5:
        connection.execute(sa.update(people).where(people.c.id.in_(some)).values(name="Somebody"))
    else:
        connection.execute(sa.update(subscriptions).where(theirs).values(cadence=rng.choice(("daily", "weekly"))))


@pytest.mark.parametrize("seed", range(12))
def test_a_look_at_those_who_changed_is_as_good_as_one_at_everybody(database: Database, seed: int) -> None:
    rng = random.Random(seed)
    articles = make_newsroom(database)
    add_readers(database, PERSONS)
    for _ in range(rng.randrange(3)):
        with database.write() as connection:
            change(connection, rng)
    issue_id = make_issue(database, articles, expected=None)
    freeze_it(database, issue_id)
    with database.read() as connection:
        changes = StandingChanges(get_issue(connection, issue_id).standing_mark)
        batches = select_batches(connection, issue_id)
    for _ in range(12):
        with database.read() as connection:
            new = changes.read_on(connection)
            assert new is not None and changes.known is not None
            by_changes = planned_recipients(connection, "morning", batches, changes.known)
            by_all = planned_recipients(connection, "morning", batches)
        assert {key: each.excluded for key, each in by_changes.items()} == {
            key: each.excluded for key, each in by_all.items()
        }
        for _ in range(rng.randrange(3)):
            with database.write() as connection:
                change(connection, rng)
        # Who is not among the new ones stands as they stood.
        with database.read() as connection:
            new = changes.read_on(connection)
            assert new is not None
            for key, each in planned_recipients(connection, "morning", batches).items():
                pairs = zip(each.everybody.ordinals, each.everybody.subscriber_ids, strict=True)
                for ordinal, subscriber in pairs:
                    if subscriber not in new:
                        assert each.excluded.get(ordinal) == by_all[key].excluded.get(ordinal)


def test_numbers_are_in_the_order_of_commits(database: Database) -> None:
    """Four at once change people, one reads on: what it has read, nothing is ever put before."""
    make_newsroom(database)
    add_readers(database, PERSONS)
    with database.write() as connection:
        changes = StandingChanges(put_mark(connection))
    done = threading.Event()

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(15):
            with database.write() as connection:
                connection.execute(
                    sa.update(people)
                    .where(people.c.id == rng.randrange(1, PERSONS + 1))
                    .values(suppressed=rng.choice(("", "bounce", "complaint")))
                )

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    seen: list[int] = []

    def read() -> None:
        with database.read() as connection:
            after = changes.last or 0
            assert changes.read_on(connection) is not None
            numbers = sa.select(tables.standing_changes.c.number).where(tables.standing_changes.c.number > after)
            seen.extend(connection.execute(numbers.order_by(tables.standing_changes.c.number)).scalars())

    def read_all_the_time() -> None:
        while not done.is_set():
            read()

    reader = threading.Thread(target=read_all_the_time)
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    read()
    with database.read() as connection:
        every = list(connection.execute(sa.select(tables.standing_changes.c.number)).scalars())
    assert seen == sorted(every)


def test_what_an_issue_under_way_asks_for_is_kept_and_without_its_mark_everybody_is_looked_at(
    database: Database,
) -> None:
    articles = make_newsroom(database)
    add_readers(database, PERSONS)
    rng = random.Random(1)

    def some_change() -> None:
        with database.write() as connection:
            connection.execute(
                sa.update(people).where(people.c.id == rng.randrange(1, 9)).values(suppressed=str(rng.random())[:9])
            )

    for _ in range(5):
        some_change()
    issue_id = make_issue(database, articles, expected=None)
    freeze_it(database, issue_id)
    some_change()
    with database.read() as connection:
        mark = get_issue(connection, issue_id).standing_mark
    with database.write() as connection:
        assert forget_changes(connection, 3) == 3
        assert forget_changes(connection, 10) == 2
        assert forget_changes(connection, 10) == 0
        changes = StandingChanges(mark)
        assert len(changes.read_on(connection) or ()) == 1
        change_issue(connection, issue_id, state="sent")
        assert forget_changes(connection, 10) == 1  # the mark; the newest stays
        late = StandingChanges(mark)
        assert late.read_on(connection) is None and late.known is None
        # Who reads on has read it, and misses nothing.
        assert changes.read_on(connection) == set()
