"""Several issues of one newsletter: nobody gets an article by two of them, and none of them is stuck for it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.core.message import Answer
from syndicate.errors import Refused
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection
from syndicate.services import freeze_issue
from syndicate.services.approve_issue import approve
from syndicate.services.cancel_issue import cancel
from syndicate.services.deliver_issue import deliver
from syndicate.services.pause_issue import pause, resume
from syndicate.services.resolve_issue import resolve
from syndicate.services.sweep_issues import sweep
from syndicate.storage import freezing, tables
from syndicate.storage.database import Database
from syndicate.storage.issues import change_issue, get_issue, put_variant
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import Resized, start
from tests.mail_api_server import MailApiProcess, MailApiServer
from tests.mailing import (
    BODY,
    NOW,
    add_readers,
    address,
    books_now,
    clock,
    delivery_of,
    freeze_it,
    frozen_issue,
    make_issue,
    make_newsroom,
)


def articles_of_readers(database: Database, *issues: int) -> dict[int, Counter[str]]:
    """How often each reader gets each article by these issues."""
    recipients, variants = tables.issue_recipients, tables.variants
    query = (
        sa.select(recipients.c.subscriber_id, variants.c.article_ids)
        .join(
            variants,
            sa.and_(variants.c.issue_id == recipients.c.issue_id, variants.c.key == recipients.c.variant_key),
        )
        .where(recipients.c.issue_id.in_(issues))
    )
    got: dict[int, Counter[str]] = {}
    with database.read() as connection:
        for reader, ids in connection.execute(query):
            got.setdefault(reader, Counter()).update(ids)
    return got


def settle(database: Database, issue_id: int, state: str) -> None:
    """As if every request of the issue had ended so."""
    table = tables.batches
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.issue_id == issue_id).values(state=state, recipients=1))


@pytest.mark.parametrize("state", ["planned", "sending", "retry", "uncertain", "accepted"])
def test_what_another_issue_is_about_to_bring_is_left_out(database: Database, state: str) -> None:
    articles = make_newsroom(database, articles=2)
    add_readers(database, 12)
    by_hand = make_issue(database, articles[:1], kind="manual", to=[address(n) for n in range(1, 5)])
    freeze_it(database, by_hand)
    settle(database, by_hand, state)
    daily = make_issue(database, articles, expected=12)
    assert freeze_it(database, daily) == "sending"
    got = articles_of_readers(database, by_hand, daily)
    assert got == {n: Counter(articles) for n in range(1, 13)}


@pytest.mark.parametrize("state", ["refused", "withdrawn"])
def test_what_another_issue_surely_does_not_bring_is_not_left_out(database: Database, state: str) -> None:
    articles = make_newsroom(database, articles=2)
    add_readers(database, 4)
    by_hand = make_issue(database, articles[:1], kind="manual")
    freeze_it(database, by_hand)
    settle(database, by_hand, state)
    daily = make_issue(database, articles)
    freeze_it(database, daily)
    assert articles_of_readers(database, daily) == {n: Counter(articles) for n in range(1, 5)}


def test_one_that_is_half_frozen_is_finished_before_the_next_begins(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 5)
    articles = make_newsroom(database, articles=2)
    add_readers(database, 20)
    by_hand, daily = make_issue(database, articles[:1], kind="manual"), make_issue(database, articles)

    def killed(done: int, _total: int | None) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        freeze_it(database, by_hand, progress=killed)
    assert freeze_it(database, daily) == "sending"
    assert freeze_it(database, by_hand) == "already"
    assert books_now(database, by_hand).planned == 20
    assert articles_of_readers(database, by_hand, daily) == {n: Counter(articles) for n in range(1, 21)}


def test_one_that_was_paused_half_frozen_does_not_go_on_while_another_is_frozen(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 5)
    articles = make_newsroom(database, articles=2)
    add_readers(database, 20)
    by_hand, daily = make_issue(database, articles[:1], kind="manual"), make_issue(database, articles)

    def paused(done: int, _total: int | None) -> None:
        if done == 10:
            pause(database, by_hand, why="look", actor="an editor", now=NOW)

    assert freeze_it(database, by_hand, progress=paused) == "already"
    refused: list[str] = []

    def resumed(_done: int, _total: int | None) -> None:
        with pytest.raises(Refused) as told:
            resume(database, by_hand, actor="an editor", now=NOW)
        refused.append(str(told.value))

    assert freeze_it(database, daily, progress=resumed) == "sending"
    assert refused
    assert f"Issue {daily}" in refused[0]
    assert resume(database, by_hand, actor="an editor", now=NOW).state == "freezing"
    assert freeze_it(database, by_hand) == "sending"
    # Of the first, 10 were frozen when it was paused; the others got its article by the daily issue.
    assert articles_of_readers(database, by_hand, daily) == {n: Counter(articles) for n in range(1, 21)}


@pytest.mark.parametrize("when", ["between two chunks", "while a chunk is frozen"])
def test_what_another_issue_brings_by_a_revision_made_meanwhile_is_left_out(
    database: Database, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    if database.is_sqlite and when == "while a chunk is frozen":
        pytest.skip("it has one writer at a time")
    monkeypatch.setattr(freeze_issue, "CHUNK", 7)
    articles = make_newsroom(database, articles=3)
    add_readers(database, 20)
    by_hand = make_issue(database, [articles[0], articles[2]], kind="manual")
    freeze_it(database, by_hand)
    daily = make_issue(database, articles[:2], window=(0, 2))
    whole = freezing.freeze_chunk

    def revised_and_sent() -> None:
        with database.write() as connection:
            body = {"sha256": BODY.sha256, **asdict(BODY)}
            ids = [articles[0], articles[2]]
            put_variant(connection, by_hand, 2, "", language="en", article_ids=ids, **body)
            change_issue(connection, by_hand, revision=2)
            batches = tables.batches
            accepted = {"state": "accepted", "revision": 2, "recipients": 10, "generation": 1}
            connection.execute(sa.update(batches).where(batches.c.issue_id == by_hand).values(**accepted))

    def progress(done: int, _total: int | None) -> None:
        if done == 7 and when == "between two chunks":
            revised_and_sent()

    def freeze_chunk(*arguments: Any, **named: Any) -> Any:
        if named["base"] == 7 and when != "between two chunks":
            monkeypatch.setattr(freezing, "freeze_chunk", whole)
            revised_and_sent()
        return whole(*arguments, **named)

    monkeypatch.setattr(freezing, "freeze_chunk", freeze_chunk)
    assert freeze_it(database, daily, progress=progress) == "sending"
    assert articles_of_readers(database, daily) == {n: Counter(articles[1:2]) for n in range(1, 21)}
    assert books_now(database, daily).planned == 20


def test_what_another_issue_sends_again_meanwhile_is_left_out_from_then_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 7)
    articles = make_newsroom(database, articles=2)
    add_readers(database, 20)
    by_hand = make_issue(database, articles[:1], kind="manual")
    freeze_it(database, by_hand)
    settle(database, by_hand, "uncertain")
    assert sweep(database, NOW) == [by_hand]
    daily = make_issue(database, articles)

    def progress(done: int, _total: int | None) -> None:
        if done == 7:
            resolve(database, by_hand, "resend", actor="an editor", now=NOW)

    assert freeze_it(database, daily, progress=progress) == "sending"
    got = articles_of_readers(database, daily)
    assert got == {n: Counter(articles if n <= 7 else articles[1:]) for n in range(1, 21)}


def test_whose_range_begins_earlier_meanwhile_gets_nothing_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 7)
    articles = make_newsroom(database, articles=3)
    add_readers(database, 20)
    by_hand = make_issue(database, articles[:1], kind="manual", to=[address(20)])
    freeze_it(database, by_hand)
    settle(database, by_hand, "accepted")
    daily = make_issue(database, articles[2:], window=(2, 3))

    def progress(done: int, _total: int | None) -> None:
        if done == 7:
            table = tables.subscriptions
            with database.write() as connection:
                connection.execute(sa.update(table).where(table.c.subscriber_id >= 19).values(resume_from=0))

    assert freeze_it(database, daily, progress=progress) == "sending"
    got = articles_of_readers(database, by_hand, daily)
    assert got == {n: Counter(articles if n >= 19 else articles[2:]) for n in range(1, 21)}


def test_many_at_once_give_nobody_an_article_twice(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 7)
    articles = make_newsroom(database, articles=4)
    add_readers(database, 60)
    issues = [make_issue(database, articles[place:], kind="manual") for place in range(3)]
    issues.append(make_issue(database, articles))
    barrier = threading.Barrier(len(issues))
    outcomes: list[str] = []

    def send(issue_id: int) -> None:
        barrier.wait()
        outcomes.append(freeze_it(database, issue_id))

    threads = [threading.Thread(target=send, args=(issue_id,)) for issue_id in issues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == len(issues)
    with database.read() as connection:
        assert {get_issue(connection, issue_id).state for issue_id in issues} == {"sending"}
    assert articles_of_readers(database, *issues) == {n: Counter(articles) for n in range(1, 61)}


@pytest.mark.slow
def test_two_processes_at_two_issues(database: Database, database_url: str, tmp_path: Path) -> None:
    articles = make_newsroom(database, articles=3)
    add_readers(database, 300)
    by_hand = make_issue(database, articles[:2], kind="manual", to=[address(n) for n in range(1, 200)])
    daily = make_issue(database, articles, expected=300)
    with MailApiProcess("resend", tmp_path / "journal") as server:
        processes = [start(database_url, tmp_path, issue_id, "resend", server.url) for issue_id in (by_hand, daily)]
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0, 0]
    assert articles_of_readers(database, by_hand, daily) == {n: Counter(articles) for n in range(1, 301)}
    assert books_now(database, daily).balanced


# --- what was approved ------------------------------------------------------------------------------------------------


def test_readers_who_have_all_of_it_are_no_reason_to_approve_again(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 10)
    by_hand = make_issue(database, articles, kind="manual", to=[address(n) for n in range(1, 6)])
    freeze_it(database, by_hand)
    settle(database, by_hand, "accepted")
    daily = make_issue(database, articles, expected=10)
    assert freeze_it(database, daily) == "sending"
    assert books_now(database, daily).planned == 5


def test_one_that_everybody_has_ends_and_says_so(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 3)
    by_hand = make_issue(database, articles, kind="manual", expected=3)
    freeze_it(database, by_hand)
    settle(database, by_hand, "accepted")
    assert sweep(database, NOW) == [by_hand]
    again = make_issue(database, articles, kind="manual", expected=3)
    assert freeze_it(database, again) == "sending"
    assert sweep(database, NOW) == [again]
    with database.read() as connection:
        issue = get_issue(connection, again)
    assert (issue.state, issue.planned, issue.why) == ("sent", 0, "Everybody has its articles already.")


@pytest.mark.parametrize(
    ("approved", "readers", "outcome"),
    [
        *((0, 0, "sending"), (1, 1, "sending"), (10, 11, "sending")),
        *((0, 3, "awaiting"), (10, 12, "awaiting"), (1, 0, "awaiting")),
    ],
)
def test_a_tenth_of_few(database: Database, approved: int, readers: int, outcome: str) -> None:
    articles = make_newsroom(database)
    if readers:
        add_readers(database, readers)
    issue_id = make_issue(database, articles, expected=approved)
    assert freeze_it(database, issue_id) == outcome
    if outcome == "awaiting":
        # What is approved then is what there is: it goes.
        approve(database, issue_id, now=NOW, actor="an editor")
        assert freeze_it(database, issue_id) == "sending"
    sweep(database, NOW)
    with database.read() as connection:
        issue = get_issue(connection, issue_id)
    if readers == 0:
        assert (issue.state, issue.why) == ("sent", "It has no readers.")
    assert books_now(database, issue_id).balanced


# --- renamed while it is sent -----------------------------------------------------------------------------------------


def test_a_newsletter_renamed_while_it_is_frozen_loses_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 5)
    articles = make_newsroom(database)
    add_readers(database, 20)
    issue_id = make_issue(database, articles)

    def rename_half_way(done: int, _of: int | None) -> None:
        if done == 10:
            rename(database)

    freeze_it(database, issue_id, progress=rename_half_way)
    assert books_now(database, issue_id).planned == 20


def test_a_newsletter_renamed_while_it_is_sent_loses_nobody(database: Database, tmp_path: Path) -> None:
    issue_id = frozen_issue(database, 60)
    posts: list[int] = []

    class Renaming(Resized):
        def post(self, body: bytes, *, key: str, count: int) -> Answer:
            posts.append(count)
            if len(posts) == 1:
                rename(database)
            return super().post(body, key=key, count=count)

    with MailApiServer("resend", tmp_path / "journal") as server:
        api = Renaming(open_mail_api("resend", Connection(server.url, "key")), recipients_per_request=1)
        with worker_lock(database, tmp_path, "test", NOW) as worker:
            delivery = delivery_of(database, api, tmp_path)
            deliver(delivery, issue_id, worker, stop=threading.Event(), threads=1, clock=clock)
    assert books_now(database, issue_id) == Books(planned=60, accepted=60)


def rename(database: Database) -> None:
    """What a command does that finds `was = "morning"` in the settings."""
    from syndicate.core.newsletter import Newsletter
    from syndicate.storage.definitions import sync
    from tests.services.site_rows import DeclaredSource

    with database.write() as connection:
        sync(
            connection,
            sources=[DeclaredSource("desk")],
            feeds=[],
            newsletters=[Newsletter("dawn", "Dawn", "en", "Europe/Lisbon")],
            renamed={"newsletters": {"dawn": "morning"}},
            now=NOW + timedelta(minutes=1),
        )


# --- cancelled --------------------------------------------------------------------------------------------------------


def test_a_cancelled_issue_gives_its_articles_to_a_later_one_that_is_still_open(database: Database) -> None:
    articles = make_newsroom(database, articles=5, mark=5)
    add_readers(database, 3)
    first = make_issue(database, articles[:2], window=(0, 2))
    freeze_it(database, first)
    later = make_issue(database, articles[2:], window=(2, 5))
    cancel(database, first, actor="an editor", now=NOW)
    with database.read() as connection:
        cancelled, widened = get_issue(connection, first), get_issue(connection, later)
        mark = connection.execute(
            sa.select(tables.cadences.c.mark).where(tables.cadences.c.name == "daily")
        ).scalar_one()
    assert cancelled.used_articles == "carry"
    assert (widened.state, widened.lo, widened.hi, widened.is_approved) == ("draft", 0, 5, False)
    assert f"issue {first}" in widened.why
    assert mark == 5
