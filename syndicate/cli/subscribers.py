"""`syndicate subscribers …`: people, the proof of their consent, and why they get what they get."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syndicate.cli.frame import Frame, counted, site_command
from syndicate.cli.import_report import end_with_what_was_left_out, tell_problems
from syndicate.cli.private_file import written
from syndicate.cli.suppressions import import_list
from syndicate.core.subscriber import WANTED
from syndicate.core.vendor_suppressions import VENDORS
from syndicate.errors import BadInput, NotFound, Refused, UsageError

if TYPE_CHECKING:
    from syndicate.core.newsletter import Newsletter
    from syndicate.core.subscriber import Subscriber
    from syndicate.services.import_subscribers import Report


@click.group()
def subscribers() -> None:
    """Look at readers; add, import, suppress and erase them."""


@subscribers.command("list")
@click.option("--newsletter", default="", help="Only those of this newsletter.")
@click.option("--status", type=click.Choice(WANTED), help="Only those who are this.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many.")
@click.option("--after", type=int, default=0, help="Only ids above this one: the next page.")
@site_command
def list_(frame: Frame, newsletter: str, status: str | None, limit: int, after: int) -> None:
    """List readers in the order in which they came."""
    from syndicate.storage.people import list_subscribers

    if newsletter:
        frame.site.newsletter(newsletter)
    with frame.site.database.read() as connection:
        found = list_subscribers(connection, newsletter=newsletter, status=status or "", limit=limit, after=after)
    frame.rows(
        [_row(each) for each in found],
        {"id": "id", "email": "address", "name": "name", "status": "status", "newsletters": "newsletters"},
        empty="Nobody yet. 'syndicate subscribers import FILE' takes over a list.",
    )
    if len(found) == limit and not frame.as_json:
        frame.say(f"The first {limit}; go on with --after {found[-1].id}.")


@subscribers.command()
@click.argument("email")
@site_command
def show(frame: Frame, email: str) -> None:
    """Show one reader."""
    from syndicate.storage.people import find_subscriber

    address = _address(email)
    with frame.site.database.read() as connection:
        found = find_subscriber(connection, address)
    if found is None:
        raise NotFound(f"Nobody here has the address {address}.", cure="'syndicate subscribers explain' says more.")
    row = _row(found)
    if frame.as_json:
        frame.emit(row)
        return
    frame.say(f"{found.email}{f' ({found.name})' if found.name else ''}: {row['status']}")
    for key in ("language", "timezone"):
        if row[key]:
            frame.say(f"  {key}: {row[key]}")
    for each in row["subscriptions"]:
        cadence = each["cadence"] or "no cadence"
        frame.say(f"  {each['newsletter']}: {each['status']}, {cadence}, since {each['since']:%Y-%m-%d}")


@subscribers.command()
@click.argument("email")
@click.option("--newsletter", help="Which newsletter (may be left out when there is only one).")
@click.option("--cadence", help="How often (default: the newsletter's first).")
@click.option("--name", default="", help="Their name.")
@click.option("--language", default="", help="Their language, if it is not the newsletter's.")
@click.option("--timezone", default="", help="Their time zone, such as Europe/Lisbon.")
@click.option("--confirmed", is_flag=True, help="They asked for it themselves, and that can be shown.")
@click.option("--because", default="", help="How they asked: kept as the proof of their consent.")
@site_command
def add(
    frame: Frame,
    email: str,
    newsletter: str | None,
    cadence: str | None,
    name: str,
    language: str,
    timezone: str,
    confirmed: bool,
    because: str,
) -> None:
    """Add one reader who asked for it."""
    from syndicate.services.add_subscriber import add_subscriber

    if not confirmed or not because.strip():
        raise UsageError(
            f"{email} was not added: mail is for people who asked for it, and somebody has to be able to show that.",
            cure='Add --confirmed --because "how they asked", for instance "asked by phone on 3 May".',
        )
    site = frame.site
    site.sync(frame.now)
    subscriber, change = add_subscriber(
        site.database,
        email=email,
        newsletter=_newsletter(frame, newsletter),
        because=because.strip(),
        cadence=cadence,
        name=name,
        language=language,
        timezone=timezone,
        actor=frame.actor,
        now=frame.now,
    )
    if frame.as_json:
        frame.emit({**_row(subscriber), "outcome": change.outcome})
    elif change.outcome == "unchanged":
        frame.say(f"{subscriber.email} gets it already. Nothing was changed.")
    else:
        frame.say(f"{subscriber.email} is {'added' if change.outcome == 'new' else 'changed'}.")


@subscribers.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--basis", default="", help="Why these people may be mailed: kept as the proof of their consent.")
@click.option("--suppressions", is_flag=True, help="It is a mail API's list of whom it mails no more (CSV or JSON).")
@click.option("--vendor", type=click.Choice(VENDORS), help="Whose list that is (default: told by its columns).")
@site_command
def import_(frame: Frame, file: Path, basis: str, suppressions: bool, vendor: str | None) -> None:
    """Take over readers, or whom a mail API mails no more.

    Without --yes it only reports what would change. Columns: email, name, language, timezone, newsletters, cadence,
    status, consent_at, consent_source; only email is needed. ";" stands between newsletters, and between cadences in
    the same order. Status: active, pending, left or suppressed. Nobody who is suppressed or who left is brought back,
    unless the row's own consent_at is later than their leaving. It can be run again at any time.

    With --suppressions it takes over whom a mail API mails no more, as its console or its API exports them: bounces,
    complaints and who left. Addresses that are not known here are suppressed too; nobody is opened by it.
    """
    if suppressions:
        import_list(frame, file, vendor or "", basis)
        return
    if vendor:
        raise UsageError("--vendor says whose list of suppressions it is.", cure="Add --suppressions.")
    from syndicate.services.import_subscribers import Consent, count_lines, import_subscribers

    if frame.yes and not basis.strip():
        raise UsageError(
            "Nothing was imported: --yes wants --basis, which is kept as the proof of consent.",
            cure='For instance --basis "moved from our old provider; sign-up form with confirmation since 2019".',
        )
    site = frame.site
    consent = Consent(basis.strip(), frame.actor) if frame.yes else None
    if consent is not None:
        site.sync(frame.now)
    with frame.progress("Importing" if consent else "Reading", count_lines(file)) as show_progress:
        report = import_subscribers(
            site.database,
            path=file,
            newsletters=site.newsletters,
            consent=consent,
            now=frame.now,
            progress=show_progress,
        )
    _tell(frame, file, report)
    end_with_what_was_left_out(report)


@subscribers.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@site_command
def export(frame: Frame, file: Path | None) -> None:
    """Write all readers as CSV that import takes.

    One row for each reader in each newsletter, with status and consent. Addresses that are suppressed without being
    known here are kept as hashes only, and are not in it. A cell that a spreadsheet would run as a formula has an
    apostrophe before it, which import takes off.
    """
    import csv

    from syndicate.core.people_file import COLUMNS
    from syndicate.services.export_subscribers import export_subscribers

    if file is None and frame.as_json:
        raise UsageError("--json tells how many rows were written.", cure="Name a FILE for the rows.")
    rows = export_subscribers(frame.site.database, frame.site.newsletters)
    with written(file) as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        count = 0
        for row in rows:
            writer.writerow(row)
            count += 1
    if file is not None:
        frame.emit({"file": str(file), "rows": count})
        if not frame.as_json:
            frame.say(f"{counted(count, 'row')} in {file}. It holds people's addresses: keep it as you keep those.")


@subscribers.command()
@click.argument("email")
@click.option("--because", required=True, help="Why: kept with the suppression.")
@site_command
def suppress(frame: Frame, email: str, because: str) -> None:
    """Never mail this address again, known here or not."""
    from syndicate.services.suppress_subscriber import suppress_subscriber

    address = _address(email)
    new = suppress_subscriber(frame.site.database, email=email, because=because, actor=frame.actor, now=frame.now)
    frame.emit({"address": address, "suppressed": True, "new": new})
    if not frame.as_json:
        frame.say(f"{address} {'is' if new else 'was already'} suppressed: nothing is sent to it.")


@subscribers.command()
@click.argument("email")
@click.option("--because", required=True, help="Why it may be mailed again: kept in the log.")
@site_command
def unsuppress(frame: Frame, email: str, because: str) -> None:
    """Open a suppressed address again. Nobody is subscribed by it."""
    from syndicate.services.unsuppress_subscriber import unsuppress_subscriber

    address = _address(email)
    if not because.strip():
        raise UsageError("Nothing was changed: --because is empty.", cure='For instance --because "they wrote to us".')
    if not frame.confirm(f"Open {address} again? Mail to people who complained or bounced harms every other mail."):
        raise Refused("Nothing was changed.")
    reasons = unsuppress_subscriber(
        frame.site.database, email=email, because=because.strip(), actor=frame.actor, now=frame.now
    )
    frame.emit({"address": address, "suppressed": False, "reasons": list(reasons)})
    if not frame.as_json:
        frame.say(f"{address} is open again (it was closed for: {', '.join(reasons)}).")


@subscribers.command()
@click.argument("email")
@site_command
def erase(frame: Frame, email: str) -> None:
    """Erase one reader. Only a keyed hash of the address stays, so that they are never mailed again."""
    from syndicate.services.erase_subscriber import erase_subscriber

    address = _address(email)
    if not frame.confirm(f"Erase {address} for good? This cannot be undone."):
        raise Refused("Nothing was erased.")
    identity = erase_subscriber(frame.site.database, email=email, actor=frame.actor, now=frame.now)
    frame.emit({"id": identity, "erased": True})
    if not frame.as_json:
        frame.say(f"Erased. The counts of past mailings keep a line that says erased:{identity}.")
        frame.say("Copies that are not in the database are yours to look for: backups, imported files, outbox/.")


@subscribers.command()
@click.argument("email")
@click.option("--issue", type=int, help="Why they got this issue or did not.")
@click.option("--article", help="Whether they got this article: its id, the start of its id, or its path.")
@site_command
def explain(frame: Frame, email: str, issue: int | None, article: str | None) -> None:
    """Say why a reader gets mail, or does not."""
    from syndicate.services.explain_subscriber import explain_subscriber

    site = frame.site
    found = explain_subscriber(
        site.database, email=email, newsletters=site.newsletters, issue_id=issue, article=article, now=frame.now
    )
    frame.emit({"address": found.address, "gets_mail": found.gets_mail, "lines": found.lines})
    if not frame.as_json:
        for line in found.lines:
            frame.say(line)


def _tell(frame: Frame, file: Path, report: Report) -> None:
    if frame.as_json:
        from dataclasses import asdict

        value = asdict(report)
        value["problems"] = [{"line": line, "reason": reason} for line, reason in report.problems]
        frame.emit(value)
        return
    if report.encoding == "cp1252":
        frame.warn(f"{file.name} is not UTF-8; it was read as Windows-1252. Look at names with accents.")
    would = "" if report.applied else "would be "
    frame.say(f"{file.name}: {counted(report.rows, 'row')}.")
    for count, text in (
        (report.new, f"{would}added"),
        (report.changed, f"{would}changed"),
        (report.unchanged, "already as the file says"),
        (report.suppressed, "suppressed, and kept so"),
        (report.left, "left, and kept so"),
        (report.bad, "cannot be used"),
    ):
        if count:
            frame.say(f"  {count:>9,} {text}")
    tell_problems(frame, report)
    if not report.applied:
        frame.say('Nothing was changed. To do it: add --yes --basis "why these people may be mailed".')


def _row(subscriber: Subscriber) -> dict[str, Any]:
    statuses = {each.status for each in subscriber.subscriptions}
    status = next((each for each in ("active", "pending", "left") if each in statuses), "none")
    return {
        "id": subscriber.id,
        "email": subscriber.email,
        "address": subscriber.address,
        "name": subscriber.name,
        "language": subscriber.language,
        "timezone": subscriber.timezone,
        "status": "suppressed" if subscriber.suppressed else status,
        "suppressed": subscriber.suppressed,
        "newsletters": [each.newsletter for each in subscriber.subscriptions if each.status != "left"],
        "subscriptions": [
            {
                "newsletter": each.newsletter,
                "cadence": each.cadence,
                "status": each.status,
                "since": each.since,
                "resume_from": each.resume_from,
            }
            for each in subscriber.subscriptions
        ],
    }


def _newsletter(frame: Frame, name: str | None) -> Newsletter:
    declared = frame.site.newsletters
    if name is not None:
        return frame.site.newsletter(name)
    if len(declared) == 1:
        return declared[0]
    raise UsageError(
        "Which newsletter?", cure=f"Add --newsletter with one of: {', '.join(each.name for each in declared)}."
    )


def _address(email: str) -> str:
    from syndicate.core.address import normalise

    try:
        return normalise(email).address
    except ValueError as error:
        raise BadInput(f"{error}.") from None
