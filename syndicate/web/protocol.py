"""What a connection may cost before its request is understood: uvicorn's own parser takes a head of any length, for as
long as somebody cares to send one. And what one need not cost that only polls a feed or brings a report."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from syndicate.web.polls import Polls
from syndicate.web.reports import Reports
from syndicate.web.webhooks import Answer

LARGEST_HEAD = 64_000
"""Octets of a request line and its headers; a little more may have been read by then."""
HEAD_SECONDS = 20.0
"""How long a head may take that does not come in one piece, and a connection may be open without any."""
_FRAMES = 8
"""Octets around each octet of a body, in the smallest chunks that anybody sends."""


class _Owed:
    """A report whose answer is awaited, as uvicorn knows a request that is under way: what comes behind it waits, and
    who goes or shuts down says so here."""

    def __init__(self) -> None:
        self.response_complete = self.disconnected = False
        self.keep_alive = True
        self.message_event = asyncio.Event()


class Guarded(HttpToolsProtocol):
    """Refuses heads that are too long, closes connections whose head does not come to its end, and answers polls of
    feeds and reports of mail APIs at once where the application has `polls` and `reports`."""

    _in_head = True
    _begun = False
    _head = _body = _around = 0
    _patience: asyncio.TimerHandle | None = None
    _polls: Polls | None = None
    _reports: Reports | None = None
    _owed: _Owed | None = None
    _answered_at = -inf

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # These have to see each request.
        if not (self.config.access_log or self.limit_concurrency or self.root_path):
            self._polls = getattr(self.config.app, "polls", None)
            self._reports = getattr(self.config.app, "reports", None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_at_rest() and (self._is_poll(data) or self._is_report(data)):
            return
        if self._in_head:
            if self._head > LARGEST_HEAD:
                self._refuse()
                return
            self._head += len(data)
        else:
            self._around += len(data)
        super().data_received(data)
        # Between and behind the chunks of a body may stand extensions and trailers, which nothing here reads.
        if self._around > LARGEST_HEAD + _FRAMES * self._body and not self._in_head:
            self._refuse()
        # An empty line before a head begins none, and has ended uvicorn's own waiting.
        if self._patience is None and (self._begun or (self._head and self._in_head and self._is_answered())):
            self._wait()

    def _is_answered(self) -> bool:
        """Whether nothing is owed for what came so far."""
        return self.cycle is None or self.cycle.response_complete

    def _is_at_rest(self) -> bool:
        """Whether what comes now begins a request, and its answer need not wait."""
        return (
            self._head == 0
            and self._in_head
            and not self._begun
            and self._is_answered()
            and not self.flow.write_paused
        )

    def _is_poll(self, data: bytes) -> bool:
        """Whether it is one; then it is answered."""
        if self._polls is None:
            return False
        answer = self._polls.answer(data, self.server_state.default_headers)
        if answer is None:
            return False
        self.transport.writelines(answer)
        self._rest()
        return True

    def _is_report(self, data: bytes) -> bool:
        """Whether it is one; then it is under way."""
        if self._reports is None or not self._reports.take(data, self._answer):
            return False
        self._wait_no_more()
        self._owed = _Owed()
        self.cycle = self._owed  # type: ignore[assignment]
        return True

    def _answer(self, for_good: bool, answer: Answer | Exception) -> None:
        """Answers the report that is under way."""
        assert self._reports is not None and self._owed is not None
        keeps_alive = self._owed.keep_alive and not isinstance(answer, Exception)
        self._owed.response_complete = True
        self._owed = None
        if isinstance(answer, Exception):
            self.logger.error("A report could not be taken in.", exc_info=answer)
        if self.transport.is_closing():
            return
        defaults = self.server_state.default_headers
        self.transport.write(self._reports.spell(answer, defaults, for_good=for_good, keeps_alive=keeps_alive))
        if not keeps_alive:
            self.server_state.total_requests += 1
            self.transport.close()
        elif self._is_at_rest():
            self._rest()
        else:
            # Something has come behind it.
            self.on_response_complete()

    def _rest(self) -> None:
        """After an answer that did not come by way of ASGI."""
        self.server_state.total_requests += 1
        # One timer for many answers: when it is over it looks how long ago the last one was.
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait_no_more()
            self._keep_alive_for(self.timeout_keep_alive)

    def _keep_alive_for(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if not self._is_answered():
            left = self.timeout_keep_alive
        if left > 0 and not self.transport.is_closing():
            self._keep_alive_for(left)
        else:
            super().timeout_keep_alive_handler()

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = self._begun = False
        self._body = self._around = 0
        self._wait_no_more()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        self._around -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head = 0
        super().on_message_complete()

    def _refuse(self) -> None:
        self._wait_no_more()
        if self.transport.is_closing():
            return
        self.send_400_response("The head of the request is too long.")

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()
