"""Tokens by which programs show who they are: random, shown once, kept as a hash only."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from typing import Literal

Scope = Literal["push"]

PREFIX = "syndicate_"
"""So that a token that leaks into a text is found by those who look for such."""
RANDOM_OCTETS = 32

_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}\Z")


def make_token(random: bytes) -> str:
    """The token made of 32 random octets."""
    if len(random) != RANDOM_OCTETS:
        raise ValueError(f"a token is made of {RANDOM_OCTETS} octets")
    return PREFIX + urlsafe_b64encode(random).rstrip(b"=").decode("ascii")


def token_hash(token: str) -> str:
    """What is kept of it. A plain hash is enough: nobody guesses 32 random octets."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def looks_like_token(text: str) -> bool:
    """Whether it is worth looking up."""
    return _TOKEN.match(text) is not None


def name_fault(name: str) -> str:
    """What is wrong with a token's name, or ""."""
    if _NAME.match(name):
        return ""
    return "A token's name is 1 to 80 letters, digits, spaces, dots, - and _, such as cms."
