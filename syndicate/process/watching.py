"""Watch the folders of sources, so that a saved file is collected at once. It only hurries what goes on anyway."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from watchfiles import watch

from syndicate.process.log import Log
from syndicate.process.loops import Loops

LOOK_SECONDS = 1.0
"""How often it is looked whether the folders are still the same ones."""
GROUP_MILLISECONDS = 400
"""Changes that follow one another within a few milliseconds are one, for at most so long."""
POLL_MILLISECONDS = 1000

Identity = tuple[int, int] | None


class Watcher:
    """Calls `changed` with the name of each source in whose folder something changed. `folders` maps names to
    folders."""

    def __init__(
        self,
        folders: Mapping[str, Path],
        changed: Callable[[str], None],
        loops: Loops,
        log: Log,
        *,
        polling: bool = False,
    ) -> None:
        self._folders, self._changed, self._loops, self._log = folders, changed, loops, log
        self._polling = polling

    def step(self) -> None:
        """Watches until a folder comes, goes or is replaced, or the end. Where the system cannot watch, it looks every
        second instead."""
        there = self._there()
        roots = {name: os.path.realpath(self._folders[name]) for name, identity in there.items() if identity}
        if not roots:
            self._loops.stop.wait(LOOK_SECONDS)
            return
        begun = False
        try:
            for changes in watch(
                *sorted(set(roots.values())),
                watch_filter=None,
                debounce=GROUP_MILLISECONDS,
                rust_timeout=int(LOOK_SECONDS * 1000),
                yield_on_timeout=True,
                stop_event=self._loops.stop,
                raise_interrupt=False,
                force_polling=self._polling or None,
                poll_delay_ms=POLL_MILLISECONDS,
                ignore_permission_denied=True,
            ):
                for name, root in roots.items():
                    # The first time for all: what came before the watch began was told by nobody.
                    if not begun or any(_inside(path, root) for _, path in changes):
                        self._changed(name)
                begun = True
                if self._there() != there:
                    return
        except (OSError, RuntimeError) as error:
            if self._polling or self._there() != there:
                self._loops.stop.wait(LOOK_SECONDS)
                return
            self._polling = True
            self._log.warn(
                "watching",
                f"The folders cannot be watched ({error}): they are looked through every second instead. "
                "`sysctl fs.inotify.max_user_watches` tells how many folders this machine watches at most.",
            )

    def _there(self) -> dict[str, Identity]:
        return {name: _identity(folder) for name, folder in self._folders.items()}


def _identity(folder: Path) -> Identity:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _inside(path: str, root: str) -> bool:
    name = os.path.basename(path)
    return not name.startswith(".") and (path == root or path.startswith(root.rstrip(os.sep) + os.sep))
