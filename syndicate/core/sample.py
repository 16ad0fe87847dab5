"""Samples: values that stand for the real ones until somebody puts theirs. Nothing live is ever sent with them."""

from __future__ import annotations

SAMPLE_DOMAINS = ("example.com", "example.net", "example.org", "example")
"""RFC 2606 §2 and §3: reserved for examples, so nobody can live there."""

TITLE = "The Harbour Post"
LEGAL_NAME = "Harbour Post Ltd"
POSTAL_ADDRESS = "1 Quay Street, Lisbon"
SAMPLE_VALUES = frozenset({TITLE, LEGAL_NAME, POSTAL_ADDRESS})
"""What a new site's settings say of the sender."""


def is_sample_host(host: str) -> bool:
    """Whether a host, or the domain of an address, is reserved for examples."""
    name = host.rstrip(".").lower()
    return any(name == domain or name.endswith(f".{domain}") for domain in SAMPLE_DOMAINS)


def is_sample_address(email: str) -> bool:
    """Whether an e-mail address is under a domain reserved for examples."""
    return is_sample_host(email.rpartition("@")[2])


def is_sample_value(text: str) -> bool:
    """Whether a text is one that a new site starts with."""
    return text.strip() in SAMPLE_VALUES
