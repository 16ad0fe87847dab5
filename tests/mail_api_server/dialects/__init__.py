"""How each vendor reads a request and words an answer: from the vendors' specifications, not from our adapters."""

from __future__ import annotations

from collections.abc import Mapping

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken
from tests.mail_api_server.dialects.brevo import BrevoDialect
from tests.mail_api_server.dialects.mailgun import MailgunDialect
from tests.mail_api_server.dialects.mailjet import MailjetDialect
from tests.mail_api_server.dialects.mailpit import MailpitDialect
from tests.mail_api_server.dialects.postmark import PostmarkDialect
from tests.mail_api_server.dialects.resend import ResendDialect
from tests.mail_api_server.dialects.sendgrid import SendGridDialect
from tests.mail_api_server.dialects.ses import AmazonSESDialect
from tests.mail_api_server.dialects.smtp import SmtpDialect
from tests.mail_api_server.dialects.sparkpost import SparkPostDialect

DIALECTS: Mapping[str, type[Dialect]] = {
    "brevo": BrevoDialect,
    "mailgun": MailgunDialect,
    "mailjet": MailjetDialect,
    "mailpit": MailpitDialect,
    "postmark": PostmarkDialect,
    "resend": ResendDialect,
    "sendgrid": SendGridDialect,
    "ses": AmazonSESDialect,
    "smtp": SmtpDialect,
    "sparkpost": SparkPostDialect,
}

__all__ = ["DIALECTS", "Dialect", "Refusal", "Reply", "Taken"]
