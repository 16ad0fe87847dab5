"""The checkout under test: its files, a copy of it, and the Python beneath this environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "syndicate"

MADE_HERE = (".git", ".venv", ".demo", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "*.egg-info")
"""What is in a checkout without being part of it (`.gitignore`)."""


def base_python() -> str:
    """The Python that this environment was made with: what a newcomer types as `python3`."""
    return getattr(sys, "_base_executable", None) or sys.executable


def bare_environment(**more: str) -> dict[str, str]:
    """The surroundings of a shell in which no virtual environment is active."""
    hidden = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTEST_CURRENT_TEST")
    return {name: value for name, value in os.environ.items() if name not in hidden} | more


def tracked_files() -> list[Path]:
    """Every file that belongs to the project and lies in the tree; without git, every file that was not made here."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [ROOT / path for path in _walk(ROOT)]
    return sorted(path for path in paths if path.is_file())


def copy_checkout(into: Path) -> Path:
    """A checkout as a clone would leave it: nothing made in it yet."""
    shutil.copytree(ROOT, into, ignore=shutil.ignore_patterns(*MADE_HERE))
    return into


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    ignored = shutil.ignore_patterns(*MADE_HERE)
    for parent, folders, files in os.walk(folder):
        left_out = ignored(parent, [*folders, *files])
        folders[:] = [name for name in folders if name not in left_out]
        found += [Path(parent, name) for name in files if name not in left_out]
    return found
