"""A command that needs little loads little."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.checkout import ROOT

HEAVY = {
    *("alembic", "apscheduler", "babel", "css_inline", "feedgen", "fastapi", "lxml", "nh3", "psycopg", "pydantic"),
    *("procrastinate", "prometheus_client", "requests", "sqlalchemy", "starlette", "uvicorn"),
}


@pytest.fixture(scope="module")
def loaded_by_help() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "syndicate", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    times = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().split(".")[0] for line in times}


def test_help_reaches_the_command_line(loaded_by_help: set[str]) -> None:
    """Else the next test would find nothing heavy in a program that does nothing."""
    assert {"syndicate", "click"} <= loaded_by_help


@pytest.mark.parametrize("package", sorted(HEAVY))
def test_help_does_not_load(package: str, loaded_by_help: set[str]) -> None:
    assert package not in loaded_by_help
