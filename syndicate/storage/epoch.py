"""The epoch beside the database: one small file in the site's folder that no backup of the database takes along."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "epoch"


def read_epoch(folder: Path, instance: str) -> int | None:
    """The epoch of the database that is called `instance`; None when nothing is known of it here."""
    return _read(folder / FILE).get(instance)


def raise_epoch(folder: Path, instance: str, epoch: int) -> None:
    """Writes it durably, unless it is as high already."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        epochs = _read(folder / FILE)
        if epochs.get(instance, -1) >= epoch:
            return
        new = folder / f"{FILE}.new"
        with new.open("w", encoding="ascii") as file:
            json.dump({**epochs, instance: epoch}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / FILE)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): epoch for name, epoch in found.items() if isinstance(epoch, int)}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / f"{FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
