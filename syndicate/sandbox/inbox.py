"""The sandbox's inbox for people: every mail as a telephone and a desktop would show it, its text, its headers.

What a mail holds is hostile: it is shown in a frame of an origin of its own that runs nothing (CSP `sandbox`), and its
links open beside it. The one click that mail programs offer for leaving is there too, where the headers have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from syndicate.rendering.environment import make_environment, render
from syndicate.sandbox.outbox import Outbox, Summary

if TYPE_CHECKING:
    from jinja2 import Environment

A_PAGE = 50
"""Mails on one page of the list."""

# What forms may go to stands last: the address behind a mail's one click follows it.
PAGE_POLICY = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; script-src 'self'; connect-src 'self';"
    " style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'"
)
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src http: https: data:;"
    " style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_LEAVE = re.compile(r"<(https?://[^<>\s]+)>")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?=[/?#]|\Z)")
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_RULE = re.compile(r"[-=_*]{4,}")


class Inbox:
    """The pages. They read the outbox and change nothing."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    @cached_property
    def _templates(self) -> Environment:
        return make_environment()

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        return [
            Route("/", self.list),
            Route("/inbox.js", self.script),
            Route("/mail/{id}", self.mail),
            Route("/mail/{id}/html", self.html),
            Route("/mail/{id}/text", self.text),
        ]

    def list(self, request: Request) -> Response:
        """The mails, newest first, or those that a search finds."""
        query = request.query_params.get("query", "").strip()
        start = _start(request)
        problem = ""
        total = len(self._outbox)
        found: list[Summary] = []
        try:
            matching = self._outbox.search(query) if query else None
        except ValueError as error:
            matching, problem = [], f"{error}; to:, from:, subject: and message-id: are known."
        if matching is None:
            found, count = self._outbox.page(start, A_PAGE), total
        else:
            found, count = matching[start : start + A_PAGE], len(matching)
        return self._page(
            "list",
            {
                "mails": [_row(each) for each in found],
                "query": query,
                "problem": problem,
                "total": total,
                "count": count,
                "start": start,
                "newer": _link(query, max(start - A_PAGE, 0)) if start else "",
                "older": _link(query, start + A_PAGE) if start + A_PAGE < count else "",
            },
        )

    def mail(self, request: Request) -> Response:
        """One mail, with a frame as wide as a telephone and one as wide as a desktop's reading pane."""
        id_ = request.path_params["id"]
        message = self._message(id_)
        if message is None:
            return self._page("missing", {}, 404)
        summary = self._outbox.summary(id_)
        leave = _one_click(message)
        return self._page(
            "mail",
            {
                "mail": _row(summary),
                "leave": leave,
                "headers": [(name, str(value)) for name, value in message.items()],
                "text": _body(message, "plain"),
                "has_html": bool(_body(message, "html")),
                "raw": f"/api/v1/message/{summary['ID']}/raw",
            },
            policy=f"{PAGE_POLICY} {_origin(leave)}" if leave else PAGE_POLICY,
        )

    def html(self, request: Request) -> Response:
        """The mail's own HTML, whatever it is."""
        message = self._message(request.path_params["id"])
        html = _body(message, "html") if message is not None else ""
        # Links open beside the frame: inside it, nothing that they lead to would work.
        shown = _HEAD.sub(lambda head: head[0] + '<base target="_blank">', html, count=1)
        return HTMLResponse(shown, 200 if message is not None else 404, _headers(MAIL_POLICY))

    def text(self, request: Request) -> Response:
        """The mail's text, as a plain-text client shows it."""
        message = self._message(request.path_params["id"])
        text = _body(message, "plain") if message is not None else ""
        return PlainTextResponse(text, 200 if message is not None else 404, _headers(MAIL_POLICY))

    def script(self, request: Request) -> Response:
        """Tells that new mails came, where scripts run; without, the page is loaded anew by hand."""
        return Response(
            render(self._templates, "web/inbox/inbox.js", {}), 200, _headers(PAGE_POLICY), "text/javascript"
        )

    def _message(self, id_: str) -> EmailMessage | None:
        raw = self._outbox.raw(id_)
        return None if raw is None else BytesParser(EmailMessage, policy=modern).parsebytes(raw)

    def _page(
        self, name: str, context: Mapping[str, Any], status: int = 200, *, policy: str = PAGE_POLICY
    ) -> Response:
        page = render(self._templates, f"web/inbox/{name}.html", context)
        return HTMLResponse(page, status, _headers(policy))


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _one_click(message: EmailMessage) -> str:
    """Where a mail program posts to when its user leaves by one click (RFC 8058); "" for a mail without that."""
    if str(message.get("List-Unsubscribe-Post", "")).strip() != "List-Unsubscribe=One-Click":
        return ""
    found = _LEAVE.search(str(message.get("List-Unsubscribe", "")))
    return found[1] if found and _ORIGIN.match(found[1]) else ""


def _origin(address: str) -> str:
    found = _ORIGIN.match(address)
    assert found
    return found[0]


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _start(request: Request) -> int:
    given = request.query_params.get("start", "0")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


def _link(query: str, start: int) -> str:
    parts = {**({"query": query} if query else {}), **({"start": start} if start else {})}
    return f"/?{urlencode(parts)}" if parts else "/"


def _row(summary: Summary) -> dict[str, Any]:
    return {
        "id": summary["ID"],
        "to": ", ".join(_box(each) for each in summary["To"]),
        "sender": _box(summary["From"]),
        "subject": summary["Subject"],
        "snippet": " ".join(_RULE.sub("", summary["Snippet"]).split()),
        "size": f"{summary['Size'] / 1000:,.0f} kB",
        "at": _moment(summary["Created"]),
    }


def _box(box: Mapping[str, str]) -> str:
    return f"{box['Name']} <{box['Address']}>" if box["Name"] else box["Address"]


def _moment(text: str) -> datetime | None:
    """As the outbox writes it, or as a Date header has it."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except ValueError:
            continue
    return None
