"""What goes wrong at which request: faults by number or by chance, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

KINDS: Final[Mapping[str, str]] = {
    "drop_before_body": "the connection is reset before the body is read; nothing is accepted",
    "drop_mid_body": "the connection is reset when half of the body has been read; nothing is accepted",
    "drop_after_body": "the whole body is read, nothing is accepted, the connection is reset without an answer",
    "drop_after_accept": "accepted and journalled, then the connection is reset without an answer",
    "drop_in_answer": "accepted, half of the answer is sent, then the connection is reset",
    "delay": "accepted, and the answer comes `value` seconds later (default 1)",
    "delay_before_accept": "accepted `value` seconds later (default 1), whether or not the sender still listens",
    "drip": "accepted, and the answer comes one byte each `value` seconds (default 1)",
    "rate_limited": "429 with Retry-After `value` seconds (default 1); nothing is accepted",
    "quota": "429 daily quota reached, Retry-After `value` seconds (default 3600); nothing is accepted",
    "server_error": "500; nothing is accepted",
    "gateway_timeout": "accepted, but the answer is a gateway's 504 in HTML",
    "garbage": "accepted, but the body of the 200 is not JSON",
    "html": "nothing is accepted: the answer is 200 with an HTML page, as of a login page in between",
    "short": "accepted, but the 200 names fewer messages than were sent",
    "redirect": "307 to another address of this server, where nothing is accepted",
    "unauthorized": "401: the key is refused; nothing is accepted",
    "invalid": "the whole request is refused as invalid (422 or 400); nothing is accepted",
    "kill_before": "SIGKILL to the pid when the head of the request has come; nothing is accepted",
    "kill_mid_body": "SIGKILL when half of the body has come; nothing is accepted",
    "kill_after_accept": "accepted, then SIGKILL before the answer",
    "kill_after_answer": "accepted and answered, then SIGKILL",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. `value` is seconds where KINDS says so."""

    kind: str
    value: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; known: {', '.join(KINDS)}")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """`kind` or `kind=value`."""
        kind, _, value = text.partition("=")
        return cls(kind, float(value) if value else None)


@dataclass(frozen=True, slots=True)
class Plan:
    """Faults by request number (1 is the first POST) and, for all other requests, by chance.

    `chances` maps a kind to its probability in 0…1; their sum is at most 1. Whether request n fails, and how, depends
    only on (seed, n), so that a printed seed reproduces a run.
    """

    at: Mapping[int, Fault] = field(default_factory=dict)
    chances: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def fault(self, number: int) -> Fault | None:
        """What happens to that request, None when all goes well."""
        if number in self.at:
            return self.at[number]
        draw = random.Random(f"{self.seed}:{number}").random()
        for kind, chance in self.chances.items():
            draw -= chance
            if draw < 0:
                return Fault(kind)
        return None

    @classmethod
    def parse(cls, faults: Iterable[str] = (), chances: Iterable[str] = (), seed: int = 0) -> Plan:
        """From `3:drop_after_accept`, `5:delay=0.5` and `drop_after_accept=0.05`."""
        at = {}
        for text in faults:
            number, _, fault = text.partition(":")
            at[int(number)] = Fault.parse(fault)
        parsed = [Fault.parse(text) for text in chances]
        return cls(at, {fault.kind: fault.value or 0.0 for fault in parsed}, seed)
