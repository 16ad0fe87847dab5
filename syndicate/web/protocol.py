"""What a connection may cost before its request is understood: uvicorn's own parser takes a head of any length, for as
long as somebody cares to send one."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64_000
"""Octets of a request line and its headers; a little more may have been read by then."""
HEAD_SECONDS = 20.0
"""How long a head may take that does not come in one piece, and a connection may be open without any."""
_FRAMES = 8
"""Octets around each octet of a body, in the smallest chunks that anybody sends."""


class Guarded(HttpToolsProtocol):
    """Refuses heads that are too long, and closes connections whose head does not come to its end."""

    _in_head = True
    _begun = False
    _head = _body = _around = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
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
        if self._begun and self._patience is None:
            self._wait()

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
