"""Posts the mails to one person that wait: confirmations, previews, alerts, each once, by the rules of the ledger.

The claim is committed before the post. What is surely not accepted is posted again with growing pauses; what is
uncertain only under the same key with the same bytes, or when the API's own record shows that it never came.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from syndicate.core import headers
from syndicate.core.address import address_hash, normalise
from syndicate.core.batch import MOST_ATTEMPTS, Step, Unresolved, after_answer, after_lookup, may_replay, way_on
from syndicate.core.message import Message
from syndicate.core.publication import Publication, Sender
from syndicate.core.reader_steps import is_closed
from syndicate.core.retry import wait_seconds
from syndicate.errors import BadInput
from syndicate.mail.base import MailAPI
from syndicate.storage.database import Database, database_now
from syndicate.storage.instance import address_key, instance_id
from syndicate.storage.people import suppressed_reasons
from syndicate.storage.transactional_ledger import (
    QueuedMail,
    claim_mail,
    due_mails,
    may_post_mails,
    sending_mails,
    settle_mail,
)
from syndicate.storage.workers import Life, Worker, lives_of

LEASE = timedelta(seconds=120)
"""A claim older than that has no owner that may still be posting: no request lasts so long."""


@dataclass(slots=True)
class Delivered:
    """How many mails became what in one pass. `stopped` is why the pass ended early, or ""."""

    accepted: int = 0
    refused: int = 0
    later: int = 0
    uncertain: int = 0
    stopped: str = ""


def deliver_transactional(
    database: Database,
    mail_api: MailAPI,
    sender: Sender,
    publication: Publication,
    worker: Worker,
    *,
    now: datetime,
    limit: int = 50,
    stopping: Callable[[], bool] = lambda: False,
    rng: random.Random | None = None,
) -> Delivered:
    """Posts up to `limit` mails that are due, one after the other; call it again for the rest. Leases and pauses are
    counted in the database's own time; `now` is not needed for them and only says when the pass began. A mail to an
    address that is suppressed, for another reason than that its reader left everything, is refused and never posted."""
    run = _Run(database, mail_api, sender, publication, worker, rng or random.Random())
    run.recover()
    with database.read() as connection:
        due = due_mails(connection, max(now, database_now(connection)), limit) if may_post_mails(connection) else []
    for mail in due:
        if stopping() or run.done.stopped:
            break
        run.deliver(mail)
    return run.done


class _Run:
    def __init__(
        self,
        database: Database,
        mail_api: MailAPI,
        sender: Sender,
        publication: Publication,
        worker: Worker,
        rng: random.Random,
    ) -> None:
        self.database, self.api, self.worker, self.rng = database, mail_api, worker, rng
        self.sender, self.publication = sender, publication
        self.done = Delivered()
        self.host = headers.mail_host(publication.web_url)
        with database.read() as connection:
            self.instance = instance_id(connection)
            self.secret = address_key(connection)

    def recover(self) -> None:
        """What a process left that is gone, or that has slept past its lease, is uncertain."""
        with self.database.read() as connection:
            claimed = sending_mails(connection)
            now = database_now(connection)
        # This worker delivers in one thread: what it claimed and has not settled is left from a call that broke.
        lives: dict[str, Life] = lives_of(
            self.database, self.worker.directory, {mail.worker_id for mail in claimed} - {self.worker.id}
        )
        left = [
            mail
            for mail in claimed
            if mail.worker_id == self.worker.id
            or lives[mail.worker_id] == "gone"
            or (mail.posted_at is not None and now - mail.posted_at > LEASE)
        ]
        if not left:
            return
        with self.database.write() as connection:
            for mail in left:
                step = Step("uncertain", "its process was gone before the answer came", retry_at=now)
                settle_mail(connection, mail.id, ["sending"], step, mail.attempts)

    def deliver(self, mail: QueuedMail) -> None:
        replay = mail.state == "uncertain"
        try:
            body = self.api.build([self.message(mail)])
        except BadInput as error:
            self.settle(mail, mail.state, Step("refused", str(error)), mail.attempts)
            return
        digest = hashlib.sha256(body).hexdigest()
        if replay and not self.may_repeat(mail, digest):
            self.look(mail)
            return
        generation = mail.generation if replay else mail.generation + 1
        self.worker.require_lock()
        with self.database.write() as connection:
            now = database_now(connection)
            if not may_post_mails(connection, hold=True):
                self.done.stopped = "all sending is stopped"
                return
            closed = self.closed(mail)
            reason = suppressed_reasons(connection, [closed]).get(closed, "")
            if is_closed(reason):
                # One that was posted before stays uncertain: it may have been accepted.
                step = Step("uncertain" if replay else "refused", f"the address is suppressed: {reason}")
                settle_mail(connection, mail.id, [mail.state], step, mail.attempts)
                self.count(step.state)
                return
            if not claim_mail(
                connection,
                mail,
                worker_id=self.worker.id,
                api=self.api.sheet.api,
                account=self.api.account,
                sha256=digest,
                replay=replay,
                now=now,
            ):
                return
        answer = self.api.post(body, key=self.key(mail, generation), count=1)
        attempts = mail.attempts + 1
        with self.database.read() as connection:
            now = database_now(connection)
        step = after_answer(
            answer,
            size=1,
            replay=replay,
            attempts=attempts,
            now=now,
            wait_seconds=wait_seconds(attempts, self.rng.random()),
        )
        if 0 in step.refused:
            step = Step("refused", step.refused[0])
        if step.state == "retry" and attempts >= MOST_ATTEMPTS and answer.retry_after_seconds is None:
            step = Step("refused", f"{attempts} attempts failed, the last: {step.why}")
        elif step.pause:
            self.done.stopped = step.pause
            if step.state == "planned":
                step = Step("retry", step.why, retry_at=now + timedelta(minutes=1))
        self.settle(mail, "sending", step, attempts)

    def may_repeat(self, mail: QueuedMail, digest: str) -> bool:
        """Whether the same bytes under the same key are harmless: the API still knows the key."""
        unresolved = self.unresolved(mail)
        with self.database.read() as connection:
            now = database_now(connection)
        known = may_replay(unresolved, idempotency_seconds=self.api.sheet.idempotency_seconds, now=now)
        return known and mail.sha256 == digest

    def look(self, mail: QueuedMail) -> None:
        """Asks the API's record of an uncertain mail; without one it waits for a person."""
        unresolved = self.unresolved(mail)
        with self.database.read() as connection:
            now = database_now(connection)
        way = way_on(unresolved, replayable=False, lookup=self.api.sheet.lookup, when_uncertain="ask", posting=True)
        if way != "look":
            self.settle(mail, "uncertain", Step("uncertain", "no proof either way"), mail.attempts)
            return
        found = self.api.lookup([self.message_id(mail)], key=self.key(mail, mail.generation))
        step = after_lookup(
            None if found is None else len(found),
            1,
            unresolved,
            lag_seconds=self.api.sheet.lookup_lag_seconds,
            kept_seconds=self.api.sheet.lookup_kept_seconds,
            now=now,
            wait_seconds=wait_seconds(mail.attempts, self.rng.random()),
        )
        self.settle(mail, "uncertain", step, mail.attempts)

    def unresolved(self, mail: QueuedMail) -> Unresolved:
        since = mail.posted_at or mail.created_at
        same = (mail.api, mail.account) == (self.api.sheet.api, self.api.account)
        # Only what is settled as uncertain comes here, and `recover` does that when no owner may be posting.
        return Unresolved(since, mail.first_posted_at or since, same, in_flight=False, attempts=mail.attempts)

    def settle(self, mail: QueuedMail, was: str, step: Step, attempts: int) -> None:
        with self.database.write() as connection:
            settle_mail(connection, mail.id, [was], step, attempts)
        self.count(step.state)

    def count(self, state: str) -> None:
        field = state if state in ("accepted", "refused", "uncertain") else "later"
        setattr(self.done, field, getattr(self.done, field) + 1)

    def closed(self, mail: QueuedMail) -> str:
        return address_hash(normalise(mail.to_email).address, self.secret)

    def key(self, mail: QueuedMail, generation: int) -> str:
        whole = "\x1f".join((str(mail.id), str(generation), self.api.sheet.api, self.api.account, self.instance))
        return f"mail-{mail.id}-{generation}-{hashlib.sha256(whole.encode()).hexdigest()[:32]}"

    def message_id(self, mail: QueuedMail) -> str:
        return headers.message_id(self.host, self.instance, "mail", mail.id)

    def message(self, mail: QueuedMail) -> Message:
        """The same bytes for ever. No List headers: it belongs to no newsletter, and one cannot leave it."""
        own = (
            ("Message-ID", self.message_id(mail)),
            ("Date", headers.format_date(mail.created_at)),
            # RFC 3834 section 5: an automatic mail that nobody's answering machine should answer.
            ("Auto-Submitted", "auto-generated"),
            *mail.headers,
        )
        headers.check_headers(own)
        headers.check_one_line("The subject", mail.subject)
        return Message(
            to_email=mail.to_email,
            from_name=self.sender.from_name,
            from_email=self.sender.from_email,
            reply_to=self.sender.reply_to,
            subject=mail.subject,
            html=mail.html,
            text=mail.text,
            headers=own,
            to_name=mail.to_name,
        )
