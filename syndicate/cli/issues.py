"""`syndicate issues`: look at issues, and draft, approve, send, stop and settle them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from syndicate.cli.frame import Frame, counted, site_command, split_values
from syndicate.cli.halt import say_if_stopped
from syndicate.cli.issue_lines import (
    change_row,
    issue_row,
    next_step,
    read_books,
    say_books,
    say_changes,
    say_sealed,
    say_state,
)
from syndicate.cli.issue_reasons import read_reasons, reason_rows, refused, say_reasons
from syndicate.errors import Refused, UsageError


@click.group()
def issues() -> None:
    """Look at issues; draft, approve, send and settle them.

    An issue is one mailing of a newsletter, named by its number.
    """


@issues.command("list")
@click.option("--newsletter", help="Only this newsletter's.")
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="How many, newest first.")
@site_command
def list_(frame: Frame, newsletter: str | None, limit: int) -> None:
    """List issues, newest first."""
    from syndicate.storage.issues import get_subjects, list_issues

    if newsletter is not None:
        frame.site.newsletter(newsletter)
    with frame.site.database.read() as connection:
        found = list_issues(connection, newsletter=newsletter, limit=limit)
        subjects = get_subjects(connection, [each.id for each in found])
    say_if_stopped(frame)
    frame.rows(
        [{**issue_row(issue), "subject": subjects.get(issue.id, issue.subject)} for issue in found],
        {
            "id": "issue",
            "newsletter": "newsletter",
            "cadence": "cadence",
            "state": "state",
            "recipients": "recipients",
            "subject": "subject",
            "drafted_at": "drafted",
            "why": "",
        },
        empty="No issues yet. `syndicate issues draft NEWSLETTER` makes one of what is new.",
    )


@issues.command()
@click.argument("issue", type=int)
@site_command
def show(frame: Frame, issue: int) -> None:
    """Show one issue: its content, its approval and its books."""
    from syndicate.storage.approvals import changes_since_approval
    from syndicate.storage.compositions import composed_articles
    from syndicate.storage.issues import get_issue, get_variants

    say_if_stopped(frame)
    with frame.site.database.read() as connection:
        found = get_issue(connection, issue)
        composed = composed_articles(connection, issue)
        variants = get_variants(connection, issue, found.revision)
        changes = changes_since_approval(connection, found)
    reasons = read_reasons(frame, issue)
    subject = variants[""].subject if "" in variants else found.subject
    value = {
        **issue_row(found),
        "subject": subject,
        "window": [found.lo, found.hi] if found.kind == "cadence" else None,
        "approved_by": found.approved_by or None,
        "send_at": found.send_at,
        "articles": [
            {"id": article.id, "number": part.number, "role": part.role, "title": article.content.title}
            for article, part in composed
        ],
        "edits": found.edits.as_json(),
        "changed_since_approval": [change_row(each) for each in changes] if changes is not None else None,
        "variants": len(variants),
        "books": read_books(frame, issue),
        "not_accepted": reason_rows(reasons),
    }
    if frame.as_json:
        frame.emit(value)
        return
    frame.say(
        f"Issue {found.id} · {found.newsletter}{f', {found.cadence}' if found.cadence else ', by hand'} · {found.state}"
    )
    frame.say(f"  {subject}" if subject else "  (not composed yet)")
    if found.why:
        frame.say(f"  {found.why}")
    if found.kind == "cadence":
        frame.say(f"  articles numbered {found.lo + 1} to {found.hi}")
    for article, part in composed:
        frame.say(f"  {'·' if part.role == 'full' else '+' if part.role == 'title' else '-'} {article.content.title}")
    if found.planned is None:
        frame.say(f"  would go to {counted(found.expected or 0, 'reader')}")
    else:
        say_books(frame, value["books"])
        say_reasons(frame, issue, reasons)
    if found.forgotten_at is not None:
        frame.say(f"  who they were is no longer kept, since {found.forgotten_at:%Y-%m-%d}")
    if changes is not None:
        say_changes(frame, changes)
    frame.say(next_step(found))


@issues.command()
@click.argument("newsletter")
@click.option("--cadence", help="Which of its cadences (default: the first).")
@site_command
def draft(frame: Frame, newsletter: str, cadence: str | None) -> None:
    """Compose the next issue, of everything new.

    It is then ready to approve. An issue of the cadence that is not yet being sent is taken back, widened and composed
    anew.
    """
    from syndicate.services.draft_issue import draft_cadence_issue

    site = frame.site
    declared = site.newsletter(newsletter)
    name = cadence or next(iter(declared.cadences), None)
    if name is None or name not in declared.cadences:
        known = ", ".join(declared.cadences) or "none"
        raise UsageError(
            f"{newsletter} has no cadence {name!r}." if name else f"{newsletter} has no cadence.",
            cure=f"Known: {known}.",
        )
    site.sync(frame.now)
    sealed = draft_cadence_issue(site.database, declared, name, site.house, now=frame.now, actor=frame.actor)
    say_sealed(frame, sealed.issue.id)


@issues.command()
@click.argument("issue", type=int)
@click.option("--subject", help="The subject ('' for the lead's title).")
@click.option("--preheader", help="The line that mail programs show after the subject ('' for the lead's summary).")
@click.option("--intro", help="Words before the articles: plain text, or a little Markdown ('' for none).")
@click.option("--order", multiple=True, metavar="IDS", help="These articles first, in this order.")
@click.option("--usual-order", is_flag=True, help="The usual order again.")
@click.option("--skip", multiple=True, metavar="IDS", help="Leave these out; they count as used.")
@click.option("--unskip", multiple=True, metavar="IDS", help="Take these in again.")
@click.option("--add", multiple=True, metavar="IDS", help="Put in these, wherever they come from.")
@click.option("--link", "links", multiple=True, metavar="TITLE=URL", help="Links of your own, in place of all so far.")
@click.option("--no-links", is_flag=True, help="No links of your own.")
@click.option("--sponsor", metavar="NAME[=URL]", help="Who paid for a place; shown as 'Sponsored by NAME'.")
@click.option("--sponsor-text", default="", help="What the sponsor says.")
@click.option("--no-sponsor", is_flag=True, help="No sponsor.")
@site_command
def edit(frame: Frame, issue: int, **given: Any) -> None:
    """Change an issue before it is sent: order, articles, words.

    It is composed anew at once, and any approval is void. The changes stay when a later slot adds articles.
    """
    from syndicate.cli.issue_edits import change_of
    from syndicate.services.edit_issue import edit as edit_issue
    from syndicate.storage.issues import get_issue

    site = frame.site
    with site.database.read() as connection:
        newsletter = site.newsletter(get_issue(connection, issue).newsletter)
        change = change_of(site, connection, given)
    edit_issue(site.database, issue, change, newsletter, site.house, now=frame.now, actor=frame.actor)
    say_sealed(frame, issue)


@issues.command()
@click.argument("issue", type=int)
@click.option("--text", "form", flag_value="text", help="The plain text instead.")
@click.option("--html", "form", flag_value="html", default=True, help="The HTML (default).")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@site_command
def preview(frame: Frame, issue: int, form: str, out: Path | None) -> None:
    """Print an issue as one reader would get it."""
    from syndicate.services.preview_issue import preview as preview_issue
    from syndicate.storage.issues import get_issue

    site = frame.site
    with site.database.read() as connection:
        newsletter = site.newsletter(get_issue(connection, issue).newsletter)
    seen = preview_issue(
        site.database,
        issue,
        newsletter,
        site.publication,
        site.sender,
        signer=site.signer(),
        instance=site.instance,
        now=frame.now,
    )
    message, findings = seen.message, seen.findings
    if frame.as_json:
        frame.emit(
            {
                "id": issue,
                "subject": message.subject,
                "text": message.text,
                "html": message.html,
                "html_bytes": len(message.html.encode()),
                "findings": [{"level": each.level, "text": each.text} for each in findings],
            }
        )
        return
    body = message.text if form == "text" else message.html
    if out is not None:
        out.write_text(body, encoding="utf-8")
        frame.say(f"{message.subject}\n{len(message.html.encode()):,} bytes of HTML. Written to {out}.")
    else:
        click.echo(body)
    for each in findings:
        frame.warn(f"{each.level}: {each.text}")


@issues.command()
@click.argument("issue", type=int)
@site_command
def check(frame: Frame, issue: int) -> int:
    """Look an issue over as it is before it is sent.

    Errors keep it from going out, warnings do not. Ends with 1 when there is an error.
    """
    from syndicate.core.preflight import look_at_headers, look_over
    from syndicate.storage.issues import get_issue, get_variants

    site = frame.site
    with site.database.read() as connection:
        looked_at = get_issue(connection, issue)
        variants = get_variants(connection, issue, looked_at.revision)
    if not variants:
        raise Refused(f"Issue {issue} has no content yet.", cure="Draft it first.")
    newsletter = site.newsletter(looked_at.newsletter)
    found = [
        *look_at_headers(site.publication, site.sender, newsletter, date=looked_at.sealed_at or frame.now),
        *look_over(variants.values()),
    ]
    frame.emit({"id": issue, "findings": [{"level": each.level, "text": each.text} for each in found]})
    if not frame.as_json:
        for each in found:
            frame.say(f"{each.level:>7}  {each.text}")
        if not found:
            frame.say(f"Nothing is wrong with issue {issue}.")
    return int(any(each.level == "error" for each in found))


@issues.command()
@click.argument("issue", type=int)
@click.option("--to", "to", multiple=True, help="Addresses instead of [mail] test_to; commas between them.")
@site_command
def test(frame: Frame, issue: int, to: tuple[str, ...]) -> None:
    """Send an issue to editors only, marked as a test.

    It stays out of the books.
    """
    import secrets

    from syndicate.process.guard import require_ready
    from syndicate.process.posting import posting
    from syndicate.services.send_test_copy import send_test
    from syndicate.storage.issues import get_issue

    site = frame.site
    with site.database.read() as connection:
        newsletter = site.newsletter(get_issue(connection, issue).newsletter)
    with posting(site) as mail_api:
        require_ready(site, mail_api, frame.now)
        taken = send_test(
            site.database,
            issue,
            newsletter,
            site.house,
            mail_api,
            to=split_values(to) or site.sender.test_to,
            signer=site.signer(),
            instance=site.instance,
            key=f"test.{secrets.token_hex(8)}",
            now=frame.now,
            actor=frame.actor,
        )
    frame.emit({"id": issue, "sent_to": taken})
    if not frame.as_json:
        frame.say(f"Test sent to {', '.join(taken)}.")


@issues.command()
@click.argument("issue", type=int)
@site_command
def approve(frame: Frame, issue: int) -> None:
    """Approve an issue as it is now.

    The approval is of its content and its audience; any later edit voids it.
    """
    from syndicate.services.approve_issue import approve as approve_issue

    found = approve_issue(frame.site.database, issue, now=frame.now, actor=frame.actor)
    frame.emit(issue_row(found))
    if found.state == "paused" and not frame.as_json:
        frame.say(f"Revision {found.revision} is approved. `syndicate issues resume {issue}` goes on with it.")
    elif not frame.as_json:
        frame.say(
            f"Issue {issue} is approved for {counted(found.expected or 0, 'reader')}."
            f" `syndicate issues send {issue}` sends it."
        )


@issues.command()
@click.argument("issue", type=int)
@click.option("--at", "at", metavar="TIME", help="When, as 2026-01-31T07:00 in the newsletter's zone (default: now).")
@site_command
def send(frame: Frame, issue: int, at: str | None) -> None:
    """Send an approved issue, now or at a time.

    If it is interrupted, the same command or "syndicate run --once" goes on.
    """
    from syndicate.cli.sending import parse_time, send_now_or_later
    from syndicate.core.issue import BEFORE_FREEZING
    from syndicate.services.plan_send import plan_issue
    from syndicate.storage.issues import get_issue

    with frame.site.database.read() as connection:
        found = get_issue(connection, issue)
    newsletter = frame.site.newsletter(found.newsletter)
    send_at = parse_time(at, newsletter.timezone, now=frame.now) if at else None
    if found.state == "awaiting":
        raise Refused(f"Issue {issue} awaits approval.", cure=f"`syndicate issues approve {issue}` first.")
    if send_at is not None and found.state in BEFORE_FREEZING:
        plan = plan_issue(frame.site.database, newsletter, issue, at=send_at, now=frame.now)
        if plan.effect.at_night:
            frame.warn(plan.words)
    if not frame.confirm(f"Send issue {issue} to {counted(found.expected or 0, 'reader')}?"):
        raise Refused("Nothing was sent.")
    send_now_or_later(frame, issue, at=send_at)


@issues.command()
@click.argument("issue", type=int)
@click.option("--because", default="by an editor", help="Why, for whoever looks at it later.")
@site_command
def pause(frame: Frame, issue: int, because: str) -> None:
    """Stop sending an issue.

    No further request goes out after this returns.
    """
    from syndicate.services.pause_issue import pause as pause_issue

    pause_issue(frame.site.database, issue, why=because, actor=frame.actor, now=frame.now)
    say_state(frame, issue)


@issues.command()
@click.argument("issue", type=int)
@site_command
def resume(frame: Frame, issue: int) -> None:
    """Go on with a paused issue."""
    from syndicate.cli.sending import follow, says_how_far
    from syndicate.services.pause_issue import resume as resume_issue

    with says_how_far(frame, issue):
        resume_issue(frame.site.database, issue, actor=frame.actor, now=frame.now)
        follow(frame, issue)


@issues.command()
@click.argument("issue", type=int)
@click.option("--drop", is_flag=True, help="Its articles count as used instead of going into the next issue.")
@site_command
def cancel(frame: Frame, issue: int, drop: bool) -> None:
    """Cancel an issue.

    Readers who have not been mailed yet are withdrawn.
    """
    from syndicate.services.cancel_issue import cancel as cancel_issue
    from syndicate.services.sweep_issues import sweep

    if not frame.confirm(f"Cancel issue {issue}?"):
        raise Refused("Nothing was cancelled.")
    cancel_issue(frame.site.database, issue, actor=frame.actor, now=frame.now, drop=drop)
    sweep(frame.site.database, frame.now)  # nothing under way: it is over at once
    say_state(frame, issue)


@issues.command()
@click.argument("issue", type=int)
@click.option("--resend", "how", flag_value="resend", help="Send to the uncertain again: some may get it twice.")
@click.option("--count-as-sent", "how", flag_value="count-as-sent", help="Leave it: some may never have got it.")
@site_command
def resolve(frame: Frame, issue: int, how: str | None) -> None:
    """Settle what is uncertain: resend it, or leave it.

    Uncertain are requests of which nobody can tell whether they were taken.
    """
    from syndicate.cli.sending import follow, says_how_far
    from syndicate.services.resolve_issue import resolve as resolve_issue

    if how not in ("resend", "count-as-sent"):
        raise UsageError(
            "Say how.", cure="--resend (some may get it twice) or --count-as-sent (some may have nothing)."
        )
    if not frame.confirm(f"Settle the uncertain readers of issue {issue} by --{how}?"):
        raise Refused("Nothing was changed.")
    if how == "count-as-sent":
        resolve_issue(frame.site.database, issue, "count-as-sent", actor=frame.actor, now=frame.now)
        say_state(frame, issue)
        return
    with says_how_far(frame, issue):
        resolve_issue(frame.site.database, issue, "resend", actor=frame.actor, now=frame.now)
        follow(frame, issue)


@issues.command()
@click.argument("issue", type=int)
@site_command
def books(frame: Frame, issue: int) -> None:
    """Show the balance of an issue, and what is not accepted.

    planned = accepted + refused + suppressed + withdrawn + uncertain + waiting
    """
    balance, reasons = read_books(frame, issue), read_reasons(frame, issue)
    frame.emit({**balance, "not_accepted": reason_rows(reasons)})
    if not frame.as_json:
        say_books(frame, balance)
        say_reasons(frame, issue, reasons)


issues.add_command(refused)
