"""`python3 -m tests`: what fails beside the others is tried again alone, and only what fails twice has failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from tests.__main__ import run; raise SystemExit(run(sys.argv[1:]))"
)
TESTS = """
import pathlib, pytest

@pytest.mark.parametrize("case", ["a@b"])
@pytest.mark.xdist_group("two words")
def test_once(case):
    tried = pathlib.Path("tried")
    seen, _ = tried.exists(), tried.touch()
    assert seen

@pytest.mark.parametrize("case", range(BAD))
def test_never(case):
    assert False

def test_well():
    assert True
"""


def run_in(folder: Path) -> subprocess.CompletedProcess[str]:
    """The tests of that folder, spread as those of the project."""
    return subprocess.run(
        [sys.executable, "-c", RUN, str(ROOT), "--rootdir", str(folder), "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("bad", "status", "said"), [(0, 0, "Passed only alone"), (1, 1, "tried again alone"), (30, 1, "31 failed")]
)
def test_what_fails_is_tried_again_alone(tmp_path: Path, bad: int, status: int, said: str) -> None:
    (tmp_path / "test_these.py").write_text(TESTS.replace("BAD", str(bad)), encoding="utf-8")
    done = run_in(tmp_path)
    assert (done.returncode, said in done.stdout) == (status, True), done.stdout + done.stderr
    assert ("tried again" in done.stdout) == (bad < 30)
    assert "test_these.py::test_once[a@b]\n" in done.stdout or bad == 30


GROUP = """
import os, pathlib, pytest

@pytest.mark.parametrize("case", range(6))
@pytest.mark.xdist_group("those that share")
def test_it(case):
    with pathlib.Path("workers").open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + chr(10))
"""


def test_a_group_stays_with_one_worker(tmp_path: Path) -> None:
    """What it shares is made once, and what runs alone is alone: not every pair of pytest and pytest-xdist does so."""
    (tmp_path / "test_these.py").write_text(GROUP, encoding="utf-8")
    (tmp_path / "test_those.py").write_text(GROUP, encoding="utf-8")
    done = run_in(tmp_path)
    assert done.returncode == 0, done.stdout
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) == 12
    assert len(set(workers)) == 1
