"""What mail APIs report later: a registry of names to webhooks, loaded when asked for.

Adding one: a file in this folder, a line here, samples of its requests for the contract test.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from syndicate.errors import NotFound

if TYPE_CHECKING:
    from syndicate.mail.events.base import Webhook

WEBHOOKS = {
    "brevo": "syndicate.mail.events.brevo:BrevoWebhook",
    "mailgun": "syndicate.mail.events.mailgun:MailgunWebhook",
    "mailjet": "syndicate.mail.events.mailjet:MailjetWebhook",
    "postmark": "syndicate.mail.events.postmark:PostmarkWebhook",
    "resend": "syndicate.mail.events.resend:ResendWebhook",
    "sendgrid": "syndicate.mail.events.sendgrid:SendGridWebhook",
    "ses": "syndicate.mail.events.ses:AmazonSESWebhook",
    "sparkpost": "syndicate.mail.events.sparkpost:SparkPostWebhook",
}


def open_webhook(name: str, secret: str) -> Webhook:
    """The webhook of the mail API of that name. Raises NotFound when it has none, MailAPIError when the secret cannot
    be what this API's webhooks are proved by."""
    if name not in WEBHOOKS:
        raise NotFound(f"No webhooks of {name!r} are known.", cure=f"Known: {', '.join(sorted(WEBHOOKS))}.")
    module, _, attribute = WEBHOOKS[name].partition(":")
    webhook: Webhook = getattr(import_module(module), attribute)(secret)
    return webhook
