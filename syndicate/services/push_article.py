"""Somebody brings an article, or takes it away again: it is kept, taken in and published in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.core.tripwire import TOGETHER, Watch, lots
from syndicate.errors import NotFound
from syndicate.sources.base import Sighting
from syndicate.sources.pushed import PushedArticle
from syndicate.sources.sameness import canonical_url
from syndicate.storage import audit
from syndicate.storage.arrivals import arrivals, dates_since
from syndicate.storage.articles import get_article
from syndicate.storage.database import Database
from syndicate.storage.intake import Finding, Intake, Outcome
from syndicate.storage.pushed_articles import get_pushed, put_pushed, remove_pushed
from syndicate.storage.source_items import article_of_item, known_fingerprint
from syndicate.storage.sources import get_source, record_empty_first_look, record_look
from syndicate.storage.standings import lock_articles, publish_due

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from syndicate.core.tripwire import Tripwire


class Receiver(Protocol):
    """A source that articles are brought to."""

    @property
    def name(self) -> str: ...

    @property
    def tripwire(self) -> Tripwire: ...

    def sight(self, article: PushedArticle, now: datetime) -> Sighting: ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it. `outcome.kind` is `unchanged` when the source held the same content already; `article` is as
    it stands now; `outcome.warnings` are for whoever brought it."""

    outcome: Outcome
    article: Article

    @property
    def is_new(self) -> bool:
        """Whether nobody knew the article before."""
        return self.outcome.kind in ("new", "backlog")


def push_article(
    database: Database,
    source: Receiver,
    article: PushedArticle,
    *,
    feeds: Sequence[Feed],
    precedence: Sequence[str],
    actor: str,
    now: datetime,
    web_url: str = "",
) -> Taken:
    """Takes the article in as the source's own, and publishes it when it is due. The same content again under the same
    key changes nothing; other content changes the article. The feeds' files follow with the next publisher.

    Raises BadInput, and BadFields where a field is at fault: nothing is then kept."""
    sighting = source.sight(article, now)
    assert sighting.draft is not None
    with database.write() as connection:
        lock_articles(connection)
        held = get_pushed(connection, source.name, article.key)
        fingerprint = known_fingerprint(connection, source.name, article.key)
        if held is not None and held.sha256 == article.sha256 and fingerprint is not None:
            article_id = article_of_item(connection, source.name, article.key)
            if article_id is not None:
                path = f"{source.name}/{article.key}"
                outcome = Outcome("unchanged", path, article_id, warnings=sighting.draft.warnings)
                return Taken(outcome, get_article(connection, article_id, web_url))
        # Nothing was there before somebody pushed it: none of it is backlog.
        record_empty_first_look(connection, source.name, now)
        tripwire = "" if fingerprint is not None else _tripped(connection, source, sighting, now)
        put_pushed(connection, source.name, article.key, article.as_json(), article.sha256, now)
        known = {} if fingerprint is None else {article.key: fingerprint}
        intake = Intake(
            connection, source.name, known, precedence=precedence, feeds=feeds, now=now, tripwire=tripwire
        )
        [outcome] = intake.take([_finding(sighting)])
        intake.save()
        record_look(connection, source.name, now, found_new=outcome.kind == "new")
        publish_due(connection, feeds, now)
        assert outcome.article_id is not None
        detail = {"path": outcome.path, "was": outcome.kind}
        audit.record(connection, at=now, action="article.push", subject=outcome.article_id, actor=actor, detail=detail)
        return Taken(outcome, get_article(connection, outcome.article_id, web_url))


def _tripped(connection: Connection, source: Receiver, sighting: Sighting, now: datetime) -> str:
    """Why it is held for an editor when it is one of far too many that are brought at once; "" when it is not."""
    watch = Watch(
        source.tripwire,
        last_ok_at=get_source(connection, source.name).last_ok_at,
        recent=dates_since(connection, source.name, now - TOGETHER),
        usual=lambda: lots(arrivals(connection, source.name, before=now - TOGETHER)),
    )
    watch.see(sighting.draft.content.date if sighting.draft else None)
    return watch.reason if watch.tripped else ""


def remove_pushed_article(
    database: Database,
    source: str,
    key: str,
    *,
    feeds: Sequence[Feed],
    precedence: Sequence[str],
    actor: str,
    now: datetime,
    web_url: str = "",
) -> Taken:
    """The source no longer holds what was pushed under that key: as if a file were deleted, so its article stays.
    Raises NotFound when it holds nothing there."""
    with database.write() as connection:
        lock_articles(connection)
        article_id = article_of_item(connection, source, key)
        if not remove_pushed(connection, source, key, now) or article_id is None:
            raise NotFound(f"Source {source!r} holds nothing under {key!r}.", cure="Is the id right?")
        fingerprint = known_fingerprint(connection, source, key)
        known = {} if fingerprint is None else {key: fingerprint}
        intake = Intake(connection, source, known, precedence=precedence, feeds=feeds, now=now)
        [outcome] = intake.lose([key])
        intake.save()
        audit.record(connection, at=now, action="article.unpush", subject=article_id, actor=actor, detail={"key": key})
        return Taken(outcome, get_article(connection, article_id, web_url))


def _finding(sighting: Sighting) -> Finding:
    draft = sighting.draft
    assert draft is not None
    return Finding(
        key=sighting.key,
        fingerprint=sighting.fingerprint,
        sha256=sighting.sha256,
        modified_at=sighting.modified_at,
        draft=draft,
        url=canonical_url(draft.content.url) if draft.content.url else "",
    )
