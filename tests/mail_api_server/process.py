"""The same server in a process of its own, for tests that kill or that must not share an interpreter lock."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]


class MailApiProcess:
    """`python -m tests.mail_api_server` for a `with` block; the arguments are those of its command line."""

    def __init__(
        self,
        dialect: str,
        journal: Path,
        *,
        faults: Iterable[str] = (),
        chances: Iterable[str] = (),
        seed: int = 0,
        api_key: str = "",
        refuse: Iterable[str] = (),
        minute: float = 60.0,
    ) -> None:
        self.journal = journal
        self._command = [sys.executable, "-m", "tests.mail_api_server", "--port", "0", "--dialect", dialect]
        self._command += ["--journal", str(journal), "--seed", str(seed), "--api-key", api_key]
        self._command += ["--minute", str(minute)]
        for option, values in (("--fault", faults), ("--chance", chances), ("--refuse", refuse)):
            for value in values:
                self._command += [option, value]
        self.url = ""

    def __enter__(self) -> MailApiProcess:
        # Ctrl-C in a terminal is for whoever uses it.
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the mail API server did not start: exit {self._process.wait()}")
        self.url = json.loads(line)["url"]
        return self

    def control(self, **change: object) -> None:
        """`pid=N` says whom to kill, `until=N` how many messages are taken in all; `plan={"faults": […], "chances":
        […], "seed": N}` begins counting anew."""
        control(self.url, **change)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stdin):
            if stream is not None:
                stream.close()


def control(url: str, **change: object) -> None:
    """As `MailApiProcess.control`, from any process that knows the server's address."""
    told = json.dumps(change).encode()
    parts = urlsplit(url)
    if parts.scheme == "smtp":
        assert parts.hostname and parts.port
        with socket.create_connection((parts.hostname, parts.port), 10) as connection:
            said = connection.makefile("rb")
            said.readline()
            connection.sendall(b"XCONTROL %b\r\nQUIT\r\n" % told)
            assert said.read().startswith(b"250")
        return
    with urlopen(Request(f"{url}/_control", told, {"Content-Type": "application/json"}), timeout=10) as answer:
        answer.read()
