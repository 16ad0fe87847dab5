"""What an issue said when it was approved, kept with its revision, and what it says now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Content
from syndicate.core.difference import Change, Shown, differences, mail_texts
from syndicate.core.issue import BEFORE_FREEZING, Issue
from syndicate.storage import tables
from syndicate.storage.articles import content_from_json
from syndicate.storage.audit import record
from syndicate.storage.issues import get_composition, move_issue, take_back, to_issue

_revisions = tables.issue_revisions
_contents = tables.article_revisions


def keep_approved(connection: Connection, issue: Issue, *, now: datetime, actor: str) -> None:
    """Keeps what the issue says at its approval: its own texts, and its articles at their revisions."""
    approved = {
        "texts": _texts(issue),
        "articles": [
            [each.article_id, each.role, each.revision]
            for each in get_composition(connection, issue.id)
            if each.role != "skipped"
        ],
    }
    same = (_revisions.c.issue_id == issue.id, _revisions.c.revision == issue.revision)
    detail = connection.execute(sa.select(_revisions.c.detail).where(*same)).scalar_one_or_none()
    values = {"seal": issue.seal, "at": now, "actor": actor, "detail": {**(detail or {}), "approved": approved}}
    if detail is None:
        statement: sa.Executable = sa.insert(_revisions).values(
            issue_id=issue.id, revision=issue.revision, **values
        )
    else:
        statement = sa.update(_revisions).where(*same).values(**values)
    connection.execute(statement)


def approve_for(connection: Connection, issue: Issue, readers: int, *, now: datetime, actor: str) -> None:
    """Approves what a draft says, for that many readers as counted now."""
    move_issue(
        connection,
        issue,
        "approved",
        approved_seal=issue.seal,
        approved_by=actor,
        approved_at=now,
        approved_expected=readers,
        expected=readers,
        why="",
    )
    keep_approved(connection, issue, now=now, actor=actor)
    detail = {"seal": issue.seal, "expected": readers}
    record(connection, at=now, actor=actor, action="issue.approve", subject=str(issue.id), detail=detail)


def changes_since_approval(connection: Connection, issue: Issue) -> list[Change] | None:
    """What changed since it was last approved; None when it never was, or when what was approved is what it is."""
    query = sa.select(_revisions.c.seal, _revisions.c.detail).where(_revisions.c.issue_id == issue.id)
    rows = connection.execute(query.order_by(_revisions.c.revision.desc())).all()
    row = next((each for each in rows if "approved" in each.detail), None)
    if row is None or issue.is_approved or row.seal == issue.seal:
        return None
    kept = row.detail["approved"]
    composed = [each for each in get_composition(connection, issue.id) if each.role != "skipped"]
    before = _shown(connection, kept["texts"], kept["articles"])
    after = _shown(connection, _texts(issue), [(each.article_id, each.role, each.revision) for each in composed])
    return differences(before, after)


def take_back_edited(connection: Connection, article_ids: Collection[str]) -> None:
    """Returns every issue before freezing that carries one of these articles, edited now, to draft, when the edit
    changes what a mail says. The caller holds `standings.lock_articles`."""
    used, issues, articles = tables.issue_articles, tables.issues, tables.articles
    carrying = (
        sa.select(used.c.issue_id, used.c.article_id, used.c.revision, articles.c.revision.label("now"))
        .join(articles, articles.c.id == used.c.article_id)
        .join(issues, issues.c.id == used.c.issue_id)
        .where(
            used.c.article_id.in_(list(article_ids)),
            used.c.role != "skipped",
            used.c.revision < articles.c.revision,
            issues.c.state.in_(sorted(BEFORE_FREEZING - {"draft"})),
        )
    )
    titles: dict[int, list[str]] = {}
    for issue_id, article_id, revision, now in connection.execute(carrying).all():
        contents = _contents_of(connection, [(article_id, revision), (article_id, now)])
        was, is_now = contents[article_id, revision], contents[article_id, now]
        if mail_texts(was) != mail_texts(is_now):
            titles.setdefault(issue_id, []).append(is_now.title)
    query = sa.select(issues).where(issues.c.id.in_(list(titles))).order_by(issues.c.id).with_for_update()
    for row in connection.execute(query).all() if titles else ():
        issue = to_issue(row)
        if issue.state in BEFORE_FREEZING:
            take_back(connection, issue, why=f"Changed since it was composed: {'; '.join(titles[issue.id][:3])}.")


def _texts(issue: Issue) -> dict[str, str]:
    edits = issue.edits
    texts = {"subject": issue.subject, "preheader": issue.preheader, "intro": issue.intro}
    texts["links"] = "\n".join(f"{each.title} {each.url}" for each in edits.links)
    texts["sponsor"] = f"{edits.sponsor.name} {edits.sponsor.url} {edits.sponsor.text}" if edits.sponsor else ""
    return texts


def _shown(connection: Connection, texts: Mapping[str, str], articles: Sequence[Sequence[Any]]) -> Shown:
    contents = _contents_of(connection, [(article_id, revision) for article_id, _, revision in articles])
    return Shown(
        texts,
        tuple(
            (article_id, role, mail_texts(contents[article_id, revision]))
            for article_id, role, revision in articles
            if (article_id, revision) in contents
        ),
    )


def _contents_of(connection: Connection, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Content]:
    if not wanted:
        return {}
    query = sa.select(_contents.c.article_id, _contents.c.revision, _contents.c.content).where(
        sa.tuple_(_contents.c.article_id, _contents.c.revision).in_(list(wanted))
    )
    return {
        (row.article_id, row.revision): content_from_json(row.content) for row in connection.execute(query)
    }
