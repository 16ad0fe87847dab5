"""The mail API of a process that stays, and the mails that one person waits for."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.errors import MailAPIError, SyndicateError
from syndicate.process.attendance import Attendance
from syndicate.process.delivering import lease_of
from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.process.posting import posting
from syndicate.process.two_apis import TwoAPIs
from syndicate.services.deliver_transactional import deliver_transactional
from syndicate.storage.letters import note_why
from syndicate.storage.transactional_ledger import due_mails, sending_mails

if TYPE_CHECKING:
    from syndicate.mail.base import MailAPI
    from syndicate.site import Site

LETTERS_SECONDS = 0.5
LETTERS_REST_SECONDS = 10.0
"""After a mail API that would take none."""


class PostOffice:
    """The mail API, opened when it can be and kept until the end: the sandbox runs as long. One that cannot be opened
    stops nothing but sending."""

    def __init__(self, site: Site, loops: Loops) -> None:
        self._site, self._loops = site, loops
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._api: MailAPI | None = None

    def mail_api(self) -> MailAPI:
        """Ready to post. Raises MailAPIError when it cannot be used."""
        with self._lock:
            if self._api is None:
                if self._loops.stop.is_set():
                    raise MailAPIError("This process is leaving.")
                self._api = self._stack.enter_context(posting(self._site))
            return self._api

    def keep_open(self) -> None:
        """Opens it at once, so that the sandbox runs from the beginning."""
        self.mail_api()
        self._loops.stop.wait()

    def close(self) -> None:
        """Lets go of it."""
        with self._lock:
            self._stack.close()


class Letters:
    """Mails that one person waits for, in a lane of their own: no digest is ever before them."""

    def __init__(self, site: Site, post: PostOffice, attendance: Attendance, loops: Loops, log: Log) -> None:
        self._site, self._post, self._attendance, self._loops, self._log = site, post, attendance, loops, log
        self._two: TwoAPIs | None = None

    def step(self) -> None:
        """Sends what is due, then waits a moment."""
        site, worker = self._site, self._attendance.worker
        with site.database.read() as connection:
            due = due_mails(connection, datetime.now(UTC), 1) or sending_mails(connection)
        if due and worker is not None:
            try:
                self._two = self._two or TwoAPIs(site, self._post.mail_api())
                turn = self._two.in_turn(datetime.now(UTC))
            except SyndicateError as error:
                # Whoever is told that letters wait is told why.
                if not self._loops.stop.is_set():
                    with site.database.write() as connection:
                        note_why(connection, due[0].id, str(error))
                raise
            done = deliver_transactional(
                site.database,
                turn.mail_api,
                site.sender,
                site.publication,
                worker,
                clock=lambda: datetime.now(UTC),
                lease=lease_of(site.mail.deadline_seconds),
                limits=site.mail.limits,
                others=turn.others,
                standby=turn.standby,
                stopping=self._loops.stop.is_set,
            )
            counts = {
                "accepted": done.accepted,
                "refused": done.refused,
                "later": done.later,
                "uncertain": done.uncertain,
            }
            counts = {name: count for name, count in counts.items() if count}
            if counts:
                told = ", ".join(f"{count} {name}" for name, count in counts.items())
                self._log.say("letters", f"Mails to single persons: {told}.", **counts)
            if done.stopped:
                self._log.warn("letters", f"Mails to single persons wait: {done.stopped}")
                self._loops.stop.wait(LETTERS_REST_SECONDS)
        self._loops.stop.wait(LETTERS_SECONDS)
