"""The wheel: whole, with its templates, and working where there is no checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.house.checkout import bare_environment, base_python, copy_checkout

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]


def _pip(environment: str, *arguments: str) -> None:
    """The outer pip, as at a first run: the environment of a checkout has none of its own. Nothing is downloaded."""
    done = subprocess.run(
        [base_python(), "-m", "pip", "--python", environment, "--disable-pip-version-check", *arguments],
        env=bare_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that nothing made by an earlier build gets in and nobody's edit changes the tree meanwhile."""
    return copy_checkout(tmp_path_factory.mktemp("wheel") / "checkout")


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    folder = checkout.parent
    arguments = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    _pip(sys.executable, "wheel", *arguments, str(checkout))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path) -> Path:
    folder = wheel.parent / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_templates_are_inside(checkout: Path, unpacked: Path) -> None:
    assert _files(checkout / "templates")
    assert _files(unpacked / "syndicate" / "_templates") == _files(checkout / "templates")


def test_the_whole_package_is_inside_and_nothing_else(checkout: Path, unpacked: Path) -> None:
    inside = {path: text for path, text in _files(unpacked / "syndicate").items() if not path.startswith("_templates/")}
    assert inside == _files(checkout / "syndicate")
    assert [path.name for path in unpacked.iterdir() if path.suffix != ".dist-info"] == ["syndicate"]


def test_it_asks_for_what_it_needs(unpacked: Path) -> None:
    (metadata,) = unpacked.glob("*.dist-info/METADATA")
    asked = {line.partition(": ")[2] for line in metadata.read_text(encoding="utf-8").splitlines() if "Dist:" in line}
    for package in ("feedgen", "jinja2", "apscheduler", "requests"):
        assert any(line.startswith(package) and "extra ==" not in line for line in asked), package


def test_the_command_works_where_there_is_no_checkout(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, symlinks=sys.platform != "win32")
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    _pip(str(scripts / "python"), "install", "--no-deps", "--no-index", str(wheel))
    # The other packages come from this environment: a folder named in a .pth file is looked through last, and the
    # .pth files in it, such as the one of an editable checkout, are not read.
    site_packages = next(environment.glob("[Ll]ib/**/site-packages"))
    (site_packages / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    done = subprocess.run(
        [scripts / "syndicate", "--help"], cwd=tmp_path, env=bare_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    where = subprocess.run(
        [scripts / "python", "-c", "import syndicate; print(syndicate.__file__)"],
        cwd=tmp_path,
        env=bare_environment(),
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(site_packages)
