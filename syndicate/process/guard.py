"""Before anything is sent: is this database the one to send from, and is the site ready for live mail?"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from syndicate.core.mail_account import is_loopback
from syndicate.errors import Refused, SyndicateError
from syndicate.services.check_in import check_in
from syndicate.services.guard_live import live_faults, sample_readers

if TYPE_CHECKING:
    from syndicate.mail.base import MailAPI
    from syndicate.site import Site


def require_ready(
    site: Site, mail_api: MailAPI, now: datetime, issue_id: int | None = None, *, first: MailAPI | None = None
) -> None:
    """Looks at everything that forbids sending now, and opens the gate of a live mail API when nothing does. `first` is
    the one that the database knows the site by, when another stands in for it.

    Raises Refused with all of it."""
    from syndicate.mail.live import Live

    known = first or mail_api
    if not isinstance(mail_api, Live):
        require_known(site, known, now)
        return
    try:
        require_known(site, known, now)
        faults = live_faults(
            site.database,
            publication=site.publication,
            sender=site.sender,
            api_url=mail_api.url,
            signer=site.signer(),
            now=now,
        )
    except SyndicateError:
        mail_api.is_open = False
        raise
    mail_api.is_open = not faults
    if not faults and issue_id is not None:
        faults = sample_readers(site.database, issue_id, now)
    if faults:
        raise Refused(f"No live mail goes out: {' '.join(faults)}", cure="`syndicate check` looks at all of it again.")


def require_known(site: Site, mail_api: MailAPI, now: datetime) -> None:
    """Checks in. Raises Refused when the database is in quarantine, or this place is not known to it."""
    judgement = check_in(
        site.database,
        directory=site.directory,
        beside=site.beside,
        place=site.place,
        web_url=site.publication.web_url,
        account=mail_api.account,
        live=not is_loopback(mail_api.url),
        now=now,
    )
    if judgement.quarantine:
        why = ["Nothing is sent: the database is in quarantine.", *(each.text for each in judgement.differences)]
        raise Refused(
            " ".join(why),
            cure="`syndicate confirm-live` says what differs, and ends it.",
        )
    if judgement.wait_here:
        raise Refused(
            f"Nothing is sent from here: this database does not know {site.place}.",
            cure="`syndicate confirm-live`, run here, makes it known.",
        )
