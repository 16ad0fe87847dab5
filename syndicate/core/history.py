"""What sets one person's version of an issue apart: what they already got, and where their range starts.

A variant key names it: "" for the issue's own version, "-17" for people who already got what issue 17 carried, "+120"
for people whose range starts above article number 120, and their combinations, in one fixed order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from syndicate.core.issue import State

LONGEST_KEY = 200
"""Characters."""

_MARK = re.compile(r"[-+][^-+]+")


@dataclass(frozen=True, slots=True)
class Carried:
    """One version of another issue, what it carried, and the state of that issue."""

    issue_id: int
    variant_id: int
    variant_key: str
    revision: int
    article_ids: frozenset[str]
    issue_state: State = "sent"
    is_current: bool = True
    """Whether it is of the issue's last revision: what is claimed from now on carries that one."""


@dataclass(frozen=True, slots=True)
class History:
    """Versions of other issues that share articles with this one, by the mark that stands for them. `versions` maps a
    mark to the versions whose readers get it, `without` to the articles that they got, or are to get, by those."""

    versions: Mapping[str, tuple[Carried, ...]] = field(default_factory=dict)
    without: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def articles_of(self, key: str) -> tuple[frozenset[str], int | None]:
        """From a variant key: the articles left out, and the number above which the range starts, None for the
        issue's own start. Raises KeyError for a mark that this history does not know."""
        left_out: frozenset[str] = frozenset()
        start: int | None = None
        for mark in _MARK.findall(key):
            if mark[0] == "+":
                start = int(mark[1:])
            else:
                left_out |= self.without[mark]
        return left_out, start


def history_of(carried: Iterable[Carried], articles: frozenset[str]) -> History:
    """The history that matters for an issue that may carry `articles`.

    Versions that share the same articles with it share a mark, named after the first: `-ISSUE` for the one that an
    issue was sealed with, `-ISSUE.VARIANT` for any other. So a mark means the same for ever, whatever is known of other
    issues later: versions of half an audience were made by it."""
    marks: dict[frozenset[str], str] = {}
    versions: dict[str, list[Carried]] = {}
    for each in sorted(carried, key=lambda one: (one.issue_id, one.variant_id)):
        shared = each.article_ids & articles
        if not shared:
            continue
        if shared not in marks:
            sealed = (each.variant_key, each.revision) == ("", 1)
            marks[shared] = f"-{each.issue_id}" if sealed else f"-{each.issue_id}.{each.variant_id}"
        versions.setdefault(marks[shared], []).append(each)
    return History(
        {mark: tuple(found) for mark, found in versions.items()}, {mark: shared for shared, mark in marks.items()}
    )


def short_key(key: str) -> str:
    """The key as it is stored: one that is too long keeps its start and a hash."""
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[:100]}~{hashlib.sha256(key.encode()).hexdigest()[:40]}"
