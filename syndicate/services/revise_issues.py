"""The next step of issues that a correction or a retraction stopped: a revision that an editor approves, or back to
draft.

Killed at any instant, the next call goes on: an issue that is not revised yet says so by having no seal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.issue import Composed, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.seal import seal_of
from syndicate.core.window import Role, with_roles
from syndicate.errors import SyndicateError
from syndicate.rendering.email import RenderedVariant, render_digest
from syndicate.rendering.issue import House, digest_of
from syndicate.storage import tables
from syndicate.storage.articles import select_articles
from syndicate.storage.audit import record
from syndicate.storage.carriers import interrupted
from syndicate.storage.compositions import composed_articles, corrected_articles
from syndicate.storage.database import Database
from syndicate.storage.freezing import UNFREEZING
from syndicate.storage.issues import (
    StoredVariant,
    change_issue,
    delete_variants,
    get_composition,
    get_issue,
    get_variants,
    put_variant,
    set_composition,
)
from syndicate.storage.standings import lock_articles
from syndicate.storage.unfreezing import back_to_awaiting

CHUNK = 10_000
"""Frozen people forgotten in one transaction."""

NOTHING = RenderedVariant("", "", "")
"""The version of readers for whom nothing is left: they get no mail."""


def revise_issues(
    database: Database, newsletter: Callable[[str], Newsletter], house: House, *, now: datetime, actor: str
) -> list[Issue]:
    """Composes a new revision of every issue that was stopped while it was being sent, without what was retracted and
    with what was corrected, and takes back the freezing of those that were not frozen whole. Returns those issues as
    they are now. Cheap when there are none; safe to run at any time, from several processes. One that fails,
    as its template may, stays stopped and keeps no other from going on: the first error is raised when all were tried.
    """
    with database.read() as connection:
        found = interrupted(connection)
    done: list[Issue] = []
    failed: list[SyndicateError] = []
    for issue in found:
        try:
            done.append(_go_on(database, issue, newsletter(issue.newsletter), house, now=now, actor=actor))
        except SyndicateError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return done


def _go_on(
    database: Database, issue: Issue, newsletter: Newsletter, house: House, *, now: datetime, actor: str
) -> Issue:
    if issue.state == "freezing" and issue.frozen_through == UNFREEZING:
        back_to_awaiting(database, issue.id, CHUNK)
    else:
        while not _revise(database, issue, newsletter, house, now=now, actor=actor):
            pass
    with database.read() as connection:
        return get_issue(connection, issue.id)


def _revise(
    database: Database, issue: Issue, newsletter: Newsletter, house: House, *, now: datetime, actor: str
) -> bool:
    """False when an article changed while it was composed: compose once more."""
    with database.read() as connection:
        composed = get_composition(connection, issue.id)
        versions = get_variants(connection, issue.id, issue.revision)
        shown = _articles(connection, issue.id, versions)
    roles = {each.article_id: each.role for each in composed}
    rendered: dict[str, RenderedVariant] = {}
    for key, version in versions.items():
        articles = [shown[each] for each in version.article_ids if each in shown]
        rendered[key] = _render(issue, newsletter, house, articles, roles, key)
    parts = [_recomposed(each, shown) for each in composed]
    with database.write() as connection:
        lock_articles(connection)
        current = get_issue(connection, issue.id, lock=True)
        if (current.state, current.seal, current.revision) != ("paused", None, issue.revision):
            return True
        if _articles(connection, issue.id, versions) != shown:
            return False
        if all(variant is NOTHING for variant in rendered.values()):
            why = f"{current.why.partition(' Nothing')[0]} Nothing is left of the issue: cancel it."
            change_issue(connection, issue.id, why=why)
            return True
        _install(connection, current, newsletter, parts, versions, rendered, shown, now=now, actor=actor)
    return True


def _articles(connection: Connection, issue_id: int, versions: dict[str, StoredVariant]) -> dict[str, Article]:
    """Those of the issue's articles that were not retracted: corrected ones as they are now, the others as they were
    composed, so that nothing changes but what the editor was told of."""
    composed = {article.id: article for article, _ in composed_articles(connection, issue_id)}
    ids = composed.keys() | {each for one in versions.values() for each in one.article_ids}
    now = {article.id: article for article in select_articles(connection, ids=sorted(ids))}
    corrected = corrected_articles(connection, issue_id)
    return {
        each: article if each in corrected else composed.get(each, article)
        for each, article in now.items()
        if article.status != "gone"
    }


def _render(
    issue: Issue,
    newsletter: Newsletter,
    house: House,
    articles: list[Article],
    roles: dict[str, Role],
    key: str,
) -> RenderedVariant:
    if not articles:
        return NOTHING
    own = [(article, roles[article.id]) for article in articles] if not key else None
    digest = digest_of(
        issue,
        newsletter,
        house.publication,
        house.sender,
        own if own is not None else with_roles(articles, newsletter.max_articles, arranged=bool(issue.edits.order)),
        # The day in the mail is that of the issue, whatever was corrected since.
        day=issue.sealed_at or issue.drafted_at,
    )
    return render_digest(house.environment, digest)


def _recomposed(part: Composed, shown: dict[str, Article]) -> Composed:
    if part.article_id not in shown:
        return replace(part, role="skipped")
    return replace(part, revision=shown[part.article_id].revision)


def _install(
    connection: Connection,
    issue: Issue,
    newsletter: Newsletter,
    parts: list[Composed],
    versions: dict[str, StoredVariant],
    rendered: dict[str, RenderedVariant],
    shown: dict[str, Article],
    *,
    now: datetime,
    actor: str,
) -> None:
    """In one transaction: the new revision is there whole, or not at all."""
    revision = issue.revision + 1
    delete_variants(connection, issue.id, revision)
    for key, variant in rendered.items():
        put_variant(
            connection,
            issue.id,
            revision,
            key,
            language=versions[key].language,
            subject=variant.subject,
            html=variant.html,
            text=variant.text,
            sha256=variant.sha256,
            article_ids=[each for each in versions[key].article_ids if each in shown],
        )
    set_composition(connection, issue.id, parts)
    seal = seal_of(
        variant_sha256=[variant.sha256 for variant in rendered.values()],
        lo=issue.lo,
        hi=issue.hi,
        composed=parts,
        audience=issue.audience,
    )
    why = f"{issue.why} Revision {revision} awaits approval."
    change_issue(connection, issue.id, revision=revision, seal=seal, why=why)
    detail = {"why": issue.why, "without": sorted({each.article_id for each in parts} - shown.keys())}
    connection.execute(
        sa.insert(tables.issue_revisions).values(
            issue_id=issue.id, revision=revision, seal=seal, at=now, actor=actor, detail=detail
        )
    )
    record(
        connection,
        at=now,
        actor=actor,
        action="issue.revise",
        subject=str(issue.id),
        detail={"revision": revision, "seal": seal, **detail},
    )
