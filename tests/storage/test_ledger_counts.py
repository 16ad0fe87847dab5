"""Added up as it changes, the ledger is what a look at all its batches gives: whatever is done to which, in whatever
order, by however many at once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.batch import halves
from syndicate.core.books import Books
from syndicate.services.repair_counts import repair_counts
from syndicate.storage import tables
from syndicate.storage.books import books
from syndicate.storage.database import Database
from syndicate.storage.integrity import find_wrong_counts
from syndicate.storage.ledger_counting import install, wrong_counts
from tests.mailing import NOW, add_readers, freeze_it, make_issue, make_newsroom

batches, outcomes, counts = tables.batches, tables.recipient_outcomes, tables.ledger_counts
STATES = ("planned", "sending", "accepted", "refused", "retry", "uncertain", "withdrawn")
OUTCOMES = ("suppressed", "refused", "accepted")
READERS, SIZE = 40, 5


def two_issues(database: Database) -> list[int]:
    """Frozen and planned by hand, so that every batch is free."""
    articles = make_newsroom(database, articles=2)
    add_readers(database, READERS)
    found = []
    for article in articles:
        issue_id = make_issue(database, [article], kind="manual")
        with database.write() as connection:
            connection.execute(
                sa.insert(batches),
                [
                    {"issue_id": issue_id, "first": first, "last": first + SIZE - 1, "state": "planned"}
                    for first in range(1, READERS + 1, SIZE)
                ],
            )
            connection.execute(
                sa.update(tables.issues).where(tables.issues.c.id == issue_id).values(planned=READERS, state="sending")
            )
        found.append(issue_id)
    return found


def change(connection: Connection, rng: random.Random) -> None:
    """One thing of all that is ever done to these rows, to some of them at once. Locks are taken in the order of ids,
    as the product does."""
    ids = list(connection.execute(sa.select(batches.c.id).order_by(batches.c.id)).scalars())
    some = sorted(rng.sample(ids, rng.choice((1, 1, 2, 6))))
    held = connection.execute(
        sa.select(batches).where(batches.c.id.in_(some)).order_by(batches.c.id).with_for_update()
    ).all()
    if not held:
        return
    one = held[0]
    theirs = outcomes.c.batch_id.in_([each.id for each in held])

    def move() -> None:
        live = [each.id for each in held if each.state != "split"]
        connection.execute(sa.update(batches).where(batches.c.id.in_(live)).values(state=rng.choice(STATES)))

    def move_one_by_one() -> None:
        rows = [{"which": each.id, "to": rng.choice(STATES)} for each in held if each.state != "split"]
        if rows:
            statement = sa.update(batches).where(batches.c.id == sa.bindparam("which"))
            connection.execute(statement.values(state=sa.bindparam("to"), why="so"), rows)

    def tell_apart() -> None:
        for each in held:
            if each.state == "split":
                continue
            ordinal = rng.randrange(each.first, each.last + 1)
            connection.execute(
                sa.delete(outcomes).where(outcomes.c.issue_id == each.issue_id, outcomes.c.ordinal == ordinal)
            )
            row = {"issue_id": each.issue_id, "ordinal": ordinal, "batch_id": each.id, "at": NOW}
            connection.execute(sa.insert(outcomes).values(outcome=rng.choice(OUTCOMES), **row))

    def split() -> None:
        if one.state == "split" or one.first == one.last:
            return
        connection.execute(sa.update(batches).where(batches.c.id == one.id).values(state="split"))
        for first, last in halves(one.first, one.last):
            row = {"issue_id": one.issue_id, "first": first, "last": last, "state": "planned", "parent_id": one.id}
            half = connection.execute(sa.insert(batches).values(**row).returning(batches.c.id)).scalar_one()
            mine = (outcomes.c.batch_id == one.id, outcomes.c.ordinal.between(first, last))
            connection.execute(sa.update(outcomes).where(*mine).values(batch_id=half))

    def forget() -> None:
        if one.state == "split" or one.parent_id is not None:
            return
        connection.execute(sa.delete(outcomes).where(outcomes.c.batch_id == one.id))
        connection.execute(sa.delete(batches).where(batches.c.id == one.id))
        row = {"issue_id": one.issue_id, "first": one.first, "last": one.last, "state": "planned"}
        connection.execute(sa.insert(batches).values(**row))

    acts: list[Callable[[], object]] = [
        move,
        move_one_by_one,
        tell_apart,
        tell_apart,
        split,
        forget,
        lambda: connection.execute(sa.update(outcomes).where(theirs).values(outcome=rng.choice(OUTCOMES), why="x")),
        lambda: connection.execute(sa.delete(outcomes).where(theirs, outcomes.c.outcome == rng.choice(OUTCOMES))),
        lambda: connection.execute(sa.update(batches).where(batches.c.id.in_(some)).values(why="as before")),
    ]
    rng.choice(acts)()


def as_they_are(connection: Connection, issue_id: int) -> Books:
    """Batch by batch, as if nothing were counted; no owner lives."""
    found: Counter[str] = Counter()
    for batch in connection.execute(sa.select(batches).where(batches.c.issue_id == issue_id)).all():
        if batch.state == "split":
            continue
        own = connection.execute(sa.select(outcomes.c.outcome).where(outcomes.c.batch_id == batch.id)).scalars().all()
        waits = batch.state in ("planned", "retry")
        found["waiting" if waits else "uncertain" if batch.state == "sending" else batch.state] += (
            batch.last - batch.first + 1 - len(own)
        )
        found.update(own)
    return Books(READERS, **found)


@pytest.mark.parametrize("seed", range(2))
def test_the_counts_are_what_there_is_after_anything(database: Database, seed: int) -> None:
    rng = random.Random(seed)
    issues = two_issues(database)
    seen: set[str] = set()
    for _ in range(60):
        try:
            with database.write() as connection:
                for _ in range(rng.choice((1, 1, 3))):
                    change(connection, rng)
                if rng.random() < 0.1:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        with database.read() as connection:
            assert wrong_counts(connection) == {}
            for issue_id in issues:
                balance = books(connection, issue_id)
                assert balance == as_they_are(connection, issue_id)
                assert balance.balanced
                seen.update(name for name, people in balance.as_dict().items() if people)
    assert seen >= {"accepted", "refused", "suppressed", "withdrawn", "uncertain", "waiting"}


def test_the_counts_are_what_there_is_however_many_change_at_once(database: Database) -> None:
    """Also while they are set right."""
    issues = two_issues(database)
    faults: list[BaseException] = []
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        rng = random.Random(seed)
        start.wait(60)
        try:
            for _ in range(20):
                with database.write() as connection:
                    change(connection, rng)
        except BaseException as fault:
            faults.append(fault)

    def repair() -> None:
        start.wait(60)
        try:
            for slot in range(1, 6):
                with database.write() as connection:
                    connection.execute(sa.insert(counts).values(_off(issues[0], -slot)))
                repair_counts(database, actor="ada", now=NOW)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)] + [threading.Thread(target=repair)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
    with database.read() as connection:
        assert wrong_counts(connection) == {}
        assert [books(connection, each) for each in issues] == [as_they_are(connection, each) for each in issues]


def _off(issue_id: int, slot: int) -> dict[str, object]:
    """A line that nobody counted."""
    return {"issue_id": issue_id, "state": "accepted", "slot": slot, "batches": 1, "people": 7}


def test_what_is_off_is_told_and_set_right(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 12)
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id) == "sending"
    assert repair_counts(database, actor="ada", now=NOW) == 0
    with database.write() as connection:
        connection.execute(sa.insert(counts).values(_off(issue_id, -1)))
    with database.read() as connection:
        [sentence] = find_wrong_counts(connection)
        assert sentence.startswith(f"Issue {issue_id} counts 7 readers in 1 batches that are accepted, but has 0 in 0.")
        assert "--repair" in sentence
    assert repair_counts(database, actor="ada", now=NOW) == 1
    with database.read() as connection:
        assert find_wrong_counts(connection) == []
        assert books(connection, issue_id) == Books(12, waiting=12)


def test_a_table_made_anew_is_counted_again_after_the_upgrade(database: Database) -> None:
    [issue_id, _] = two_issues(database)
    names = (
        ("count_batch_moved", "count_outcome_added")
        if database.is_sqlite
        else ("count_moved ON batches", "count_added ON recipient_outcomes")
    )
    with database.write() as connection:
        for name in names:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        first = connection.execute(sa.select(sa.func.min(batches.c.id))).scalar_one()
        connection.execute(sa.update(batches).where(batches.c.id == first).values(state="accepted"))
        row = {"issue_id": issue_id, "ordinal": 1, "batch_id": first, "at": NOW}
        connection.execute(sa.insert(outcomes).values(outcome="refused", **row))
        assert wrong_counts(connection) != {}
        install(connection)
        assert wrong_counts(connection) == {}
        assert books(connection, issue_id) == Books(READERS, accepted=4, refused=1, waiting=35)
        connection.execute(sa.update(batches).where(batches.c.id == first).values(state="uncertain"))
        assert wrong_counts(connection) == {}
