"""One connection to an SMTP server: opened with TLS and log-in, kept, and ended by a deadline whatever it waits for.

RFC 5321, RFC 3207 (STARTTLS), RFC 8314 (TLS from the start), RFC 4954 (AUTH).
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple

from syndicate.deadlines import shut_down

MOST_LINES = 100
"""Of one reply."""
LONGEST_LINE = 2000
"""Octets of a line of a reply; RFC 5321 section 4.5.3.1.5 has 512."""

LOG_IN = "Look at user:password in SYNDICATE_MAIL__API_KEY"

_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Server:
    """Where, and as whom. `tls` is "from the start", "asked for" (STARTTLS, or nothing is sent) or "none"."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = field(default="", repr=False)


class Said(NamedTuple):
    """A whole reply: its code and its words, in one line."""

    code: int
    words: str

    def __str__(self) -> str:
        return f"{self.code} {self.words}".strip()


class Broken(Exception):
    """The connection is of no use any more: lost, too slow, or what came is no reply."""


class Unwilling(Exception):
    """The server lets nothing be sent: `why`, and the `cure` where no other connection would fare better, else ""."""

    def __init__(self, why: str, *, cure: str = "") -> None:
        super().__init__(why)
        self.why, self.cure = why, cure


class Deadline:
    """Ends the connection that it watches when its seconds are over. Time-outs alone do not do it: they begin anew with
    every octet that drips in. (Only the resolver of the system keeps its own time.)"""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self.expired = False

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._connection = None

    def watch(self, connection: socket.socket) -> None:
        """From now on this connection ends with it."""
        with self._lock:
            self._connection = connection
        connection.settimeout(self.left())

    def left(self) -> float:
        """Seconds until it ends. Raises TimeoutError when there are none."""
        seconds = self._ends - time.monotonic()
        if seconds <= 0 or self.expired:
            self.expired = True
            raise TimeoutError("the deadline has passed")
        return seconds

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._connection is not None:
                shut_down(self._connection)


class _Wire(smtplib.SMTP):
    """The standard library's commands over a socket that is made here, with replies read to the letter."""

    def __init__(self, server: Server, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        super().__init__(local_hostname="localhost")
        self._host = server.host
        self.sock = _connect(server, deadline)
        try:
            address = self.sock.getsockname()[0]
            self.local_hostname = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
            deadline.watch(self.sock)
            if server.tls == "from the start":
                self.cover(deadline, context)
        except BaseException:
            self.close()
            raise

    def cover(self, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        """TLS from here on. What stood in the clear is forgotten, what came too early included."""
        assert self.sock is not None
        assert context is not None
        covered = context.wrap_socket(self.sock, server_hostname=self._host, do_handshake_on_connect=False)
        self.sock, self.file = covered, None
        deadline.watch(covered)
        covered.do_handshake()
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def getreply(self) -> tuple[int, bytes]:
        """A whole reply. Raises Broken for anything else."""
        if self.file is None:
            assert self.sock is not None
            self.file = self.sock.makefile("rb")
        lines: list[bytes] = []
        while len(lines) < MOST_LINES:
            line = self.file.readline(LONGEST_LINE + 1)
            if not line.endswith(b"\n"):
                raise Broken("the reply is too long" if len(line) > LONGEST_LINE else "the connection was closed")
            found = _LINE.fullmatch(line.rstrip(b"\r\n"))
            if found is None:
                raise Broken(f"what came is no reply of SMTP: {line[:60]!r}")
            lines.append((found[3] or b"").strip())
            if found[2] != b"-":
                return int(found[1]), b"\n".join(lines)
        raise Broken("the reply has too many lines")


def _connect(server: Server, deadline: Deadline) -> socket.socket:
    failed: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(deadline.left())
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            failed = error
    raise failed


class Connection:
    """Open, covered and logged in. Raises OSError or Broken when it cannot be had, Unwilling when it may not."""

    def __init__(self, server: Server, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        self._wire = _Wire(server, deadline, context)
        self._rests_since = 0.0
        self._begun = False
        try:
            self._greet(server, deadline, context)
        except smtplib.SMTPException as error:
            self.close()
            raise Broken(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()
            raise

    def _greet(self, server: Server, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        hello = _said(self._wire.getreply())
        if hello.code != 220:
            raise Unwilling(f"it does not let us in: {hello}")
        self._hello()
        if server.tls == "asked for":
            if not self._wire.has_extn("starttls"):
                raise Unwilling("it offers no STARTTLS", cure="Use smtps://, or a server that offers it")
            said = self.command("STARTTLS")
            if said.code != 220:
                raise Unwilling(f"it does not begin TLS: {said}")
            self._wire.cover(deadline, context)
            self._hello()
        if server.user:
            self._log_in(server)

    def _hello(self) -> None:
        said = _said(self._wire.ehlo())
        if said.code != 250:
            raise Unwilling(f"it turns our EHLO down: {said}")

    def _log_in(self, server: Server) -> None:
        if not self._wire.has_extn("auth"):
            raise Unwilling("it offers no log-in", cure="Use its submission port, or leave SYNDICATE_MAIL__API_KEY out")
        try:
            self._wire.login(server.user, server.password)
        except smtplib.SMTPAuthenticationError as error:
            given = error.smtp_error
            said = _said((error.smtp_code, given if isinstance(given, bytes) else given.encode()))
            # 454 and 421: not now (RFC 4954 section 6).
            cure = "" if 400 <= said.code < 500 else LOG_IN
            raise Unwilling(f"it refuses the log-in: {said}", cure=cure) from None
        except smtplib.SMTPServerDisconnected as error:
            raise Broken(f"{error}") from None
        except smtplib.SMTPException:
            # None of its ways is one that the standard library knows.
            ways = self._wire.esmtp_features.get("auth", "")
            cure = "Use a server that takes PLAIN, LOGIN or CRAM-MD5"
            raise Unwilling(f"it takes {ways!r} only", cure=cure) from None

    @property
    def most_octets(self) -> int:
        """The largest mail that it takes, 0 when it does not say (RFC 1870)."""
        size = self._wire.esmtp_features.get("size", "")
        return int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0

    def rested(self) -> float:
        """Seconds since it was last used."""
        return time.monotonic() - self._rests_since

    def again(self, deadline: Deadline) -> None:
        """Makes it ready for another mail. Raises OSError, or Broken when it is of no use any more."""
        assert self._wire.sock is not None
        deadline.watch(self._wire.sock)
        if self._begun:
            said = self.command("RSET")
            if said.code != 250:
                raise Broken(f"it does not begin anew: {said}")

    def command(self, words: str) -> Said:
        """A command and its reply. Raises OSError or Broken."""
        self._begun = self._begun or words.startswith(("MAIL", "RCPT", "DATA"))
        try:
            self._wire.putcmd(words)
            return _said(self._wire.getreply())
        except smtplib.SMTPException as error:
            raise Broken(f"{error}") from error

    def content(self, octets: bytes) -> None:
        """The mail, dots doubled, its last line whole, but not the dot that ends it."""
        assert self._wire.sock is not None
        self._wire.sock.sendall(octets)

    def end(self) -> Said:
        """The dot that ends the mail, and the reply: only now may the server have it."""
        assert self._wire.sock is not None
        self._wire.sock.sendall(b".\r\n")
        said = _said(self._wire.getreply())
        self._begun = False
        return said

    def rest(self) -> None:
        """Nothing more to send for now."""
        self._rests_since = time.monotonic()

    def close(self) -> None:
        """Without a word: there may be nobody to hear it."""
        self._wire.close()

    def __del__(self) -> None:
        # The thread that kept it has ended.
        if hasattr(self, "_wire"):
            self.close()

    def leave(self) -> None:
        """Says good-bye, and does not wait for the answer."""
        try:
            if self._wire.sock is not None:
                self._wire.sock.settimeout(1.0)
                self._wire.putcmd("QUIT")
        except (OSError, smtplib.SMTPException):
            pass
        self.close()


def _said(reply: tuple[int, bytes]) -> Said:
    code, words = reply
    said = words.decode("utf-8", "replace")
    return Said(code, " ".join("".join(each if each.isprintable() else " " for each in said).split())[:300])
