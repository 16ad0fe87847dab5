"""When mail may reach people: never with sample values, and never before the way out works (DESIGN §3.11).

A mail API at a loopback address is a rehearsal; at any other address it is live.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from syndicate.core.mail_account import is_loopback
from syndicate.core.network_address import is_public
from syndicate.core.publication import Publication, Sender
from syndicate.core.sample import is_sample_address, is_sample_host, is_sample_value

_COVERED = ("https", "smtps", "smtp")
"""Ways to a mail API that nobody can listen to; by `smtp` nothing is sent before TLS has begun."""

TEST_AGAIN_AFTER = timedelta(hours=20)
TEST_HOLDS_FOR = timedelta(hours=24)
"""How long a passed unsubscribe test counts: tried anew before, so that a short fault of the web stops nothing."""


def is_live(api_url: str) -> bool:
    """Whether mails given to an API at that address can reach people."""
    return not is_loopback(api_url)


def samples(publication: Publication, sender: Sender) -> list[str]:
    """The settings that are samples still, by their keys."""
    hosts = {
        "[site] url": publication.url,
        "[web] url": publication.web_url,
        "[mail] privacy_url": sender.privacy_url,
    }
    found = [key for key, url in hosts.items() if is_sample_host(urlsplit(url).hostname or "")]
    addresses: dict[str, Iterable[str]] = {
        "[mail] from": (sender.from_email,),
        "[mail] reply_to": (sender.reply_to,),
        "[mail] test_to": sender.test_to,
    }
    found += [key for key, emails in addresses.items() if any(map(is_sample_address, emails))]
    texts = {
        "[site] title": publication.title,
        "[mail] legal_name": sender.legal_name,
        "[mail] postal_address": sender.postal_address,
    }
    return found + [key for key, text in texts.items() if is_sample_value(text)]


def settings_faults(publication: Publication, sender: Sender, api_url: str) -> list[str]:
    """What in the settings forbids live mail, one sentence each; empty when nothing does."""
    faults = []
    if found := samples(publication, sender):
        faults.append(f"These are samples still: {', '.join(found)}.")
    if fault := web_fault(publication.web_url):
        faults.append(fault)
    if urlsplit(api_url).scheme not in _COVERED:
        faults.append(f"The mail API at {urlsplit(api_url).hostname} is not reached by https.")
    return faults


def web_fault(url: str) -> str:
    """Why `[web] url` cannot be a public https address, or ""."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https":
        return f"[web] url = {url} is not an https address: nobody could leave by it safely."
    try:
        ip_address(host)
        private = not is_public(host)
    except ValueError:
        private = is_loopback(url) or "." not in host
    return f"[web] url = {url} is not an address that everybody can reach." if private else ""


def standing_of_test(tested: tuple[str, datetime] | None, url: str, now: datetime) -> Literal["fresh", "due", "over"]:
    """What the last passed unsubscribe test, as (url, when), says of `url`: fresh, due (it counts, but is tried anew),
    or over. One from the future counts for nothing."""
    if tested is None or tested[0] != url or tested[1] > now:
        return "over"
    age = now - tested[1]
    if age < TEST_AGAIN_AFTER:
        return "fresh"
    return "due" if age < TEST_HOLDS_FOR else "over"
