"""The same server for SMTP (RFC 5321): real sockets, a durable journal, and the faults of the plan at each transaction.

A transaction counts as a request, from its MAIL on. The server says what it can do as a submission server does, and
knows `XCONTROL {…}` beside, which says what `/_control` says to the others.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import struct
from base64 import b64decode
from typing import TYPE_CHECKING

from tests.mail_api_server.dialects import Refusal
from tests.mail_api_server.faults import Fault
from tests.mail_api_server.journal import Acceptance

if TYPE_CHECKING:
    from tests.mail_api_server.server import State

GARBAGE = b"\x00\xff what is this\r\n"
PAGE = b"<html><title>Sign in</title></html>\r\n"


class Dropped(Exception):
    """The connection was cut on purpose."""


class SmtpHandler(socketserver.StreamRequestHandler):
    """One connection."""

    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.state: State = self.server.state  # type: ignore[attr-defined]
        self.logged_in = False
        self.forget()

    def forget(self) -> None:
        """Between two mails."""
        self.number, self.fault, self.to = 0, Fault("delay", 0.0), ""
        self.begun = False

    def handle(self) -> None:
        try:
            self.say(b"220 mx.example ESMTP\r\n")
            while line := self.rfile.readline(2000):
                if not self.command(line.rstrip(b"\r\n").decode("latin-1")):
                    return
        except Dropped:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # the sender went away

    def say(self, reply: bytes) -> None:
        self.connection.sendall(reply)

    def command(self, line: str) -> bool:
        """Answers one; False when that was the last."""
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO":
                self.say(b"250-mx.example\r\n250-SIZE %d\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n" % self.state.max_body)
            case "AUTH":
                self.log_in(rest)
            case "MAIL":
                return self.mail(rest)
            case "RCPT":
                return self.recipient(rest)
            case "DATA":
                return self.data()
            case "RSET":
                self.forget()
                self.say(b"250 2.0.0 Ok\r\n")
            case "XCONTROL":
                with self.state.lock:
                    self.state.control(json.loads(rest))
                self.say(b"250 2.0.0 Ok\r\n")
            case "QUIT":
                self.say(b"221 2.0.0 Bye\r\n")
                return False
            case _:
                self.say(b"500 5.5.2 What?\r\n")
        return True

    def log_in(self, rest: str) -> None:
        given = b64decode(rest.partition(" ")[2]).decode()
        _, user, password = given.split("\0")
        self.logged_in = not self.state.api_key or self.state.api_key == f"{user}:{password}"
        self.say(b"235 2.7.0 Welcome\r\n" if self.logged_in else b"535 5.7.8 Wrong user or password\r\n")

    def mail(self, rest: str) -> bool:
        state = self.state
        with state.lock:
            state.numbers += 1
            self.number = state.numbers
            self.fault = state.plan.fault(self.number) or Fault("delay", 0.0)
            if state.is_full:
                self.fault = Fault("rate_limited")
        if not self.logged_in and state.api_key:
            self.say(b"530 5.7.0 Authentication required\r\n")
            return True
        match self.fault.kind:
            case "drop_before_body":
                raise Dropped
            case "kill_before":
                self.kill()
            case "unauthorized":
                self.say(b"530 5.7.0 Authentication required\r\n")
                return True
            case "rate_limited":
                self.say(b"421 4.7.0 Too many connections, come back later\r\n")
                return False
        self.begun = rest.upper().startswith("FROM:<")
        self.say(b"250 2.1.0 Ok\r\n" if self.begun else b"501 5.5.4 Syntax\r\n")
        return True

    def recipient(self, rest: str) -> bool:
        self.to = rest.partition("<")[2].partition(">")[0]
        if not self.begun or "@" not in self.to:
            self.say(b"501 5.1.3 Bad recipient\r\n")
        elif self.to in self.state.refuse:
            self.say(b"550-5.1.1 The mailbox that you tried to reach\r\n550 5.1.1 does not exist\r\n")
        elif self.fault.kind == "quota":
            self.say(b"452 4.5.3 Daily quota reached\r\n")
        else:
            self.say(b"250 2.1.5 Ok\r\n")
            return True
        self.to = ""
        return True

    def data(self) -> bool:
        if not self.to:
            self.say(b"503 5.5.1 No recipient\r\n")
            return True
        self.say(b"354 End data with a line of one dot\r\n")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise Dropped
            lines.append(line[1:] if line.startswith(b".") else line)
            if self.fault.kind == "drop_mid_body":
                raise Dropped
            if self.fault.kind == "kill_mid_body":
                self.kill()
        return self.take(b"".join(lines))

    def kill(self) -> None:
        if self.state.pid is None:
            raise RuntimeError("the plan kills, but nobody said whom: set `pid`")
        os.kill(self.state.pid, signal.SIGKILL)
        raise Dropped

    def take(self, body: bytes) -> bool:
        from tests.mail_api_server.server import Seen

        fault, state, to, number = self.fault, self.state, self.to, self.number
        self.forget()
        with state.lock:
            name = "" if fault.kind == "delay" and fault.value == 0.0 else fault.kind
            state.seen.append(Seen(number, "", {"rcpt": to}, body, name))
        match fault.kind:
            case "drop_after_body":
                raise Dropped
            case "server_error":
                self.say(b"451 4.3.0 Local error in processing\r\n")
                return True
            case "html":
                self.say(PAGE)
                return False
            case "redirect":
                self.say(b"354 Go on\r\n")
                return False
            case "invalid":
                self.say(b"554 5.6.0 refused by the plan\r\n")
                return True
            case "delay_before_accept":
                if self.pause(fault):
                    raise Dropped
        id_ = f"m{number}-0"
        try:
            (one,) = state.dialect.read(body)
        except Refusal:
            self.say(b"554 5.6.0 not a mail\r\n")
            return True
        with state.lock:
            state.promised += 1
            state.journal.append([Acceptance(number, "", one.message_id, to, id_)])
        return self.answer(fault, f"250 2.0.0 Ok: queued as {id_}\r\n".encode())

    def pause(self, fault: Fault) -> bool:
        """Waits; whether the server leaves meanwhile."""
        stopping = self.server.stopping  # type: ignore[attr-defined]
        return bool(stopping.wait(1 if fault.value is None else fault.value))

    def answer(self, fault: Fault, reply: bytes) -> bool:
        """To a mail that was taken."""
        match fault.kind:
            case "kill_after_accept":
                self.kill()
            case "drop_after_accept" | "gateway_timeout":
                raise Dropped
            case "drop_in_answer":
                self.say(reply[: len(reply) // 2])
                raise Dropped
            case "garbage":
                self.say(GARBAGE)
                return False
            case "short":
                self.say(b"250-2.0.0 Ok, and\r\n")
                return False
            case "drip":
                for octet in reply:
                    self.say(bytes([octet]))
                    if self.pause(fault):
                        raise Dropped
                return True
            case "delay":
                self.pause(fault)
        self.say(reply)
        if fault.kind == "kill_after_answer":
            self.kill()
        return True
