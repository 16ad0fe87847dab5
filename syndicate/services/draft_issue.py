"""Draft an issue: allocate its window, compose it, render it and seal it.

Rendering happens between two transactions. A process killed in between leaves a draft, which the next call composes
again with the same window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.edits import arrange
from syndicate.core.issue import Audience, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.request import SAME_AGAIN, request_hash
from syndicate.core.window import allocate, enough
from syndicate.errors import NothingToSend, Refused
from syndicate.rendering.issue import House, compose
from syndicate.storage.articles import select_articles
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.issues import get_composition, get_issue, insert_issue, take_back
from syndicate.storage.reach import count_readers
from syndicate.storage.requests import next_request_id, same_request_since, unfinished_request
from syndicate.storage.sealing import seal_issue
from syndicate.storage.windows import (
    highest_number,
    lock_cadence,
    lock_newsletter,
    numbered_articles,
    open_issue,
    set_mark,
    unused_articles,
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An issue as sealed, and what it shows, in order."""

    issue: Issue
    articles: tuple[Article, ...]


def draft_cadence_issue(
    database: Database,
    newsletter: Newsletter,
    cadence: str,
    house: House,
    *,
    now: datetime,
    actor: str,
    wanted: Callable[[Connection], bool] = lambda connection: True,
) -> Sealed:
    """Drafts the cadence's next issue and seals it, or takes back the one before freezing and widens its window.

    The window (mark, highest number] is allocated and the mark moved in one transaction under the cadence's row lock:
    windows neither overlap nor leave holes. Raises NothingToSend when there are too few articles, and Refused when it
    is no longer `wanted`, which is asked under that lock: nothing has changed.
    """
    with database.write() as connection:
        mark = lock_cadence(connection, newsletter.name, cadence)
        if not wanted(connection):
            raise Refused(f"{newsletter.title}, {cadence}: the issue was drafted elsewhere meanwhile.")
        issue = open_issue(connection, newsletter.name, cadence)
        lo, hi = allocate(mark, highest_number(connection), issue.lo if issue else None)
        found = numbered_articles(connection, newsletter, lo, hi)
        if not enough(len(found), newsletter) or not found:
            raise _too_few(newsletter, cadence, len(found))
        if issue is None:
            issue_id = insert_issue(
                connection,
                newsletter=newsletter.name,
                cadence=cadence,
                kind="cadence",
                state="draft",
                lo=lo,
                hi=hi,
                audience=Audience(cadence=cadence),
                drafted_at=now,
                created_by=actor,
            )
        else:
            issue_id = issue.id
            take_back(connection, issue, why="", hi=hi)
        set_mark(connection, newsletter.name, cadence, hi)
        record(
            connection, at=now, actor=actor, action="issue.draft", subject=str(issue_id), detail={"lo": lo, "hi": hi}
        )
    return _seal(database, issue_id, found, newsletter, house, now=now, actor=actor)


def draft_manual_issue(
    database: Database,
    newsletter: Newsletter,
    house: House,
    *,
    articles: Sequence[Article] | None,
    to: Sequence[str] | None,
    again: bool,
    now: datetime,
    actor: str,
) -> Sealed:
    """Drafts an editor's own issue and seals it; it has no window and moves no mark.

    `articles` None takes every numbered article of the selection that no frozen issue of the newsletter has used. `to`
    are normalised addresses, None for every active subscriber. An unfinished issue of the same request is taken up
    again instead of made twice. Raises NothingToSend, and Refused for an article that may not be sent."""
    for article in articles or ():
        if article.status != "released":
            raise Refused(
                f"{article.content.title!r} is {article.status} and cannot be sent.",
                cure="Release it first, or leave it out.",
            )
    audience = Audience(to=tuple(sorted(to)) if to is not None else None)
    with database.write() as connection:
        lock_newsletter(connection, newsletter.name)
        chosen = list(articles) if articles is not None else unused_articles(connection, newsletter)
        if not chosen:
            raise NothingToSend(
                f"{newsletter.title}: every article has been sent already.", cure="Name some by --articles."
            )
        request = request_hash(newsletter.name, [each.id for each in chosen], audience)
        issue = unfinished_request(connection, request)
        if issue is None:
            issue_id = insert_issue(
                connection,
                newsletter=newsletter.name,
                kind="manual",
                state="draft",
                request_id=next_request_id(connection, request),
                audience=audience,
                again=again,
                drafted_at=now,
                created_by=actor,
            )
            record(
                connection,
                at=now,
                actor=actor,
                action="issue.draft",
                subject=str(issue_id),
                detail={"articles": [each.id for each in chosen]},
            )
        else:
            issue_id = issue.id
            if issue.state != "draft":
                ids = [each.article_id for each in get_composition(connection, issue_id) if each.role != "skipped"]
                known = {each.id: each for each in chosen}
                return Sealed(issue, tuple(known[each] for each in ids if each in known))
    return _seal(database, issue_id, chosen, newsletter, house, now=now, actor=actor)


def sent_lately(database: Database, sealed: Issue, now: datetime) -> Issue | None:
    """The last issue of the same manual request within 24 hours that was not cancelled, if any."""
    with database.read() as connection:
        return same_request_since(connection, sealed, now - SAME_AGAIN)


def _seal(
    database: Database,
    issue_id: int,
    chosen: Sequence[Article],
    newsletter: Newsletter,
    house: House,
    *,
    now: datetime,
    actor: str,
) -> Sealed:
    with database.read() as connection:
        issue = get_issue(connection, issue_id)
        known = {article.id for article in chosen}
        ids = [each for each in issue.edits.added if each not in known]
        added = [each for each in select_articles(connection, ids=ids) if each.status == "released"] if ids else []
        roles = arrange([*chosen, *added], issue.edits, newsletter.max_articles)
        shown = tuple(article for article, role in roles if role != "skipped")
        reach = count_readers(connection, issue, shown, now=now)
    composition = compose(issue, newsletter, house, roles, day=now)
    with database.write() as connection:
        sealed = seal_issue(connection, issue, composition, newsletter, reach, now=now, actor=actor)
    return Sealed(sealed, shown)


def _too_few(newsletter: Newsletter, cadence: str, count: int) -> NothingToSend:
    if not count:
        return NothingToSend(f"{newsletter.title}, {cadence}: nothing new since the last issue.")
    return NothingToSend(
        f"{newsletter.title}, {cadence}: {count} new, and it wants at least {newsletter.min_articles}.",
        cure="They wait for the next slot.",
    )
