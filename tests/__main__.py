"""`python3 -m tests [pytest arguments]`: installs what the tests need, then runs them.

The tests live in the same environment as the program. Their list holds the program's with the same pins, so nothing
is downloaded twice and what is tested is what runs; that the program's own list is enough is shown by a test that
really installs it. PostgreSQL comes in a wheel. Chromium comes from the system: where tests need it, it is installed on
Debian when this runs as root; elsewhere a line says what to type, and they can be left out with `-m "not browser"`.
"""

from __future__ import annotations

import os
import sys

from syndicate import _first_run

TESTS = os.path.dirname(os.path.abspath(__file__))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MEMORY = "/dev/shm"
ROOM_BYTES = 4 << 30
OWN_WAY = ("-n", "--numprocesses", "--dist", "--pdb", "-h", "--help")
"""Arguments that say how to spread the tests, or that no spreading survives."""


def main() -> None:
    """Ends with pytest's own status; its closing line is the last one."""
    arguments = sys.argv[1:]
    _first_run.enter(_first_run.TESTS)
    if "not browser" not in " ".join(arguments) and _some_need_a_browser():
        _browser()
    _keep_temporary_files_in_memory()
    os.chdir(os.path.dirname(TESTS))

    import pytest

    if not any(argument.startswith(OWN_WAY) for argument in arguments):
        # A worker for each processor, but no more than pays; tests that run alone share one (tests/conftest.py).
        arguments = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadgroup", *arguments]
    raise SystemExit(pytest.main(arguments))


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
    import subprocess
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
