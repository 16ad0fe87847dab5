"""What a mail server's refusal says of an address: by its code, and by its words where servers misuse codes."""

from __future__ import annotations

import re

from syndicate.core.mail_event import EventKind

_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_REPLY = re.compile(r"(?<![\d.])([245]\d\d)(?![\d.])")

_NO_SUCH_ADDRESS = frozenset(["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"])
"""RFC 3463 and RFC 7505: no such mailbox, system or syntax; moved; a domain that takes no mail; disabled."""

_MAY_PASS = re.compile(r"4\.|5\.2\.2$|5\.3\.4$|5\.4\.|4\d\d$|552$")
"""Transient; a full mailbox; too large for the server; network and routing."""

_FULL = re.compile(r"over ?quota|quota exceeded|exceeded .{0,20}quota|(mailbox|inbox) (is )?full", re.IGNORECASE)
"""Some servers say so under 5.1.1 or 5.7.1."""


_OF_THE_SENDER = re.compile(
    r"spam|(black|block|deny) ?list|\b(rbl|spf|ptr)\b|dnsbl|dkim|dmarc|reputation|reverse dns|unsolicited",
    re.IGNORECASE,
)
_OF_THE_ADDRESS = re.compile(
    r"(no such|unknown|invalid|non-?existent) (user|recipient|mailbox|address|account)"
    r"|(user|recipient|mailbox|address|account)\b.{0,30}(not exist|n't exist|not found|unknown|unavailable|disabled)",
    re.IGNORECASE,
)
_AN_ADDRESS = re.compile(r"\S+@\S+")
"""Whoever calls their mailbox `nospam` is no spam."""


def says_it_is_gone(words: str, code: str) -> bool:
    """Whether the code or the words say that there is no such address, not only that it was refused."""
    return code in _NO_SUCH_ADDRESS or bool(_OF_THE_ADDRESS.search(words))


def code_of(words: str) -> str:
    """The first enhanced status code (RFC 3463) in what a server said, else its first reply code, or ""."""
    found = _ENHANCED.search(words) or _REPLY.search(words)
    return found[1] if found else ""


def bounce_kind(words: str, *, permanent: bool, code: str = "") -> EventKind:
    """What a mail that did not arrive says of its address. `permanent` is what the mail API made of it, which holds
    unless the code or the words say something else; `code` is the first in the words when it is ""."""
    code = code or code_of(words)
    if _FULL.search(words):
        return "soft bounce"
    if code.startswith("5.7."):
        return "blocked"
    if code in _NO_SUCH_ADDRESS:
        return "hard bounce"
    if _MAY_PASS.match(code):
        return "soft bounce"
    if _OF_THE_SENDER.search(_AN_ADDRESS.sub("", words)) and not _OF_THE_ADDRESS.search(words):
        return "blocked"
    return "hard bounce" if permanent else "soft bounce"
