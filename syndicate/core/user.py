"""Users of the console: their roles, and what is asked of names and passwords."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from syndicate.core.line import line_fault

Role = Literal["editor", "sender", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may: an editor prepares, a sender sends, an admin manages the users."""

SHORTEST_PASSWORD = 12
"""Characters. Length alone is asked for: rules about their kinds make weaker passwords (NIST SP 800-63B §3.1)."""
LONGEST_PASSWORD = 1000
LONGEST_NAME = 80

LINK_LASTS = timedelta(hours=24)
IDLE = timedelta(hours=12)
LASTS = timedelta(days=30)
TOUCH_EVERY = timedelta(minutes=5)
"""How far what is known of a session's last use may lag: not every look at a page is worth a write."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the console. `name` is the actor in the audit log."""

    name: str
    role: Role
    id: int = 0

    def may(self, role: Role) -> bool:
        """Whether the user may do what that role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, as it is kept. The token itself is only in the person's browser."""

    user_id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime

    def is_good(self, now: datetime) -> bool:
        """Whether it still stands at `now`: used within 12 hours, begun within 30 days."""
        return now < self.expires_at and now < self.seen_at + IDLE


def tidy_name(name: str) -> str:
    """The one spelling of a name: NFC, without blanks around or doubled within."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def folded(name: str) -> str:
    """What all spellings of a name that people take for the same have in common; also what attempts count against."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def same_name(one: str, other: str) -> bool:
    """Whether people would take the two for the same."""
    return folded(one) == folded(other)


def name_fault(name: str) -> str:
    """What is wrong with a tidy name, or ""."""
    if not name:
        return "A name is needed."
    if len(name) > LONGEST_NAME:
        return f"A name has at most {LONGEST_NAME} characters."
    if fault := line_fault(name):
        return f"A name may not hold {fault}."
    return ""


def password_fault(password: str, name: str) -> str:
    """What is wrong with a new password, or ""."""
    if len(password) < SHORTEST_PASSWORD:
        return f"A password needs at least {SHORTEST_PASSWORD} characters; four words that do not belong together do."
    if len(password) > LONGEST_PASSWORD:
        return f"A password has at most {LONGEST_PASSWORD} characters."
    left = folded(password).replace(folded(name), "") if name else password
    if len(left) < SHORTEST_PASSWORD // 2:
        return "That password is little more than the name."
    if len(set(password)) < 4:
        return "That password repeats the same few characters."
    return ""


def secret_hash(token: str) -> str:
    """What is kept of a session's or a link's token. A plain hash is enough: nobody guesses 32 random octets."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def form_token(secret: str) -> str:
    """What every form of a session carries; made of the session's own secret, which no other site can read."""
    return hmac.new(secret.encode("utf-8", "replace"), b"form", "sha256").hexdigest()


def is_form_token(secret: str, given: str) -> bool:
    """Whether a form came from a page of that session; takes the same time whatever was given."""
    return hmac.compare_digest(form_token(secret).encode(), given.encode("utf-8", "replace"))
