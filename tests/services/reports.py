"""What a mail API would report of the requests that its test server saw."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from syndicate.core.mail_event import MailEvent
from syndicate.mail.events import open_webhook
from syndicate.mail.events.base import Arrival
from tests.mail.events.signing import SECRET, signed
from tests.mail_api_server.server import Seen
from tests.mailing import NOW


def mails_in(seen: Iterable[Seen]) -> dict[str, dict[str, Any]]:
    """The mails of Resend's requests, by address."""
    return {mail["to"][0].rpartition("<")[2].rstrip(">"): mail for each in seen for mail in json.loads(each.body)}


def resend_body(mail: dict[str, Any], kind: str, at: datetime = NOW, **data: Any) -> bytes:
    """Resend's report of a mail, as its specification has it. The id is one that nobody was told."""
    headers = [{"name": name, "value": value} for name, value in mail["headers"].items()]
    told = {"email_id": "nobody-knows", "to": mail["to"], "subject": mail["subject"], "headers": headers, **data}
    return json.dumps({"type": f"email.{kind}", "created_at": at.isoformat(), "data": told}).encode()


def reported(mail: dict[str, Any], kind: str, event_id: str, at: datetime = NOW, **data: Any) -> MailEvent:
    """That report as it is read from a signed request."""
    body = resend_body(mail, kind, at, **data)
    (event,) = open_webhook("resend", SECRET).take(Arrival(body, signed(body, NOW, event_id)), NOW).events
    return event
