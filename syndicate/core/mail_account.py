"""Which mail API the site posts to, and whether that address is this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from syndicate.core.allowance import Limits

SANDBOX = "sandbox"
"""The mail API that is built in; it speaks Mailpit's API and delivers to nobody."""


@dataclass(frozen=True, slots=True)
class MailAccount:
    """What `[mail]` says of the mail API. `url` takes the place of the vendor's scheme, host and port, or ""."""

    api: str
    url: str = ""
    api_key: str = field(default="", repr=False)
    deadline_seconds: float = 30.0
    concurrency: int = 4
    """Requests of one issue that one process has under way at the same time."""
    webhook_secret: str = field(default="", repr=False)
    """What the API signs its webhooks with, "" when it sends none."""
    stream: str = ""
    """The vendor's name for a kind of mails with a reputation of its own, "" for the one made for newsletters."""
    region: str = ""
    """The vendor's name for where the account is, "" for its first one."""
    domain: str = ""
    """The domain that the vendor sends for, "" for that of the sender's address."""
    activity: bool = False
    """Whether the vendor's record may be asked, where it is one that must be paid for."""
    proxy: str = field(default="", repr=False)
    """The http address of a proxy, perhaps with user and password, through which the mail API is reached, or ""."""
    certificates: str = ""
    """The path of a file of certificates that are trusted in place of the world's own, or ""."""
    limits: Limits = field(default_factory=Limits)
    """How much it may be sent."""
    sandbox_seconds: float = 0.0
    """How long the built-in one takes to answer, for rehearsing what lasts."""

    @property
    def is_sandbox(self) -> bool:
        """Whether it is the built-in one, whose address is known only while it runs."""
        return self.api == SANDBOX


def is_loopback(url: str) -> bool:
    """Whether the address can only be this machine: 127.0.0.0/8, ::1 or `localhost` (RFC 6761 §6.3)."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
