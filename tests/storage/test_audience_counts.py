"""Counted as it changes, it is what a look at everybody gives: whatever is done to whom, in whatever order, by however
many at once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import Audience
from syndicate.services.plan_send import plan_issue
from syndicate.services.repair_counts import repair_counts
from syndicate.storage import reach, tables
from syndicate.storage.audience import audience_condition, count_audience
from syndicate.storage.audience_counts import active_readers, count_subscriptions
from syndicate.storage.counting import wrong_counts
from syndicate.storage.database import Database
from syndicate.storage.integrity import find_wrong_counts
from syndicate.storage.issues import get_issue
from syndicate.storage.people import erase, put_subscriptions
from tests.mailing import MORNING as NEWSLETTER
from tests.mailing import NOW, add_readers, freeze_it, make_issue, make_newsroom

people, subscriptions = tables.subscribers, tables.subscriptions
NEWSLETTERS, CADENCES, STATUSES = ("evening", "morning"), ("daily", "weekly"), ("active", "active", "pending", "left")
ZONES = ("", "Europe/Lisbon", "Asia/Tokyo")
PERSONS = 40


def begin(database: Database) -> None:
    make_newsroom(database)
    with database.write() as connection:
        connection.execute(sa.insert(tables.newsletters).values(name="evening", first_seen_at=NOW))
        connection.execute(
            sa.insert(people),
            [
                {
                    "id": number,
                    "email": f"reader{number}@example.org",
                    "address": f"reader{number}@example.org",
                    "address_hash": str(number),
                    "timezone": ZONES[number % 3],
                    "created_at": NOW,
                }
                for number in range(1, PERSONS + 1)
            ],
        )


def change(connection: Connection, rng: random.Random) -> None:
    """One thing of all that is ever done to these rows, to some of them at once."""
    some = rng.sample(range(1, PERSONS + 1), rng.choice((1, 1, 2, 7)))
    theirs: sa.ColumnElement[bool] = subscriptions.c.subscriber_id.in_(some)
    one = rng.choice(NEWSLETTERS)
    if rng.random() < 0.5:
        theirs = theirs & (subscriptions.c.newsletter == one)
    pause = rng.choice((None, None, NOW + timedelta(hours=rng.randrange(-60, 60))))
    acts: list[Callable[[], object]] = [
        lambda: put_subscriptions(
            connection,
            [
                {
                    "subscriber_id": each,
                    "newsletter": one,
                    "cadence": rng.choice(CADENCES),
                    "status": rng.choice(STATUSES),
                    "topics": [],
                    "since": NOW,
                    "changed_at": NOW,
                    "resume_from": rng.choice((None, 3)),
                }
                for each in some
            ],
        ),
        lambda: connection.execute(sa.update(subscriptions).where(theirs).values(status=rng.choice(STATUSES))),
        lambda: connection.execute(sa.update(subscriptions).where(theirs).values(cadence=rng.choice(CADENCES))),
        lambda: connection.execute(sa.update(subscriptions).where(theirs).values(paused_until=pause)),
        lambda: connection.execute(sa.update(subscriptions).where(theirs).values(resume_from=rng.choice((None, 5)))),
        lambda: connection.execute(sa.delete(subscriptions).where(theirs)),
        lambda: connection.execute(
            sa.update(people).where(people.c.id.in_(some)).values(suppressed=rng.choice(("", "bounce", "manual")))
        ),
        lambda: connection.execute(
            sa.update(people).where(people.c.id.in_(some)).values(timezone=rng.choice(ZONES), name="Ann")
        ),
        lambda: connection.execute(
            sa.update(people).where(people.c.id.in_(some)).values(erased_at=rng.choice((None, NOW)))
        ),
        lambda: erase(connection, some[0], NOW),
    ]
    # Most of the time somebody comes, so that there is somebody to go.
    rng.choice([*acts, acts[0], acts[0], acts[0]])()


def as_they_are(
    connection: Connection, newsletter: str, cadence: str | None, now: datetime
) -> Counter[tuple[str, str]]:
    """Person by person."""
    rows = connection.execute(
        sa.select(subscriptions, people.c.suppressed, people.c.timezone)
        .join(people, people.c.id == subscriptions.c.subscriber_id)
        .where(subscriptions.c.newsletter == newsletter, people.c.erased_at.is_(None))
    ).all()
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if cadence is None or row.cadence == cadence:
            paused = row.paused_until is not None and row.paused_until > now
            why = "suppressed" if row.suppressed else "paused" if paused else ""
            found[why if row.status == "active" else row.status, row.timezone] += 1
    return found


@pytest.mark.parametrize("seed", range(2))
def test_the_counts_are_what_there_is_after_anything(database: Database, seed: int) -> None:
    rng = random.Random(seed)
    begin(database)
    seen = 0
    for _ in range(80):
        now = NOW + timedelta(minutes=rng.randrange(-3000, 3000))
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
            for newsletter in NEWSLETTERS:
                for cadence in (None, *CADENCES):
                    counted = count_subscriptions(connection, newsletter, cadence, now=now)
                    expected = as_they_are(connection, newsletter, cadence, now)
                    assert {(each.why, each.timezone): each.people for each in counted} == dict(expected)
                    rule = audience_condition(newsletter, Audience(cadence), now=now)
                    joined = subscriptions.join(people, people.c.id == subscriptions.c.subscriber_id)
                    taken = connection.execute(sa.select(sa.func.count()).select_from(joined).where(rule)).scalar_one()
                    assert count_audience(connection, newsletter, Audience(cadence), now=now) == taken
                    seen += taken
    assert seen > 300


def test_the_counts_are_what_there_is_however_many_change_at_once(database: Database) -> None:
    """Two that change a person and their subscription do not see each other; the counts do."""
    begin(database)
    faults: list[BaseException] = []
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        rng = random.Random(seed)
        start.wait(60)
        try:
            for _ in range(25):
                with database.write() as connection:
                    change(connection, rng)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
    with database.read() as connection:
        assert wrong_counts(connection) == {}
        assert connection.execute(sa.select(sa.func.count()).select_from(subscriptions)).scalar_one() > 10


def test_what_is_off_is_told_and_counted_anew(database: Database) -> None:
    make_newsroom(database)
    add_readers(database, 12)
    assert repair_counts(database, actor="ada", now=NOW) == 0
    counts = tables.audience_counts
    with database.write() as connection:
        assert active_readers(connection) == {("morning", "daily"): 12}
        connection.execute(sa.update(counts).values(people=9))
    with database.read() as connection:
        [sentence] = find_wrong_counts(connection)
        assert "morning counts 9 active subscriptions (daily, no time zone), but has 12" in sentence
        assert "--repair" in sentence
    assert repair_counts(database, actor="ada", now=NOW) == 1
    with database.read() as connection:
        assert find_wrong_counts(connection) == []
        assert active_readers(connection) == {("morning", "daily"): 12}


def test_a_table_made_anew_is_counted_again_after_the_upgrade(database: Database) -> None:
    """As a migration does it on SQLite: the new table has none of the old one's triggers."""
    from syndicate.storage.counting import install

    begin(database)
    with database.write() as connection:
        for name in ("count_subscription_added", "count_subscription_removed", "count_subscription_changed"):
            if database.is_sqlite:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        if not database.is_sqlite:
            connection.exec_driver_sql("DROP TRIGGER count_added ON subscriptions")
        change_all = [
            {
                "subscriber_id": number,
                "newsletter": "morning",
                "cadence": "daily",
                "status": "active",
                "since": NOW,
                "changed_at": NOW,
            }
            for number in range(1, 6)
        ]
        connection.execute(sa.insert(subscriptions), change_all[:3])
        assert wrong_counts(connection) != {}
        install(connection)
        assert wrong_counts(connection) == {}
        connection.execute(sa.insert(subscriptions), change_all[3:])
        assert wrong_counts(connection) == {}
        assert active_readers(connection) == {("morning", "daily"): 5}


def test_where_readers_differ_a_large_audience_is_as_it_was_when_composed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    articles = make_newsroom(database, articles=2)
    add_readers(database, 6)
    first = make_issue(database, articles[:1], kind="manual", to=["reader1@example.org", "reader2@example.org"])
    assert freeze_it(database, first) == "sending"
    second = make_issue(database, articles[:1], kind="manual")
    with database.write() as connection:
        issue = get_issue(connection, second)
        shown = [(articles[0], 1)]
        counted = reach.count_reach(connection, issue, shown, now=NOW)
        assert (counted.readers, counted.have_all) == (4, 2)
        kept = reach.as_kept(counted)
        connection.execute(sa.update(tables.issues).where(tables.issues.c.id == second).values(reach=kept))
    add_readers(database, 3, first=7)
    plan = plan_issue(database, NEWSLETTER, second, at=NOW, now=NOW)
    assert (plan.reach.readers, plan.reach.have_all, plan.reach.counted_at) == (7, 2, None)
    monkeypatch.setattr(reach, "LOOKED_AT", 5)
    plan = plan_issue(database, NEWSLETTER, second, at=NOW, now=NOW)
    assert (plan.reach.readers, plan.reach.have_all, plan.reach.counted_at) == (4, 2, NOW)
    assert plan.reach.zones == {"": 4}
    # Nobody got the other article: everybody gets the same, and the number is that of now.
    third = make_issue(database, articles[1:], kind="manual")
    assert plan_issue(database, NEWSLETTER, third, at=datetime.now(UTC), now=NOW).reach.readers == 9
