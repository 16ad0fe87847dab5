"""Mailgun."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from email.header import decode_header, make_header
from email.utils import getaddresses, parseaddr
from math import ceil
from urllib.parse import parse_qs

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken

DOMAIN = "post.example"
PLACE = re.compile(r"%([A-Za-z_][^%\s]*)%")
PASSES = 4
"""More often than any vendor would: whether it looks into values again is not documented."""


class MailgunDialect(Dialect):
    """The vendor's openapi 3.0.0 and its pages on batch sending and unsubscribe variables: a form with one letter, each
    recipient's values put into subject, bodies, header fields, variables and addresses; no keys; all or nothing; one id
    for all, the sender's Message-Id if there is one; events, which come late. A wrong address is answered with 200."""

    path = f"/v3/{DOMAIN}/messages"
    record_seconds = 0.1
    FIELDS = frozenset(["from", "to", "cc", "bcc", "subject", "text", "html", "amp-html", "recipient-variables"])
    OPTIONS = frozenset(["o:tracking", "o:tracking-clicks", "o:tracking-opens", "o:tag", "o:dkim", "o:testmode"])

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        scheme, _, coded = headers.get("Authorization", "").partition(" ")
        user, _, given = (b64decode(coded).decode() if scheme == "Basic" else "").partition(":")
        if user != "api" or not given or (api_key and given != api_key):
            raise Refusal(Reply(401, b"Forbidden", {"Content-Type": "text/plain"}))

    def read(self, body: bytes) -> list[Taken]:
        form = form_of(body)
        options = {name: values for name, values in form.items() if name[1:2] == ":"}
        if form.keys() - options.keys() - self.FIELDS or {name for name in options if name[0] == "o"} - self.OPTIONS:
            raise Refusal(self.error(400, "", "unknown parameter"))
        if not form.get("from") or "@" not in parseaddr(form["from"][0])[1]:
            raise Refusal(self.error(400, "", "from parameter is not a valid address. please check documentation"))
        if not form.get("text") and not form.get("html"):
            raise Refusal(self.error(400, "", "Need at least one of 'text', 'html', 'amp-html' or 'template'"))
        if sum(len(name) + len(value) for name, values in options.items() for value in values) > 16 * 1024:
            raise Refusal(self.error(400, "", "Send options (starting with o:, h:, or v:) are limited to 16KB"))
        # "Duplicate addresses are automatically ignored."
        people = {email: name for name, email in getaddresses(form.get("to", []))}
        if not 1 <= len(people) <= 1000 or not all(re.fullmatch(r"[!-~]+@[A-Za-z0-9.-]+", each) for each in people):
            raise Refusal(self.error(400, "", "to parameter is not a valid address. please check documentation"))
        variables = json.loads(form.get("recipient-variables", ["null"])[0])
        if variables is None and len(people) > 1:
            raise Refusal(self.error(400, "", "each would see all the others: that is no newsletter"))
        own = variables or {}
        return [self._one(form, email, name, own.get(email, {})) for email, name in people.items()]

    def _one(self, form: Mapping[str, list[str]], email: str, name: str, own: Mapping[str, str]) -> Taken:
        known = {f"recipient.{key}": str(value) for key, value in own.items()}
        known |= {"recipient": f"{name} <{email}>", "recipient_email": email, "recipient_name": name}
        known |= {"recipient_fname": name.partition(" ")[0], "recipient_lname": name.rpartition(" ")[2]}
        for way in ("unsubscribe_url", "tag_unsubscribe_url", "mailing_list_unsubscribe_url"):
            known[way] = f"http://email.{DOMAIN}/u/eJw"

        def put_in(words: str) -> str:
            for _ in range(PASSES):
                words = PLACE.sub(lambda found: known.get(found[1], found[0]), words)
            return words

        said = {key.lower(): put_in(values[0]) for key, values in form.items()}
        str(make_header(decode_header(name)))
        return Taken(
            put_in(email),
            said.get("h:message-id", ""),
            said.get("subject", ""),
            labels={key[2:]: value for key, value in said.items() if key.startswith("v:")},
            html=said.get("html", ""),
            text=said.get("text", ""),
            headers={key[2:]: value for key, value in said.items() if key.startswith("h:")},
        )

    def ids(self, number: int, messages: Sequence[Taken]) -> list[str]:
        return [message.message_id.strip("<>") or f"{number}.1@{DOMAIN}" for message in messages]

    def success(self, ids: Sequence[str | None]) -> Reply:
        return Reply.of_json(200, {"id": f"<{ids[0]}>", "message": "Queued. Thank you."})

    def short_success(self, ids: Sequence[str]) -> Reply:
        return Reply.of_json(200, {"message": "Queued. Thank you."})

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        if status == 401:
            return Reply(401, b"Forbidden", {"Content-Type": "text/plain"})
        if status == 429:
            # It says when in words alone.
            wait = ceil(float(headers.pop("Retry_After", "120")))
            message = f"Domain {DOMAIN} is not allowed to send: {message}, try again after {wait} seconds"
        return Reply.of_json(status, {"message": message}, **headers)

    def elsewhere(self, path: str) -> Reply:
        found = re.fullmatch(r"/v3/([^/]+)/messages", path)
        if found:
            return self.error(404, "", f"Domain not found: {found[1]}")
        return Reply(200, b"Mailgun Magnificent API", {"Content-Type": "text/html"})

    def look(self, path: str, query: str, headers: Mapping[str, str], taken: Sequence[tuple[str, Taken]]) -> Reply:
        """`/v3/DOMAIN/events`: one of kind `accepted` for each recipient, newest first, 300 at most."""
        if path != f"/v3/{DOMAIN}/events":
            return self.elsewhere(path)
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        if asked.get("ascending") != "no" or asked.keys() - {"ascending", "limit", "event", "message-id"}:
            return self.error(400, "", "ascending is missing, or a filter that is not looked at here")
        found = [
            {
                "event": "accepted",
                "id": f"e{place}",
                "timestamp": 1_795_000_000.0 + place,
                "recipient": one.to,
                "tags": [],
                "user-variables": one.labels,
                "message": {
                    "headers": {"message-id": id_, "to": one.to, "from": f"news@{DOMAIN}", "subject": one.subject},
                    "attachments": [],
                    "size": 1,
                },
            }
            for place, (id_, one) in enumerate(taken)
            if asked.get("message-id", id_) == id_ and asked.get("event", "accepted") == "accepted"
        ]
        items = found[::-1][: min(int(asked.get("limit", "300")), 300)]
        paging = {"next": f"http://api.example/v3/{DOMAIN}/events/W3siY", "previous": ""}
        return Reply.of_json(200, {"items": items, "paging": paging})


def form_of(body: bytes) -> dict[str, list[str]]:
    """The fields of a multipart form (RFC 7578), in order. Raises Refusal when it is none."""
    boundary = body.partition(b"\r\n")[0]
    form: dict[str, list[str]] = {}
    first, *parts, last = body.split(boundary)
    if not boundary.startswith(b"--") or first or last != b"--\r\n":
        raise Refusal(Reply.of_json(400, {"message": "malformed form"}))
    for part in parts:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.fullmatch(rb'\r\nContent-Disposition: form-data; name="([^"]+)"', head)
        if name is None or not value.endswith(b"\r\n"):
            raise Refusal(Reply.of_json(400, {"message": "malformed form"}))
        form.setdefault(name[1].decode(), []).append(value[:-2].decode("utf-8"))
    return form
