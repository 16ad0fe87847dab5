"""Says in plain words why a person gets, got or does not get mail. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from syndicate.clock import next_slots
from syndicate.core.address import address_hash, normalise
from syndicate.core.article import Article
from syndicate.core.issue import BEFORE_FREEZING, Issue
from syndicate.core.mail_event import SOFT_BOUNCES, SOFT_ISSUES, SOFT_SPAN, came_back
from syndicate.core.newsletter import Newsletter
from syndicate.core.subscriber import Subscriber, Subscription
from syndicate.errors import BadInput
from syndicate.storage import events, mailings, people
from syndicate.storage.articles import find_article
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.issues import get_issue
from syndicate.storage.mailings import Mailing
from syndicate.storage.starts import next_starts

SUPPRESSED = {
    "manual": "somebody here asked for it",
    "complaint": "they reported a mail as spam",
    "bounce": "their mailbox does not exist",
    "unreachable": "for weeks their mailbox took nothing",
    "unsubscribe": "they left everything",
    "erased": "they were erased",
    "import": "the file they came with said so",
}
LEDGER = {
    "accepted": "was accepted by the mail API for them{at}. What became of it then, their mailbox decided",
    "refused": "was refused for them{at}: {why}",
    "suppressed": "left them out{at}: {why}",
    "withdrawn": "was cancelled before their mail went out",
    "uncertain": "was sent for them{at}, but nothing proves that the mail API took it: {why}",
    "planned": "has their mail waiting to be sent",
    "retry": "has their mail waiting to be sent again: {why}",
    "sending": "is being sent to them at this moment",
    "": "has them among its readers, and its sending is being prepared",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Sentences for people; `gets_mail` is whether anything that is planned would reach them."""

    address: str
    gets_mail: bool
    lines: tuple[str, ...]


def explain_subscriber(
    database: Database,
    *,
    email: str,
    newsletters: Sequence[Newsletter],
    issue_id: int | None = None,
    article: str | None = None,
    now: datetime,
) -> Explanation:
    """Why that address gets mail or does not; of one issue or one article when named.

    Raises BadInput for no address, NotFound for an issue or an article that does not exist."""
    try:
        address = normalise(email).address
    except ValueError as error:
        raise BadInput(f"{error}.") from None
    with database.read() as connection:
        keyed = address_hash(address, address_key(connection))
        person = people.find_subscriber(connection, address)
        suppressed = mailings.suppression_of(connection, keyed)
        lines: list[str] = []
        if suppressed is not None:
            reason, at, note = suppressed
            why = SUPPRESSED.get(reason, reason) + (f" ({note})" if note else "")
            lines.append(
                f"{address} is suppressed since {_day(at)}: {why}. Nothing is sent to it, whatever else is set."
            )
        if person is None:
            if suppressed is None:
                lines.append(f"{address} is not known here: nobody subscribed with it.")
            return Explanation(address, False, tuple(lines))
        declared = {each.name: each for each in newsletters}
        gets = False
        if issue_id is not None:
            lines += _of_issue(connection, person, get_issue(connection, issue_id))
        if article is not None:
            lines += _of_article(connection, person, find_article(connection, article), declared)
        for subscription in person.subscriptions:
            reached, sentence = _of_subscription(connection, subscription, declared, now)
            gets = gets or reached
            if issue_id is None and article is None:
                lines.append(sentence)
        if not person.subscriptions:
            lines.append(f"{address} is known here, but subscribed to no newsletter.")
        if issue_id is None and article is None:
            lines += [_of_mailing(each) for each in mailings.mailings_of(connection, person.id, limit=5)]
            if suppressed is None:
                lines += _of_bounces(connection, keyed)
    return Explanation(address, gets and suppressed is None and not person.suppressed, tuple(lines))


def _of_subscription(
    connection: Connection, subscription: Subscription, declared: dict[str, Newsletter], now: datetime
) -> tuple[bool, str]:
    newsletter = declared.get(subscription.newsletter)
    if newsletter is None:
        return False, f"{subscription.newsletter}: the newsletter is no longer in syndicate.toml."
    since = _day(subscription.changed_at or subscription.since)
    if subscription.status == "left":
        return False, f"{newsletter.title}: left on {since}, and gets nothing."
    if subscription.status == "pending":
        return False, f"{newsletter.title}: signed up on {since} but has not confirmed, and gets nothing until then."
    start = f"{newsletter.title}: active since {_day(subscription.since)}"
    if subscription.is_paused(now) and subscription.paused_until is not None:
        return True, f"{start}, but paused by themselves until {_day(subscription.paused_until)}; nothing is lost."
    if not subscription.cadence:
        return True, f"{start}; it has no cadence, so mail comes when an editor sends one."
    cadence = newsletter.cadences.get(subscription.cadence)
    if cadence is None:
        return False, (
            f"{start}, but the cadence {subscription.cadence!r} is no longer in syndicate.toml: only what an editor"
            " sends by hand reaches them."
        )
    slot = next_slots(cadence, newsletter.timezone, now, 1)[0]
    when = f"{slot.due_at.astimezone(ZoneInfo(newsletter.timezone)):%A %d %B %Y, %H:%M} {newsletter.timezone}"
    approval = " and an editor approves it" if newsletter.approval == "editor" else ""
    count = f"at least {newsletter.min_articles} new article" + ("s" if newsletter.min_articles > 1 else "")
    sentence = f"{start}, {cadence.name} ({cadence.text}). Next: {when}, if there is {count}{approval}."
    if subscription.resume_from is not None:
        sentence += f" Their next mail starts after article {subscription.resume_from}, so that they miss nothing."
    return True, sentence


def _of_issue(connection: Connection, person: Subscriber, issue: Issue) -> list[str]:
    found = mailings.mailings_of(connection, person.id, issue_ids=[issue.id])
    if found:
        return [_of_mailing(found[0])]
    if issue.forgotten_at is not None:
        return [f"Issue {issue.id} ({issue.newsletter}) ended long ago, and who it went to is no longer kept."]
    barrier = _barrier(person, issue)
    if issue.state in BEFORE_FREEZING or (issue.planned is None and issue.state in ("freezing", "paused")):
        if barrier:
            return [f"Issue {issue.id} ({issue.newsletter}) is {issue.state}, and would leave them out: {barrier}."]
        return [f"Issue {issue.id} ({issue.newsletter}) is {issue.state}; they are among those it would go to."]
    if issue.frozen_at is None:
        return [f"Issue {issue.id} ({issue.newsletter}) is {issue.state}, and went to nobody."]
    fixed = f"its readers were fixed on {_moment(issue.frozen_at)} and they were not among them"
    why = barrier or "they had its articles already, or joined, confirmed or changed later"
    return [f"Issue {issue.id} ({issue.newsletter}) did not go to them: {fixed}; {why}."]


def _barrier(person: Subscriber, issue: Issue) -> str:
    """Why the issue's audience does not take them, as things stand now."""
    subscription = person.subscription(issue.newsletter)
    if person.suppressed:
        return "they are suppressed"
    if subscription is None:
        return f"they are not subscribed to {issue.newsletter}"
    changed = subscription.changed_at or subscription.since
    if subscription.status != "active":
        return f"their subscription is {subscription.status} since {_day(changed)}"
    if issue.audience.cadence is not None and subscription.cadence != issue.audience.cadence:
        return f"it is for {issue.audience.cadence}, and they are on {subscription.cadence}"
    if issue.audience.to is not None and person.address not in issue.audience.to:
        return "it goes to named addresses only, and theirs is not one"
    if issue.frozen_at is not None and subscription.since > issue.frozen_at:
        return f"they subscribed on {_moment(subscription.since)}"
    return ""


def _of_article(
    connection: Connection, person: Subscriber, article: Article, declared: dict[str, Newsletter]
) -> list[str]:
    title = f"“{article.content.title}”"
    # Not only issues that were composed with it: a version that starts earlier than its issue carries older ones too.
    got = mailings.mailings_of(connection, person.id, article_id=article.id)
    if got:
        return [f"{title}: {_of_mailing(each)}" for each in got]
    if article.number is None or article.status != "released":
        why = "is backlog: it was there before the first look" if article.backlog else f"is {article.status}"
        return [f"{title} {why}, and is in no mailing{f' ({article.hold_reason})' if article.hold_reason else ''}."]
    lines: list[str] = []
    used = mailings.issues_with(connection, article.id)
    for subscription in person.subscriptions:
        newsletter = declared.get(subscription.newsletter)
        if newsletter is None or subscription.status != "active":
            continue
        start = _start_of_next(connection, subscription) if subscription.cadence in newsletter.cadences else None
        issues = [str(number) for number, (name, _) in used.items() if name == newsletter.name]
        unknown = [str(number) for number, (name, known) in used.items() if name == newsletter.name and not known]
        if not newsletter.selection.takes(article):
            lines.append(f"{title} is not in the selection of {newsletter.title}.")
        elif start is not None and article.number > start:
            lines.append(f"{title} will be in their next mail of {newsletter.title}.")
        elif unknown:
            lines.append(
                f"{title} went out in issue {', '.join(unknown)} of {newsletter.title}; who got that is no longer kept."
            )
        elif issues:
            lines.append(
                f"{title} went out in issue {', '.join(issues)} of {newsletter.title}, which they were not sent."
            )
        elif start is None:
            lines.append(f"{title} will be in their mail of {newsletter.title} when an editor sends it.")
        else:
            lines.append(f"{title} was numbered before their next mail of {newsletter.title} begins.")
    return lines or [f"{title} is in no newsletter that they get."]


def _start_of_next(connection: Connection, subscription: Subscription) -> int:
    """The article number above which their next mail starts."""
    if subscription.resume_from is not None:
        return subscription.resume_from
    return next_starts(connection).get((subscription.newsletter, subscription.cadence), 0)


def _of_mailing(mailing: Mailing) -> str:
    at = f" on {_moment(mailing.at)}" if mailing.at is not None else ""
    said = LEDGER.get(mailing.state, f"is {mailing.state} for them").format(at=at, why=mailing.why or "no reason given")
    return f"Issue {mailing.issue_id} ({mailing.newsletter}) {said.rstrip('.')}."


def _of_bounces(connection: Connection, keyed: str) -> list[str]:
    signs, since = events.signs_of(connection, [keyed])[keyed], events.opened_at(connection, [keyed]).get(keyed)
    bounces = came_back(signs, since=since)
    if not bounces:
        return []
    first = min(each.at for each in bounces)
    count = "A mail came" if len(bounces) == 1 else f"{len(bounces)} mails came"
    return [
        f"{count} back from their mailbox since {_day(first)}, and none is known to have arrived after that. Their "
        f"address is closed after {SOFT_BOUNCES}, of {SOFT_ISSUES} mailings, over {SOFT_SPAN.days} days."
    ]


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
