"""A mail API in this process that tells the truth about what it took, for properties over very many deliveries.

How real dialects answer over a real connection is `tests.mail_api_server`'s; here stands only what the ledger must be
right about: taken or not, told or not, and what can be found out later.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from syndicate.core.message import Answer, CapabilitySheet, Message

Proof = Literal["keys", "record", "nothing"]
"""What tells whether a request whose answer was lost was taken."""
Outcome = Literal["taken", "taken, unheard", "lost", "turned away", "away", "refused", "in part", "account"]
"""away: for an hour. in part: each second message was not taken, for want of credits. account: none was, and no other
would be."""


class ModelAPI:
    """`outcomes` are used up one for each request; then comes what is `otherwise`: ordinarily all goes well. `dead`
    stands for a process that is gone: what it had under way is taken if `late_posts_arrive`, and nobody hears of it.
    One that answers `singly` refuses one bad address inside a request that it takes, and only such a one takes a
    request in part."""

    def __init__(self, proof: Proof, per_request: int, *, singly: bool = False, name: str = "model") -> None:
        self.sheet = CapabilitySheet(
            name,
            "this test",
            per_request,
            1_000_000,
            idempotency_seconds=86_400 if proof == "keys" else None,
            lookup=proof == "record",
        )
        self.proof: Proof = proof
        self.singly = singly
        self.account = f"{name}-account"
        self.url = "http://127.0.0.1:9/"
        self.taken: list[str] = []
        self.outcomes: list[Outcome] = []
        self.otherwise: Outcome = "taken"
        self.bad: set[str] = set()
        self.dead = False
        self.late_posts_arrive = False
        self.parted: set[str] = set()
        """Who was in a request of which only some were taken: were its answer lost, nothing tells who."""
        self._keys: dict[str, tuple[bytes, Answer]] = {}
        self._record: set[str] = set()

    def build(self, messages: Sequence[Message]) -> bytes:
        return json.dumps([[each.message_id, each.to_email] for each in messages]).encode()

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        outcome: Outcome = self.outcomes.pop(0) if self.outcomes and not self.dead else self.otherwise
        if self.dead:
            outcome = "taken, unheard" if self.late_posts_arrive else "lost"
        people = [(message_id, to) for message_id, to in json.loads(body)]
        bad = [place for place, (_, to) in enumerate(people) if to in self.bad]
        if outcome == "lost":
            return Answer("uncertain", "the connection broke")
        if outcome == "turned away":
            return Answer("not_accepted", "too many requests", retry_after_seconds=0.0)
        if outcome == "away":
            return Answer("not_accepted", "come back in an hour", retry_after_seconds=3600.0)
        if outcome == "account":
            return Answer("not_accepted", "the account is closed", stops=True)
        kept = self._keys.get(key) if self.proof == "keys" else None
        if kept is not None and kept[0] != body:
            return Answer("not_accepted", "the key was used for another body", permanent=True)
        if kept is None and (outcome == "refused" or (bad and not (self.singly and len(bad) < len(people)))):
            return Answer("not_accepted", "one address is bad", permanent=bool(bad))
        answer = kept[1] if kept is not None else self._take(people, bad, in_part=outcome == "in part")
        self._keys[key] = (body, answer)
        if outcome == "taken, unheard":
            return Answer("uncertain", "the answer was lost")
        return answer

    def _take(self, people: list[tuple[str, str]], bad: list[int], *, in_part: bool) -> Answer:
        good = [place for place in range(len(people)) if place not in bad]
        left = frozenset(good[1::2] if in_part and self.singly else ())
        taken = [people[place] for place in good if place not in left]
        self._record |= {message_id for message_id, _ in taken}
        self.taken += [to for _, to in taken]
        if len(taken) < len(people):
            self.parted |= {to for _, to in people}
        refused = dict.fromkeys(bad, "this address is bad")
        return Answer("accepted", "no credits" if left else "", refused, stops=bool(left), not_taken=left)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return frozenset(message_ids) & self._record if self.proof == "record" and not self.dead else None
