"""`syndicate run` in processes of its own, watched from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.end_to_end.site import SiteFolder
from tests.process.waiting import until


class Running:
    """One `syndicate run --json` and the lines that it and its children wrote."""

    def __init__(self, site: SiteFolder, *options: str) -> None:
        self.site = site
        self.lines: list[dict[str, Any]] = []
        self.stray: list[str] = []
        """Lines in no form: nobody should write one."""
        self.process = subprocess.Popen(
            site.command("run", "--json", *options),
            env=site.environment(),
            cwd=site.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._ears = threading.Thread(target=self._listen, daemon=True)
        self._ears.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.stray.append(line)

    def invitation(self) -> str:
        """The one-time link that makes the first user, as it was printed."""
        assert self.process.stdout is not None
        lines = [*takewhile(lambda line: line != "}\n", self.process.stdout), "}"]
        return str(json.loads("".join(lines))["first_user_link"])

    def heard(self, event: str, role: str | None = None) -> list[dict[str, Any]]:
        """What was told of that event."""
        return [each for each in self.lines if each["event"] == event and role in (None, each["role"])]

    def up(self, event: str = "up") -> Running:
        """Waits until all of it works; one role alone says so by an `event` of its own."""
        until(lambda: self.heard(event) or self.process.poll() is not None)
        assert self.heard(event), (self.lines, self.stray)
        return self

    @property
    def address(self) -> str:
        """Where the web server listens, without a slash at the end."""
        return str(self.heard("up")[-1]["feeds"]).removesuffix("/feeds/")

    def get(self, path: str) -> bytes:
        """What is there; b"" when nothing is."""
        with suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"{self.address}{path}", timeout=60) as answer:
                return bytes(answer.read())
        return b""

    def child(self, role: str) -> int:
        """The process id of the child of that role that runs now; 0 while there is none."""
        for each in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            for pid in each.read_text().split():
                words = _words(int(pid))
                if "--role" in words and words[words.index("--role") + 1] == role:
                    return int(pid)
        return 0

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Tells it to leave, and returns its exit status."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(seconds)
        self._ears.join(seconds)
        return status

    def close(self) -> None:
        """Ends whatever is left of it."""
        children = [self.child(role) for role in ("web", "work")]
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in filter(None, children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._ears.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
    except OSError:
        return []


def runs(pid: int) -> bool:
    """Whether the process runs; one that ended and was not asked for its status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def running(site: SiteFolder, *options: str) -> Iterator[Running]:
    """`syndicate run` at a free port, up; whatever is left of it is ended."""
    run = Running(site, *(options or ("--port", "0")))
    try:
        yield run
    finally:
        run.close()
