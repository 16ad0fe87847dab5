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
Outcome = Literal["taken", "taken, unheard", "lost", "turned away", "refused"]


class ModelAPI:
    """`outcomes` are used up one for each request; then all goes well. `dead` stands for a process that is gone: what
    it had under way is taken if `late_posts_arrive`, and nobody hears of it."""

    def __init__(self, proof: Proof, per_request: int) -> None:
        self.sheet = CapabilitySheet(
            "model",
            "this test",
            per_request,
            1_000_000,
            idempotency_seconds=86_400 if proof == "keys" else None,
            lookup=proof == "record",
        )
        self.proof: Proof = proof
        self.account = "model-account"
        self.url = "http://127.0.0.1:9/"
        self.taken: list[str] = []
        self.outcomes: list[Outcome] = []
        self.bad: set[str] = set()
        self.dead = False
        self.late_posts_arrive = False
        self._keys: dict[str, bytes] = {}
        self._record: set[str] = set()

    def build(self, messages: Sequence[Message]) -> bytes:
        return json.dumps([[each.message_id, each.to_email] for each in messages]).encode()

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        outcome: Outcome = self.outcomes.pop(0) if self.outcomes and not self.dead else "taken"
        if self.dead:
            outcome = "taken, unheard" if self.late_posts_arrive else "lost"
        people = [(message_id, to) for message_id, to in json.loads(body)]
        if outcome == "lost":
            return Answer("uncertain", "the connection broke")
        if outcome == "turned away":
            return Answer("not_accepted", "too many requests", retry_after_seconds=0.0)
        if outcome == "refused" or any(to in self.bad for _, to in people):
            return Answer("not_accepted", "one address is bad", permanent=any(to in self.bad for _, to in people))
        known = self.proof == "keys" and key in self._keys
        if known and self._keys[key] != body:
            return Answer("not_accepted", "the key was used for another body", permanent=True)
        if not known:
            self._keys[key] = body
            self._record |= {message_id for message_id, _ in people}
            self.taken += [to for _, to in people]
        if outcome == "taken, unheard":
            return Answer("uncertain", "the answer was lost")
        return Answer("accepted", "")

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return frozenset(message_ids) & self._record if self.proof == "record" and not self.dead else None
