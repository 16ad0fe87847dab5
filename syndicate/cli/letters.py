"""`syndicate letters list|resend|give-up`: mails to one person that wait, or of which nobody can tell."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from syndicate.cli.frame import Frame, counted, site_command


@click.group()
def letters() -> None:
    """See mails to one person that wait, and settle them.

    A letter is a mail outside of any issue: the confirmation of a sign-up, a preview, a test, an alert.
    """


@letters.command("list")
@site_command
def list_letters(frame: Frame) -> None:
    """List the letters that wait or are uncertain, and why."""
    from syndicate.storage.letters import open_letters

    with frame.site.database.read() as connection:
        rows: list[dict[str, Any]] = [asdict(each) for each in open_letters(connection)]
    frame.rows(
        rows,
        {"id": "letter", "state": "state", "kind": "kind", "to_email": "to", "created_at": "since", "why": "why"},
        empty="Every letter is settled.",
    )


@letters.command()
@click.argument("numbers", type=int, nargs=-1, required=True)
@site_command
def resend(frame: Frame, numbers: tuple[int, ...]) -> None:
    """Send letters again: whoever has one already gets it twice.

    One that waits is tried at once.
    """
    from syndicate.process.presence import worker_is_up
    from syndicate.services.settle_letter import send_again

    asked = f"Send {counted(len(numbers), 'letter')} again? Whoever has one already gets it twice."
    if not frame.confirm(asked):
        frame.say("Nothing was changed.")
        return
    for number in numbers:
        send_again(
            frame.site.database, number, directory=frame.site.directory, actor=frame.actor, now=frame.now
        )
    frame.emit({"letters": list(numbers), "state": "retry"})
    if not frame.as_json:
        frame.say(f"{counted(len(numbers), 'letter')} will be posted again.")
    if not worker_is_up(frame.site):
        frame.say("Nothing runs here now: `syndicate run` posts them.")


@letters.command("give-up")
@click.argument("numbers", type=int, nargs=-1, required=True)
@site_command
def give_up(frame: Frame, numbers: tuple[int, ...]) -> None:
    """Give letters up: not posted any more, and forgotten."""
    from syndicate.services import settle_letter

    for number in numbers:
        settle_letter.give_up(frame.site.database, number, actor=frame.actor, now=frame.now)
    frame.emit({"letters": list(numbers), "state": "refused"})
    if not frame.as_json:
        frame.say(f"{counted(len(numbers), 'letter')} given up.")
