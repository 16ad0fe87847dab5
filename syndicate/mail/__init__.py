"""Mail APIs: a registry of names to adapters, loaded when asked for.

Adding one: a file in this folder, a line here, samples of its requests and answers for the contract test.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from syndicate.core.live_mail import is_live
from syndicate.errors import MailAPIError

if TYPE_CHECKING:
    from syndicate.core.message import CapabilitySheet
    from syndicate.mail.base import Connection, MailAPI

ADAPTERS = {
    "brevo": "syndicate.mail.brevo:Brevo",
    "mailgun": "syndicate.mail.mailgun:Mailgun",
    "mailjet": "syndicate.mail.mailjet:Mailjet",
    "mailpit": "syndicate.mail.mailpit:Mailpit",
    "postmark": "syndicate.mail.postmark:Postmark",
    "resend": "syndicate.mail.resend:Resend",
    "sendgrid": "syndicate.mail.sendgrid:SendGrid",
    "ses": "syndicate.mail.ses:AmazonSES",
    "smtp": "syndicate.mail.smtp:SMTP",
    "sparkpost": "syndicate.mail.sparkpost:SparkPost",
}


def sheet_of(name: str) -> CapabilitySheet:
    """What the mail API of that name can do. Raises MailAPIError for an unknown name."""
    sheet: CapabilitySheet = import_module(_place(name)[0]).SHEET
    return sheet


def open_mail_api(name: str, connection: Connection) -> MailAPI:
    """The adapter of that name: ready to post where it is a rehearsal, and behind a shut gate where mail is live.

    Raises MailAPIError for an unknown name."""
    module, attribute = _place(name)
    adapter: MailAPI = getattr(import_module(module), attribute)(connection)
    if not is_live(adapter.url):
        return adapter
    from syndicate.mail.live import Live

    return Live(adapter)


def _place(name: str) -> tuple[str, str]:
    if name not in ADAPTERS:
        raise MailAPIError(f"No mail API is called {name!r}.", cure=f"Known: {', '.join(sorted(ADAPTERS))}.")
    module, _, attribute = ADAPTERS[name].partition(":")
    return module, attribute
