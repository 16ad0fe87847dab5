"""The append-only record of what a mail API accepted: the truth that a test compares the ledger with."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One message taken: number and key ("" without) of its request, Message-ID, recipient, vendor id."""

    request: int
    key: str
    message_id: str
    to: str
    id: str


class Journal:
    """Appends acceptances to a file, durable before `append` returns. One process writes it; the caller locks."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, acceptances: Iterable[Acceptance]) -> None:
        lines = "".join(json.dumps(asdict(acceptance)) + "\n" for acceptance in acceptances)
        os.write(self._file, lines.encode())
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def read_journal(path: Path) -> list[Acceptance]:
    """Every acceptance so far, in order; a last line cut short by a kill of the server itself is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [Acceptance(**json.loads(line)) for line in lines]


def lost(journal: Iterable[Acceptance], expected: Iterable[str]) -> set[str]:
    """Those of the expected addresses for whom nothing was accepted."""
    return set(expected) - {acceptance.to for acceptance in journal}


def doubled(journal: Iterable[Acceptance]) -> dict[str, int]:
    """Addresses for whom more than one message was accepted, with how many."""
    return {to: count for to, count in Counter(acceptance.to for acceptance in journal).items() if count > 1}
