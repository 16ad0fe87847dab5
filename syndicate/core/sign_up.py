"""Sign-ups from the open web: how often, how fast, and for how long a confirmation is good.

Against list bombing (somebody signs a stranger's address up everywhere): few mails to one address, few sign-ups from
one network, and a budget for all. Against programs: a form that is sent back within two seconds, or after a day, is
shown once more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Literal

from syndicate.core.rate import Rate

PER_ADDRESS = Rate(3, timedelta(hours=8))
PER_NETWORK = Rate(10, timedelta(minutes=3))
IN_ALL = Rate(300, timedelta(seconds=5))

GOOD_FOR = timedelta(days=7)
"""How long the link in a confirmation works, as often as it is opened."""

FASTEST, SLOWEST = timedelta(seconds=2), timedelta(hours=24)

MOST_NEWSLETTERS = 50

WORDING = "2026-11"
"""The version of what the form and the confirmation say, in all languages. A change of words that matters to consent
changes it."""

FormAge = Literal["good", "too fast", "too old"]


def form_age(shown_at: datetime | None, now: datetime) -> FormAge:
    """What to make of a form shown at that moment; None for one that is not ours, such as a snippet on another site."""
    if shown_at is None or now - shown_at > SLOWEST or shown_at > now:
        return "too old"
    return "too fast" if now - shown_at < FASTEST else "good"


def network_of(address: str) -> str:
    """The network that an address is counted with: /24 of IPv4, /56 of IPv6 (what one household gets); "" for what is
    no address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return str(ip_network(f"{found}/{24 if found.version == 4 else 56}", strict=False))
