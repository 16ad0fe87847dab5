"""Composing an issue, the half that touches rows: what it may carry, and the seal over what was rendered of it.

Rendering stands between the two, with no transaction open.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.issue import Composed, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.reach import Reach
from syndicate.errors import Refused
from syndicate.storage.approvals import keep_approved
from syndicate.storage.articles import select_articles
from syndicate.storage.audit import record
from syndicate.storage.compositions import not_released
from syndicate.storage.issues import (
    change_issue,
    delete_variants,
    get_composition,
    get_issue,
    move_issue,
    put_variant,
    set_composition,
)
from syndicate.storage.reach import as_kept
from syndicate.storage.standings import lock_articles
from syndicate.storage.windows import numbered_articles


class Rendered(Protocol):
    """A rendered body."""

    @property
    def subject(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class Composition(Protocol):
    """What an issue consists of, its own body and the seal over both."""

    @property
    def composed(self) -> Sequence[Composed]: ...
    @property
    def variant(self) -> Rendered: ...
    @property
    def seal(self) -> str: ...
    @property
    def article_ids(self) -> Sequence[str]: ...


class Overtaken(Refused):
    """Somebody else changed the issue while it was composed."""


def candidates(connection: Connection, issue: Issue, newsletter: Newsletter) -> list[Article]:
    """The articles that an issue may carry now, in the usual order: its window's, or those that a manual send was made
    of, and what an editor added; each only while it is released."""
    own = numbered_articles(connection, newsletter, issue.lo, issue.hi) if issue.kind == "cadence" else []
    known = {article.id for article in own}
    ids = [each.article_id for each in get_composition(connection, issue.id)] if issue.kind == "manual" else []
    others = [each for each in dict.fromkeys((*ids, *issue.edits.added)) if each not in known]
    found = {article.id: article for article in select_articles(connection, ids=others)} if others else {}
    return [*own, *(found[each] for each in others if each in found and found[each].status == "released")]


def seal_issue(
    connection: Connection,
    issue: Issue,
    composition: Composition,
    newsletter: Newsletter,
    reach: Reach,
    *,
    now: datetime,
    actor: str,
) -> Issue:
    """Stores what was composed of `issue`, as it was read before, and seals it: it awaits approval, or has it where the
    newsletter asks for none. Raises Overtaken when it changed meanwhile, Refused when something in it was held."""
    # Whoever holds an article is before this or after it, and then takes the issue back.
    lock_articles(connection)
    current = get_issue(connection, issue.id, lock=True)
    if current.state != "draft" and current.seal == composition.seal:
        # The same elsewhere sealed the same content first.
        return current
    if current.state != "draft" or _content(current) != _content(issue):
        raise Overtaken(
            f"Issue {issue.id} was changed by somebody else while it was composed.",
            cure="Look at it with `syndicate issues show` and go on from there.",
        )
    set_composition(connection, issue.id, composition.composed)
    delete_variants(connection, issue.id, issue.revision)
    put_variant(
        connection,
        issue.id,
        issue.revision,
        "",
        language=newsletter.language,
        subject=composition.variant.subject,
        html=composition.variant.html,
        text=composition.variant.text,
        sha256=composition.variant.sha256,
        article_ids=composition.article_ids,
    )
    expected = {"expected": reach.readers, "reach": as_kept(reach)}
    change_issue(connection, issue.id, seal=composition.seal, sealed_at=now, **expected)
    move_issue(connection, current, "awaiting", why="")
    if held := not_released(connection, issue.id):
        raise Refused(
            f"Held or corrected while issue {issue.id} was composed: {'; '.join(held[:3])}.", cure="Draft it again."
        )
    sealed = get_issue(connection, issue.id)
    if newsletter.approval == "automatic" and issue.kind == "cadence":
        move_issue(
            connection,
            sealed,
            "approved",
            approved_seal=sealed.seal,
            approved_by="automatic",
            approved_at=now,
            approved_expected=sealed.expected,
        )
        keep_approved(connection, sealed, now=now, actor="automatic")
    detail = {"seal": composition.seal}
    record(connection, at=now, actor=actor, action="issue.seal", subject=str(issue.id), detail=detail)
    return get_issue(connection, issue.id)


def _content(issue: Issue) -> tuple[object, ...]:
    return issue.lo, issue.hi, issue.revision, issue.subject, issue.preheader, issue.intro, issue.edits
