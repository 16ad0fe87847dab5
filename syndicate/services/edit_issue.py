"""An editor changes an issue before it is frozen; it is composed and sealed again in the same step.

Rendering happens between two transactions. A process killed in between leaves a draft that has the edit already:
whoever composes it next takes it up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.engine import Connection

from syndicate.core.edits import (
    LONGEST_INTRO,
    LONGEST_PREHEADER,
    LONGEST_SUBJECT,
    Change,
    Edits,
    arrange,
    changed,
    checked_text,
)
from syndicate.core.issue import BEFORE_FREEZING, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.request import request_hash
from syndicate.errors import BadInput, NothingToSend, Refused, SyndicateError
from syndicate.rendering.issue import House, compose
from syndicate.storage.articles import select_articles
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.issues import change_issue, get_composition, get_issue, list_issues, take_back
from syndicate.storage.last_step import overtaken
from syndicate.storage.reach import count_readers
from syndicate.storage.requests import next_request_id
from syndicate.storage.sealing import Overtaken, candidates, seal_issue
from syndicate.storage.windows import lock_newsletter


def edit(
    database: Database,
    issue_id: int,
    change: Change,
    newsletter: Newsletter,
    house: House,
    *,
    seen: str | None = None,
    now: datetime,
    actor: str,
) -> Issue:
    """Makes one step of an editor, composes the issue anew and seals it: any approval is void. `seen` is the seal that
    the editor looked at: when it is given and the issue has another, nothing is changed.

    Raises Refused once its freezing has begun, BadInput for what cannot be taken, NothingToSend when no article would
    be left."""
    with database.write() as connection:
        issue = _begin(connection, issue_id, change, newsletter, seen)
        detail = {name: value for name, value in _told(change).items() if value is not None and value != ()}
        record(connection, at=now, actor=actor, action="issue.edit", subject=str(issue_id), detail=detail)
    while issue.state == "draft":
        try:
            return _compose(database, issue, newsletter, house, now=now, actor=actor)
        except Overtaken:
            # Another editor's step came between: compose both, unless the other has done that.
            with database.read() as connection:
                issue = get_issue(connection, issue_id)
    return issue


def recompose(
    database: Database, issue_id: int, newsletter: Newsletter, house: House, *, now: datetime, actor: str
) -> Issue:
    """Composes a draft again from its articles as they are now; an issue in any other state is returned as it is.
    Raises NothingToSend when none of its articles may go out any more."""
    with database.read() as connection:
        issue = get_issue(connection, issue_id)
    if issue.state != "draft":
        return issue
    return _compose(database, issue, newsletter, house, now=now, actor=actor)


def recompose_issues(
    database: Database, newsletter: Callable[[str], Newsletter], house: House, *, now: datetime, actor: str
) -> list[Issue]:
    """Composes every issue again that went back to draft because of what happened to its articles; each then awaits
    approval, or says why it cannot. Cheap when there are none; safe to run at any time, from several processes. One
    that fails keeps no other from going on: the first error is raised when all were tried."""
    with database.read() as connection:
        found = [issue for issue in list_issues(connection, states=["draft"]) if issue.why]
        found = [issue for issue in found if get_composition(connection, issue.id)]
    done: list[Issue] = []
    failed: list[SyndicateError] = []
    for issue in reversed(found):
        try:
            done.append(_compose(database, issue, newsletter(issue.newsletter), house, now=now, actor=actor))
        except (NothingToSend, Refused):
            # Nothing is left of it, or somebody else composes it meanwhile.
            continue
        except SyndicateError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return done


def _begin(connection: Connection, issue_id: int, change: Change, newsletter: Newsletter, seen: str | None) -> Issue:
    # The newsletter before the issue, in the order that a manual send takes them.
    lock_newsletter(connection, newsletter.name)
    issue = get_issue(connection, issue_id, lock=True)
    if issue.state not in BEFORE_FREEZING:
        raise Refused(
            f"Issue {issue_id} is {issue.state} and cannot be edited any more.",
            cure="What is wrong in it is corrected by `syndicate articles correct`.",
        )
    if seen is not None and seen != (issue.seal or ""):
        raise overtaken(connection, issue_id, cure="Look at it again, then make your change.")
    _refuse_unreleased(connection, change)
    roles = arrange(candidates(connection, issue, newsletter), issue.edits, newsletter.max_articles)
    shown = [article.id for article, role in roles if role != "skipped"]
    left_out = [article.id for article, role in roles if role == "skipped"]
    edits = changed(issue.edits, change, shown, left_out)
    if not {*shown, *left_out, *edits.added} - {*edits.skipped}:
        raise BadInput(f"Issue {issue_id} would have no article left.", cure="Cancel it instead.")
    take_back(
        connection,
        issue,
        why="",
        subject=_text(change.subject, LONGEST_SUBJECT, "subject", issue.subject),
        preheader=_text(change.preheader, LONGEST_PREHEADER, "preheader", issue.preheader),
        intro=_text(change.intro, LONGEST_INTRO, "introduction", issue.intro, lines=True),
        edits=edits.as_json(),
    )
    if issue.kind == "manual":
        _ask_anew(connection, issue, edits, [*shown, *left_out])
    return get_issue(connection, issue_id)


def _ask_anew(connection: Connection, issue: Issue, edits: Edits, articles: list[str]) -> None:
    """A manual send of other articles is another request."""
    shown = [each for each in dict.fromkeys((*articles, *edits.added)) if each not in edits.skipped]
    request = request_hash(issue.newsletter, shown, issue.audience)
    if request != (issue.request_id or "").partition(".")[0]:
        change_issue(connection, issue.id, request_id=next_request_id(connection, request))


def _refuse_unreleased(connection: Connection, change: Change) -> None:
    if not change.add:
        return
    found = {article.id: article for article in select_articles(connection, ids=change.add)}
    for article_id in change.add:
        article = found.get(article_id)
        if article is None or article.status != "released" or article.number is None:
            name = repr(article.content.title) if article else article_id
            is_what = "not there" if article is None else "backlog" if article.status == "released" else article.status
            raise Refused(f"{name} is {is_what} and cannot be put into an issue.", cure="Release or include it first.")


def _compose(
    database: Database, issue: Issue, newsletter: Newsletter, house: House, *, now: datetime, actor: str
) -> Issue:
    with database.read() as connection:
        roles = arrange(candidates(connection, issue, newsletter), issue.edits, newsletter.max_articles)
        shown = [article for article, role in roles if role != "skipped"]
        reach = count_readers(connection, issue, shown, now=now)
        before = get_composition(connection, issue.id)
    if not shown:
        left = "None of its articles may go out any more" if before else "It has no article yet"
        raise NothingToSend(f"Issue {issue.id}: {left}.", cure=f"`syndicate issues cancel {issue.id}` ends it.")
    composition = compose(issue, newsletter, house, roles, day=now)
    with database.write() as connection:
        return seal_issue(connection, issue, composition, newsletter, reach, now=now, actor=actor)


def _text(given: str | None, limit: int, what: str, old: str, *, lines: bool = False) -> str:
    return old if given is None else checked_text(given, limit, what, lines=lines)


def _told(change: Change) -> dict[str, object]:
    """For the audit log: which things, not the words."""
    return {
        "words": [name for name in ("subject", "preheader", "intro") if getattr(change, name) is not None] or None,
        "order": list(change.order) if change.order is not None else None,
        "move": list(change.move) if change.move else None,
        "skip": list(change.skip) or None,
        "unskip": list(change.unskip) or None,
        "add": list(change.add) or None,
        "links": len(change.links) if change.links is not None else None,
        "sponsor": change.sponsor.name if change.sponsor is not None else None,
    }
