"""What holds a delivery back although batches are there: quiet hours, a first wave that is looked at, limits, and an
issue that does badly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from syndicate.core.allowance import (
    ITS_TURN,
    Charge,
    Wait,
    afford,
    domain_counts,
    in_force,
    largest_request,
    of_domains,
    spend,
    take,
)
from syndicate.core.batch import Step
from syndicate.core.first_wave import Standing, past_limits, rest_goes_at, wave_spans
from syndicate.core.issue import Issue
from syndicate.core.quiet import quiet_until
from syndicate.services.deliver_issue.delivery import Delivery
from syndicate.storage import rate_limits
from syndicate.storage.batches import Spans
from syndicate.storage.claims import Planned
from syndicate.storage.issue_standing import first_wave_settled, standing_of
from syndicate.storage.ledger import Batch

STANDING_SECONDS = 10.0
STANDING_PART = 0.05
"""How an issue stands is looked at so often, and takes no more than this part of the time."""


@dataclass(frozen=True, slots=True)
class Held:
    """`until` when nothing may be claimed; `why` it waits, in a sentence, or ""; `spans` are the ordinals, as (first,
    last), at which a batch that is claimed may begin, or None for any; `pause` why the issue is to pause, or ""."""

    until: datetime | None = None
    why: str = ""
    spans: Spans | None = None
    pause: str = ""


class Restraint:
    """For one delivery of one issue. `look` before batches are looked for; `begin`, `settle` around a claim."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.newsletter, self.limits = delivery.newsletter, delivery.limits
        self.account = f"{delivery.mail_api.sheet.api}:{delivery.mail_api.account}"
        self._domains = of_domains(self.limits, self.account)
        self.at_domains = {limit.counts: limit.burst for limit in self._domains}
        """How many people at each limited domain one request may be for: of more, some span would hold too many."""
        self._wave_is_over = self.newsletter.first_wave is None
        self._next_standing = 0.0

    def look(self, connection: Connection, issue: Issue, now: datetime) -> Held:
        """What holds the issue back at this moment."""
        if self.newsletter.quiet is not None and issue.kind == "cadence":
            # Who sends by hand has seen what hour it is.
            until = quiet_until(self.newsletter.quiet, now, self.newsletter.timezone)
            if until is not None:
                return Held(until, f"It waits for the end of quiet hours, {self._shown(until, now)}.")
        held = Held() if self._wave_is_over else self._wave(connection, issue, now)
        if held.until is not None or held.pause:
            return held
        if time.monotonic() >= self._next_standing and (pause := self._standing(connection, issue)):
            return Held(pause=pause)
        if wait := self._account_wait(connection, now):
            return Held(wait.until, self._words(wait, now), held.spans)
        return held

    def _wave(self, connection: Connection, issue: Issue, now: datetime) -> Held:
        wave = self.newsletter.first_wave
        if wave is None or issue.planned is None or issue.standing_seen is not None:
            self._wave_is_over = True
            return Held()
        apis = (self.delivery.mail_api, *self.delivery.others)
        # By the larger of two, so that all processes agree whoever's turn it is.
        size = max(each.sheet.recipients_per_request for each in apis)
        spans = wave_spans(issue.planned, wave, size, issue.id)
        settled, waiting = first_wave_settled(connection, issue.id, spans)
        if settled is None:
            why = f"It waits for {waiting:,} of the requests of its first wave, which go later." if waiting else ""
            return Held(why=why, spans=spans)
        goes_at = rest_goes_at(settled, wave)
        if pause := self._standing(connection, issue):
            return Held(pause=pause)
        if now < goes_at:
            return Held(goes_at, f"It waits for a look at its first wave, until {self._shown(goes_at, now)}.", spans)
        self._wave_is_over = True
        return Held()

    def _standing(self, connection: Connection, issue: Issue) -> str:
        began = time.monotonic()
        standing = standing_of(connection, issue.id).since(issue.standing_seen or Standing())
        ended = time.monotonic()
        self._next_standing = ended + max(STANDING_SECONDS, (ended - began) / STANDING_PART)
        return past_limits(standing, self.newsletter.stop_at)

    def _account_wait(self, connection: Connection, now: datetime) -> Wait | None:
        """What the smallest request waits for, before any is built."""
        limits = in_force(self.limits, self.account, now, self.delivery.publication.timezone)
        if not limits:
            return None
        tats = rate_limits.read(connection, [limit.key for limit in limits])
        return afford(limits, tats, [Charge(1)], now)[1]

    def largest_request(self, now: datetime) -> int | None:
        """How many recipients a request may have at most for the account's limits, or None."""
        return largest_request(self.limits, now, self.delivery.publication.timezone)

    # --- around a claim ---

    def begin(
        self, connection: Connection, people: Sequence[Planned], now: datetime
    ) -> tuple[int, Wait | None]:
        """How many of the requests to these people may be claimed now, in this order, and what the next one waits for.
        What the account may be sent is held to commit, for `settle`."""
        limits = in_force(self.limits, self.account, now, self.delivery.publication.timezone)
        if not limits:
            return len(people), None
        held = rate_limits.hold(connection, [limit.key for limit in limits])
        return afford(limits, held, [Charge(len(each)) for each in people], now)

    def settle(self, connection: Connection, sizes: Sequence[int], now: datetime) -> None:
        """Counts what was claimed: the number of recipients of each request."""
        limits = in_force(self.limits, self.account, now, self.delivery.publication.timezone)
        if limits and sizes:
            held = rate_limits.hold(connection, [limit.key for limit in limits])
            rate_limits.put(connection, spend(limits, held, [Charge(size) for size in sizes], now))

    def domain_steps(
        self, connection: Connection, batches: Sequence[tuple[Batch, Planned]], now: datetime
    ) -> dict[int, Step]:
        """For batches that are too many for a receiving domain at this moment: the step to the time that is now kept
        for them. The others are counted.

        Times are given one after another, and each is kept; but what may go is told by what has gone. So a batch whose
        time came long ago (the issue was paused, nobody was there to send it) waits for another."""
        steps: dict[int, Step] = {}
        asked = [(batch, people) for batch, people in batches if batch.state == "planned" or _waits_its_turn(batch)]
        if not self._domains or not asked:
            return steps
        memories = {limit.counts: (limit, replace(limit, key=f"{limit.key}:gone")) for limit in self._domains}
        held = rate_limits.hold(connection, [limit.key for both in memories.values() for limit in both])
        for batch, people in asked:
            counts = domain_counts(people.everybody.without(people.excluded).emails, self.limits.domains)
            latest, words, going = now, "", {}
            for domain, count in counts.items():
                given, gone = memories[domain]
                going[gone.key], allowed_at = take(gone, held[gone.key], now, count)
                # One that is a little early, since the one before it was a little late, keeps its time.
                if not _waits_its_turn(batch) or allowed_at - now > gone.every / 2:
                    last = max(held[given.key], held[gone.key])
                    held[given.key], allowed_at = take(given, last, now, count)
                if allowed_at > latest:
                    latest, words = allowed_at, f"{domain} {ITS_TURN} {given.words}"
            if words:
                steps[batch.id] = Step("retry", words, retry_at=latest, counts=False)
            else:
                held |= going
        rate_limits.put(connection, held)
        return steps

    # --- words ---

    def _words(self, wait: Wait, now: datetime) -> str:
        what = "requests" if wait.limit.counts == "requests" else "recipients"
        return f"It waits for its limit of {what}, {wait.limit.words}, until {self._shown(wait.until, now)}."

    def _shown(self, moment: datetime, now: datetime) -> str:
        zone = ZoneInfo(self.newsletter.timezone)
        local, today = moment.astimezone(zone), now.astimezone(zone).date()
        if moment - now < timedelta(minutes=1):
            return f"{local:%H:%M:%S}"
        return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def _waits_its_turn(batch: Batch) -> bool:
    return batch.state == "retry" and ITS_TURN in batch.why
