"""The server: real sockets, real keys, a durable journal, and faults at the planned instants."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import struct
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.mail_api_server.dialects import DIALECTS, Dialect, Refusal, Reply, Taken
from tests.mail_api_server.dialects.smtp import SmtpDialect
from tests.mail_api_server.faults import Fault, Plan
from tests.mail_api_server.journal import Acceptance, Journal
from tests.mail_api_server.smtp import SmtpHandler

NO_FAULT = Fault("delay", 0.0)
GATEWAY_PAGE = b"<html><h1>504 Gateway Time-out</h1></html>"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came, and what was made of it."""

    number: int
    path: str
    headers: dict[str, str]
    body: bytes
    fault: str


@dataclass
class _Key:
    digest: str
    reply: Reply | None = None
    """None while the first request with this key is still being worked on."""
    kept_until: float = 0.0


@dataclass
class State:
    dialect: Dialect
    journal: Journal
    plan: Plan
    api_key: str
    refuse: frozenset[str]
    key_seconds: float
    max_body: int
    pid: int | None = None
    credits: int | None = None
    until: int | None = None
    """It takes so many messages; then it says that this is too many, until it is told that it may take more."""
    promised: int = 0
    numbers: int = 0
    keys: dict[str, _Key] = field(default_factory=dict)
    taken: list[tuple[str, Taken]] = field(default_factory=list)
    taken_at: list[float] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def control(self, change: dict[str, Any]) -> None:
        """`{"pid": N}` says whom to kill, `{"until": N}` how many messages are taken in all, `{"plan": {"faults": […],
        "chances": […], "seed": N}}` counts from now on."""
        if "pid" in change:
            self.pid = change["pid"]
        if "until" in change:
            self.until = change["until"]
        if "plan" in change:
            self.plan, self.numbers = Plan.parse(**change["plan"]), 0

    @property
    def is_full(self) -> bool:
        """Whether it takes none for now."""
        return self.until is not None and self.promised >= self.until

    def promise(self, count: int) -> bool:
        """Whether it takes so many more."""
        with self.lock:
            if self.until is not None and self.promised + count > self.until:
                return False
            self.promised += count
            return True

    def spend(self, ids: list[str | None]) -> list[str | None]:
        """Takes a credit for each, while there are some: then "" stands for one that the account could not pay."""
        with self.lock:
            for place, id_ in enumerate(ids):
                if self.credits is not None and id_ is not None:
                    ids[place] = id_ if self.credits else ""
                    self.credits = max(self.credits - 1, 0)
        return ids


class _Dropped(Exception):
    """The connection was cut on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    @property
    def state(self) -> State:
        return self.server.state

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        shown = time.monotonic() - self.state.dialect.record_seconds
        with self.state.lock:
            taken = self.state.taken[: bisect_right(self.state.taken_at, shown)]
        self._answer(self.state.dialect.look(path, query, dict(self.headers), taken))

    def do_POST(self) -> None:
        state = self.state
        length = int(self.headers.get("Content-Length", "0"))
        if self.path == "/_control":
            self._control(json.loads(self.rfile.read(length)))
            return
        with state.lock:
            state.numbers += 1
            number = state.numbers
        fault = state.plan.fault(number) or NO_FAULT
        try:
            body = self._read_body(length, fault.kind)
            with state.lock:
                seen = "" if fault is NO_FAULT else fault.kind
                state.seen.append(Seen(number, self.path, dict(self.headers), body, seen))
            self._serve(number, body, fault)
        except _Dropped:
            self._reset()

    def _control(self, change: dict[str, Any]) -> None:
        with self.state.lock:
            self.state.control(change)
        self._answer(Reply.of_json(200, {"requests": self.state.numbers}))

    def _read_body(self, length: int, kind: str) -> bytes:
        if kind == "drop_before_body":
            raise _Dropped
        if kind == "kill_before":
            self._kill()
        if kind in ("drop_mid_body", "kill_mid_body"):
            self.rfile.read(length // 2)
            if kind == "kill_mid_body":
                self._kill()
            raise _Dropped
        body = self.rfile.read(length)
        if len(body) < length or kind == "drop_after_body":
            raise _Dropped
        return body

    def _kill(self) -> None:
        if self.state.pid is None:
            raise RuntimeError("the plan kills, but nobody said whom: set `pid`")
        os.kill(self.state.pid, signal.SIGKILL)
        raise _Dropped

    def _serve(self, number: int, body: bytes, fault: Fault) -> None:
        dialect = self.state.dialect
        seconds = fault.value
        match fault.kind:
            case "rate_limited":
                wait = f"{1 if seconds is None else seconds:g}"
                return self._answer(dialect.error(429, "rate_limit_exceeded", "Too many requests", Retry_After=wait))
            case "quota":
                wait = f"{3600 if seconds is None else seconds:g}"
                return self._answer(dialect.error(429, "daily_quota_exceeded", "Daily quota", Retry_After=wait))
            case "server_error":
                return self._answer(dialect.error(500, "application_error", "An unexpected error occurred"))
            case "html":
                return self._answer(Reply(200, b"<html><title>Sign in</title></html>", {"Content-Type": "text/html"}))
            case "redirect":
                return self._answer(Reply(307, b"", {"Location": "/elsewhere"}))
            case "unauthorized":
                return self._answer(dialect.error(401, "missing_api_key", "Missing API Key"))
            case "invalid":
                return self._answer(dialect.error(dialect.invalid_status, "validation_error", "refused by the plan"))
            case _:
                pass
        pause = (1 if seconds is None else seconds) if fault.kind == "delay_before_accept" else 0
        try:
            reply = self._accept(number, body, short=fault.kind == "short", pause=pause)
        except Refusal as refusal:
            return self._answer(refusal.reply)
        if fault.kind in ("drop_after_accept", "kill_after_accept"):
            if fault.kind == "kill_after_accept":
                self._kill()
            raise _Dropped
        if fault.kind == "gateway_timeout":
            return self._answer(Reply(504, GATEWAY_PAGE, {"Content-Type": "text/html"}))
        if fault.kind == "garbage":
            return self._answer(Reply(200, b'{"data": [{"id', {"Content-Type": "application/json"}))
        if fault.kind == "delay":
            self.server.stopping.wait(1 if seconds is None else seconds)
        if fault.kind == "drip":
            return self._drip(reply, 1 if seconds is None else seconds)
        if fault.kind == "drop_in_answer":
            data = _bytes_of(reply)
            self.connection.sendall(data[: len(data) - len(reply.body) // 2 - 1])
            raise _Dropped
        self._answer(reply)
        if fault.kind == "kill_after_answer":
            self._kill()
        return None

    def _accept(self, number: int, body: bytes, *, short: bool, pause: float) -> Reply:
        """Takes the messages. `pause` seconds pass while the key is held and nothing is accepted yet."""
        state, dialect = self.state, self.state.dialect
        dialect.authorize(dict(self.headers), state.api_key)
        if self.path != dialect.path:
            raise Refusal(dialect.elsewhere(self.path))
        if len(body) > state.max_body:
            raise Refusal(dialect.error(413, "payload_too_large", "http: request body too large"))
        key = dialect.key_of(dict(self.headers), body)
        if key and (kept := self._claim(key, body)):
            return kept
        try:
            if pause and self.server.stopping.wait(pause):
                raise _Dropped
            messages = dialect.read(body)
            bad = [one.to in state.refuse for one in messages]
            if any(bad) and not dialect.refuses_singly:
                address = messages[bad.index(True)].to
                raise Refusal(
                    dialect.error(dialect.invalid_status, "validation_error", f"Invalid `to` field: {address}")
                )
            if not state.promise(len(messages)):
                raise Refusal(dialect.error(429, "rate_limit_exceeded", "Too many requests", Retry_After="1"))
        except BaseException:
            with state.lock:
                state.keys.pop(key, None)
            raise
        ids = [None if bad[place] else id_ for place, id_ in enumerate(dialect.ids(number, messages))]
        ids = state.spend(ids)
        taken = [(id_, one) for id_, one in zip(ids, messages, strict=True) if id_]
        reply = dialect.short_success([id_ for id_, _ in taken]) if short else dialect.answer(messages, ids)
        with state.lock:
            state.journal.append(Acceptance(number, key, one.message_id, one.to, id_) for id_, one in taken)
            state.taken.extend(taken)
            state.taken_at.extend([time.monotonic()] * len(taken))
            if key:
                state.keys[key].reply = reply
                state.keys[key].kept_until = time.monotonic() + state.key_seconds
        return reply

    def _claim(self, key: str, body: bytes) -> Reply | None:
        """The answer kept under the key, None for a new key. Raises Refusal (409) as the vendor does."""
        digest = hashlib.sha256(body).hexdigest()
        with self.state.lock:
            kept = self.state.keys.get(key)
            if kept is None or (kept.reply is not None and time.monotonic() > kept.kept_until):
                self.state.keys[key] = _Key(digest)
                return None
            if kept.digest != digest:
                message = "Same idempotency key used with a different request payload."
                raise Refusal(self.state.dialect.error(409, "invalid_idempotent_request", message))
            if kept.reply is None:
                message = "Same idempotency key used while original request is still in progress."
                raise Refusal(self.state.dialect.error(409, "concurrent_idempotent_requests", message))
            return self.state.dialect.replayed(kept.reply)

    def _answer(self, reply: Reply) -> None:
        try:
            self.connection.sendall(_bytes_of(reply))
        except OSError:
            self.close_connection = True

    def _drip(self, reply: Reply, seconds: float) -> None:
        try:
            for byte in _bytes_of(reply):
                self.connection.sendall(bytes([byte]))
                if self.server.stopping.wait(seconds):
                    raise _Dropped
        except OSError:
            self.close_connection = True

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()


def _bytes_of(reply: Reply) -> bytes:
    headers = {**reply.headers, "Content-Length": str(len(reply.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode() + reply.body


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, port: int, state: State) -> None:
        self.scheme = "smtp" if isinstance(state.dialect, SmtpDialect) else "http"
        super().__init__(("127.0.0.1", port), SmtpHandler if self.scheme == "smtp" else _Handler)
        self.state = state
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._open.discard(request)

    def hang_up(self) -> None:
        """Ends every open connection, so that the threads that serve them come to an end."""
        self.stopping.set()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that went away is no error here; whoever it was, the journal tells what was accepted."""


class MailApiServer:
    """A mail API on a loopback port, in a thread of this process, for a `with` block.

    `seen` lists the requests, `journal` the file of acceptances, `pid` whom kill faults kill (set it at any time),
    `plan` may be replaced at any time (numbers go on counting), and so may `credits`: how many messages the account may
    send yet, where each message is answered by itself.
    """

    def __init__(
        self,
        dialect: str,
        journal: Path,
        *,
        plan: Plan | None = None,
        api_key: str = "",
        refuse: Iterable[str] = (),
        key_seconds: float = 24 * 3600,
        max_body: int = 40_000_000,
        port: int = 0,
        minute: float = 60.0,
    ) -> None:
        self.journal = journal
        self._journal = Journal(journal)
        self._state = State(
            DIALECTS[dialect](), self._journal, plan or Plan(), api_key, frozenset(refuse), key_seconds, max_body
        )
        self._state.dialect.minute_seconds = minute
        self._server = _Server(port, self._state)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="mail-api", daemon=True)

    @property
    def url(self) -> str:
        return f"{self._server.scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def seen(self) -> list[Seen]:
        with self._state.lock:
            return list(self._state.seen)

    @property
    def pid(self) -> int | None:
        return self._state.pid

    @pid.setter
    def pid(self, pid: int | None) -> None:
        self._state.pid = pid

    @property
    def plan(self) -> Plan:
        return self._state.plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._state.plan = plan

    @property
    def credits(self) -> int | None:
        return self._state.credits

    @credits.setter
    def credits(self, credits_: int | None) -> None:
        self._state.credits = credits_

    def serve_forever(self) -> None:
        """In the calling thread, until interrupted."""
        self._server.serve_forever(0.1)

    def __enter__(self) -> MailApiServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        self._journal.close()
