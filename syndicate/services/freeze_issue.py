"""Freeze an issue: fix its audience, the version of each person and the batches, then let it be sent.

Chunk by chunk in short transactions; a process killed at any instant leaves whole chunks, and the next call goes on.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from jinja2 import Environment
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.history import History, history_of, short_key
from syndicate.core.issue import BEFORE_FREEZING, Issue, audience_is_off
from syndicate.core.message import CapabilitySheet
from syndicate.core.newsletter import Newsletter
from syndicate.core.preflight import errors_among, look_at_headers, look_over, preflight
from syndicate.core.publication import Publication, Sender
from syndicate.core.window import personal, with_roles
from syndicate.errors import Refused
from syndicate.rendering.email import RenderedVariant, render_digest
from syndicate.rendering.issue import digest_of
from syndicate.storage import freezing
from syndicate.storage.articles import select_articles
from syndicate.storage.audience import count_audience
from syndicate.storage.audit import record
from syndicate.storage.compositions import composed_articles, take_back_if_held
from syndicate.storage.database import Database
from syndicate.storage.issues import (
    change_issue,
    get_issue,
    get_variants,
    list_issues,
    move_issue,
    put_variant,
)
from syndicate.storage.people import keep_people
from syndicate.storage.slots import go_with
from syndicate.storage.standing_changes import put_mark
from syndicate.storage.standings import lock_articles
from syndicate.storage.unfreezing import back_to_awaiting
from syndicate.storage.windows import lock_newsletter, numbered_articles

CHUNK = 20_000
"""People frozen in one transaction: well under 200 ms."""

ENVELOPE_BYTES = 6_000
"""What a request needs for one message beside its body: addresses, headers, links longer than their placeholders."""

VALUES_BYTES = 3_000
"""What a request with one body needs for each recipient: address, name, tokens, each perhaps more than once."""

Progress = Callable[[int, int | None], None]
"""Called with how many are done, and of how many if that is known."""

Outcome = Literal["sending", "awaiting", "already", "stopped"]


def freeze(
    database: Database,
    issue_id: int,
    *,
    newsletter: Newsletter,
    publication: Publication,
    sender: Sender,
    environment: Environment,
    sheet: CapabilitySheet,
    now: datetime,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Freezes an approved issue, or one whose time has come, and plans its batches for the mail API of `sheet`.

    Issues of one newsletter are frozen one after another, so that each knows who gets what by the others: one that is
    half frozen is finished first. "awaiting": the audience is more than a tenth off the count that was approved, or
    the checks before sending found an error in the version of some readers; nothing is frozen. "already": it is past
    freezing, or somebody paused or cancelled it meanwhile. "stopped": `stop` was set, which is heeded between any two
    steps; the next call goes on. Raises Refused when
    it is not approved, not due, when one of its articles may not go out any more (it is then back in draft), or when
    the checks before sending find an error in it (it then awaits again).
    """
    stop = stop or threading.Event()
    while True:
        issue = _begin(database, issue_id, now, _faults(database, issue_id, newsletter, publication, sender, now))
        if issue is None:
            return "already"
        work = _Freezing(database, issue, newsletter, publication, sender, environment, sheet, progress, stop)
        outcome = _whole(database, issue.id, work, now)
        if outcome == "stopped" or issue.id == issue_id:
            return outcome


def _whole(database: Database, issue_id: int, work: _Freezing, now: datetime) -> Outcome:
    while True:
        if work.stop.is_set():
            return "stopped"
        with database.read() as connection:
            issue = get_issue(connection, issue_id)
        if issue.state != "freezing":
            return "already"
        if issue.frozen_through == freezing.UNFREEZING:
            return back_to_awaiting(database, issue_id, CHUNK, work.stop)
        if not work.freeze_chunk(issue) and _finish(database, issue, now):
            return "sending"


def _faults(
    database: Database,
    issue_id: int,
    newsletter: Newsletter,
    publication: Publication,
    sender: Sender,
    now: datetime,
) -> tuple[str | None, list[str]]:
    """The seal of what is to go out, and what is so wrong with it that it must not."""
    with database.read() as connection:
        issue = get_issue(connection, issue_id)
        variants = get_variants(connection, issue_id, issue.revision) if issue.state in BEFORE_FREEZING else {}
    found = (*look_at_headers(publication, sender, newsletter, date=now), *look_over(variants.values()))
    return issue.seal, errors_among(found)


def _begin(database: Database, issue_id: int, now: datetime, faults: tuple[str | None, list[str]]) -> Issue | None:
    """The issue to be frozen now, in `freezing`: this one, or another of its newsletter that is half frozen. None when
    this one is past that."""
    seal, wrong = faults
    with database.write() as connection:
        keep_people(connection)
        # Until this is committed no other issue of the newsletter begins.
        lock_newsletter(connection, get_issue(connection, issue_id).newsletter)
        issue = get_issue(connection, issue_id, lock=True)
        if issue.state == "freezing":
            return issue
        if issue.state in ("sending", "paused", "sent", "cancelling", "cancelled"):
            return None
        if issue.state not in ("approved", "scheduled") or not issue.is_approved:
            why = f" ({issue.why})" if issue.why else ""
            cure = "Draft it again" if issue.state == "draft" else f"`syndicate issues approve {issue_id}`"
            raise Refused(f"Issue {issue_id} is {issue.state} and not approved{why}.", cure=f"{cure} first.")
        if issue.send_at is not None and issue.send_at > now:
            raise Refused(f"Issue {issue_id} is not due before {issue.send_at:%Y-%m-%d %H:%M} UTC.")
        if others := list_issues(connection, newsletter=issue.newsletter, states=["freezing"]):
            return others[-1]
        held = take_back_if_held(connection, issue)
        wrong = wrong if issue.seal == seal and not held else []
        if wrong:
            why = f"The checks before sending found: {' '.join(wrong[:3])}"
            move_issue(connection, issue, "awaiting", why=why, approved_seal=None, send_at=None)
        elif not held:
            mark = put_mark(connection)
            move_issue(connection, issue, "freezing", frozen_at=now, frozen_through=0, standing_mark=mark, why="")
            issue = get_issue(connection, issue_id)
            if issue.kind == "cadence":
                go_with(connection, issue, now)
    if held:
        raise Refused(
            f"Issue {issue_id} carries {len(held)} that may not go out any more: {'; '.join(held[:3])}.",
            cure="It is back in draft: compose it again.",
        )
    if wrong:
        raise Refused(
            f"Issue {issue_id} must not go out as it is: {' '.join(wrong[:3])}",
            cure=f"It awaits again: mend it, `syndicate issues check {issue_id}` looks anew.",
        )
    return issue


def _finish(database: Database, issue: Issue, now: datetime) -> bool:
    """Nobody is left to freeze: on to sending, or to the taking back of an audience that is off. False: look again."""
    issue_id = issue.id
    approved = issue.approved_expected if issue.approved_expected is not None else issue.expected
    with database.read() as connection:
        taken = freezing.highest_ordinal(connection, issue_id)
        if not taken or (approved is not None and audience_is_off(approved, taken)):
            # What was approved is how many the rule takes; some of them may have all of it already.
            taken = count_audience(connection, issue.newsletter, issue.audience, now=issue.frozen_at or now)
    with database.write() as connection:
        issue = get_issue(connection, issue_id, lock=True)
        if issue.state != "freezing" or issue.frozen_through == freezing.UNFREEZING:
            return False
        # Somebody may have joined between the last look and the lock.
        if freezing.end_of_chunk(connection, issue, issue.frozen_through, 1) is not None:
            return False
        planned = freezing.highest_ordinal(connection, issue_id)
        if approved is not None and audience_is_off(approved, planned) and audience_is_off(approved, taken):
            why = f"It would go to {taken}, but {approved} were approved."
            change_issue(connection, issue_id, frozen_through=freezing.UNFREEZING, expected=taken, why=why)
            return False
        why = ("Everybody has its articles already." if taken else "It has no readers.") if not planned else ""
        move_issue(connection, issue, "sending", planned=planned, started_at=now, why=why)
        record(connection, at=now, action="issue.frozen", subject=str(issue_id), detail={"planned": planned})
        return True


def _take_back(connection: Connection, issue_id: int, wrong: list[str]) -> None:
    """Nobody gets anything: the version at fault is kept, so that the checks find it until the issue is mended."""
    issue = get_issue(connection, issue_id, lock=True)
    if issue.state == "freezing" and issue.frozen_through != freezing.UNFREEZING:
        why = f"The checks before sending found, in what some readers would get: {' '.join(wrong[:3])}"
        change_issue(connection, issue_id, frozen_through=freezing.UNFREEZING, why=why)


class _UnknownVersion(Exception):
    """Somebody in the chunk needs a version that is not made yet: the chunk rolls back."""


class _Outdated(Exception):
    """What is known of the newsletter's other issues is so no longer: the chunk rolls back."""


class _Freezing:
    """One freezing: the versions that are known, and the history that tells them apart."""

    def __init__(
        self,
        database: Database,
        issue: Issue,
        newsletter: Newsletter,
        publication: Publication,
        sender: Sender,
        environment: Environment,
        sheet: CapabilitySheet,
        progress: Progress | None,
        stop: threading.Event,
    ) -> None:
        self.database, self.newsletter, self.publication = database, newsletter, publication
        self.sender, self.environment, self.sheet, self.progress = sender, environment, sheet, progress
        self.stop = stop
        self.look_back(issue)

    def look_back(self, issue: Issue) -> None:
        """Reads what the newsletter's other issues bring to whom, and what is made of this one already."""
        self.nothing_left: set[str] = set()
        self.shortened: dict[str, str] = {}
        """What is stored for a key that is too long."""
        self.made: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        """How many people one request holds, by variant key: of all versions that stand, and of those that may be used
        without another look at where they start."""
        with self.database.read() as connection:
            composed = composed_articles(connection, issue.id)
            self.base = [article for article, each in composed if each.role != "skipped"]
            self.start = freezing.earliest_start(connection, issue) if issue.kind == "cadence" else None
            self.older: list[Article] = []
            if self.start is not None and self.start < issue.lo:
                self.older = numbered_articles(connection, self.newsletter, self.start, issue.lo)
            shown = frozenset(article.id for article in (*self.base, *self.older))
            self.others = freezing.others_frozen(connection, issue)
            self.history: History = history_of(freezing.earlier_versions(connection, issue, shown), shown)
            for key, variant in get_variants(connection, issue.id, issue.revision).items():
                self.made[key] = people_per_request(self.sheet, variant.html, variant.text)
        self.sizes |= {key: size for key, size in self.made.items() if not {"+", "~"} & set(key)}

    def freeze_chunk(self, issue: Issue) -> bool:
        """Freezes the next people, unless somebody else did; False when nobody is left. When some of them need a
        version that is not known yet it is made, and when another issue brings something else by now that is read: the
        chunk waits for the next call."""
        try:
            return self._freeze(issue)
        except _UnknownVersion:
            with self.database.read() as connection:
                end = freezing.end_of_chunk(connection, issue, issue.frozen_through, CHUNK)
                keys = freezing.variant_keys(connection, issue, self.history, issue.frozen_through, end)
            self._make_versions(issue, keys)
        except _Outdated:
            self.look_back(issue)
        return True

    def _freeze(self, issue: Issue) -> bool:
        with self.database.write() as connection:
            keep_people(connection)
            locked = get_issue(connection, issue.id, lock=True)
            if locked.state != "freezing" or locked.frozen_through != issue.frozen_through:
                return True
            runs = freezing.freeze_chunk(
                connection,
                locked,
                self.history,
                size=CHUNK,
                base=freezing.highest_ordinal(connection, issue.id),
                stored_keys=self.shortened,
                nothing_left=self.nothing_left,
            )
            if runs is None:
                return False
            if any(run.variant_key not in self.sizes for run in runs):
                raise _UnknownVersion
            for run in runs:
                freezing.plan_run(connection, issue, run, self.sizes[run.variant_key])
            # Last: where another issue changed after a statement of this chunk looked at it, that is seen here.
            if freezing.others_frozen(connection, locked) != self.others:
                raise _Outdated
        if self.progress is not None and runs:
            self.progress(runs[-1].last, issue.approved_expected)
        return True

    def _make_versions(self, issue: Issue, keys: set[str]) -> None:
        for key in sorted(keys):
            if short_key(key) != key:
                self.shortened[key] = short_key(key)
            if key in self.nothing_left or short_key(key) in self.sizes:
                continue
            without, start = self.history.articles_of(key)
            if start is not None and start < issue.lo and (self.start is None or start < self.start):
                # Somebody's range starts earlier than anybody's did: others may have brought them what is in it.
                self.look_back(issue)
                return
            if short_key(key) in self.made:
                self.sizes[short_key(key)] = self.made[short_key(key)]
                continue
            if self.stop.is_set():
                return
            older = self.older
            if start is not None and start < issue.lo:
                with self.database.read() as connection:
                    older = numbered_articles(connection, self.newsletter, start, issue.lo)
            articles = personal(self.base, without=without, resume_from=start, older=older)
            if not articles:
                self.nothing_left.add(key)
                continue
            variant = self._render(issue, articles)
            wrong = errors_among(preflight(variant))
            with self.database.write() as connection:
                # Whoever retracts an article finds this version, or is found here.
                lock_articles(connection)
                if self._is_overtaken(connection, articles):
                    return
                put_variant(
                    connection,
                    issue.id,
                    issue.revision,
                    short_key(key),
                    language=self.newsletter.language,
                    subject=variant.subject,
                    html=variant.html,
                    text=variant.text,
                    sha256=variant.sha256,
                    article_ids=[article.id for article in articles],
                )
                if wrong:
                    _take_back(connection, issue.id, wrong)
            if wrong:
                return
            self.sizes[short_key(key)] = people_per_request(self.sheet, variant.html, variant.text)

    def _is_overtaken(self, connection: Connection, articles: Sequence[Article]) -> bool:
        """Whether one of them was retracted while a version with it was made, or an older one changed: then it is made
        anew."""
        own = {article.id for article in self.base}
        now = {article.id: article for article in select_articles(connection, ids=[each.id for each in articles])}
        return any(
            now[each.id].status == "gone" or (each.id not in own and now[each.id].revision != each.revision)
            for each in articles
        )

    def _render(self, issue: Issue, articles: list[Article]) -> RenderedVariant:
        digest = digest_of(
            issue,
            self.newsletter,
            self.publication,
            self.sender,
            with_roles(articles, self.newsletter.max_articles, arranged=bool(issue.edits.order)),
            day=issue.sealed_at or issue.drafted_at,
        )
        return render_digest(self.environment, digest)


def people_per_request(sheet: CapabilitySheet, html: str, text: str) -> int:
    """How many recipients of this body one request may hold, by count and by bytes (as JSON, all of it escaped): whole
    messages, or the body once with the values of each."""
    body = len(json.dumps(html)) + len(json.dumps(text)) + ENVELOPE_BYTES
    fit = (sheet.bytes_per_request - body) // VALUES_BYTES if sheet.substitution else sheet.bytes_per_request // body
    return max(1, min(sheet.recipients_per_request, fit))
