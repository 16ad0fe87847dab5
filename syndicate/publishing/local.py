"""A folder of this machine as a target: what any web server can serve."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from time import time

from syndicate.errors import BadInput, SyndicateError

LEFTOVER_SECONDS = 600
"""A temporary file older than this belongs to a publisher that was killed."""

MOST_NAMES = 5_000
"""Names in a folder that are looked at for such files: the articles' folder may hold millions."""

_CURE = "Free space or correct the folder's permissions, then publish again."
_numbers = count(1)
_PLAIN = re.compile(r"[^./\\:][^/\\:]*(/[^./\\:][^/\\:]*)*")


class Local:
    """Files in `folder`, which is made when the first is put.

    A file is written under a hidden name beside its own and renamed, so that a reader meets the old bytes or the new
    ones. The disk is not waited for: everything here can be published again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = os.fspath(folder)
        self._parents: set[str] = set()

    def put(self, path: str, content: bytes) -> bool:
        """Puts the bytes there as a whole; False when it already held them. Raises BadInput for a path that leads, or
        could lead, outside of the folder, and SyndicateError when the disk refuses."""
        file = self._file(path)
        if _holds(file, content):
            return False
        try:
            if (parent := os.path.dirname(file)) not in self._parents or not os.path.isdir(parent):
                self._prepare(parent, path)
            # In its own folder: a rename across folders locks the whole file system.
            temporary = f"{parent}/.{os.getpid()}-{next(_numbers)}.part"
            try:
                with open(temporary, "wb") as opened:
                    opened.write(content)
                os.replace(temporary, file)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise
        except OSError as error:
            raise SyndicateError(f"{file} cannot be written: {error.strerror or error}.", cure=_CURE) from error
        return True

    def get(self, path: str) -> bytes | None:
        """The bytes there, or None."""
        try:
            return Path(self._file(path)).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def remove(self, path: str) -> bool:
        """Removes it; False when there was nothing."""
        try:
            os.unlink(self._file(path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def holds(self, path: str) -> bool:
        """Whether something is there that is not empty: what a machine that lost its power may leave is empty."""
        try:
            return os.stat(self._file(path)).st_size > 0
        except OSError:
            return False

    def _file(self, path: str) -> str:
        """Plain names divided by `/`: neither absolute nor hidden, no way up, no drive, nothing unprintable."""
        if not _PLAIN.fullmatch(path) or not path.isprintable():
            raise BadInput(f"{path!r} is not a path inside the folder of feeds.", cure="Use plain names divided by /.")
        return f"{self._root}/{path}"

    def _prepare(self, parent: str, path: str) -> None:
        """Makes the folder, once; a link inside ours must not lead out of it (ours may itself be one)."""
        os.makedirs(parent, exist_ok=True)
        real, root = os.path.realpath(parent), os.path.realpath(self._root)
        if real != root and not real.startswith(root.rstrip("/") + "/"):
            raise BadInput(f"{path!r} leads out of {self.folder}.", cure="Remove the symbolic link that is in its way.")
        _sweep(parent)
        self._parents.add(parent)


def _sweep(folder: str) -> None:
    with suppress(OSError), os.scandir(folder) as names:
        for each in islice(names, MOST_NAMES):
            temporary = each.name.startswith(".") and each.name.endswith(".part")
            if temporary and each.stat().st_mtime < time() - LEFTOVER_SECONDS:
                os.unlink(each.path)


def _holds(file: str, content: bytes) -> bool:
    try:
        if os.stat(file).st_size != len(content):
            return False
        with open(file, "rb") as opened:
            return opened.read() == content
    except OSError:
        return False
