"""The mail API and its standby, if there is one: who posts, as all processes of the site agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syndicate.core.standby import Post, who_posts
from syndicate.process.guard import require_ready
from syndicate.storage.database import database_now
from syndicate.storage.standby import Standby, free_from, standby_state, turn

if TYPE_CHECKING:
    from syndicate.mail.base import MailAPI
    from syndicate.site import Site


@dataclass(frozen=True, slots=True)
class Posting:
    """What posts now: `mail_api` is posted to, `others` are asked for their records alone. `standby` is None where
    there is one mail API only."""

    mail_api: MailAPI
    others: tuple[MailAPI, ...] = ()
    standby: Standby | None = None


class TwoAPIs:
    """Of a site whose first mail API is open. Whose turn it is goes by the database's time: the clocks of processes may
    differ. Raises MailAPIError when the standby cannot be opened."""

    def __init__(self, site: Site, first: MailAPI) -> None:
        self._site, self._first = site, first
        self._standby = site.standby_api()
        self._post: Post = "first"

    def in_turn(self, now: datetime, issue_id: int | None = None) -> Posting:
        """The one whose turn it is. Raises Refused when nothing may go out through it; of an issue also when it would
        go to readers who are samples."""
        if self._standby is None:
            require_ready(self._site, self._first, now, issue_id)
            return Posting(self._first)
        rule = self._site.settings.standby_rule
        with self._site.database.write() as connection:
            then = database_now(connection)
            self._post, changed = turn(connection, rule, then)
            apis = (self._first, self._standby) if self._post == "first" else (self._standby, self._first)
            if changed:
                free_from(connection, apis[1].sheet.api, apis[1].account, then)
        require_ready(self._site, apis[0], now, issue_id, first=self._first)
        return Posting(apis[0], apis[1:], Standby(rule, self._post))

    def have_changed(self) -> bool:
        """Whether it is the other one's turn by now."""
        if self._standby is None:
            return False
        with self._site.database.read() as connection:
            now = database_now(connection)
            return who_posts(standby_state(connection), self._site.settings.standby_rule, now) != self._post
