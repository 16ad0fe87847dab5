"""`syndicate check`: is everything in order?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from syndicate.cli.frame import Frame, site_command
from syndicate.core.live_mail import is_live
from syndicate.errors import MailAPIError, SettingsError, StorageError, SyndicateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syndicate.services.check_site import Finding
    from syndicate.site import Site

COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


class Unfit(SyndicateError):
    """Something that the site needs is not in order."""


@click.command()
@site_command
def check(frame: Frame) -> None:
    """Check that all is ready; change and send nothing.

    Looks at settings, templates, database, folders, mail API, and for live mail at the unsubscribe page; lists the
    alerts that are open.

    Ends with 0 when all is well (warnings may be), 1 when something is not, 2 when it is the settings.
    """
    from syndicate.services import check_site

    try:
        site = frame.opened
    except SettingsError as error:
        if frame.as_json:
            texts = error.mistakes or (str(error),)
            frame.emit([{"id": "settings", "area": "settings", "level": "error", "text": text} for text in texts])
        raise
    counts = (("source", site.sources), ("feed", site.feeds), ("newsletter", site.newsletters))
    told = (f"{len(each)} {noun if len(each) == 1 else f'{noun}s'}" for noun, each in counts)
    found = [check_site.Finding("settings", "ok", f"{', '.join(told)}.")]
    found += check_site.check_templates(site.templates, site.directory / "templates", site.newsletters)
    stored = list(check_site.check_database(site.database, site.newsletters))
    found += stored
    ready = all(each.level != "error" for each in stored)
    if ready:
        found.append(check_site.check_worker(site.database, site.directory))
        found += check_site.check_sending(site.database)
    found.append(check_site.check_folder(site.feeds_folder))
    if site.mail.is_sandbox and not site.mail.url:
        text = "The sandbox starts when it is needed; mails go to outbox/ only."
        found.append(check_site.Finding("mail API", "ok", text))
        if ready:
            found += _foreseen(site, "", live=False)
    else:
        try:
            mail_api = site.mail_api()
            url = mail_api.url
            found.append(check_site.check_mail_api(site.mail.api, url))
            if ready:
                found += _foreseen(site, mail_api.account, live=is_live(url))
            if is_live(url) and ready:
                found.append(_live(site, url))
                found += check_site.check_sample_readers(site.database)
        except MailAPIError as error:
            found.append(check_site.Finding("mail API", "error", str(error)))
    found += check_site.check_samples(site.publication, site.sender)
    if frame.as_json:
        frame.emit([_row(each) for each in found])
    else:
        for each in found:
            since = f" (Since {frame.when(each.since)}.)" if each.since else ""
            click.echo(f"{click.style(f'{each.level:>7}', fg=COLOURS[each.level])}  {each.area}: {each.text}{since}")
    errors = sum(each.level == "error" for each in found)
    if errors:
        raise Unfit(f"{errors} {'thing is' if errors == 1 else 'things are'} not in order.")


def _row(found: Finding) -> dict[str, Any]:
    row = {"id": found.key or found.area, "area": found.area, "level": found.level, "text": found.text}
    return {**row, "since": found.since} if found.since else row


def _foreseen(site: Site, account: str, *, live: bool) -> Iterator[Finding]:
    """Whether the next process that sends would put the database into quarantine, or refuse to send from here."""
    from syndicate.services.check_in import foresee
    from syndicate.services.check_site import Finding
    from syndicate.storage.instance import quarantined_why

    with site.database.read() as connection:
        if quarantined_why(connection) is not None:
            return  # it is told already
    try:
        judgement = foresee(
            site.database,
            directory=site.directory,
            beside=site.beside,
            place=site.place,
            web_url=site.publication.web_url,
            account=account,
            live=live,
        )
    except StorageError:
        return  # it was never started, and remembers nothing
    if judgement.quarantine or judgement.wait_here:
        told = " ".join(each.text for each in judgement.differences)
        what = "The database would go into quarantine" if judgement.quarantine else "Nothing would be sent from here"
        yield Finding("sending", "error", f"{what}: {told} `syndicate confirm-live` says that it is right so.")


def _live(site: Site, api_url: str) -> Finding:
    from syndicate.core.live_mail import settings_faults
    from syndicate.services.check_site import Finding
    from syndicate.services.guard_live import try_web

    url = site.publication.web_url
    faults = settings_faults(site.publication, site.sender, api_url)
    if not faults and (fault := try_web(url, site.signer())):
        faults.append(f"{fault} `syndicate run` must be up, and reached at [web] url.")
    if faults:
        return Finding("live mail", "error", f"Nothing is sent: {' '.join(faults)}")
    return Finding("live mail", "ok", f"{url} answers its own unsubscribe test.")
