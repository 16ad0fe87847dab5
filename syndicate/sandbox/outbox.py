"""The folder of mails that the sandbox took: one `.eml` each, and an index that can always be made anew from them."""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from pathlib import Path
from typing import Any

from syndicate.mail.mime import Mailbox
from syndicate.sandbox.eml import Mail, write_eml

Summary = dict[str, Any]
"""A mail as Mailpit's MessageSummary: ID, MessageID, From, To, Cc, Bcc, ReplyTo, Subject, Created, Size, Snippet, …"""

_SNIPPET = 250
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_HEAD = 65_536


class Outbox:
    """Safe to use from several threads of one process; `start` sees to it that only one process has it.

    IDs grow with time and are never used twice. A second mail with the same Message-ID is a second mail: what was sent
    twice must show.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self._now = now
        self._lock = threading.Lock()
        self._last = 0
        self._lines: list[str] = []
        self._places: dict[str, int] = {}
        self._by_message_id: dict[str, list[int]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._load()
        self._index = (folder / "index").open("a", encoding="utf-8")

    def close(self) -> None:
        self._index.close()
        os.close(self._directory)

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, mail: Mail) -> str:
        """Stores the mail and returns its ID. When it returns, the mail outlives a kill and a loss of power."""
        arrived = self._now()
        id_ = self._next_id(arrived)
        raw = write_eml(mail, arrived=arrived, id_=id_)
        unfinished = self.folder / f".{id_}.part"
        with unfinished.open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self.folder / f"{id_}.eml")
        os.fsync(self._directory)
        line = json.dumps(_summary_of_mail(mail, id_, arrived, len(raw)))
        with self._lock:
            self._remember(id_, line, mail.message_id.strip("<>") or f"{id_}@sandbox.invalid")
            self._index.write(line + "\n")
            self._index.flush()
        return id_

    def raw(self, id_: str) -> bytes | None:
        """The mail's octets; None when there is no such mail. `latest` is the newest."""
        with self._lock:
            if id_ == "latest" and self._lines:
                id_ = json.loads(self._lines[-1])["ID"]
            if id_ not in self._places:
                return None
        try:
            return (self.folder / f"{id_}.eml").read_bytes()
        except FileNotFoundError:
            return None

    def summary(self, id_: str) -> Summary:
        """Of a mail that is there."""
        with self._lock:
            summary: Summary = json.loads(self._lines[-1 if id_ == "latest" else self._places[id_]])
        return summary

    def page(self, start: int, limit: int) -> list[Summary]:
        """Newest first."""
        with self._lock:
            end = max(len(self._lines) - start, 0)
            lines = self._lines[max(end - limit, 0) : end]
        return [json.loads(line) for line in reversed(lines)]

    def search(self, query: str) -> list[Summary]:
        """Newest first: `message-id:`, `to:`, `from:` and `subject:` find parts in any case, other words are sought in
        all of these; all must match. Raises ValueError for a filter of Mailpit's that is not known here."""
        wanted = [_term(word) for word in _WORD.findall(query)]
        with self._lock:
            lines = list(self._candidates(wanted))
        summaries = (json.loads(line) for line in lines)
        return [summary for summary in summaries if all(part in _text_of(summary, field) for field, part in wanted)]

    def _candidates(self, wanted: list[tuple[str, str]]) -> Iterator[str]:
        """A look-up of whole Message-IDs must not read a hundred thousand lines."""
        for field, part in wanted:
            if field == "message-id" and part in self._by_message_id:
                return (self._lines[place] for place in reversed(self._by_message_id[part]))
            if field == "message-id" and not any(part in known for known in self._by_message_id):
                return iter(())
        return reversed(self._lines)

    def _next_id(self, arrived: datetime) -> str:
        with self._lock:
            self._last = max(self._last + 1, int(arrived.timestamp() * 1_000_000))
            return f"{self._last:014x}{secrets.token_hex(3)}"

    def _remember(self, id_: str, line: str, message_id: str) -> None:
        self._places[id_] = len(self._lines)
        self._by_message_id.setdefault(message_id.lower(), []).append(len(self._lines))
        self._lines.append(line)

    def _load(self) -> None:
        """What the index says of the files that are there; the rest is read from the files themselves."""
        index = self.folder / "index"
        names = os.listdir(self.folder)
        for name in names:
            if name.startswith(".") and name.endswith(".part"):
                (self.folder / name).unlink()
        missing = {name.removesuffix(".eml") for name in names if name.endswith(".eml")}
        known: list[tuple[str, str, str]] = []
        written = index.read_text(encoding="utf-8", errors="replace").split("\n") if index.exists() else []
        for line in written:
            try:
                summary = json.loads(line)
                entry = (summary["ID"], line, summary["MessageID"])
            except (ValueError, TypeError, KeyError):
                continue  # cut short by a kill
            if entry[0] in missing:
                missing.remove(entry[0])
                known.append(entry)
        for id_ in missing:
            summary = _summary_of_file(self.folder / f"{id_}.eml")
            known.append((id_, json.dumps(summary), summary["MessageID"]))
        for id_, line, message_id in sorted(known):
            self._remember(id_, line, message_id)
        if known:
            self._last = max(int(id_[:14], 16) for id_, _, _ in known if re.fullmatch("[0-9a-f]{14,}", id_[:14]))
        if missing or len(written) != len(known) + 1:
            unfinished = self.folder / ".index.part"
            unfinished.write_text("".join(f"{line}\n" for line in self._lines), encoding="utf-8")
            unfinished.replace(index)


def _term(word: str) -> tuple[str, str]:
    field, colon, value = word.partition(":")
    if colon and field.lower() in ("message-id", "to", "from", "subject"):
        return field.lower(), value.replace('"', "").strip("<>").lower()
    if colon and field.lower().lstrip("-!") in ("is", "has", "before", "after", "tag", "cc", "bcc", "reply-to"):
        raise ValueError(f"the sandbox knows no filter {field}:")
    return "", word.replace('"', "").lower()


def _text_of(summary: Summary, field: str) -> str:
    if field == "message-id":
        return str(summary["MessageID"]).lower()
    found = {
        "to": summary["To"],
        "from": [summary["From"]],
        "subject": [{"Name": summary["Subject"], "Address": ""}],
    }
    chosen = found[field] if field else [box for boxes in found.values() for box in boxes]
    return " ".join(f"{box['Name']} <{box['Address']}>" for box in chosen).lower()


def _box(box: Mailbox) -> dict[str, str]:
    return {"Name": box.name, "Address": box.email}


def _summary_of_mail(mail: Mail, id_: str, arrived: datetime, size: int) -> Summary:
    return {
        "ID": id_,
        "MessageID": mail.message_id.strip("<>") or f"{id_}@sandbox.invalid",
        "Read": False,
        "From": _box(mail.sender),
        "To": [_box(box) for box in mail.to],
        "Cc": [_box(box) for box in mail.cc],
        "Bcc": [_box(box) for box in mail.bcc],
        "ReplyTo": [_box(box) for box in mail.reply_to],
        "Subject": mail.subject,
        "Created": arrived.isoformat().replace("+00:00", "Z"),
        "Tags": list(mail.tags),
        "Size": size,
        "Attachments": 0,
        "Snippet": " ".join(mail.text[: 2 * _SNIPPET].split())[:_SNIPPET],
    }


def _summary_of_file(path: Path) -> Summary:
    """As far as the head of the file tells: for files whose line in the index was lost."""
    with path.open("rb") as file:
        # The old parser: it is thirty times as fast as the new one, and reads encoded names as RFC 2047 wants.
        message = BytesHeaderParser().parsebytes(file.read(_HEAD).partition(b"\r\n\r\n")[0])
    created = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    boxes = {name: _boxes_of(message, name) for name in ("From", "To", "Cc", "Reply-To")}
    return {
        "ID": path.stem,
        "MessageID": str(message.get("Message-ID", "")).strip("<> "),
        "Read": False,
        "From": (boxes["From"] or [{"Name": "", "Address": ""}])[0],
        "To": boxes["To"],
        "Cc": boxes["Cc"],
        "Bcc": [],
        "ReplyTo": boxes["Reply-To"],
        "Subject": _decoded(message.get("Subject", "")),
        "Created": created.isoformat().replace("+00:00", "Z"),
        "Tags": [tag for tag in _decoded(message.get("X-Tags", "")).split(", ") if tag],
        "Size": path.stat().st_size,
        "Attachments": 0,
        "Snippet": "",
    }


def _boxes_of(message: Message, name: str) -> list[dict[str, str]]:
    boxes = getaddresses([_unfolded(message.get(name, ""))])
    return [{"Name": _decoded(called), "Address": address} for called, address in boxes if address]


def _decoded(words: str) -> str:
    return str(make_header(decode_header(_unfolded(words)))) if "=?" in words else words


def _unfolded(value: str) -> str:
    return value.replace("\r\n", "").replace("\n", "")
