"""Rows of issues, what they are composed of and their rendered variants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from syndicate.core import job
from syndicate.core.edits import edits_of
from syndicate.core.first_wave import Standing
from syndicate.core.issue import Audience, Composed, Issue, State, check_transition
from syndicate.errors import NotFound, Refused
from syndicate.storage import tables
from syndicate.storage.fair_locks import wait_in_line
from syndicate.storage.signals import signal

_issues = tables.issues


@dataclass(frozen=True, slots=True)
class StoredVariant:
    """One rendered body. `key` says what sets it apart ("" is the issue's own); `article_ids` what it carries."""

    id: int
    key: str
    revision: int
    language: str
    subject: str
    html: str
    text: str
    sha256: str
    article_ids: tuple[str, ...]


_ONE = sa.select(_issues).where(_issues.c.id == sa.bindparam("issue_id"))
_LOCKED = _ONE.with_for_update()


def to_issue(row: Row[Any]) -> Issue:
    """An issue from a row of `issues`."""
    values = {name: value for name, value in row._mapping.items() if name in Issue.__dataclass_fields__}
    audience = values["audience"]
    to = audience.get("to")
    values["edits"] = edits_of(values["edits"])
    values["audience"] = Audience(audience.get("cadence"), tuple(to) if to is not None else None)
    values["standing_seen"] = Standing(**values["standing_seen"]) if values["standing_seen"] is not None else None
    return Issue(**values)


def get_issue(connection: Connection, issue_id: int, *, lock: bool = False) -> Issue:
    """The issue; `lock` holds its row to commit (PostgreSQL; a SQLite writer holds the database). Raises NotFound."""
    if lock:
        wait_in_line(connection, issue_id)
    row = connection.execute(_LOCKED if lock else _ONE, {"issue_id": issue_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no issue {issue_id}.", cure="`syndicate issues list` shows them.")
    return to_issue(row)


def list_issues(
    connection: Connection,
    *,
    newsletter: str | None = None,
    states: Iterable[State] | None = None,
    limit: int | None = None,
) -> list[Issue]:
    """Issues, newest first."""
    query = sa.select(_issues).order_by(_issues.c.id.desc())
    if newsletter is not None:
        query = query.where(_issues.c.newsletter == newsletter)
    if states is not None:
        query = query.where(_issues.c.state.in_(list(states)))
    return [to_issue(row) for row in connection.execute(query.limit(limit) if limit else query)]


def insert_issue(connection: Connection, **values: Any) -> int:
    """A new issue; returns its number."""
    audience: Audience = values.pop("audience")
    values["audience"] = {"cadence": audience.cadence, "to": list(audience.to) if audience.to is not None else None}
    issue_id: int = connection.execute(sa.insert(_issues).values(**values).returning(_issues.c.id)).scalar_one()
    return issue_id


def move_issue(connection: Connection, issue: Issue, to: State, **changes: Any) -> bool:
    """Compare-and-set from the state that `issue` was read in; False when somebody else moved it meanwhile. Whoever
    has to go on with it is called when the transaction commits. Raises Refused when no rule allows the step."""
    check_transition(issue.id, issue.state, to)
    # RETURNING, because rowcount is not reliable on every driver.
    moved = connection.execute(
        sa.update(_issues)
        .where(_issues.c.id == issue.id, _issues.c.state == issue.state)
        .values(state=to, **changes)
        .returning(_issues.c.id)
    )
    if moved.first() is None:
        return False
    if to in ("scheduled", "freezing"):
        signal(connection, job.freeze(issue.id))
    elif to in ("sending", "cancelling"):
        signal(connection, *job.deliver(issue.id))
    return True


def change_issue(connection: Connection, issue_id: int, **changes: Any) -> None:
    """Changes columns other than the state."""
    connection.execute(sa.update(_issues).where(_issues.c.id == issue_id).values(**changes))


def take_back(connection: Connection, issue: Issue, *, why: str, **changes: Any) -> None:
    """Returns an issue before freezing to draft: seal, approval and schedule are void."""
    if issue.state != "draft" and not move_issue(connection, issue, "draft"):
        raise Refused(f"Issue {issue.id} was changed by somebody else.", cure="Look at it again and repeat.")
    voided: dict[str, Any] = {
        "seal": None,
        "sealed_at": None,
        "approved_seal": None,
        "approved_by": "",
        "approved_at": None,
        "approved_expected": None,
        "send_at": None,
        "why": why,
    }
    change_issue(connection, issue.id, **{**voided, **changes})


def set_composition(connection: Connection, issue_id: int, composed: Iterable[Composed]) -> None:
    """Replaces what the issue is composed of."""
    table = tables.issue_articles
    connection.execute(sa.delete(table).where(table.c.issue_id == issue_id))
    rows = [
        {
            "issue_id": issue_id,
            "article_id": each.article_id,
            "number": each.number,
            "position": each.position,
            "role": each.role,
            "revision": each.revision,
        }
        for each in composed
    ]
    if rows:
        connection.execute(sa.insert(table), rows)


def get_composition(connection: Connection, issue_id: int) -> list[Composed]:
    """What the issue is composed of, in order."""
    table = tables.issue_articles
    query = sa.select(table).where(table.c.issue_id == issue_id).order_by(table.c.position)
    return [
        Composed(row.article_id, row.number, row.position, row.role, row.revision) for row in connection.execute(query)
    ]


def put_variant(
    connection: Connection,
    issue_id: int,
    revision: int,
    key: str,
    *,
    language: str,
    subject: str,
    html: str,
    text: str,
    sha256: str,
    article_ids: Sequence[str],
) -> None:
    """Stores a rendered body; one that is there already under the same key and revision stays (it is sealed)."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    # Two processes that freeze one issue may make the same at the same moment.
    connection.execute(
        insert(tables.variants)
        .values(
            issue_id=issue_id,
            revision=revision,
            key=key,
            language=language,
            subject=subject,
            html=html,
            text=text,
            sha256=sha256,
            article_ids=list(article_ids),
        )
        .on_conflict_do_nothing()
    )


def get_variants(connection: Connection, issue_id: int, revision: int) -> dict[str, StoredVariant]:
    """The rendered bodies of one revision, by key."""
    table = tables.variants
    query = sa.select(table).where(table.c.issue_id == issue_id, table.c.revision == revision)
    return {
        row.key: StoredVariant(
            row.id,
            row.key,
            row.revision,
            row.language,
            row.subject,
            row.html,
            row.text,
            row.sha256,
            tuple(row.article_ids),
        )
        for row in connection.execute(query)
    }


def get_subjects(connection: Connection, issue_ids: Sequence[int]) -> dict[int, str]:
    """The subject under which each of these issues goes out; one that is not composed is left out."""
    table, issues = tables.variants, tables.issues
    query = (
        sa.select(table.c.issue_id, table.c.subject)
        .join(issues, sa.and_(issues.c.id == table.c.issue_id, issues.c.revision == table.c.revision))
        .where(table.c.issue_id.in_(issue_ids), table.c.key == "")
    )
    return dict(connection.execute(query).all())


def delete_variants(connection: Connection, issue_id: int, revision: int) -> None:
    """Forgets the rendered bodies of a revision that was never frozen."""
    table = tables.variants
    connection.execute(sa.delete(table).where(table.c.issue_id == issue_id, table.c.revision == revision))


def due_issues(connection: Connection, now: datetime) -> list[Issue]:
    """Scheduled issues whose time has come."""
    query = (
        sa.select(_issues).where(_issues.c.state == "scheduled", _issues.c.send_at <= now).order_by(_issues.c.send_at)
    )
    return [to_issue(row) for row in connection.execute(query)]
