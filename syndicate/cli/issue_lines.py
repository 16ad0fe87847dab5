"""What the commands on issues print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syndicate.cli.frame import Frame, counted
from syndicate.errors import NotFound

if TYPE_CHECKING:
    from syndicate.core.difference import Change
    from syndicate.core.issue import Issue


def issue_row(issue: Issue) -> dict[str, Any]:
    """An issue, for programs and for lists."""
    return {
        "id": issue.id,
        "newsletter": issue.newsletter,
        "cadence": issue.cadence,
        "kind": issue.kind,
        "state": issue.state,
        "recipients": issue.planned if issue.planned is not None else issue.expected,
        "subject": issue.subject,
        "revision": issue.revision,
        "seal": issue.seal,
        "drafted_at": issue.drafted_at,
        "ended_at": issue.ended_at,
        "forgotten_at": issue.forgotten_at,
        "why": issue.why,
    }


def say_sealed(frame: Frame, issue_id: int) -> None:
    """What was composed, and the next step."""
    from syndicate.storage.compositions import composed_articles
    from syndicate.storage.issues import get_issue, get_variants

    with frame.site.database.read() as connection:
        issue = get_issue(connection, issue_id)
        variant = get_variants(connection, issue_id, issue.revision).get("")
        composed = composed_articles(connection, issue_id)
    if variant is None:
        raise NotFound(f"Issue {issue_id} lost its content meanwhile.", cure="Draft it again.")
    if frame.as_json:
        frame.emit({**issue_row(issue), "subject": variant.subject})
        return
    frame.say(f"Issue {issue.id} · {issue.state} · {counted(issue.expected or 0, 'reader')}")
    frame.say(f"  {variant.subject}")
    for article, part in composed:
        frame.say(f"  {'·' if part.role == 'full' else '+'} {article.content.title}")
    frame.say(next_step(issue))


def next_step(issue: Issue) -> str:
    """What an editor can do with it now."""
    if issue.state == "paused" and issue.planned is not None and not issue.is_approved and issue.seal:
        return f"`syndicate issues preview {issue.id}`, `syndicate issues approve {issue.id}`, then resume it."
    steps = {
        "draft": f"`{_draft_again(issue)}` composes it.",
        "awaiting": f"`syndicate issues preview {issue.id}`, then `syndicate issues approve {issue.id}`.",
        "approved": f"`syndicate issues send {issue.id}` sends it.",
        "scheduled": "`syndicate run --once` sends it when its time has come.",
        "freezing": "`syndicate run --once` goes on.",
        "sending": "`syndicate run --once` goes on.",
        "paused": f"`syndicate issues resume {issue.id}` goes on, `syndicate issues cancel {issue.id}` ends it.",
        "cancelling": "`syndicate run --once` finishes it.",
    }
    return steps.get(issue.state, "Finished.")


def _draft_again(issue: Issue) -> str:
    if issue.kind == "manual":
        return f"syndicate send {issue.newsletter}"
    return f"syndicate issues draft {issue.newsletter} --cadence {issue.cadence}"


def change_row(change: Change) -> dict[str, Any]:
    """One difference, for programs."""
    return {
        "where": change.where,
        "what": change.what,
        "words": [{"kind": each.kind, "text": each.text} for each in change.spans],
    }


def say_changes(frame: Frame, changes: list[Change]) -> None:
    """What is different since the approval: what went in brackets with a minus, what came in brackets with a plus."""
    from syndicate.core.difference import around

    frame.say("Changed since it was approved:" if changes else "What readers see is what was approved.")
    marks = {"same": "{}", "gone": "[-{}-]", "new": "[+{}+]"}
    for each in changes:
        told = "".join(marks[span.kind].format(span.text) for span in around(each.spans))
        frame.say(f"  {f'{each.where} · ' if each.where else ''}{each.what}: {told}")


def read_books(frame: Frame, issue_id: int) -> dict[str, Any]:
    """The books as they are now: what a process that is gone was sending is uncertain at once. Raises NotFound."""
    from syndicate.storage.ledger import books

    gone = gone_owners(frame, issue_id)
    with frame.site.database.read() as connection:
        return books(connection, issue_id, gone).as_dict()


def gone_owners(frame: Frame, issue_id: int) -> list[str]:
    """The workers that were sending the issue and do not live. Raises NotFound."""
    from syndicate.storage.issues import get_issue
    from syndicate.storage.ledger import owners
    from syndicate.storage.workers import lives_of

    with frame.site.database.read() as connection:
        get_issue(connection, issue_id)
        holding = owners(connection, issue_id)
    lives = lives_of(frame.site.database, frame.site.directory, holding)
    return [each for each, life in lives.items() if life != "alive"]


def say_state(frame: Frame, issue_id: int) -> None:
    """Its state, and its books once it is frozen."""
    from syndicate.storage.issues import get_issue

    with frame.site.database.read() as connection:
        issue = get_issue(connection, issue_id)
    balance = read_books(frame, issue_id)
    if frame.as_json:
        frame.emit({**issue_row(issue), "books": balance})
        return
    frame.say(f"Issue {issue.id} is {issue.state}{f': {issue.why}' if issue.why else ''}.")
    if issue.planned is not None:
        say_books(frame, balance)


def say_books(frame: Frame, balance: dict[str, Any]) -> None:
    """The balance, in one line."""
    parts = ("accepted", "refused", "suppressed", "withdrawn", "uncertain", "waiting")
    frame.say(f"  {balance['planned']:,} planned = " + " + ".join(f"{balance[part]:,} {part}" for part in parts))
    if not balance["balanced"]:
        frame.warn("  The books do not balance: run `syndicate db check` and keep the database.")
