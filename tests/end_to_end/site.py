"""A real site in a folder, driven by real commands in processes of their own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from syndicate.cli import main

ROOT = Path(__file__).resolve().parents[2]
CADENCE = "mon-fri 07:00"
"""What `init` writes."""


def call(
    folder: Path, *arguments: str, stdin: str = "", environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """One command to its end in this process, run in that folder."""
    out, err = io.StringIO(), io.StringIO()
    status: int | str | None = None
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", ["syndicate", *arguments]),
        patch.object(sys, "stdin", io.StringIO(stdin)),
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            status = ended.code
    assert isinstance(status, int), status
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


class SiteFolder:
    """A site made by `init`. Paths are inside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """One command to its end, whatever its status."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=120,
        )

    def call(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One command to its end in this process, by the very function of the console script: for the many that are
        asked one question each. What a process of its own can get wrong is asked by `run`."""
        return call(self.folder, *arguments, stdin=stdin, environment=self.environment())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """One command, under way. Ctrl-C reaches it also where a shell started these tests in the background, which
        makes all that they start deaf to it."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def ok(self, *arguments: str) -> str:
        """What a command that must succeed printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The same with `--json`, read."""
        return json.loads(self.ok(*arguments, "--json"))

    @staticmethod
    def command(*arguments: str) -> Sequence[str]:
        """The words of the process."""
        return [sys.executable, "-m", "syndicate", *arguments]

    @staticmethod
    def environment() -> dict[str, str]:
        """The program of this checkout, and no settings from outside."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNDICATE_")}
        return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}

    def write(self, name: str, text: str) -> Path:
        """An article, settled: as if it had been saved a minute ago."""
        path = self.folder / "articles" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        moment = path.stat().st_mtime - 60
        os.utime(path, (moment, moment))
        return path

    def story(self, number: int, section: str = "world") -> Path:
        """An ordinary article of that number."""
        return self.write(
            f"{section}/story-{number}.md",
            f"---\ntitle: Story number {number}\ndate: 2026-11-1{number % 10}T07:00\n---\n\n"
            f"What happened in story {number}. It was a long day.\n",
        )

    def readers(self, count: int, newsletter: str = "morning") -> None:
        """So many active readers, imported."""
        path = self.folder / "readers.csv"
        rows = [f"reader{n}@example.com,Reader {n},{newsletter},active" for n in range(1, count + 1)]
        path.write_text("\n".join(["email,name,newsletters,status", *rows]) + "\n", encoding="utf-8")
        done = self.call("subscribers", "import", str(path), "--yes", "--basis", "Test readers")
        assert done.returncode == 0, done.stderr

    @property
    def mails(self) -> list[Path]:
        """What the sandbox holds."""
        return sorted((self.folder / "outbox").glob("*.eml"))


class SiteAtHand(SiteFolder):
    """The same, its commands called in this process: a tenth of the time, for those who ask what a command says."""

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """One command to its end, whatever its status."""
        return self.call(*arguments, stdin=stdin or "")


def make_site(folder: Path, *, at_hand: bool = False) -> SiteFolder:
    """A new site; `at_hand`, its commands are called in this process."""
    folder.mkdir(parents=True, exist_ok=True)
    site = SiteAtHand(folder) if at_hand else SiteFolder(folder)
    done = site.call("init", str(folder))
    assert done.returncode == 0, done.stderr
    settings = folder / "syndicate.toml"
    text = settings.read_text(encoding="utf-8")
    assert CADENCE in text
    # No slot is near, whenever the tests run.
    settings.write_text(text.replace(CADENCE, f"{datetime.now(UTC) + timedelta(days=3):%a} 07:00".lower()), "utf-8")
    return site
