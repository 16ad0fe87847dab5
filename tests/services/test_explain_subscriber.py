"""Why somebody gets mail or does not, in words that are true."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.newsletter import Newsletter
from syndicate.errors import BadInput, NotFound
from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.explain_subscriber import Explanation, explain_subscriber
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.services.site_rows import EVENING, MORNING, start

ANN = "ann@post.example"


def explain(database: Database, now: datetime, email: str = ANN, issue: int | None = None) -> Explanation:
    return explain_subscriber(database, email=email, newsletters=(MORNING, EVENING), issue_id=issue, now=now)


def join(database: Database, now: datetime, newsletter: Newsletter = MORNING) -> int:
    start(database, now)
    return add_subscriber(database, email=ANN, newsletter=newsletter, because="asked", now=now)[0].id


def put_issue(database: Database, now: datetime, *, frozen: bool, cadence: str = "daily", subscriber: int = 0) -> int:
    with database.write() as connection:
        issue = connection.execute(
            sa.insert(tables.issues)
            .values(newsletter="morning", cadence=cadence, kind="cadence", state="sending" if frozen else "awaiting",
                    audience={"cadence": cadence, "to": None}, drafted_at=now, frozen_at=now if frozen else None)
            .returning(tables.issues.c.id)
        ).scalar_one()  # fmt: skip
        if subscriber:
            connection.execute(
                sa.insert(tables.issue_recipients).values(
                    issue_id=issue, ordinal=2, subscriber_id=subscriber, address=ANN, email=ANN, variant_key=""
                )
            )
    return int(issue)


def put_batch(database: Database, issue: int, state: str, why: str = "", outcome: str = "") -> None:
    with database.write() as connection:
        batch = connection.execute(
            sa.insert(tables.batches)
            .values(issue_id=issue, first=1, last=9, state=state, why=why)
            .returning(tables.batches.c.id)
        ).scalar_one()
        if outcome:
            moment = datetime.fromisoformat("2026-11-20T09:00:00+00:00")
            connection.execute(
                sa.insert(tables.recipient_outcomes).values(
                    issue_id=issue, ordinal=2, batch_id=batch, outcome=outcome, why="left meanwhile", at=moment
                )
            )


def test_an_active_reader_hears_of_the_next_slot(database: Database, now: datetime) -> None:
    join(database, now)
    found = explain(database, now)
    assert found.gets_mail
    assert "Monday 23 November 2026, 07:00 Europe/Lisbon" in found.lines[0]
    assert "an editor approves" in found.lines[0]


def test_a_newsletter_without_cadence_waits_for_an_editor(database: Database, now: datetime) -> None:
    join(database, now, EVENING)
    assert "when an editor sends one" in explain(database, now).lines[0]


def test_a_stranger_and_a_suppressed_stranger(database: Database, now: datetime) -> None:
    start(database, now)
    assert "not known here" in explain(database, now).lines[0]
    suppress_subscriber(database, email=ANN, because="called us", now=now)
    (line,) = explain(database, now).lines
    assert "suppressed since 2026-11-20" in line
    assert "called us" in line


def test_a_suppressed_reader_gets_nothing(database: Database, now: datetime) -> None:
    join(database, now)
    suppress_subscriber(database, email=ANN, because="called us", now=now)
    found = explain(database, now)
    assert not found.gets_mail
    assert "Nothing is sent" in found.lines[0]


@pytest.mark.parametrize(("status", "said"), [("left", "left on"), ("pending", "has not confirmed")])
def test_who_left_or_never_confirmed(database: Database, now: datetime, status: str, said: str) -> None:
    join(database, now)
    with database.write() as connection:
        connection.execute(sa.update(tables.subscriptions).values(status=status))
    found = explain(database, now)
    assert not found.gets_mail
    assert said in found.lines[0]


def test_a_cadence_that_is_gone_from_the_settings_is_said(database: Database, now: datetime) -> None:
    join(database, now)
    with database.write() as connection:
        connection.execute(sa.update(tables.subscriptions).values(cadence="hourly"))
    found = explain(database, now)
    assert not found.gets_mail
    assert "'hourly' is no longer in syndicate.toml" in found.lines[0]


@pytest.mark.parametrize(
    ("state", "outcome", "said"),
    [
        ("accepted", "", "was accepted by the mail API"),
        ("accepted", "suppressed", "left them out on 2026-11-20 09:00 UTC: left meanwhile"),
        ("accepted", "refused", "was refused for them"),
        ("uncertain", "", "nothing proves"),
        ("retry", "", "waiting to be sent again: too many requests"),
        ("withdrawn", "", "cancelled before"),
        ("", "", "being prepared"),
    ],
)
def test_what_became_of_one_issue(database: Database, now: datetime, state: str, outcome: str, said: str) -> None:
    issue = put_issue(database, now, frozen=True, subscriber=join(database, now))
    if state:
        put_batch(database, issue, "split")
        put_batch_over(database, issue, state, outcome)
    (line,) = explain(database, now, issue=issue).lines
    assert line.startswith(f"Issue {issue} (morning)")
    assert said in line


def put_batch_over(database: Database, issue: int, state: str, outcome: str) -> None:
    """The child batch that took over from one that was split."""
    with database.write() as connection:
        connection.execute(sa.update(tables.batches).values(first=0))
    put_batch(database, issue, state, "too many requests", outcome)


def test_why_an_issue_did_not_go_to_them(database: Database, now: datetime) -> None:
    join(database, now)
    other = put_issue(database, now, frozen=True, cadence="weekly")
    assert "it is for weekly, and they are on daily" in explain(database, now, issue=other).lines[0]
    early = put_issue(database, now - timedelta(1), frozen=True)
    assert "they subscribed on 2026-11-20 09:30 UTC" in explain(database, now, issue=early).lines[0]
    ahead = put_issue(database, now, frozen=False)
    assert "they are among those" in explain(database, now, issue=ahead).lines[0]
    with pytest.raises(NotFound):
        explain(database, now, issue=99)
    with pytest.raises(BadInput):
        explain(database, now, "ann")


# --- one article ------------------------------------------------------------------------------------------------

FERRY = "urn:uuid:00000000-0000-4000-8000-000000000001"


def put_article(database: Database, now: datetime, *, number: int | None, status: str = "released") -> None:
    with database.write() as connection:
        connection.execute(
            sa.insert(tables.articles).values(
                id=FERRY, source="desk", key="world/ferry.md", number=number, status=status, arrived_at=now,
                published_at=now, title="Ferry returns", html="<p>It does.</p>", language="en", backlog=number is None,
            )
        )  # fmt: skip


def of_article(database: Database, now: datetime) -> str:
    found = explain_subscriber(database, email=ANN, newsletters=(MORNING, EVENING), article=FERRY, now=now)
    return " ".join(found.lines)


def test_an_article_that_is_still_to_come(database: Database, now: datetime) -> None:
    join(database, now)
    put_article(database, now, number=5)
    assert "“Ferry returns” will be in their next mail of Morning Briefing" in of_article(database, now)


def test_an_article_in_an_issue_that_awaits_approval(database: Database, now: datetime) -> None:
    join(database, now)
    put_article(database, now, number=5)
    issue = put_issue(database, now, frozen=False)
    with database.write() as connection:
        connection.execute(sa.update(tables.cadences).values(mark=5))
        connection.execute(sa.update(tables.issues).where(tables.issues.c.id == issue).values(lo=2, hi=5))
    assert "“Ferry returns” will be in their next mail of Morning Briefing" in of_article(database, now)


def test_an_article_that_only_others_were_sent_by_hand(database: Database, now: datetime) -> None:
    join(database, now)
    put_article(database, now, number=5)
    by_hand = put_issue(database, now, frozen=True, cadence="")
    with database.write() as connection:
        connection.execute(
            sa.insert(tables.issue_articles).values(
                issue_id=by_hand, article_id=FERRY, number=5, position=1, role="full", revision=1
            )
        )
    assert "“Ferry returns” will be in their next mail of Morning Briefing" in of_article(database, now)


def test_an_older_article_that_only_their_own_version_carried(database: Database, now: datetime) -> None:
    reader = join(database, now)
    put_article(database, now, number=5)
    issue = put_issue(database, now, frozen=True, subscriber=reader)
    put_batch(database, issue, "accepted")
    with database.write() as connection:
        connection.execute(sa.update(tables.cadences).values(mark=9))
        connection.execute(
            sa.insert(tables.variants).values(
                issue_id=issue, revision=1, key="", language="en", subject="x", html="x", text="x", sha256="x",
                article_ids=[FERRY],
            )
        )  # fmt: skip
    assert f"Issue {issue} (morning) was accepted by the mail API" in of_article(database, now)


def test_an_article_of_a_newsletter_without_cadence(database: Database, now: datetime) -> None:
    join(database, now, EVENING)
    put_article(database, now, number=5)
    assert "will be in their mail of Evening Note when an editor sends it" in of_article(database, now)


def test_an_article_numbered_before_they_joined(database: Database, now: datetime) -> None:
    join(database, now)
    put_article(database, now, number=5)
    with database.write() as connection:
        connection.execute(sa.update(tables.cadences).values(mark=9))
    assert "was numbered before their next mail" in of_article(database, now)


def test_an_article_that_is_backlog_goes_out_in_nothing(database: Database, now: datetime) -> None:
    join(database, now)
    put_article(database, now, number=None)
    assert "is backlog" in of_article(database, now)


def test_an_article_that_they_got_and_one_that_they_missed(database: Database, now: datetime) -> None:
    reader = join(database, now)
    put_article(database, now, number=5)
    missed = put_issue(database, now, frozen=True)
    with database.write() as connection:
        connection.execute(sa.update(tables.cadences).values(mark=5))
        connection.execute(
            sa.insert(tables.issue_articles).values(
                issue_id=missed, article_id=FERRY, number=5, position=1, role="full", revision=1
            )
        )
    assert f"went out in issue {missed} of Morning Briefing, which they were not sent" in of_article(database, now)
    got = put_issue(database, now, frozen=True, subscriber=reader)
    put_batch(database, got, "accepted")
    with database.write() as connection:
        connection.execute(
            sa.insert(tables.issue_articles).values(
                issue_id=got, article_id=FERRY, number=5, position=1, role="full", revision=1
            )
        )
        connection.execute(
            sa.insert(tables.variants).values(
                issue_id=got, revision=1, key="", language="en", subject="x", html="x", text="x", sha256="x",
                article_ids=[FERRY],
            )
        )  # fmt: skip
    assert f"Issue {got} (morning) was accepted by the mail API" in of_article(database, now)


def test_an_issue_that_is_being_frozen_has_not_left_them_out_yet(database: Database, now: datetime) -> None:
    join(database, now)
    issue = put_issue(database, now, frozen=True)
    with database.write() as connection:
        connection.execute(sa.update(tables.issues).values(state="freezing"))
    assert "they are among those it would go to" in explain(database, now, issue=issue).lines[0]
