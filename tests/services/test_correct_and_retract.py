"""Correcting and retracting articles while issues with them are drafted, frozen and sent, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.article import Article
from syndicate.core.books import Books
from syndicate.core.effect import Effects, sentences
from syndicate.core.feed import Feed
from syndicate.core.issue import Issue
from syndicate.core.message import Answer, CapabilitySheet, Message
from syndicate.core.newsletter import Newsletter
from syndicate.errors import NotFound, Refused
from syndicate.mail.base import MailAPI
from syndicate.rendering.email import RenderedVariant
from syndicate.rendering.environment import make_environment
from syndicate.rendering.issue import House, compose
from syndicate.services import draft_issue, revise_issues
from syndicate.services.approve_issue import approve
from syndicate.services.correct_article import correct_article
from syndicate.services.deliver_issue import deliver
from syndicate.services.draft_issue import draft_cadence_issue
from syndicate.services.pause_issue import resume
from syndicate.services.release_articles import release_articles
from syndicate.services.resolve_issue import resolve
from syndicate.services.retract_article import retract_article
from syndicate.services.sweep_issues import sweep
from syndicate.sources.base import Source
from syndicate.storage import tables
from syndicate.storage.articles import content_to_json, get_article
from syndicate.storage.database import Database
from syndicate.storage.feeds import declare_feeds
from syndicate.storage.freezing import UNFREEZING
from syndicate.storage.issues import change_issue, get_issue, get_variants, move_issue, put_variant
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer, Plan, doubled, lost, read_journal
from tests.mailing import (
    BODY,
    MORNING,
    NOW,
    PUBLICATION,
    SENDER,
    SHEET,
    add_readers,
    address,
    batches_of,
    books_now,
    clock,
    delivery_of,
    freeze_it,
    make_issue,
    make_newsroom,
)

READERS = 60
FEEDS = (Feed("", "All"),)
FIRST = "Article number 1"


SMALL = replace(SHEET, recipients_per_request=2)
"""Many small requests, so that there is a middle to stop in."""


def no_source(name: str) -> Source:
    raise NotFound(f"No source is called {name}.")


@dataclass
class Remembering:
    """A mail API that keeps what each accepted message said, by its address."""

    api: MailAPI
    said: dict[str, list[str]] = field(default_factory=dict)
    _built: dict[bytes, list[tuple[str, str]]] = field(default_factory=dict)

    @property
    def sheet(self) -> CapabilitySheet:
        return self.api.sheet

    @property
    def account(self) -> str:
        return self.api.account

    @property
    def url(self) -> str:
        return self.api.url

    def build(self, messages: Sequence[Message]) -> bytes:
        body = self.api.build(messages)
        self._built[body] = [(each.to_email, each.subject + each.html + each.text) for each in messages]
        return body

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        answer = self.api.post(body, key=key, count=count)
        if answer.verdict == "accepted":
            for to, text in self._built[body]:
                self.said.setdefault(to, []).append(text)
        return answer

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return self.api.lookup(message_ids, key=key)

    def with_words(self, words: str) -> int:
        return sum(any(words in text for text in texts) for texts in self.said.values())


@dataclass
class Room:
    """A newsroom of three articles and an issue with them, approved and frozen."""

    database: Database
    folder: Path
    articles: list[str]
    issue_id: int

    def issue(self) -> Issue:
        with self.database.read() as connection:
            return get_issue(connection, self.issue_id)

    def article(self, number: int = 1) -> Article:
        with self.database.read() as connection:
            return get_article(connection, self.articles[number - 1])

    def retract(self, number: int = 1, note: str = "It was not true.") -> Effects:
        return retract_article(
            self.database, self.articles[number - 1], note=note, actor="desk", feeds=FEEDS, now=NOW
        )

    def correct(self, number: int = 1, **changes: str) -> Effects:
        return correct_article(
            self.database,
            self.articles[number - 1],
            no_source,
            note="The hour was wrong.",
            changes=changes,
            actor="desk",
            feeds=FEEDS,
            now=clock(),
        )

    def revise(self) -> list[Issue]:
        house = House(PUBLICATION, SENDER, make_environment())
        return revise_issues.revise_issues(self.database, lambda _: MORNING, house, now=NOW, actor="desk")

    def deliver(self, api: MailAPI, **given: Any) -> Books:
        progress: Callable[[int, int], None] | None = given.pop("progress", None)
        with worker_lock(self.database, self.folder, "test", NOW) as worker:
            delivery = delivery_of(self.database, api, self.folder, **given)
            deliver(
                delivery, self.issue_id, worker, stop=threading.Event(), threads=2, clock=clock, progress=progress
            )
        sweep(self.database, clock())
        balance = books_now(self.database, self.issue_id)
        assert balance.balanced
        return balance

    def deliver_until(self, api: MailAPI, act: Callable[[], object], **given: Any) -> Books:
        """Delivers; `act` happens once, after the first answers were recorded."""
        done: list[object] = []

        def progress(settled: int, of: int) -> None:
            if not done and settled:
                done.append(act())

        balance = self.deliver(api, progress=progress, **given)
        assert done, "it was over before anybody could act"
        return balance

    def go_on(self) -> None:
        approve(self.database, self.issue_id, now=NOW, actor="desk")
        resume(self.database, self.issue_id, actor="desk", now=NOW)


def open_room(database: Database, articles: int) -> list[str]:
    """The newsroom, its site feed and the first revision of each article, as a collector leaves them."""
    ids = make_newsroom(database, articles=articles)
    with database.write() as connection:
        declare_feeds(connection, [""])
        for each in ids:
            first = {"article_id": each, "revision": 1, "at": NOW, "kind": "first"}
            content = content_to_json(get_article(connection, each).content)
            connection.execute(sa.insert(tables.article_revisions).values(**first, content=content))
    return ids


def compose_whole(database: Database, articles: Sequence[str]) -> int:
    """An approved issue whose body names each of its articles."""
    with database.read() as connection:
        titles = " ".join(get_article(connection, each).content.title for each in articles)
    body = RenderedVariant("The morning", BODY.html + titles, BODY.text + titles)
    return make_issue(database, articles, body=body)


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Room:
    articles = open_room(database, 3)
    add_readers(database, READERS)
    issue_id = compose_whole(database, articles)
    assert freeze_it(database, issue_id, sheet=SMALL) == "sending"
    return Room(database, tmp_path, articles, issue_id)


@contextmanager
def sending(room: Room, *faults: str) -> Iterator[tuple[MailApiServer, Remembering]]:
    plan = Plan.parse(faults)
    with MailApiServer("resend", room.folder / "journal", plan=plan) as server:
        yield server, Remembering(mail_api("resend", server.url, recipients=2))


def everybody() -> list[str]:
    return [address(number) for number in range(1, READERS + 1)]


def test_retracted_while_sending_it_stops_at_once_and_the_rest_goes_without_it(room: Room) -> None:
    with sending(room) as (server, api):
        at_once: list[Effects] = []
        stopped = room.deliver_until(api, lambda: at_once.append(room.retract()))
        [effects] = at_once
        issue = room.issue()
        assert (issue.state, issue.seal, issue.is_approved) == ("paused", None, False)
        [effect] = effects.issues
        assert (effect.was, effect.what, effect.planned) == ("sending", "paused", READERS)
        assert 0 < effect.accepted < READERS
        # Requests on the wire come to their end, and no other is claimed.
        assert stopped.waiting == READERS - stopped.accepted > 0
        with pytest.raises(Refused, match="may not go on"):
            resume(room.database, room.issue_id, actor="desk", now=NOW)
        with pytest.raises(Refused, match="not composed anew"):
            approve(room.database, room.issue_id, now=NOW, actor="desk")
        assert room.deliver(api) == stopped, "paused, nothing goes out"

        [revised] = room.revise()
        assert (revised.revision, revised.state, revised.is_approved) == (2, "paused", False)
        with pytest.raises(Refused, match="awaits approval"):
            resume(room.database, room.issue_id, actor="desk", now=NOW)
        assert room.revise() == []
        room.go_on()
        assert room.deliver(api) == Books(READERS, accepted=READERS)
        assert room.issue().state == "sent"
        journal = read_journal(server.journal)
        assert (lost(journal, everybody()), doubled(journal)) == (set(), {})
        assert api.with_words(FIRST) == stopped.accepted
        assert api.with_words("Article number 2") == READERS
    revisions = {(each.revision, each.state) for each in batches_of(room.database, room.issue_id)}
    assert revisions == {(1, "accepted"), (2, "accepted")}


def test_one_that_stopped_and_cannot_be_composed_keeps_no_other_from_going_on(room: Room) -> None:
    with room.database.write() as connection:
        retired = tables.newsletters
        connection.execute(sa.insert(retired).values(name="evening", first_seen_at=NOW))
        change_issue(connection, room.issue_id, newsletter="evening")
    other = compose_whole(room.database, room.articles)
    assert freeze_it(room.database, other, sheet=SMALL) == "sending"
    room.retract()

    def newsletter(name: str) -> Newsletter:
        if name != MORNING.name:
            raise NotFound(f"There is no newsletter {name!r}.")
        return MORNING

    house = House(PUBLICATION, SENDER, make_environment())
    with pytest.raises(NotFound, match="evening"):
        revise_issues.revise_issues(room.database, newsletter, house, now=NOW, actor="desk")
    with room.database.read() as connection:
        failed, revised = get_issue(connection, room.issue_id), get_issue(connection, other)
    assert (failed.state, failed.revision, failed.seal) == ("paused", 1, None)
    assert (revised.state, revised.revision) == ("paused", 2)
    assert revised.seal is not None


def test_corrected_while_sending_the_rest_gets_the_correction(room: Room) -> None:
    with sending(room) as (server, api):
        stopped = room.deliver_until(api, lambda: room.correct(title="The right hour"))
        room.revise()
        with room.database.read() as connection:
            [version] = get_variants(connection, room.issue_id, 2).values()
        assert "The right hour" in version.html and FIRST not in version.html
        room.go_on()
        assert room.deliver(api) == Books(READERS, accepted=READERS)
        assert not doubled(read_journal(server.journal))
        assert api.with_words("The right hour") == READERS - stopped.accepted
        assert api.with_words(FIRST) == stopped.accepted


def test_a_correction_that_must_not_go_out_is_not_approved(room: Room) -> None:
    with sending(room) as (_, api):
        room.deliver_until(api, lambda: room.correct(title="TKTK NOT FOR PUBLICATION"))
        had = len(api.said)
        room.revise()
        assert room.issue().revision == 2
        with pytest.raises(Refused, match=r"Revision 2 of issue \d+ must not go out as it is: .*TKTK"):
            room.go_on()
        with pytest.raises(Refused, match="may not go on"):
            resume(room.database, room.issue_id, actor="desk", now=NOW)
        room.deliver(api)
        assert len(api.said) == had and api.with_words("TKTK") == 0
        # Mended, it goes on.
        room.correct(title="The ferry runs")
        room.revise()
        room.go_on()
        room.deliver(api)
        assert len(api.said) == READERS


def test_what_is_uncertain_when_it_is_retracted_is_never_posted_again_with_it(room: Room) -> None:
    """The first request is lost on its way; its replay would carry the article."""
    with sending(room, "1:drop_after_body") as (server, api):
        stopped = room.deliver_until(api, room.retract)
        assert stopped.uncertain or stopped.waiting
        room.revise()
        room.go_on()
        settled = room.deliver(api, patience_seconds=0.5)
        journal = read_journal(server.journal)
        assert not doubled(journal)
        assert api.with_words(FIRST) == stopped.accepted
        assert settled.accepted + settled.uncertain == READERS
        assert len(lost(journal, everybody())) == settled.uncertain


def test_a_request_that_was_surely_not_accepted_goes_again_without_the_article(room: Room) -> None:
    with sending(room, "1:rate_limited=0.1") as (server, api):
        stopped = room.deliver_until(api, room.retract)
        room.revise()
        room.go_on()
        assert room.deliver(api) == Books(READERS, accepted=READERS)
        assert not doubled(read_journal(server.journal))
        assert api.with_words(FIRST) == stopped.accepted


def test_a_correction_between_building_and_claiming_is_heeded(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was built of revision 1 when the issue came to its second is not claimed."""
    with sending(room) as (_, api):
        built = api.build
        done: list[bool] = []

        def late(messages: Sequence[Message]) -> bytes:
            body = built(messages)
            if len(messages) > 1 and not done:
                done.append(True)
                room.correct(title="The right hour")
                room.revise()
                room.go_on()
            return body

        monkeypatch.setattr(api, "build", late)
        assert room.deliver(api) == Books(READERS, accepted=READERS)
        assert api.with_words(FIRST) == 0 and api.with_words("The right hour") == READERS


def test_who_has_nothing_left_gets_no_mail(room: Room) -> None:
    """A version that showed only the retracted article: its readers are withdrawn, and the books say so."""
    with room.database.write() as connection:
        recipients, batches = tables.issue_recipients, tables.batches
        first = sa.select(batches.c.last).where(batches.c.issue_id == room.issue_id).order_by(batches.c.first).limit(1)
        last = connection.execute(first).scalar_one()
        connection.execute(sa.update(recipients).where(recipients.c.ordinal <= last).values(variant_key="-9"))
        with_one = {"language": "en", "subject": "One", "html": "<p>One</p>", "text": "One", "sha256": "2" * 64}
        put_variant(connection, room.issue_id, 1, "-9", article_ids=[room.articles[0]], **with_one)
    effects = room.retract()
    assert effects.revised == (room.issue_id,)
    room.revise()
    room.go_on()
    with sending(room) as (server, api):
        assert room.deliver(api) == Books(READERS, accepted=READERS - last, withdrawn=last)
        assert len(read_journal(server.journal)) == READERS - last
    assert room.issue().state == "sent"


def test_of_an_issue_with_nothing_left_only_a_cancel_comes(database: Database, tmp_path: Path) -> None:
    articles = open_room(database, 1)
    add_readers(database, 5)
    room = Room(database, tmp_path, articles, make_issue(database, articles))
    freeze_it(database, room.issue_id)
    room.retract()
    for _ in range(2):
        [issue] = room.revise()
        assert issue.why.count("Nothing is left of the issue") == 1 and issue.seal is None
    with pytest.raises(Refused):
        resume(database, room.issue_id, actor="desk", now=NOW)


@pytest.mark.parametrize("paused", [False, True])
def test_a_freezing_is_taken_back_to_draft(database: Database, tmp_path: Path, paused: bool) -> None:
    articles = open_room(database, 2)
    add_readers(database, 30)
    room = Room(database, tmp_path, articles, make_issue(database, articles, expected=30))
    freeze_it(database, room.issue_id)
    with database.write() as connection:
        # As it stands when the last chunk is frozen and nothing was said of it yet.
        change_issue(connection, room.issue_id, planned=None, started_at=None, state="freezing", frozen_through=30)
        if paused:
            move_issue(connection, get_issue(connection, room.issue_id), "paused")
    [effect] = room.retract().issues
    assert effect.what == "unfrozen"
    assert room.issue().frozen_through == UNFREEZING
    [issue] = room.revise()
    assert (issue.state, issue.seal, issue.is_approved, issue.frozen_at) == ("draft", None, False, None)
    assert batches_of(database, room.issue_id) == []


def test_an_issue_that_is_being_composed_meanwhile_is_not_sealed_with_it(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(composing: Any, act: Callable[[], object]) -> Any:
        def composed(*given: Any, **named: Any) -> Any:
            made = composing(*given, **named)
            act()
            return made

        return composed

    house = House(PUBLICATION, SENDER, make_environment())
    for act in (lambda: room.correct(2, title="Otherwise"), lambda: room.retract(2)):
        with monkeypatch.context() as patch:
            patch.setattr(draft_issue, "compose", late(compose, act))
            with pytest.raises(Refused, match=r"changed by somebody else|Held or corrected while"):
                draft_cadence_issue(room.database, MORNING, "weekly", house, now=NOW, actor="desk")
    sealed = draft_cadence_issue(room.database, MORNING, "weekly", house, now=NOW, actor="desk")
    assert [article.content.title for article in sealed.articles] == ["Article number 3", FIRST]


def test_a_correction_returns_an_approved_issue_to_draft_and_says_why(database: Database, tmp_path: Path) -> None:
    articles = open_room(database, 2)
    add_readers(database, 5)
    room = Room(database, tmp_path, articles, make_issue(database, articles))
    effects = room.correct(title="The right hour")
    assert [(each.was, each.what) for each in effects.issues] == [("approved", "draft")]
    issue = room.issue()
    assert (issue.state, issue.seal, issue.why) == ("draft", None, "“The right hour” was corrected.")


def test_an_issue_that_was_sent_stays_and_is_not_sent_again_with_it(room: Room) -> None:
    with sending(room) as (_, api):
        room.deliver(api)
        with room.database.write() as connection:
            # Nobody could tell of this request, and nothing goes on with it by itself.
            lost_one = batches_of(room.database, room.issue_id)[0].id
            where = tables.batches.c.id == lost_one
            connection.execute(sa.update(tables.batches).where(where).values(state="uncertain", retry_at=None))
        assert room.issue().state == "sent" and books_now(room.database, room.issue_id).uncertain
        [effect] = room.retract().issues
        assert effect.what == "mailed"
        with pytest.raises(Refused, match="taken back"):
            resolve(room.database, room.issue_id, "resend", actor="desk", now=NOW)
        assert resolve(room.database, room.issue_id, "count-as-sent", actor="desk", now=NOW)


def test_retracted_twice_is_once_and_finishes_what_a_killed_one_left(room: Room) -> None:
    room.retract()
    before = room.article(), room.issue()
    assert room.retract().revised == (room.issue_id,)
    assert (room.article(), room.issue()) == before
    room.revise()
    room.go_on()
    # The revision without it does not carry it: nothing stops again.
    assert room.retract().issues == ()
    assert room.issue().state == "sending"


def test_killed_while_it_is_revised_nothing_of_it_is_there(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.retract()

    def killed(*given: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(revise_issues, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            room.revise()
    issue = room.issue()
    assert (issue.revision, issue.seal) == (1, None)
    with room.database.read() as connection:
        assert get_variants(connection, room.issue_id, 2) == {}
    [revised] = room.revise()
    assert revised.revision == 2 and revised.seal


def test_taking_a_retraction_back_is_said_aloud_and_gives_a_new_number(room: Room) -> None:
    room.retract()
    with pytest.raises(Refused, match="retracted"):
        release_articles(room.database, room.articles[:1], actor="desk", feeds=FEEDS, now=clock())
    assert room.article().number is None
    release_articles(room.database, room.articles[:1], actor="desk", feeds=FEEDS, now=clock(), retracted=True)
    back = room.article()
    assert (back.status, back.number, back.retracted_at, back.retraction) == ("released", 4, None, "")
    with room.database.read() as connection:
        table = tables.audit_log
        mine = sa.select(table.c.action, table.c.detail).where(table.c.subject == room.articles[0])
        actions = list(connection.execute(mine.order_by(table.c.id)))
    assert [action for action, _ in actions] == ["article.retract", "article.release"]
    assert actions[1].detail["retracted"] is True


def test_only_what_is_published_is_corrected_and_never_without_a_word(room: Room) -> None:
    with pytest.raises(Refused, match="says what"):
        correct_article(
            room.database, room.articles[0], no_source, note=" ", changes={}, actor="d", feeds=FEEDS, now=NOW
        )
    with pytest.raises(Refused, match="needs a title"):
        room.correct(title="  ")
    room.retract()
    with pytest.raises(Refused, match="only a published"):
        room.correct(title="x")


def test_the_effects_are_told_in_words_before_and_after(room: Room) -> None:
    effects = room.retract()
    before, after = sentences(effects, done=False), sentences(effects, done=True)
    assert before[-1] == (
        f"Issue {room.issue_id} (morning): pauses with 0 of 60 sent; a revision without it awaits approval."
    )
    assert after[-1] == (
        f"Issue {room.issue_id} (morning): is paused with 0 of 60 sent; a revision without it awaits approval."
    )
