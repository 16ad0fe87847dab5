"""What a folder holds right now: names, sizes and times, without opening a file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from syndicate.errors import BadInput
from syndicate.sources.article_file import KINDS

_ENDINGS = tuple(KINDS)
_SCRATCH = (".", "~$", "#")
"""How names of hidden files, office locks and editors' unsaved copies begin; those that end in `~`, `.tmp`, `.swp`,
`.part` or `.lock` do not end like an article anyway."""
# Surrogates stand for bytes that are no UTF-8; the rest would garble a terminal, a log or the order of the letters.
_BAD_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Stamp(NamedTuple):
    """Size in bytes, times in nanoseconds since 1970, and the inode of one file."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """From what the system says."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    @property
    def fingerprint(self) -> str:
        """The mark of an unchanged file. The inode is in it because a file put in the place of another may carry the
        same size and time; the time of change is not, because a rename or a backup moves it."""
        return f"{self.size}-{self.modified}-{self.inode}"


@dataclass(slots=True)
class Scan:
    """`files` by key, in no order; `problems` by key, one sentence each; `unread` are folders (with a closing slash)
    that could not be listed: nothing is known of what is in them."""

    files: dict[str, Stamp] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def counts(name: str) -> bool:
    """Whether a file of that name (without folders) can be an article."""
    return name.lower().endswith(_ENDINGS) and not name.startswith(_SCRATCH)


def scan_folder(root: Path) -> Scan:
    """Every article file below `root`, which may itself be a link.

    Empty files do not count. Links are not followed: one that stays inside names a file that is read anyway, one that
    leads out is a problem. Raises BadInput when `root` cannot be listed.
    """
    scan = Scan()
    real_root = os.path.realpath(root)
    pending = [("", str(root))]
    while pending:
        prefix, path = pending.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    _take(entry, prefix, real_root, scan, pending)
        except OSError as error:
            if not prefix:
                raise BadInput(
                    f"The folder {root} cannot be read ({error.strerror}).",
                    cure="Make it, make it readable, or change `path` in syndicate.toml.",
                ) from None
            if not isinstance(error, FileNotFoundError):
                scan.problems[prefix] = f"this folder cannot be read ({error.strerror}). Make it readable."
                scan.unread.append(prefix)
    return scan


def _take(entry: os.DirEntry[str], prefix: str, real_root: str, scan: Scan, pending: list[tuple[str, str]]) -> None:
    name = entry.name
    if name.startswith("."):
        return
    try:
        if entry.is_symlink():
            if (counts(name) or os.path.isdir(entry.path)) and not _stays_inside(entry.path, real_root):
                scan.problems[printable(prefix + name)] = (
                    "it is a link that leads out of the folder. Put a copy here, or name the other folder as a source."
                )
        elif entry.is_dir(follow_symlinks=False):
            if _BAD_IN_NAMES.search(name) is None:
                pending.append((f"{prefix}{name}/", entry.path))
            else:
                scan.problems[printable(f"{prefix}{name}/")] = _bad_name("folder")
        elif counts(name) and entry.is_file(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            if status.st_size == 0:
                return
            if _BAD_IN_NAMES.search(name) is None:
                scan.files[prefix + name] = Stamp.of(status)
            else:
                scan.problems[printable(prefix + name)] = _bad_name("file")
    except FileNotFoundError:
        return  # gone between being listed and being looked at
    except OSError as error:
        scan.problems[printable(prefix + name)] = f"it cannot be read ({error.strerror}). Make it readable."


def _stays_inside(path: str, real_root: str) -> bool:
    target = os.path.realpath(path)
    return target == real_root or target.startswith(real_root.rstrip(os.sep) + os.sep)


def printable(name: str) -> str:
    """The name as it can be stored and shown, its bad characters written out."""
    return _BAD_IN_NAMES.sub(lambda each: each.group().encode("unicode_escape", "backslashreplace").decode(), name)


def _bad_name(kind: str) -> str:
    return f"the name of this {kind} is not UTF-8, or holds characters that cannot be shown. Rename it."
