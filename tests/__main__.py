"""`python3 -m tests [pytest arguments]`: installs what the tests need, then runs them.

The tests live in the same environment as the program. Their list holds the program's with the same pins, so nothing
is downloaded twice and what is tested is what runs; that the program's own list is enough is shown by a test that
really installs it. PostgreSQL comes in a wheel. Chromium comes from the system: where tests need it, it is installed on
Debian when this runs as root; elsewhere a line says what to type, and they can be left out with `-m "not browser"`.

Hundreds of tests kill, stop and race real processes. What fails beside the others is tried once more with the machine
to itself, and named either way: a promise that is broken fails again.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from syndicate import _first_run

if TYPE_CHECKING:
    import pytest

TESTS = os.path.dirname(os.path.abspath(__file__))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MEMORY = "/dev/shm"
ROOM_BYTES = 4 << 30
OWN_WAY = ("-n", "--numprocesses", "--dist", "--pdb", "-h", "--help")
"""Arguments that say how to spread the tests, or that no spreading survives."""
FEW = 10
"""With more failures than this something is broken."""


def main() -> None:
    """Ends with pytest's own status; its closing line is the last one."""
    arguments = sys.argv[1:]
    _first_run.enter(_first_run.TESTS)
    if "not browser" not in " ".join(arguments) and _some_need_a_browser():
        _browser()
    _keep_temporary_files_in_memory()
    os.chdir(os.path.dirname(TESTS))
    raise SystemExit(run(arguments))


class Failures:
    """Listens to pytest: which tests failed, in their order."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            # Spread by groups, a test's name ends with that of its group.
            self.names[re.sub(r"(?<=[\])\w])@[\w ]+$", "", report.nodeid)] = None


def run(arguments: list[str]) -> int:
    """pytest's status: of all tests, or, when few of them failed beside each other, of those alone."""
    import pytest

    if any(argument.startswith(OWN_WAY) for argument in arguments):
        return pytest.main(arguments)
    failures = Failures()
    # One more than there are processors, as many tests wait for something; but no more than pays. Tests that run alone
    # share one (tests/conftest.py).
    spread = ["-n", str(min((os.cpu_count() or 1) + 1, 4)), "--dist", "loadgroup"]
    status = pytest.main([*spread, *arguments], plugins=[failures])
    if status != pytest.ExitCode.TESTS_FAILED or not 0 < len(failures.names) <= FEW:
        return status
    print("\nFailed beside the others, tried again alone:", *failures.names, sep="\n  ", flush=True)
    again = subprocess.call([sys.executable, "-m", "pytest", *failures.names])
    if again == 0:
        print("\nPassed only alone:", *failures.names, sep="\n  ", flush=True)
    return again


def _keep_temporary_files_in_memory() -> None:
    """Every commit of a test waits for the disk, and nothing of it is kept: in memory the tests take half as long.

    A killed process is what they try, not a power cut, so they show the same there. `TMPDIR` overrules it."""
    import shutil

    if "TMPDIR" in os.environ or not os.path.ismount(MEMORY) or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free > ROOM_BYTES and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = MEMORY


def _some_need_a_browser() -> bool:
    from pathlib import Path

    paths = (path for path in Path(TESTS).rglob("test_*.py"))
    return any("pytest.mark.browser" in path.read_text(encoding="utf-8") for path in paths)


def _browser() -> None:
    """Makes sure that Chromium and the library that Playwright's driver needs are there."""
    import shutil
    from ctypes.util import find_library

    missing = [] if any(shutil.which(name) for name in BROWSERS) else ["chromium"]
    debian = os.path.exists("/etc/debian_version") and shutil.which("apt-get") is not None
    if debian and find_library("atomic") is None:
        missing.append("libatomic1")
    if not missing:
        return
    names = " ".join(missing)
    if not debian or os.geteuid() != 0:
        how = "apt-get install %s, as root" % names if debian else "with the system's own package manager"
        _first_run.stop('Tests need %s: install it (%s), or add  -m "not browser"' % (names, how))
    print("First run: installing %s with apt-get" % names, file=sys.stderr, flush=True)
    words = ""
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *missing]):
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        words += done.stdout
    if done.returncode:
        sys.stderr.write(words)
        _first_run.stop('%s cannot be installed: see to that, or add  -m "not browser"' % names)


if __name__ == "__main__":
    main()
