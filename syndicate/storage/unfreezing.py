"""Taking back a freezing, chunk by chunk: whoever finds it begun goes on with it."""

from __future__ import annotations

import threading
from typing import Literal

from syndicate.storage.compositions import take_back_if_held
from syndicate.storage.database import Database
from syndicate.storage.freezing import unfreeze_chunk
from syndicate.storage.issues import get_issue, move_issue


def back_to_awaiting(
    database: Database, issue_id: int, chunk: int, stop: threading.Event | None = None
) -> Literal["awaiting", "already", "stopped"]:
    """Forgets the frozen audience, `chunk` people in each transaction, until `stop` is set. The issue awaits approval
    then, or is a draft when something in it may not go out any more."""
    while True:
        if stop is not None and stop.is_set():
            return "stopped"
        with database.write() as connection:
            issue = get_issue(connection, issue_id, lock=True)
            if issue.state != "freezing":
                return "already" if issue.state != "awaiting" else "awaiting"
            if unfreeze_chunk(connection, issue_id, chunk):
                continue
            move_issue(
                connection,
                issue,
                "awaiting",
                frozen_at=None,
                frozen_through=0,
                standing_mark=None,
                approved_seal=None,
                approved_by="",
                approved_at=None,
                approved_expected=None,
                send_at=None,
            )
            take_back_if_held(connection, get_issue(connection, issue_id))
            return "awaiting"
