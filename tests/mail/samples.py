"""Mails to post, for all adapters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from syndicate.core.message import Message

SPECIFICATIONS = Path(__file__).parent / "specifications"


def message(number: int = 1, **changes: Any) -> Message:
    """One of many mails of an issue, with all that a mail carries."""
    fields: dict[str, Any] = {
        "to_email": f"reader{number}@example.org",
        "to_name": f"Zoë, reader {number}",
        "from_name": "The Harbour Post",
        "from_email": "news@post.example",
        "reply_to": "Harbour desk <desk@post.example>",
        "subject": "Ferries: « l’été » begins – and 3 more",
        "html": f"<p>L’été “begins” \\ n° {number} 🚢</p>\n<p>Second</p>",
        "text": f"L’été begins, n° {number} 🚢\n\nSecond\n",
        "headers": (
            ("Message-ID", f"<{number}.a1b2@news.post.example>"),
            ("List-Unsubscribe", f"<https://news.post.example/u/token{number}>"),
            ("Date", "Fri, 20 Nov 2026 07:00:00 +0000"),
            ("List-Id", "Morning Briefing <morning.news.post.example>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ),
    }
    return Message(**{**fields, **changes})


def specification(api: str) -> dict[str, Any]:
    """The relevant part of the vendor's specification; its `source` says which and when."""
    found: dict[str, Any] = json.loads((SPECIFICATIONS / f"{api}.json").read_text(encoding="utf-8"))
    return found
