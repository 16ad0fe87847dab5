"""An editor corrects an article that is published, and says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syndicate.core.article import Content, Correction
from syndicate.core.correction import FIELDS, corrected, override
from syndicate.core.effect import Effects
from syndicate.core.feed import Feed
from syndicate.errors import NotFound, Refused
from syndicate.rendering.html import one_line
from syndicate.sources.base import Source
from syndicate.storage import audit
from syndicate.storage.articles import get_article
from syndicate.storage.carriers import effects_of, interrupt
from syndicate.storage.corrections import get_overrides, set_corrections
from syndicate.storage.database import Database
from syndicate.storage.revisions import revise
from syndicate.storage.source_items import versions
from syndicate.storage.standings import lock_articles


def correct_article(
    database: Database,
    article_id: str,
    open_source: Callable[[str], Source],
    *,
    note: str,
    changes: Mapping[str, str],
    in_feeds: bool = False,
    actor: str,
    feeds: Sequence[Feed],
    now: datetime,
) -> Effects:
    """Shows the article as its file has it now, with `changes` (title, summary) in place of what the file says there,
    until the file itself says something else. `note` says what was corrected: its page shows it, and with `in_feeds`
    its entries do. `updated` moves; identity, number and the moment of publication stay.

    An issue with it that is not being sent goes back to draft; one that is stops, to go on with a new revision when
    that is approved. Returns what it did, place by place. Raises Refused for an article that is not published, or
    without a note; NotFound; BadInput when the file cannot be read."""
    # Like the words of a file: without controls, and nothing that turns the direction of what stands beside it.
    note = one_line(note)
    changes = {name: one_line(text) for name, text in changes.items()}
    if not note:
        raise Refused("A correction says what was corrected.", cure="Add --note “what was wrong, and what is right”.")
    if not changes.get("title", "-"):
        raise Refused("An article needs a title.")
    in_file = _content_of_file(database, article_id, open_source)
    with database.write() as connection:
        lock_articles(connection)
        article = get_article(connection, article_id)
        if article.status != "released":
            raise Refused(f"The article is {article.status}: only a published one is corrected.", cure="Edit its file.")
        overrides = get_overrides(connection, article_id)
        if in_file is None:
            # Its file is gone: what it said last is what is shown, but for what stands in its place.
            said = {name: was for name, (was, stands) in overrides.items() if getattr(article.content, name) == stands}
            in_file = _with(article.content, said)
        wanted = override(in_file, overrides, {name: changes[name] for name in FIELDS if name in changes})
        content, _ = corrected(in_file, wanted)
        effects = effects_of(connection, article, feeds, "correct")
        correction = Correction(now, note, in_feeds)
        set_corrections(connection, article_id, [*article.corrections, correction], wanted)
        revise(
            connection, article_id, content, kind="correction", actor=actor, feeds=feeds, now=now, note=correction.note
        )
        interrupt(connection, effects, why=f"“{content.title}” was corrected.")
        detail = {
            "note": correction.note,
            "fields": sorted(changes),
            "issues": {str(each.issue_id): each.what for each in effects.issues},
        }
        audit.record(connection, at=now, action="article.correct", subject=article_id, actor=actor, detail=detail)
    return effects


def _content_of_file(database: Database, article_id: str, open_source: Callable[[str], Source]) -> Content | None:
    """What the file that is shown says now; None when it is gone."""
    with database.read() as connection:
        get_article(connection, article_id)
        places = versions(connection, article_id)
    shown = next((each for each in places if not each.gone and each.carried is None), None)
    if shown is None:
        return None
    try:
        return open_source(shown.source).read(shown.key, whole=shown.restored).content
    except NotFound:
        return None


def _with(content: Content, texts: Mapping[str, str]) -> Content:
    changes: dict[str, Any] = dict(texts)
    return replace(content, **changes)
