"""The sandbox: the part of Mailpit's API that Syndicate needs, and an inbox for people, over an outbox. It delivers to
nobody.

Shapes as in axllent/mailpit@408b30d server/ui/api/v1/swagger.json; what differs: no attachments, no reading marks, and
a `Date` beside the fields of a message is its Date header.
"""

from __future__ import annotations

import asyncio
import json
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from syndicate.sandbox.eml import Unusable, read_request
from syndicate.sandbox.inbox import Inbox
from syndicate.sandbox.outbox import Outbox, Summary

LARGEST = 25_000_000
"""Octets of one request."""

VERSION = "Syndicate sandbox"
_LONGEST_PAGE = 1_000


def make_app(outbox: Outbox, identity: str, *, seconds: float = 0.0) -> Starlette:
    """The ASGI application. `identity` tells one outbox from another at the same port; a mail is answered after
    `seconds`."""
    api = _API(outbox, identity, seconds)
    routes = [
        Route("/api/v1/send", api.send, methods=["POST"]),
        Route("/api/v1/info", api.info),
        Route("/api/v1/messages", api.messages),
        Route("/api/v1/search", api.search),
        Route("/api/v1/message/{id}", api.message),
        Route("/api/v1/message/{id}/raw", api.raw),
        *Inbox(outbox).routes,
    ]
    # A page in a browser must not reach the mails by a name that leads here (DNS rebinding).
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, ["127.0.0.1", "localhost"])])


class _API:
    def __init__(self, outbox: Outbox, identity: str, seconds: float) -> None:
        self._outbox = outbox
        self._seconds = seconds
        self._identity = identity

    async def send(self, request: Request) -> Response:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    return JSONResponse({"Error": "http: request body too large"}, 413)
        except ClientDisconnect:
            return Response(status_code=400)
        response = await run_in_threadpool(self._take, bytes(body))
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return response

    def _take(self, body: bytes) -> Response:
        try:
            mail = read_request(json.loads(body.decode("utf-8")))
        except Unusable as error:
            return JSONResponse({"Error": str(error)}, 400)
        except (ValueError, RecursionError):
            return JSONResponse({"Error": "the request is not JSON"}, 400)
        return JSONResponse({"ID": self._outbox.add(mail)})

    def info(self, request: Request) -> Response:
        return JSONResponse({"Version": VERSION, "Database": self._identity, "Messages": len(self._outbox)})

    def messages(self, request: Request) -> Response:
        try:
            start, limit = _window(request)
        except ValueError:
            return PlainTextResponse("start and limit are whole numbers from 0 on", 400)
        return JSONResponse(self._listing(self._outbox.page(start, limit), start, len(self._outbox)))

    def search(self, request: Request) -> Response:
        query = request.query_params.get("query", "").strip()
        if not query:
            return PlainTextResponse("Error: no search query", 400)
        try:
            start, limit = _window(request)
            found = self._outbox.search(query)
        except ValueError as error:
            return PlainTextResponse(f"Error: {error}", 400)
        return JSONResponse(self._listing(found[start : start + limit], start, len(found)))

    def _listing(self, page: list[Summary], start: int, count: int) -> dict[str, Any]:
        total = len(self._outbox)
        return {
            "total": total,
            "unread": total,
            "messages_count": count,
            "messages_unread": count,
            "start": start,
            "tags": sorted({tag for summary in page for tag in summary["Tags"]}),
            "messages": page,
        }

    def message(self, request: Request) -> Response:
        id_ = request.path_params["id"]
        raw = self._outbox.raw(id_)
        if raw is None:
            return PlainTextResponse("404 page not found", 404)
        return JSONResponse(_whole(self._outbox.summary(id_), raw))

    def raw(self, request: Request) -> Response:
        raw = self._outbox.raw(request.path_params["id"])
        if raw is None:
            return PlainTextResponse("404 page not found", 404)
        return Response(raw, media_type="text/plain; charset=utf-8")


def _window(request: Request) -> tuple[int, int]:
    start, limit = (int(request.query_params.get(name, default)) for name, default in (("start", "0"), ("limit", "50")))
    if start < 0 or limit < 0:
        raise ValueError("start and limit are whole numbers from 0 on")
    return start, min(limit, _LONGEST_PAGE)


def _whole(summary: Summary, raw: bytes) -> dict[str, Any]:
    """Mailpit's Message: what a mail client reads out of the stored octets, not what was sent in."""
    message = BytesParser(EmailMessage, policy=modern).parsebytes(raw)
    bodies = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    text, html = (body.get_content() if body else "" for body in bodies.values())
    date = message["Date"]
    leave = str(message.get("List-Unsubscribe", ""))
    return {
        "ID": summary["ID"],
        "MessageID": summary["MessageID"],
        "From": summary["From"],
        "To": summary["To"],
        "Cc": summary["Cc"],
        "Bcc": summary["Bcc"],
        "ReplyTo": summary["ReplyTo"],
        "ReturnPath": "",
        "Subject": str(message["Subject"]),
        "ListUnsubscribe": {
            "Header": leave,
            "Links": [link.strip().strip("<>") for link in leave.split(",") if link.strip()],
            "Errors": "",
            "HeaderPost": str(message.get("List-Unsubscribe-Post", "")),
        },
        "Date": date.datetime.isoformat() if date is not None and date.datetime else summary["Created"],
        "Tags": summary["Tags"],
        "Text": text,
        "HTML": html,
        "Size": len(raw),
        "Inline": [],
        "Attachments": [],
    }
