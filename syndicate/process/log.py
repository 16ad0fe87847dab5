"""What the running product says: one line for each event, for a terminal and, as JSON, for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

HIDDEN = "•••"
SHORTEST_SECRET = 4
"""Shorter ones would hide half of every line, and hide nothing."""


class Log:
    """Lines of one role. Each tells an event by name, a sentence for people, and figures for programs."""

    def __init__(self, role: str) -> None:
        self._logger = logging.getLogger(f"syndicate.{role}")

    def say(self, event: str, sentence: str, **figures: Any) -> None:
        """Something happened as it should."""
        self._logger.info(sentence, extra={"event": event, "figures": figures})

    def warn(self, event: str, sentence: str, **figures: Any) -> None:
        """Something is off; the sentence holds the cure."""
        self._logger.warning(sentence, extra={"event": event, "figures": figures})

    def fail(self, event: str, sentence: str, **figures: Any) -> None:
        """Something unforeseen was raised: the line is followed by where."""
        self._logger.error(sentence, extra={"event": event, "figures": figures}, exc_info=True)


def start_log(*, as_json: bool = False, secrets: Iterable[str] = ()) -> None:
    """From here on every line of this process, and of the packages that it uses, goes to standard error in one form;
    none of `secrets` appears in any."""
    # Whoever reads the lines may go away: that is no reason to stop working.
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(as_json=as_json, secrets=secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("syndicate").setLevel(logging.INFO)


class _Lines(logging.Formatter):
    def __init__(self, *, as_json: bool, secrets: Iterable[str]) -> None:
        super().__init__()
        self._as_json = as_json
        self._secrets = sorted({each for each in secrets if len(each) >= SHORTEST_SECRET}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        role = record.name.removeprefix("syndicate.")
        sentence = self._hush(" ".join(record.getMessage().split()))
        where = self._hush(self.formatException(record.exc_info)) if record.exc_info else ""
        moment = datetime.fromtimestamp(record.created, UTC)
        if not self._as_json:
            mark = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
            line = f"{moment:%Y-%m-%dT%H:%M:%SZ} {role:<5} {mark}{sentence}"
            return f"{line}\n{where}" if where else line
        value = {
            "at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "role": role,
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "text": sentence,
            **getattr(record, "figures", {}),
        }
        if where:
            value["where"] = where
        return self._hush(json.dumps(value, ensure_ascii=False, default=str))

    def _hush(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text
