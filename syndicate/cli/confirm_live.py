"""`syndicate confirm-live`: this database is the one to send from."""

from __future__ import annotations

import click

from syndicate.cli.frame import Frame, counted, site_command
from syndicate.core.mail_account import is_loopback
from syndicate.errors import Refused


@click.command("confirm-live")
@site_command
def confirm_live(frame: Frame) -> None:
    """Say that a copied database is the one to send from.

    Shows what differs from what the database remembers, and asks. Those who left or were suppressed since the backup
    stay out. Until then nothing is sent from it.
    """
    from syndicate.process.posting import posting
    from syndicate.services.confirm_live import confirm_live, what_differs
    from syndicate.storage.issues import list_issues

    site = frame.site
    with posting(site) as mail_api:
        account, live = mail_api.account, not is_loopback(mail_api.url)
    web_url = site.publication.web_url
    found = what_differs(
        site.database, beside=site.beside, place=site.place, web_url=web_url, account=account, live=live
    )
    with site.database.read() as connection:
        sent = list_issues(connection, states=["sending", "paused", "sent", "cancelling", "cancelled"])
    if found.why is None and not found.differences:
        frame.emit({"confirmed": False, "differences": []})
        frame.say("Nothing differs from what the database remembers.")
        return
    for line in dict.fromkeys([found.why or "", *(each.text for each in found.differences)]):
        if line:
            frame.say(f"  {line}")
    last = f"issue {sent[0].id} of {sent[0].newsletter}" if sent else "none"
    frame.say(f"  The newest issue that it has sent: {last}. What was sent after that is not known to it.")
    if not frame.confirm("Send from this database from now on?"):
        raise Refused("Nothing was confirmed.")
    brought = confirm_live(
        site.database,
        beside=site.beside,
        place=site.place,
        web_url=web_url,
        account=account,
        live=live,
        seen=found.differences,
        actor=frame.actor,
        now=frame.now,
    )
    frame.emit(
        {
            "confirmed": True,
            "differences": [each.text for each in found.differences],
            "suppressed": brought.suppressed,
            "left": brought.left,
            "erased": brought.erased,
            "lifted": brought.lifted,
        }
    )
    if not frame.as_json:
        frame.say("Confirmed: this database may send.")
        if brought:
            frame.say(
                f"From the journal: {counted(brought.suppressed, 'suppression')}, {counted(brought.left, 'reader')} who"
                f" left, {counted(brought.erased, 'reader')} erased again, {brought.lifted:,} opened again."
            )
