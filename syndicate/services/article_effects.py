"""What holding, releasing, correcting or retracting an article would do, before anybody does it."""

from __future__ import annotations

from collections.abc import Sequence

from syndicate.core.effect import Action, Effects
from syndicate.core.feed import Feed
from syndicate.core.newsletter import Newsletter
from syndicate.storage.articles import get_article
from syndicate.storage.carriers import effects_of
from syndicate.storage.database import Database


def article_effects(
    database: Database,
    article_id: str,
    action: Action,
    *,
    feeds: Sequence[Feed],
    newsletters: Sequence[Newsletter] = (),
) -> Effects:
    """Reads only. Raises NotFound."""
    with database.read() as connection:
        return effects_of(connection, get_article(connection, article_id), feeds, action, newsletters)
