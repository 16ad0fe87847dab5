"""SMTP: one mail a transaction to a server of one's own or a provider's, over connections that are kept.

RFC 5321. Until the dot that ends a mail has left, the server cannot have it; after that, only a reply tells whether it
does (section 4.2.5: any 4yz or 5yz says that it does not). It keeps no keys and no record: what proves a mail is its
Message-ID in a mailbox or in the server's log.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from syndicate.core.mail_account import is_loopback
from syndicate.core.message import Answer, CapabilitySheet, Message
from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import answers, encoding, mime
from syndicate.mail.base import Connection as To
from syndicate.mail.endpoint import fingerprint
from syndicate.mail.smtp_connection import LOG_IN, Broken, Connection, Deadline, Said, Server, Unwilling

SHEET = CapabilitySheet(
    api="smtp",
    checked="RFC 5321, RFC 4954, RFC 3207, RFC 8314, 2026-11",
    recipients_per_request=1,
    bytes_per_request=25_000_000,
    surely_not="Whatever breaks before the dot that ends a mail has left, and every reply that begins with 4 or 5. "
    "Source: RFC 5321, sections 4.2.1 and 4.2.5.",
)
LONGEST_REST = 20.0
"""Seconds. A server waits five minutes for a command (RFC 5321 section 4.5.3.2.7), but providers less."""

_URL = re.compile(r"(smtps?)://((?:[A-Za-z0-9.-]+)|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?")
_PORTS = {"smtp": 587, "smtps": 465}
_QUEUED = re.compile(r"queued as ([A-Za-z0-9._-]{4,120})|\bid=<?([A-Za-z0-9._-]{4,120})|^Ok ([0-9a-f-]{20,120})$")
"""How Postfix, Exim and Amazon SES name a mail that they took."""

_LOGGED_OUT = frozenset([530, 535, 538])
"""RFC 4954: authentication is wanted, wrong, or wants TLS."""

_ENHANCED = re.compile(r"5\.([0-9]{1,3})\.([0-9]{1,3})\b")
"""RFC 3463: class, subject and detail, at the beginning of the words."""

_OF_THE_SENDER = frozenset([(1, 7), (1, 8), *((7, detail) for detail in (*range(2, 17), *range(20, 1000)))])
"""Subject and detail that are said of the sender, its domain or this machine, whoever the mail is for (IANA, Simple
Mail Transfer Protocol Enhanced Status Codes): 5.7.17 to 5.7.19 are of a mailbox that has another owner, and 5.7.0 and
5.7.1 may be of it. To a whole mail they are of the sender as well: its recipient was taken before."""

_SAID_OF_THE_SENDER = re.compile(
    r"not verified|unverified|unauthenticated|bad outbound sender|\b(?:dmarc|dkim|spf)\b|relay|sending (?:is |was |has"
    r" been )?(?:suspended|paused|disabled|blocked)|sender (?:address )?\S* ?(?:rejected|denied|refused|not allowed)"
    r"|\bsend (?:as|from|on behalf)\b|not (?:authori[sz]ed|allowed|permitted) to send",
    re.IGNORECASE,
)
_SAID_OF_A_LIMIT = re.compile(
    r"(?=.*(?:exceed|reached|too many)).*(?:\b(?:daily|hourly|monthly|sending|outbound|outgoing|sender|submission)"
    r"|per (?:minute|hour|day|month)\b)",
    re.IGNORECASE,
)
"""How providers put it under codes that tell less, such as Amazon's 554 and Google's 550 5.4.5."""

_LIMIT_SECONDS = 3600.0
"""When a sending limit is reached, for good by the code: most count by the hour or the day."""

_SEND_AS = "Give [mail] from an address that this server lets you send as"
_PROVEN = (
    "Look why this server turns down what comes from [mail] from, such as SPF, DKIM and DMARC of its domain; if it is"
    " one reader only, suppress them"
)

class SMTP:
    """`url` is `smtps://host` (TLS from the start, port 465) or `smtp://host` (STARTTLS, port 587; no TLS at a loopback
    address); `api_key` is `user:password`, or "" where the server knows this machine."""

    sheet = SHEET

    def __init__(self, to: To) -> None:
        found = _URL.fullmatch(to.url)
        if found is None or int(found[3] or 1) not in range(1, 65536):
            raise MailAPIError(
                f"[mail] url = {to.url!r} is not an address of the form smtps://host:port.",
                cure='Such as "smtps://smtp.post.example" or "smtp://127.0.0.1:25"; user and password go elsewhere.',
            )
        scheme, host, port = found[1], found[2].strip("[]"), int(found[3] or _PORTS[found[1]])
        user, _, password = to.api_key.partition(":")
        if to.api_key and not (user and password and to.api_key.isprintable()):
            raise MailAPIError(
                "SMTP needs user and password.", cure="Set SYNDICATE_MAIL__API_KEY to user:password, or leave it out."
            )
        self.url = f"{scheme}://{found[2]}:{port}/"
        tls = "from the start" if scheme == "smtps" else "none" if is_loopback(self.url) else "asked for"
        self._server = Server(host, port, tls, user, password)
        self.account = fingerprint("smtp", scheme, host, str(port), user)
        self._deadline_seconds = to.deadline_seconds
        self._certificates = to.certificates
        if to.proxy:
            raise MailAPIError("[mail] proxy is for mail APIs: SMTP is not spoken through it.", cure="Leave it out.")
        self._threads = threading.local()

    def build(self, messages: Sequence[Message]) -> bytes:
        """The envelope in two lines, as in RFC 2442, then the mail as it goes over the wire but for its end."""
        encoding.check_count(messages, SHEET)
        message = messages[0]
        if not message.message_id:
            raise BadInput("A mail by SMTP needs a Message-ID.", cure="It is all that proves it.")
        mail = mime.write_message(message)
        # RFC 5321 section 4.5.2. The first line is a header's.
        stuffed = (mail if mail.endswith(b"\r\n") else mail + b"\r\n").replace(b"\r\n.", b"\r\n..")
        envelope = f"MAIL FROM:<{message.from_email}>\r\nRCPT TO:<{message.to_email}>\r\n"
        body = envelope.encode("ascii") + stuffed
        if len(body) > SHEET.bytes_per_request:
            raise BadInput(f"A mail of {len(body):,} bytes is more than any server takes.", cure="Shorten the issue.")
        return body

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        sender, _, rest = body.partition(b"\r\n")
        recipient, _, content = rest.partition(b"\r\n")
        with Deadline(self._deadline_seconds) as deadline:
            answer = self._send(sender.decode("ascii"), recipient.decode("ascii"), content, deadline)
        return answers.without(self._server.password, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        """None: a server that took a mail tells nobody."""
        return None

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """With the certificates that this machine trusts, or those that the settings name: read once, and only where
        there is TLS."""
        return ssl.create_default_context(cafile=self._certificates)

    def _send(self, sender: str, recipient: str, content: bytes, deadline: Deadline) -> Answer:
        """A kept connection that turns out to be dead is replaced once: nothing had begun on it."""
        for kept in (True, False):
            connection: Connection | None = None
            ended = False
            try:
                connection = self._kept(deadline) if kept else self._opened(deadline)
                if connection is None:
                    continue
                refused = _begin(connection, sender, recipient, content)
                if refused is None:
                    connection.content(content)
                    ended = True
                    answer = _after_end(connection.end())
                elif kept and refused.why.startswith("421"):
                    # It closes what was open too long, or had enough mails on it.
                    connection.close()
                    continue
                else:
                    answer = refused
            except Unwilling as error:
                why = f"{self._server.host}: {error.why}"
                return answers.stopped(error.cure, why) if error.cure else Answer("not_accepted", why)
            except (OSError, Broken) as error:
                if connection is not None:
                    connection.close()
                if kept and connection is not None and not ended and not deadline.expired:
                    continue
                return self._lost(error, deadline, ended=ended)
            self._keep(connection, answer)
            return answer
        raise AssertionError("a new connection is always tried")

    def _opened(self, deadline: Deadline) -> Connection:
        return Connection(self._server, deadline, None if self._server.tls == "none" else self._context)

    def _kept(self, deadline: Deadline) -> Connection | None:
        connection: Connection | None = getattr(self._threads, "connection", None)
        self._threads.connection = None
        if connection is None:
            return None
        if connection.rested() > LONGEST_REST:
            connection.leave()
            return None
        try:
            connection.again(deadline)
        except (OSError, Broken):
            connection.close()
            return None
        return connection

    def _keep(self, connection: Connection, answer: Answer) -> None:
        if answer.verdict == "uncertain" or answer.stops or answer.why.startswith("421"):
            connection.leave()
            return
        connection.rest()
        self._threads.connection = connection

    def _lost(self, error: Exception, deadline: Deadline, *, ended: bool) -> Answer:
        if deadline.expired or isinstance(error, TimeoutError):
            why = f"no whole answer within {deadline.seconds:g} s"
        elif isinstance(error, ssl.SSLError):
            why = f"TLS failed: {answers.printable(getattr(error, 'verify_message', '') or str(error))}"
        else:
            why = answers.printable(str(error) or type(error).__name__)
        return Answer("uncertain" if ended else "not_accepted", f"{self._server.host}: {why}")


def _begin(connection: Connection, sender: str, recipient: str, content: bytes) -> Answer | None:
    """The envelope; what it means when that was turned down, or None when the server waits for the mail."""
    most = connection.most_octets
    if 0 < most < len(content):
        why = f"the mail has {len(content):,} octets, the server takes {most:,}"
        return Answer("not_accepted", why, permanent=True)
    said = connection.command(f"{sender} SIZE={len(content)}" if most else sender)
    if said.code != 250:
        return _turned_down(said, of="sender")
    for command, taken in ((recipient, (250, 251, 252)), ("DATA", (354,))):
        said = connection.command(command)
        if said.code not in taken:
            return _turned_down(said, of="recipient" if command is recipient else "mail")
    return None


def _turned_down(said: Said, *, of: Literal["sender", "recipient", "mail"]) -> Answer:
    """What a refusal means of what was just told, the sender, the recipient or the mail: the server has not taken it.
    What is of the sender refuses no reader."""
    found = _ENHANCED.match(said.words)
    subject, detail = (int(found[1]), int(found[2])) if found else (0, 0)
    if said.code in _LOGGED_OUT:
        return answers.stopped(LOG_IN, str(said))
    if 400 <= said.code < 500:
        return Answer("not_accepted", str(said))
    if said.code < 400:
        return Answer("not_accepted", f"an answer out of place: {said}")
    of_the_reader = of != "sender" and subject in (1, 2) and (subject, detail) not in _OF_THE_SENDER
    if not of_the_reader and _SAID_OF_A_LIMIT.search(said.words):
        why = f"This server's sending limit is reached: it is asked again after an hour ({said})"
        return Answer("not_accepted", why, retry_after_seconds=_LIMIT_SECONDS)
    if of == "sender" and said.code != 552:
        return answers.stopped(_SEND_AS, str(said))
    if (subject, detail) in _OF_THE_SENDER or (of == "mail" and (subject, detail) in ((7, 0), (7, 1))):
        return answers.stopped(_PROVEN, str(said))
    if not of_the_reader and _SAID_OF_THE_SENDER.search(said.words):
        return answers.stopped(_PROVEN if subject == 7 and of == "mail" else _SEND_AS, str(said))
    return Answer("not_accepted", str(said), permanent=True)


def _after_end(said: Said) -> Answer:
    """What the reply to a whole mail means."""
    if said.code == 250:
        found = _QUEUED.search(said.words)
        return Answer("accepted", "250", vendor_ids=(found[found.lastindex or 0],) if found else ())
    if said.code < 400:
        return Answer("uncertain", f"an answer out of place: {said}")
    return _turned_down(said, of="mail")
