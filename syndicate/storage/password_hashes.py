"""Passwords as they are kept: Argon2id (RFC 9106), with the parameters of the second recommended option there."""

from __future__ import annotations

from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pwdlib import PasswordHash

_AT_ONCE = BoundedSemaphore(2)
"""One hash takes 64 MiB: many sign-ins at once wait for each other instead of filling the memory."""


@cache
def _hasher() -> PasswordHash:
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    return PasswordHash((Argon2Hasher(time_cost=3, memory_cost=65536, parallelism=4),))


@cache
def _of_nobody() -> str:
    return hash_password("a password that nobody has")


def hash_password(password: str) -> str:
    """What is kept of a password, with its own salt."""
    with _AT_ONCE:
        return _hasher().hash(password)


def check_password(password: str, kept: str) -> tuple[bool, str | None]:
    """Whether it is the one, and what to keep from now on when the parameters have changed. With "" (nobody, or no
    password chosen yet) it takes as long, and is never the one: an answer's time tells nobody's name."""
    reference = kept or _of_nobody()
    with _AT_ONCE:
        good, again = _hasher().verify_and_update(password, reference)
    return (good, again) if kept else (False, None)
