"""A mail as it goes over SMTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken


class SmtpDialect(Dialect):
    """RFC 5322 and RFC 2045, read by the standard library. The conversation itself is in `mail_api_server.smtp`."""

    path = ""
    invalid_status = 554

    def read(self, body: bytes) -> list[Taken]:
        """The envelope may stand before it, as an adapter of ours keeps it."""
        if body.startswith(b"MAIL FROM:"):
            body = body.split(b"\r\n", 2)[2].replace(b"\r\n..", b"\r\n.")
        if b"\n" in body.replace(b"\r\n", b"") or b"\r" in body.replace(b"\r\n", b"") or not body.isascii():
            raise Refusal(Reply(554, b"bare line ends, or not ASCII"))
        if max(map(len, body.split(b"\r\n"))) > 998:
            raise Refusal(Reply(554, b"a line is too long"))
        mail = message_from_bytes(body, policy=SMTP)
        assert isinstance(mail, EmailMessage)
        if mail.defects or not mail["From"] or len(mail["To"].addresses) != 1:
            raise Refusal(Reply(554, b"not a mail"))
        texts = {}
        for kind in ("plain", "html"):
            part = mail.get_body((kind,))
            texts[kind] = part.get_content().replace("\r\n", "\n") if part is not None else ""
        (to,) = mail["To"].addresses
        headers = {name.lower(): str(value) for name, value in mail.items()}
        return [
            Taken(
                to.addr_spec,
                headers.get("message-id", ""),
                headers.get("subject", ""),
                html=texts["html"],
                text=texts["plain"],
                headers=headers,
            )
        ]

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        """By AUTH, in the conversation."""

    def success(self, ids: Sequence[str | None]) -> Reply:
        return Reply(250, f"2.0.0 Ok: queued as {ids[0]}".encode())

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        return Reply(status, message.encode())
