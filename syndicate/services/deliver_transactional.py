"""Posts the mails to one person that wait: confirmations, previews, alerts, each once, by the rules of the ledger.

The claim is committed before the post. What is surely not accepted is posted again with growing pauses; what is
uncertain only under the same key with the same bytes, or when the API's own record shows that it never came.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from syndicate.core import headers
from syndicate.core.address import address_hash, normalise
from syndicate.core.allowance import Charge, Limits, domain_counts, in_force, of_domains, spend
from syndicate.core.batch import MOST_ATTEMPTS, Step, Unresolved, after_answer, after_lookup, may_replay, way_on
from syndicate.core.lease import Lease
from syndicate.core.message import Answer, Message
from syndicate.core.publication import Publication, Sender
from syndicate.core.reader_steps import is_closed
from syndicate.core.retry import wait_seconds
from syndicate.errors import BadInput, StorageError
from syndicate.mail.base import MailAPI
from syndicate.storage import rate_limits
from syndicate.storage.database import Database, database_now
from syndicate.storage.instance import address_key, instance_id
from syndicate.storage.people import suppressed_reasons
from syndicate.storage.standby import Standby, Turn
from syndicate.storage.transactional_ledger import (
    QueuedMail,
    claim_mail,
    due_mails,
    may_post_mails,
    sending_mails,
    settle_mail,
)
from syndicate.storage.workers import Life, Worker, lives_of

BACK_SECONDS, BACK_LOOK_SECONDS = 20.0, 0.4
"""How long an answer that has come waits for a database that went away, and how often that is asked."""

GIVEN_UP_AFTER = timedelta(days=1)
"""How old a letter is before it is given up."""

TURN_IS_SEEN = timedelta(minutes=1)
"""How long one waits before it is looked at again whether its mail API posts now."""


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
    clock: Callable[[], datetime],
    lease: Lease | None = None,
    limits: Limits | None = None,
    others: Sequence[MailAPI] = (),
    standby: Standby | None = None,
    limit: int = 50,
    stopping: Callable[[], bool] = lambda: False,
    rng: random.Random | None = None,
) -> Delivered:
    """Posts up to `limit` mails that are due, one after the other; call it again for the rest. Leases and pauses are
    counted in the database's own time; by `clock`, this machine's, a worker finds out that it has slept between a claim
    and its post. A mail to an address that is suppressed, for another reason than that its reader left everything, is
    refused and never posted. What the account may be sent by `limits` is counted for them too, but they never wait for
    it: a digest waits longer.

    `others` are mail APIs through which earlier ones may have gone: asked for their record, never posted to. With a
    `standby` the pass ends as soon as it is the other one's turn."""
    run = _Run(database, mail_api, sender, publication, worker, clock, lease or Lease(), rng or random.Random())
    run.limits, run.others = limits or Limits(), others
    run.turn = Turn(database, standby)
    run.recover()
    with database.read() as connection:
        due = due_mails(connection, max(clock(), database_now(connection)), limit) if may_post_mails(connection) else []
    for mail in due:
        if stopping() or run.done.stopped or run.turn_is_over():
            break
        run.deliver(mail)
    run.turn.leave()
    return run.done


class _Run:
    def __init__(
        self,
        database: Database,
        mail_api: MailAPI,
        sender: Sender,
        publication: Publication,
        worker: Worker,
        clock: Callable[[], datetime],
        lease: Lease,
        rng: random.Random,
    ) -> None:
        self.database, self.api, self.worker, self.rng = database, mail_api, worker, rng
        self.clock, self.lease = clock, lease
        self.limits = Limits()
        self.others: Sequence[MailAPI] = ()
        self.turn = Turn(database, None)
        self.sender, self.publication = sender, publication
        self.done = Delivered()
        self.host = headers.mail_host(publication.web_url)
        with database.read() as connection:
            self.instance = instance_id(connection)
            self.secret = address_key(connection)

    def recover(self) -> None:
        """What a process left that is gone, or that has slept past its lease, is uncertain. One that sleeps may still
        post it, and stays its owner."""
        with self.database.read() as connection:
            claimed = sending_mails(connection)
            now = database_now(connection)
        # This worker delivers in one thread: what it claimed and has not settled is left from a call that broke.
        lives: dict[str, Life] = lives_of(
            self.database, self.worker.directory, {mail.owners[-1] for mail in claimed} - {self.worker.id}
        )
        left = [
            mail
            for mail in claimed
            if lives.get(mail.owners[-1], "gone") == "gone"
            or (mail.posted_at is not None and self.lease.is_over(now - mail.posted_at))
        ]
        if not left:
            return
        still = {mail.id: self.may_be_posting(mail) for mail in left}
        with self.database.write() as connection:
            for mail in left:
                slept = mail.owners[-1] in still[mail.id]
                why = "its process did not answer in time" if slept else "its process was gone before the answer came"
                step = Step("uncertain", why, retry_at=now)
                settle_mail(connection, mail.id, "sending", step, mail.attempts, still[mail.id])

    def turn_is_over(self) -> bool:
        with self.database.read() as connection:
            return self.turn.is_over(connection, database_now(connection))

    def api_of(self, mail: QueuedMail) -> MailAPI | None:
        """The mail API that an earlier request went through, if it is one of those set up."""
        known = (self.api, *self.others)
        return next((each for each in known if (each.sheet.api, each.account) == (mail.api, mail.account)), None)

    def deliver(self, mail: QueuedMail) -> None:
        replay = mail.state == "uncertain"
        try:
            body = self.api.build([self.message(mail)])
        except BadInput as error:
            self.settle(mail, mail.state, Step("refused", str(error)), mail.attempts)
            return
        digest = hashlib.sha256(body).hexdigest()
        still = self.may_be_posting(mail)
        if replay and not self.may_repeat(mail, digest):
            self.look(mail, still)
            return
        generation = mail.generation if replay else mail.generation + 1
        self.worker.require_lock()
        started = self.clock()
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
                settle_mail(connection, mail.id, mail.state, step, mail.attempts, still)
                self.count(step.state)
                return
            if not claim_mail(
                connection,
                mail,
                owners=(*still, self.worker.id),
                api=self.api.sheet.api,
                account=self.api.account,
                sha256=digest,
                replay=replay,
                now=now,
            ):
                return
            self.charge(connection, mail, now)
        if self.lease.may_begin(self.clock() - started):
            answer = self.api.post(body, key=self.key(mail, generation, self.api), count=1)
        else:
            # Asleep since: by now another may have found out that it was never posted, and have posted it.
            answer = Answer("not_accepted", "claimed, but not posted in time", retry_after_seconds=0.0)
        self.record(mail, answer, replay, still)

    def record(self, mail: QueuedMail, answer: Answer, replay: bool, still: Sequence[str]) -> None:
        """Writes down what an answer makes of it, also when the database is away for a moment: nothing else tells,
        where the API keeps neither keys nor a record."""
        end = time.monotonic() + BACK_SECONDS
        while True:
            try:
                self.settle_answer(mail, answer, replay, still)
                return
            except (StorageError, DBAPIError):
                if time.monotonic() >= end:
                    raise
                time.sleep(BACK_LOOK_SECONDS)

    def settle_answer(self, mail: QueuedMail, answer: Answer, replay: bool, still: Sequence[str]) -> None:
        attempts, now = mail.attempts + 1, self.now()
        if answer.verdict == "accepted":
            self.turn.took()
        elif not answer.permanent:
            self.turn.failed(now)
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
            # Attempts that an account's fault cost are among them: only time tells that it will never go.
            if now - mail.created_at >= GIVEN_UP_AFTER:
                step = Step("refused", f"{attempts} attempts failed, the last: {step.why}")
            else:
                step = Step("retry", answer.why, retry_at=step.retry_at)
        elif step.pause:
            self.done.stopped = step.pause
            if step.state == "planned":
                step = Step("retry", step.why, retry_at=now + timedelta(minutes=1))
        if not self.settle(mail, "sending", step, attempts, still) and not replay and answer.verdict == "not_accepted":
            # Taken over meanwhile, and not claimed since: the only request of its generation never was accepted.
            self.settle(mail, "uncertain", step, attempts, still)

    def charge(self, connection: Connection, mail: QueuedMail, now: datetime) -> None:
        """Counts it, whether or not enough is left. First what the account may be sent, then its domain, as a digest
        does: so neither waits for the other for ever."""
        account = f"{self.api.sheet.api}:{self.api.account}"
        charge = Charge(1, domain_counts([mail.to_email], self.limits.domains))
        for limits in (
            in_force(self.limits, account, now, self.publication.timezone),
            of_domains(self.limits, account),
        ):
            held = rate_limits.hold(connection, [limit.key for limit in limits if charge.of(limit)])
            rate_limits.put(connection, spend(limits, held, [charge], now))

    def may_be_posting(self, mail: QueuedMail) -> tuple[str, ...]:
        """The workers that it was taken from and that live: any of them may wake up in the middle of its request."""
        lives = lives_of(self.database, self.worker.directory, set(mail.owners) - {self.worker.id})
        return tuple(owner for owner in mail.owners if lives.get(owner) == "alive")

    def may_repeat(self, mail: QueuedMail, digest: str) -> bool:
        """Whether the same bytes under the same key are harmless: the API that posts now knows the key still."""
        return self.api_of(mail) is self.api and mail.sha256 == digest and self.is_known(mail, self.api)

    def is_known(self, mail: QueuedMail, api: MailAPI) -> bool:
        """Whether that mail API, which it went to, still knows its key."""
        return may_replay(
            self.unresolved(mail, in_flight=False),
            idempotency_seconds=api.sheet.idempotency_seconds,
            now=self.now(),
            lease_seconds=self.lease.seconds,
        )

    def now(self) -> datetime:
        """The database's own time."""
        with self.database.read() as connection:
            return database_now(connection)

    def look(self, mail: QueuedMail, still: Sequence[str]) -> None:
        """Asks the record of the API that an uncertain mail went to, which those workers may still be posting. Without
        a record it waits for that one's turn, if it knows the key until then, or for a person."""
        unresolved, now = self.unresolved(mail, in_flight=bool(still)), self.now()
        api = self.api_of(mail) or self.api
        way = way_on(
            unresolved,
            replayable=api is not self.api and self.is_known(mail, api),
            lookup=api.sheet.lookup,
            when_uncertain="ask",
            posting=True,
        )
        if way == "wait":
            step = Step("uncertain", "waits for the mail API that may have taken it", retry_at=now + TURN_IS_SEEN)
            self.settle(mail, "uncertain", step, mail.attempts, still)
            return
        if way != "look":
            self.settle(mail, "uncertain", Step("uncertain", "no proof either way"), mail.attempts, still)
            return
        with self.database.write() as connection:
            every = timedelta(seconds=api.sheet.lookup_every_seconds)
            wait = rate_limits.take_turn(connection, mail.api, mail.account, every, now)
        if wait:
            step = Step("uncertain", "waits until the mail API's record may be asked again", retry_at=now + wait)
            self.settle(mail, "uncertain", step, mail.attempts, still)
            return
        found = api.lookup([self.message_id(mail)], key=self.key(mail, mail.generation, api))
        if not found and not self.is_as_posted(mail, api):
            found = None
        step = after_lookup(
            None if found is None else len(found),
            1,
            unresolved,
            lag_seconds=api.sheet.lookup_lag_seconds,
            kept_seconds=api.sheet.lookup_kept_seconds,
            now=now,
            wait_seconds=wait_seconds(mail.attempts, self.rng.random()),
        )
        self.settle(mail, "uncertain", step, mail.attempts, still)

    def is_as_posted(self, mail: QueuedMail, api: MailAPI) -> bool:
        """Whether it comes out byte for byte as it was posted through that API: then it has the name that it had. Not
        so once `[web] url` is another."""
        try:
            return hashlib.sha256(api.build([self.message(mail)])).hexdigest() == mail.sha256
        except BadInput:
            return False

    def unresolved(self, mail: QueuedMail, *, in_flight: bool) -> Unresolved:
        since = mail.posted_at or mail.created_at
        same = self.api_of(mail) is not None
        return Unresolved(since, mail.first_posted_at or since, same, in_flight, mail.attempts)

    def settle(self, mail: QueuedMail, was: str, step: Step, attempts: int, still: Sequence[str] = ()) -> bool:
        with self.database.write() as connection:
            settled = settle_mail(connection, mail.id, was, step, attempts, still)
        if settled:
            self.count(step.state)
        return settled

    def count(self, state: str) -> None:
        field = state if state in ("accepted", "refused", "uncertain") else "later"
        setattr(self.done, field, getattr(self.done, field) + 1)

    def closed(self, mail: QueuedMail) -> str:
        return address_hash(normalise(mail.to_email).address, self.secret)

    def key(self, mail: QueuedMail, generation: int, api: MailAPI) -> str:
        whole = "\x1f".join((str(mail.id), str(generation), api.sheet.api, api.account, self.instance))
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
