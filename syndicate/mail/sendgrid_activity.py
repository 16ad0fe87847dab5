"""SendGrid's record, Email Activity: an add-on that is paid for, six requests a minute, searched by what each mail had
given along.

Checked against twilio/sendgrid-oai spec/json/tsg_email_activity_v3.json and the vendor's pages on Email Activity and
its query language, November 2026.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from syndicate.core.message import LABEL, label
from syndicate.http import Client, Failure
from syndicate.mail import answers

LAG_SECONDS = 3_600.0
"""The vendor publishes no figure; users tell of a minute (sendgrid/sendgrid-java#674)."""
KEPT_SECONDS = 29 * 86_400.0
"""With the add-on it goes back 30 days."""
PER_MINUTE = 6
"""One look-up takes two to five of them."""
MINUTE_SECONDS = 60.0

_OURS = re.compile(rf'"{LABEL}": ?"([0-9a-f]{{32}})"')
"""What was given along is told as an object, or as its JSON."""


class EmailActivity:
    """The record of one account. A search tells whom a mail went to, not what was given along: that is asked of the one
    message that it finds."""

    def __init__(self, base: str, headers: Mapping[str, str], client: Client) -> None:
        self._url = f"{base}/v3/messages"
        self._headers = headers
        self._client = client
        self._asking = threading.Lock()
        self._asked_at: deque[float] = deque(maxlen=PER_MINUTE)

    def find(self, message_ids: Sequence[str]) -> frozenset[str] | None:
        """All these mails, of one request that was taken whole or not at all, when the record shows the first or the
        last of them. None of them when it shows neither, though it finds another mail of ours. None when it does not
        answer, another thread asks, or this process has asked too often."""
        if not message_ids:
            return frozenset()
        if not self._asking.acquire(blocking=False):
            return None
        try:
            wanted = dict.fromkeys(label(each) for each in (message_ids[0], message_ids[-1]))
            for each in wanted:
                shown = self._shows(each)
                if shown is not False:
                    return frozenset(message_ids) if shown else None
            return frozenset() if self._works(wanted) else None
        finally:
            self._asking.release()

    def _shows(self, wanted: str) -> bool | None:
        found = self._search(f'="{wanted}"')
        if not found:
            return None if found is None else False
        # A search that passes over what it was asked for proves nothing.
        return True if self._label_of(found[0]) == wanted else None

    def _works(self, but: Mapping[str, object]) -> bool:
        last = self._search(" IS NOT NULL")
        found = self._label_of(last[0]) if last else ""
        return bool(found) and found not in but and bool(self._search(f'="{found}"'))

    def _search(self, condition: str) -> list[str] | None:
        """The id of a message whose label is so, if there is one; None when the record does not answer."""
        asked = {"query": f"(unique_args['{LABEL}']{condition})", "limit": 1}
        answer = self._get(f"?{urlencode(asked, quote_via=quote)}")
        messages = answer.get("messages") if isinstance(answer, Mapping) else None
        if not isinstance(messages, list) or not all(isinstance(one, Mapping) for one in messages):
            return None
        return [str(one.get("msg_id", "")) for one in messages]

    def _label_of(self, msg_id: str) -> str:
        """The label of that message; "" when it has none of ours, or the record does not answer."""
        answer = self._get(f"/{quote(msg_id, safe='')}") if msg_id else None
        given = answer.get("unique_args") if isinstance(answer, Mapping) else None
        found = _OURS.search(given if isinstance(given, str) else json.dumps(given))
        return found[1] if found else ""

    def _get(self, path: str) -> Any:
        """The answer; None when there is none that is good, or this would be one request too many in a minute."""
        now = time.monotonic()
        if len(self._asked_at) == PER_MINUTE and now - self._asked_at[0] < MINUTE_SECONDS:
            return None
        self._asked_at.append(now)
        reply = self._client.get(f"{self._url}{path}", self._headers)
        return None if isinstance(reply, Failure) or reply.status != 200 else answers.json_of(reply)
