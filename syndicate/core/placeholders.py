"""Places in a rendered mail that each recipient's own values take.

A placeholder stands between two Unicode noncharacters, which no text from outside keeps (`rendering.text`): no
article, however hostile, can forge one, and every database can store them.
"""

from __future__ import annotations

import re

from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
UNSUBSCRIBE = f"{_OPEN}unsubscribe{_CLOSE}"
PREFERENCES = f"{_OPEN}preferences{_CLOSE}"
NAME = f"{_OPEN}name{_CLOSE}"

LONGEST_NAME = 200
"""Characters of a recipient's name."""

_PLACEHOLDER = re.compile(f"{_OPEN}(unsubscribe|preferences|name){_CLOSE}")
_PRIVATE = re.compile(f"[{_OPEN}{_CLOSE}]")


def pieces(text: str) -> list[str]:
    """The text cut at its placeholders: literal, field, literal, …, literal."""
    return _PLACEHOLDER.split(text)


def fill(text: str, *, unsubscribe: str, preferences: str, name: str) -> str:
    """The text with these values in the places of the placeholders, as they are."""
    values = {"unsubscribe": unsubscribe, "preferences": preferences, "name": name}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def is_torn(text: str) -> bool:
    """Whether a template changed a placeholder, so that nothing would fill it."""
    return any(_PRIVATE.search(literal) for literal in pieces(text)[::2])


def longest_token(newsletter: Newsletter) -> int:
    """Characters of the longest token in a mail (core.token): in base64 a key id, the newsletter and an issue, then the
    subscriber and a MAC. Numbers have 20 digits at most."""
    return (20 + 1 + len(newsletter.name.encode()) + 1 + 20 + 2) * 4 // 3 + 1 + 20 + 1 + 32


def longest_octets(html: str, publication: Publication, newsletter: Newsletter) -> int:
    """Octets of the HTML once the most demanding recipient's values are in it."""
    link = len(publication.web_url.encode()) + len("/u/") + longest_token(newsletter)
    longest = {"unsubscribe": link, "preferences": link, "name": LONGEST_NAME * len("&quot;")}
    parts = pieces(html)
    return sum(len(literal.encode()) for literal in parts[::2]) + sum(longest[field] for field in parts[1::2])
