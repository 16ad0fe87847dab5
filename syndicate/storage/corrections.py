"""Corrections of an article in its row: what they say, and the words that stand in place of its file's."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Correction
from syndicate.core.correction import Overrides
from syndicate.storage import tables
from syndicate.storage.articles import correction_to_json

_articles = tables.articles


def get_overrides(connection: Connection, article_id: str) -> Overrides:
    """The words of an editor that stand, by field."""
    found = connection.execute(sa.select(_articles.c.overrides).where(_articles.c.id == article_id)).scalar_one()
    return {name: (said, stands) for name, (said, stands) in found.items()}


def set_corrections(
    connection: Connection, article_id: str, corrections: Sequence[Correction], overrides: Overrides
) -> None:
    """Writes what the article's corrections say and which words stand; the last one moves `updated` to its moment. The
    caller holds `standings.lock_articles` and revises the article next."""
    moment = corrections[-1].at
    connection.execute(
        sa.update(_articles)
        .where(_articles.c.id == article_id)
        .values(
            corrections=[correction_to_json(each) for each in corrections],
            overrides={name: list(pair) for name, pair in overrides.items()},
            updated_at=sa.case((_articles.c.updated_at > moment, _articles.c.updated_at), else_=moment),
        )
    )
