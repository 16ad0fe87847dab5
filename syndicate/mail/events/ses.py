"""Amazon SES's notifications by Amazon SNS, of an identity or of a configuration set.

Checked against "Amazon SNS notification contents for Amazon SES" and "Contents of event data that Amazon SES publishes
to Amazon SNS" of the SES developer guide, November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.headers import issue_in
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.core.message import LABEL
from syndicate.errors import BadInput
from syndicate.mail.events.base import Arrival, Report
from syndicate.mail.events.reading import LONGEST_ID, id_in, json_of, label_in, moment, object_in, text_in, words
from syndicate.mail.events.sns import Asked, Notification, Topic

API = "ses"

_VALIDATED = "Successfully validated SNS topic for Amazon SES event publishing."
"""What SES tells a topic when it begins to use it."""

_LISTS = {
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "Delivery": ("delivery", "recipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
}
"""For each type, where it tells more and under which name the recipients are there."""

_OF_THE_CONTENT = frozenset(["MessageTooLarge", "ContentRejected", "AttachmentRejected"])
"""`bounceSubType` that says nothing of the address. Suppressed and OnAccountSuppressionList: it bounced before."""


class AmazonSESWebhook:
    """The secret is the ARN of the topic that SES publishes to, which only its owner can."""

    largest_body = 1_000_000

    def __init__(self, secret: str, client: Asked | None = None) -> None:
        self._topic = Topic(secret, client)

    def admit(self, headers: Mapping[str, str]) -> None:
        """All: the signature stands in the body."""

    def take(self, arrival: Arrival, now: datetime) -> Report:
        notification = self._topic.take(arrival.body, now)
        if notification.message in ("", _VALIDATED):
            return Report(())
        told = json_of(notification.message.encode("utf-8", "replace"))
        if not isinstance(told, dict) or not text_in(told, "eventType", "notificationType"):
            raise BadInput("The message of the topic is not an event of Amazon SES.")
        return Report(tuple(_events(told, notification, now)))


def _events(told: dict[str, Any], notification: Notification, now: datetime) -> Sequence[MailEvent]:
    """One for each recipient; a mail of ours has one."""
    name = text_in(told, "eventType", "notificationType")
    mail = object_in(told, "mail")
    place, list_name = _LISTS.get(name, ("", ""))
    more = object_in(told, place)
    recipients = more.get(list_name) if place else mail.get("destination")
    listed = recipients[:50] if isinstance(recipients, list) and recipients else [""]
    found = []
    for number, recipient in enumerate(listed):
        about = recipient if isinstance(recipient, dict) else {"emailAddress": recipient}
        failure = object_in(told, "failure").get("errorMessage")
        said = words(about.get("diagnosticCode"), more.get("smtpResponse"), failure)
        address = _only(mail.get("destination")) or text_in(about, "emailAddress")
        reply = code_of(words(about.get("status"), about.get("diagnosticCode")))
        found.append(
            MailEvent(
                api=API,
                event_id=f"{notification.id}-{number}"[:LONGEST_ID] if number else notification.id[:LONGEST_ID],
                kind=_kind(name, more, said, reply),
                vendor_id=id_in(mail, "messageId"),
                addresses=(address,) if address else (),
                at=moment(more.get("timestamp"), notification.at),
                raw=told,
                label=label_in(object_in(mail, "tags"), LABEL),
                issue_id=_issue(mail.get("headers")),
                code=reply,
            )
        )
    return found


def _only(destination: object) -> str:
    """To whom a mail went that went to one person, as ours do. A bounce names whom the last server knew: "If a DSN is
    available, this is the value of the Final-Recipient field", which for a forwarded mail is another's address."""
    listed = destination if isinstance(destination, list) else []
    return listed[0] if len(listed) == 1 and isinstance(listed[0], str) else ""


def _issue(headers: object) -> int | None:
    """The issue that the mail's own headers name, where the topic is given them."""
    listed = [each for each in headers if isinstance(each, dict)] if isinstance(headers, list) else []
    return next((issue_in(text_in(each, "value")) for each in listed if each.get("name") == "Feedback-ID"), None)


def _kind(name: str, more: Mapping[str, Any], said: str, code: str) -> EventKind:
    match name:
        case "Send":
            return "taken"
        case "Delivery":
            return "delivered"
        case "DeliveryDelay":
            return "deferred"
        case "Complaint":
            return "complaint"
        case "Reject" | "Rendering Failure":
            # Amazon found a virus in it, or could not put the values in: it was taken, and never sent.
            return "blocked"
        case "Bounce" if str(more.get("bounceSubType")) in _OF_THE_CONTENT:
            return "blocked"
        case "Bounce":
            return bounce_kind(said, permanent=more.get("bounceType") == "Permanent", code=code)
        case _:
            return "other"
