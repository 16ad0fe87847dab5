"""What people do to an issue, in words for whoever comes to it after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DONE = {
    "issue.draft": "composed it",
    "issue.approve": "approved it",
    "issue.schedule": "set it to be sent",
    "issue.unschedule": "stopped it before it began",
    "issue.pause": "stopped it",
    "issue.resume": "let it go on",
    "issue.cancel": "ended it",
    "issue.revise": "composed it anew, because an article changed",
}
STEPS = ("issue.edit", *_DONE)
"""The actions of the log that somebody else wants to know of."""


def step_in_words(action: str, detail: Mapping[str, Any]) -> str:
    """`changed its words`, for an action of STEPS as the log has it."""
    if action != "issue.edit":
        return _DONE[action]
    parts = ("its words" if detail.get("words") else "", "its articles" if _of_articles(detail) else "")
    return f"changed {' and '.join(filter(None, parts)) or 'it'}"


def _of_articles(detail: Mapping[str, Any]) -> bool:
    return any(detail.get(name) for name in ("order", "move", "skip", "unskip", "add"))
