"""Why something was not taken, as people read it: what a mail API said in words, and one reason for what is alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

WORDS = ("message", "errormessage", "error_message", "detail", "description", "reason", "title", "error", "errors")
"""Under which names mail APIs say in words what is wrong, in lower case, the plainest first."""
DEPTH = 6
"""Mails of one request may be answered one by one, inside lists."""

_ADDRESS = re.compile(r"""[^\s<>"(),;:]+@[^\s<>"'(),;:]*[^\s<>"'(),;:.]""")
_LONG = re.compile(r"(?=[\w-]*\d)[\w-]{20,}")


def words_in(answer: Any, depth: int = DEPTH) -> str:
    """What an answer that was JSON says in words, or "" when it has none where they usually are."""
    if isinstance(answer, str):
        return answer.strip()
    if depth and isinstance(answer, list):
        return next((words for each in answer[:20] if (words := words_in(each, depth - 1))), "")
    if depth and isinstance(answer, Mapping):
        by_name = {str(name).lower(): value for name, value in answer.items()}
        named = [by_name[name] for name in WORDS if name in by_name]
        # Where a list stands for its single mails, under a name of the vendor's own.
        lists = [value for value in answer.values() if isinstance(value, list) and value and not named]
        return next((words for each in (*named, *lists) if (words := words_in(each, depth - 1))), "")
    return ""


def kind_of(why: str) -> str:
    """The reason without what is of one person or one request only: addresses and long ids."""
    return _LONG.sub("…", _ADDRESS.sub("…", why)).strip()
