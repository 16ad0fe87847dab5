"""Names and texts: what no file of the project may be called or hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from syndicate import _first_run
from tests.house.checkout import PACKAGE, ROOT, tracked_files

LISTS = [Path(path) for path in (_first_run.BUILD, _first_run.RUN, _first_run.TESTS)]
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "shared", "stuff"}


def test_every_module_is_named_after_an_idea() -> None:
    stems = {path: path.stem.strip("_") for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]}
    folders = {path: path.name for path in PACKAGE.rglob("*") if path.is_dir()}
    assert not [path for path, name in {**stems, **folders}.items() if name in SAYS_NOTHING]


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    folders = "|".join(["work", "root", "home", "Users"])
    machine_path = re.compile(rf"(?<![\w.\-/:])/(?:{folders})/\w")
    wrong = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", "replace")
        wrong += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(text.splitlines(), 1)
            if machine_path.search(line)
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_requirement_lists_name_no_place_on_the_network(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_package_is_pinned_and_hashed(path: Path) -> None:
    blocks = _blocks(path)
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==[\w.]+", block), block
        assert "--hash=sha256:" in block, block


def test_the_tests_have_the_pins_of_the_program() -> None:
    """One environment serves both, and what is tested is what runs."""
    assert set(_blocks(LISTS[1])) <= set(_blocks(LISTS[2]))


def test_the_pins_are_what_the_project_asks_for() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = {canonicalize_name(name): version for name, version in map(_pin, _blocks(LISTS[2]))}
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["test"]]
    asked += [line for lines in project["project"]["optional-dependencies"].values() for line in lines]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def _blocks(path: Path) -> list[str]:
    """One text for each package: its pin, its marker and its hashes."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _pin(block: str) -> tuple[str, str]:
    name, _, rest = block.partition("==")
    return name.partition("[")[0], rest.split()[0]
