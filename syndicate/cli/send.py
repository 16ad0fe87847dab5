"""`syndicate send`: an editor's manual send in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syndicate.cli.frame import Frame, counted, site_command, split_values
from syndicate.errors import BadInput, NothingToSend, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from syndicate.core.article import Article
    from syndicate.services.draft_issue import Sealed
    from syndicate.services.plan_send import Plan


@click.command()
@click.argument("newsletter")
@click.option(
    "--articles", "names", multiple=True, metavar="IDS", help="These articles (ids, starts of ids, or paths)."
)
@click.option("--to", "to", multiple=True, metavar="EMAILS", help="Only these of its active readers.")
@click.option("--at", "at", metavar="TIME", help="When, as 2026-01-31T07:00 in the newsletter's zone (default: now).")
@click.option("--again", is_flag=True, help="Let its articles appear in later issues for the same readers too.")
@site_command
def send(
    frame: Frame, newsletter: str, names: tuple[str, ...], to: tuple[str, ...], at: str | None, again: bool
) -> None:
    """Send a newsletter by hand, now or at a time.

    Shows what goes to how many, asks, sends, and closes the books. Without --articles it takes everything new that this
    newsletter has not sent. Whoever already got one of the articles in this newsletter is not sent it again.
    """
    from syndicate.cli.sending import parse_time, send_now_or_later
    from syndicate.services.approve_issue import approve
    from syndicate.services.draft_issue import draft_manual_issue, sent_lately

    site = frame.site
    declared = site.newsletter(newsletter)
    send_at = parse_time(at, declared.timezone, now=frame.now) if at else None
    site.sync(frame.now)
    try:
        sealed = draft_manual_issue(
            site.database,
            declared,
            site.house,
            articles=_articles(frame, names) if names else None,
            to=_addresses(frame, newsletter, to) if to else None,
            again=again,
            now=frame.now,
            actor=frame.actor,
        )
    except NothingToSend as nothing:
        unfinished = _unfinished(frame, newsletter)
        if unfinished is None:
            raise
        raise NothingToSend(
            nothing.message, cure=f"Issue {unfinished} is not finished: `syndicate issues send {unfinished}` goes on."
        ) from None
    issue = sealed.issue
    if issue.state == "awaiting":
        earlier = sent_lately(site.database, issue, frame.now)
        _show(frame, sealed, send_at or frame.now)
        if earlier is not None:
            frame.warn(f"The same went out as issue {earlier.id} within the last day; who got it then is left out now.")
        if not issue.expected:
            _drop(frame, issue.id)
            raise Refused(
                f"Nobody would get it: {_why_nobody(frame, sealed, declared.title, bool(to))}.",
                cure="`syndicate subscribers explain EMAIL` says why for one.",
            )
        if not _agreed(frame, issue.expected):
            _drop(frame, issue.id)
            raise Refused("Nothing was sent.")
        approve(site.database, issue.id, now=frame.now, actor=frame.actor, seal=issue.seal)
    elif issue.state == "scheduled" and issue.send_at is not None and issue.send_at > frame.now:
        set_for = f"Issue {issue.id} has the same and is set for {frame.when(issue.send_at)}."
        if not frame.confirm(f"{set_for} Send it {frame.when(send_at) if send_at else 'now'} instead?"):
            raise Refused(f"{set_for} It stays so.")
    send_now_or_later(frame, issue.id, at=send_at)


def _unfinished(frame: Frame, newsletter: str) -> int | None:
    """The newsletter's issue that was begun and not ended, if there is one."""
    from syndicate.storage.issues import list_issues

    with frame.site.database.read() as connection:
        found = list_issues(connection, newsletter=newsletter, limit=30)
    return next((each.id for each in found if each.state in ("freezing", "sending")), None)


def _articles(frame: Frame, names: tuple[str, ...]) -> list[Article]:
    from syndicate.cli.article_names import find_articles

    with frame.site.database.read() as connection:
        return find_articles(frame.site, connection, split_values(names))


def _addresses(frame: Frame, newsletter: str, to: tuple[str, ...]) -> list[str]:
    from syndicate.core.address import normalise
    from syndicate.storage.audience import not_in_audience

    try:
        addresses = tuple(dict.fromkeys(normalise(each).address for each in split_values(to)))
    except ValueError as error:
        raise BadInput(f"--to: {error}.") from None
    with frame.site.database.read() as connection:
        for address in not_in_audience(connection, newsletter, addresses, now=frame.now):
            frame.warn(f"{address} is not an active reader of {newsletter} and is left out.")
    return list(addresses)


def _show(frame: Frame, sealed: Sealed, at: datetime) -> None:
    from syndicate.core.preflight import preflight
    from syndicate.storage.issues import get_variants

    issue = sealed.issue
    with frame.site.database.read() as connection:
        variant = get_variants(connection, issue.id, issue.revision)[""]
    frame.say(f"Issue {issue.id} of {issue.newsletter}: {variant.subject}")
    for article in sealed.articles:
        frame.say(f"  · {article.content.title}")
    plan = _plan(frame, issue.id, at)
    frame.say(f"To {counted(plan.reach.readers, 'reader')}.")
    if plan.reach.have_all:
        frame.say(f"  {counted(plan.reach.have_all, 'reader')} left out: they already got what it carries.")
    if plan.reach.shorter:
        frame.say(f"  {counted(plan.reach.shorter, 'reader')} get it without what they already got.")
    if plan.effect.at_night:
        frame.warn(plan.words)
    for finding in preflight(variant):
        frame.warn(f"{finding.level}: {finding.text}")


def _plan(frame: Frame, issue_id: int, at: datetime) -> Plan:
    from syndicate.services.plan_send import plan_issue
    from syndicate.storage.issues import get_issue

    site = frame.site
    with site.database.read() as connection:
        newsletter = site.newsletter(get_issue(connection, issue_id).newsletter)
    return plan_issue(site.database, newsletter, issue_id, at=at, now=frame.now)


def _why_nobody(frame: Frame, sealed: Sealed, title: str, named: bool) -> str:
    if have := _plan(frame, sealed.issue.id, frame.now).reach.have_all:
        return f"all {have:,} already got what it carries"
    return f"{title} has no active reader{' among these' if named else ''}"


def _agreed(frame: Frame, count: int) -> bool:
    from syndicate.core.request import TYPE_THE_NUMBER_OVER

    if count <= TYPE_THE_NUMBER_OVER:
        return frame.confirm("Send it?")
    return frame.confirm_number(f"Type the number of readers ({count}) to send it", count)


def _drop(frame: Frame, issue_id: int) -> None:
    from syndicate.services.cancel_issue import cancel
    from syndicate.storage.issues import get_issue

    with frame.site.database.read() as connection:
        if get_issue(connection, issue_id).state != "awaiting":
            return  # somebody else has agreed to the very same meanwhile
    cancel(frame.site.database, issue_id, actor=frame.actor, now=frame.now, drop=False)
