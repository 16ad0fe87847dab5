"""The first run on a fresh machine, really executed: a copy of the checkout, the Python beneath this environment, no
virtual environment, and the package index that pip is set up for."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from syndicate import _first_run
from tests.house.checkout import PACKAGE, ROOT, bare_environment, base_python, copy_checkout

# One worker for all, so that the real installation is done once; it needs the network and some thirty seconds.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("first run")]

INSTALLING = "First run: installing"


class Ended(NamedTuple):
    status: int
    out: str
    err: str


def start(
    checkout: Path, *arguments: str, python: str | None = None, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python or base_python(), *(arguments or ("-m", "syndicate", "--help"))],
        cwd=checkout,
        env=bare_environment(**environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=300)
    return Ended(process.returncode, out, err)


def without_network(port: int) -> dict[str, str]:
    """Settings under which pip asks a port of this machine for packages, once, and nobody else."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"http://127.0.0.1:{port}/",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path / "checkout")


def stamps(checkout: Path) -> list[str]:
    return sorted(path.name for path in (checkout / ".venv").glob("*.stamp"))


class FirstRun(NamedTuple):
    checkout: Path
    two: tuple[Ended, Ended]


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """Two newcomers who share a checkout start at the same moment."""
    checkout = copy_checkout(tmp_path_factory.mktemp("first") / "checkout")
    both = start(checkout), start(checkout)
    return FirstRun(checkout, (ended(both[0]), ended(both[1])))


def test_two_first_runs_install_once_and_both_do_their_work(first_run: FirstRun) -> None:
    for run in first_run.two:
        assert run.status == 0, run.err
        assert "Usage" in run.out
    installed = [run for run in first_run.two if INSTALLING in run.err]
    waited = [run for run in first_run.two if run not in installed]
    assert len(installed) == 1
    assert waited[0].err in ("", "Another first run is at work here; waiting for it.\n")
    assert stamps(first_run.checkout) == ["syndicate-run.stamp"]


def test_the_next_run_says_nothing_and_goes_on_at_once(first_run: FirstRun, closed_port: int) -> None:
    run = ended(start(first_run.checkout, **without_network(closed_port)))
    assert (run.status, run.err) == (0, "")
    assert "Usage" in run.out


def test_finding_the_environment_costs_no_more_than_starting_python_again(first_run: FirstRun, tmp_path: Path) -> None:
    """What it loads, not what a clock says: on a busy machine two starts of Python differ by more than it takes."""
    (tmp_path / "does_nothing.py").write_text("", encoding="utf-8")

    def loaded(module: str) -> list[set[str]]:
        """The modules of each interpreter that the command went through."""
        run = ended(start(first_run.checkout, "-X", "importtime", "-m", module, "--help", PYTHONPATH=str(tmp_path)))
        assert run.status == 0, run.err
        heads = run.err.split("import time: self [us] | cumulative | imported package\n")[1:]
        return [{line.rpartition("|")[2].strip() for line in part.splitlines() if "|" in line} for part in heads]

    (nothing,) = loaded("does_nothing")
    before, inside = loaded("syndicate")
    assert "syndicate.cli" in inside
    assert before - nothing == {"__future__", "syndicate", "syndicate._first_run"}


def test_options_of_the_interpreter_and_arguments_are_kept(first_run: FirstRun) -> None:
    run = ended(start(first_run.checkout, "-W", "error", "-m", "syndicate", "no such word", ""))
    assert run.status == 2
    assert "no such word" in run.err


def test_the_packages_of_the_program_alone_do_the_main_job(first_run: FirstRun, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run = ended(start(first_run.checkout, "-m", "syndicate", "demo", "--once", "--dir", str(site)))
    assert run.status == 0, run.err
    assert (site / "feeds" / "atom.xml").is_file()
    assert len(list((site / "outbox").glob("*.eml"))) > 100


def test_the_command_of_the_environment_works_anywhere(first_run: FirstRun, tmp_path: Path) -> None:
    command = first_run.checkout / ".venv" / ("Scripts" if sys.platform == "win32" else "bin") / "syndicate"
    done = subprocess.run([command, "--help"], cwd=tmp_path, env=bare_environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_other_pins_make_the_environment_anew(first_run: FirstRun, closed_port: int) -> None:
    """The last test that may use the installed copy: without a network it stays empty."""
    with (first_run.checkout / "syndicate" / "requirements" / "run.txt").open("a", encoding="utf-8") as pins:
        pins.write("# another day\n")
    run = ended(start(first_run.checkout, **without_network(closed_port)))
    assert run.status == 1
    assert INSTALLING in run.err
    assert stamps(first_run.checkout) == []


def test_no_network_gets_one_line(checkout: Path, closed_port: int) -> None:
    run = ended(start(checkout, **without_network(closed_port)))
    assert run.status == 1
    progress, line = run.err.splitlines()
    assert progress.startswith(INSTALLING)
    assert "see to the network" in line
    assert stamps(checkout) == []


def test_an_interrupted_installation_is_done_again(checkout: Path, closed_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # This index takes the call and never answers: whenever the process dies, it dies in the middle.
        silent.settimeout(60)
        killed = start(checkout, **without_network(silent.getsockname()[1]))
        call, _ = silent.accept()
        killed.kill()
        killed.wait()
        assert stamps(checkout) == []
        second = start(checkout, **without_network(closed_port))
        assert second.stderr is not None
        # pip outlived its parent; nobody may work beside it.
        assert "waiting" in second.stderr.readline()
        call.close()
    run = ended(second)
    assert killed.stderr is not None and killed.stdout is not None
    killed.stderr.close()
    killed.stdout.close()
    assert run.status == 1
    assert run.err.startswith(INSTALLING)
    assert stamps(checkout) == []


@pytest.mark.parametrize(
    ("pip", "expected"),
    [
        ("__version__ = '20.0.2'", "pip 22.3 or newer is needed and this is 20.0.2"),
        ("raise ImportError('no pip')", "pip is missing"),
    ],
    ids=["old", "missing"],
)
def test_a_pip_that_cannot_do_it_gets_one_line(checkout: Path, tmp_path: Path, pip: str, expected: str) -> None:
    (tmp_path / "found first" / "pip").mkdir(parents=True)
    (tmp_path / "found first" / "pip" / "__init__.py").write_text(pip, encoding="utf-8")
    run = ended(start(checkout, PYTHONPATH=str(tmp_path / "found first")))
    assert run.status == 1
    (line,) = run.err.splitlines()
    assert expected in line


@pytest.mark.parametrize("module", ["syndicate", "tests"])
def test_an_old_python_gets_one_line(checkout: Path, module: str) -> None:
    old = f"import sys, runpy; sys.version_info = (3, 9, 2, 'final', 0); runpy.run_module('{module}', {{}}, '__main__')"
    run = ended(start(checkout, "-c", old))
    assert run.status == 1
    (line,) = run.err.splitlines()
    assert "Python 3.11 or newer is needed and this is 3.9" in line
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    "path",
    [
        *(PACKAGE / name for name in ("__init__.py", "__main__.py", "_first_run.py")),
        *(ROOT / "tests" / name for name in ("__init__.py", "__main__.py")),
    ],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_an_old_python_can_read_as_far_as_that_line(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize(
    ("module", "listed"), [("syndicate", "syndicate/requirements/run.txt"), ("tests", "tests/requirements.txt")]
)
def test_an_environment_of_your_own_is_left_alone(checkout: Path, tmp_path: Path, module: str, listed: str) -> None:
    own = tmp_path / "own"
    venv.create(own, symlinks=sys.platform != "win32")
    python = str(own / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    before = sorted(own.rglob("*"))
    run = ended(start(checkout, "-m", module, "--help", python=python))
    assert run.status == 2
    (line,) = run.err.splitlines()
    assert f'install --python "{python}" -r "{checkout / listed}"' in line
    assert sorted(own.rglob("*")) == before
    assert not (checkout / ".venv").exists()


def test_a_folder_of_that_name_that_was_not_made_here_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "mine").write_text("precious", encoding="utf-8")
    run = ended(start(checkout))
    assert run.status == 2
    (line,) = run.err.splitlines()
    assert str(checkout / ".venv") in line
    assert [path.name for path in (checkout / ".venv").iterdir()] == ["mine"]


def test_a_read_only_checkout_gets_its_environment_in_the_cache(
    checkout: Path, tmp_path: Path, closed_port: int
) -> None:
    """The administrator may write anywhere, so the system's answer is put in its mouth."""
    read_only = (
        "import os, runpy; able = os.access; "
        "os.access = lambda path, mode: not str(path).startswith(os.getcwd()) and able(path, mode); "
        "runpy.run_module('syndicate', {}, '__main__')"
    )
    environment = without_network(closed_port) | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    run = ended(start(checkout, "-c", read_only, **environment))
    assert run.status == 1
    assert "see to the network" in run.err
    (folder,) = (tmp_path / "cache" / "syndicate").iterdir()
    assert (folder / "venv" / "first-run.log").is_file()
    assert not (checkout / ".venv").exists()


def test_where_everything_is_installed_nothing_is_said_to_lack() -> None:
    for requirements in (_first_run.RUN, _first_run.TESTS):
        lacking = [each for each in _first_run.MODULES[requirements] if find_spec(each) is None]
        assert not lacking
