"""What a manual send would do, before anything is written: to how many, who is left out, and what their clocks show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from syndicate.core.article import Article
from syndicate.core.issue import Audience, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.reach import Reach
from syndicate.core.send_effect import SendEffect, in_words, send_effect
from syndicate.storage.audience import not_in_audience
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue
from syndicate.storage.reach import count_not_mailed, count_reach, reach_as_composed


@dataclass(frozen=True, slots=True)
class Plan:
    """`reach`: who gets it. `suppressed`, `paused`, `pending`: subscriptions in the audience that are not mailed, by
    why. `not_readers`: addresses named that are no active readers. `words` is the effect in one sentence."""

    reach: Reach
    suppressed: int
    paused: int
    pending: int
    not_readers: tuple[str, ...]
    effect: SendEffect
    words: str


def plan_send(
    database: Database,
    newsletter: Newsletter,
    articles: Sequence[Article],
    audience: Audience,
    *,
    at: datetime,
    now: datetime,
) -> Plan:
    """A send of these articles to this audience at `at`."""
    issue = Issue(0, newsletter.name, "", "manual", "draft", 0, 0, 1, audience, drafted_at=now)
    return _plan(database, newsletter, issue, [(each.id, each.number or 0) for each in articles], at=at, now=now)


def plan_issue(database: Database, newsletter: Newsletter, issue_id: int, *, at: datetime, now: datetime) -> Plan:
    """The sending of an issue as it is composed now. Raises NotFound."""
    with database.read() as connection:
        issue = get_issue(connection, issue_id)
    return _plan(database, newsletter, issue, None, at=at, now=now)


def _plan(
    database: Database,
    newsletter: Newsletter,
    issue: Issue,
    shown: Sequence[tuple[str, int]] | None,
    *,
    at: datetime,
    now: datetime,
) -> Plan:
    with database.read() as connection:
        if shown is None:
            reach = reach_as_composed(connection, issue, now=now)
        else:
            reach = count_reach(connection, issue, shown, now=now)
        left_out = count_not_mailed(connection, issue, now)
        named = issue.audience.to
        strangers = not_in_audience(connection, issue.newsletter, named, now=now) if named is not None else []
    effect = send_effect(reach.zones, at, newsletter.timezone)
    return Plan(
        reach=reach,
        suppressed=left_out.get("suppressed", 0),
        paused=left_out.get("paused", 0),
        pending=left_out.get("pending", 0),
        not_readers=tuple(strangers),
        effect=effect,
        words=in_words(effect, newsletter.timezone, chosen=at > now),
    )
