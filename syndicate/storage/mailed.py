"""Which issues have an article."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables


def issues_with(connection: Connection, article_id: str) -> list[dict[str, Any]]:
    """The issues that were composed with the article, newest first: id, newsletter, state and its role in them."""
    issues, used = tables.issues, tables.issue_articles
    query = (
        sa.select(issues.c.id, issues.c.newsletter, issues.c.state, used.c.role)
        .join(used, used.c.issue_id == issues.c.id)
        .where(used.c.article_id == article_id)
        .order_by(issues.c.id.desc())
    )
    return [dict(row._mapping) for row in connection.execute(query)]
