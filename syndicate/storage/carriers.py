"""The issues that carry an article, and how they stop when it is corrected or retracted."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.effect import Action, Effects, IssueEffect, What
from syndicate.core.feed import SITE_FEED, Feed
from syndicate.core.issue import BEFORE_FREEZING, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.storage import tables
from syndicate.storage.feed_entries import feeds_of
from syndicate.storage.freezing import UNFREEZING
from syndicate.storage.issues import change_issue, get_issue, move_issue, take_back, to_issue
from syndicate.storage.ledger import books

_issues, _used, _variants = tables.issues, tables.issue_articles, tables.variants

_UNDER_WAY = ("freezing", "sending", "paused")


def effects_of(
    connection: Connection,
    article: Article,
    feeds: Sequence[Feed],
    action: Action,
    newsletters: Sequence[Newsletter] = (),
) -> Effects:
    """What that does to everything that shows the article at this moment. Under a write lock the counts are exact; else
    sending goes on meanwhile. `newsletters` are those that a release is told of."""
    numbered = action == "release" and not article.backlog
    return Effects(
        article.id,
        article.content.title,
        action,
        feeds=tuple(_feeds_that_show(connection, article, feeds, action)),
        page=article.own_page and _has_page(article, action),
        issues=tuple(_effect(connection, issue, action) for issue in carriers(connection, article.id)),
        newsletters=tuple(each.title for each in newsletters if numbered and each.selection.takes(article)),
    )


def _feeds_that_show(connection: Connection, article: Article, feeds: Sequence[Feed], action: Action) -> list[str]:
    """Those it is in, or goes into; for a retraction also those that must have shown it before it was held."""
    if action == "release":
        return sorted(feed.name for feed in feeds if feed.name == SITE_FEED or feed.selection.takes(article))
    shown = set(feeds_of(connection, article.id))
    if action == "retract" and article.published_at is not None and article.status == "held":
        shown |= {feed.name for feed in feeds if feed.name == SITE_FEED or feed.selection.takes(article)}
    return sorted(shown)


def _has_page(article: Article, action: Action) -> bool:
    if action == "hold":
        return article.status == "released"
    return action == "release" or article.published_at is not None


def carriers(connection: Connection, article_id: str) -> list[Issue]:
    """The issues that show the article to somebody and were not cancelled, by number. An issue under way counts too
    when only the version of some readers has it."""
    shows = sa.exists().where(
        _used.c.issue_id == _issues.c.id, _used.c.article_id == article_id, _used.c.role != "skipped"
    )
    query = sa.select(_issues).where(_issues.c.state.not_in(["cancelled", "cancelling"]), shows)
    found = {row.id: to_issue(row) for row in connection.execute(query)}
    under_way = (
        sa.select(_issues, _variants.c.article_ids)
        .join(_variants, sa.and_(_variants.c.issue_id == _issues.c.id, _variants.c.revision == _issues.c.revision))
        .where(_issues.c.state.in_(_UNDER_WAY))
    )
    for row in connection.execute(under_way):
        if article_id in row.article_ids:
            found.setdefault(row.id, to_issue(row))
    return [found[issue_id] for issue_id in sorted(found)]


def _effect(connection: Connection, issue: Issue, action: Action) -> IssueEffect:
    what: What = "mailed"
    if issue.state == "draft":
        what = "composed"
    elif issue.state in BEFORE_FREEZING:
        what = "draft"
    elif issue.state in _UNDER_WAY:
        what = "goes on" if action == "hold" else "paused" if issue.planned is not None else "unfrozen"
    if issue.planned is None:
        return IssueEffect(issue.id, issue.newsletter, issue.state, what)
    balance = books(connection, issue.id)
    return IssueEffect(
        issue.id, issue.newsletter, issue.state, what, issue.planned, balance.accepted, balance.uncertain
    )


def interrupt(connection: Connection, effects: Effects, why: str) -> None:
    """Stops every issue that `effects` names: back to draft, or paused until a revision of it is approved. Once this is
    committed nothing more of what they carried is claimed. The caller holds `standings.lock_articles`, under which the
    effects were read."""
    for effect in effects.issues:
        if effect.what == "mailed":
            continue
        issue = get_issue(connection, effect.issue_id, lock=True)
        if issue.state in BEFORE_FREEZING:
            take_back(connection, issue, why=why)
        elif issue.state in _UNDER_WAY and issue.planned is None:
            if issue.state == "paused":
                move_issue(connection, issue, "freezing")
            change_issue(connection, issue.id, frozen_through=UNFREEZING, why=why)
        elif issue.state in ("sending", "paused"):
            if issue.state == "sending":
                move_issue(connection, issue, "paused")
            change_issue(connection, issue.id, why=why, **_VOID)


_VOID = {"seal": None, "approved_seal": None, "approved_by": "", "approved_at": None}
"""No approval, and nothing yet that could be approved."""


def interrupted(connection: Connection) -> list[Issue]:
    """Issues that `interrupt` stopped and whose next step is still to be made: to be composed anew, or taken back from
    their freezing."""
    query = sa.select(_issues).where(
        sa.or_(
            sa.and_(_issues.c.state == "paused", _issues.c.planned.is_not(None), _issues.c.seal.is_(None)),
            sa.and_(_issues.c.state == "freezing", _issues.c.frozen_through == UNFREEZING),
        )
    )
    return [to_issue(row) for row in connection.execute(query.order_by(_issues.c.id))]
