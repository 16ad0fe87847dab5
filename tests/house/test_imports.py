"""Imports go down only: who may know whom, read from the source and not from what happens to run."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from syndicate import _first_run
from tests.house.checkout import PACKAGE, ROOT

FAMILIES = ("sources", "publishing", "mail", "queues")
RINGS: tuple[tuple[str, ...], ...] = (
    ("__init__",),
    ("errors",),
    ("core",),
    ("deadlines",),
    ("http",),
    ("storage", "rendering", "clock", *FAMILIES),
    ("services",),
    ("site",),
    ("web", "sandbox"),
    ("process", "demo"),
    ("cli",),
)
"""From the inside out. A part imports itself and rings further in, never its neighbours in the ring."""

ACROSS = {("sources", "syndicate.rendering.html"), ("sources", "syndicate.rendering.summary")}
"""The imports along a ring: text from outside is sanitised and summed up on the way in, by the rules that pages and
mails rely on."""

ONLY_DOOR = {
    "feedgen": {"syndicate.rendering.feed_xml"},
    "procrastinate": {"syndicate.queues.procrastinate"},
    "apscheduler": {"syndicate.clock"},
}
"""Packages that exactly one module may import."""

HANDED_ON = {
    "idna": "requests",
    "markupsafe": "jinja2",
    "pydantic-core": "pydantic",
    "urllib3": "requests",
}
"""Packages whose types are part of what another one, which is asked for, offers: it keeps their versions together."""


def modules() -> dict[str, Path]:
    """Dotted name → file, for every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)] = path
    return found


MODULES = modules()
PACKAGE_FILES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def imports(name: str, *, types: bool = True) -> Iterator[tuple[str, int]]:
    """Every module that this one imports, anywhere in it, with the line; without `types`, only what runs."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    skipped = set() if types else {id(node) for block in _type_checking(tree) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(name, node)
            for alias in node.names:
                # `from package import module` knows the module; `from module import name` knows the module it is in.
                inner = f"{source}.{alias.name}"
                yield (inner if inner in MODULES else source), node.lineno


def _absolute(name: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    package = parts if name in PACKAGE_FILES else parts[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def _type_checking(tree: ast.Module) -> Iterator[ast.If]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield node


def part(name: str) -> str:
    """`syndicate.mail.resend` → `mail`; `syndicate.settings_places` → `settings`; the package itself is `__init__`."""
    parts = name.split(".")
    if len(parts) == 1:
        return "__init__"
    return "settings" if parts[1].startswith("settings_") else parts[1]


def ring(name: str) -> int:
    return next(number for number, parts in enumerate(RINGS) if part(name) in parts)


def may_import(name: str, target: str) -> bool:
    """The rule of the house for one import inside the package."""
    here, there = part(name), part(target)
    if here == "_first_run":
        return False
    if here == "__main__":
        return there in ("_first_run", "cli")
    if there in ("_first_run", "__main__"):
        # What decides whether the packages are there belongs to the start alone.
        return False
    if there == "settings":
        return here in ("site", "settings")
    if here == "settings":
        return there in ("core", "errors", "__init__")
    if here == there == "services":
        # A service may be a package: its modules know one another.
        return target == "syndicate.services" or target.split(".")[2] == name.split(".")[2]
    return here == there or (here, target) in ACROSS or ring(name) > ring(target)


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down_only(name: str) -> None:
    wrong = [
        f"{MODULES[name].relative_to(ROOT)}:{line} imports {target}"
        for target, line in imports(name)
        if target.split(".")[0] == "syndicate" and not may_import(name, target)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_part_has_a_ring() -> None:
    known = {part for parts in RINGS for part in parts} | {"settings", "__main__", "_first_run"}
    assert {part(name) for name in MODULES} <= known


def test_the_rule_tells_right_from_wrong() -> None:
    allowed = [
        ("syndicate.cli.send", "syndicate.services.send_issue"),
        ("syndicate.site", "syndicate.settings"),
        ("syndicate.mail.resend", "syndicate.mail.base"),
        ("syndicate.mail.resend", "syndicate.http"),
        ("syndicate.settings", "syndicate.core.feed"),
        ("syndicate.services.collect", "syndicate.storage.articles"),
        ("syndicate.services.deliver_issue.run", "syndicate.services.deliver_issue.posting"),
    ]
    forbidden = [
        ("syndicate.cli.send", "syndicate.settings"),
        ("syndicate.core.feed", "syndicate.storage.feeds"),
        ("syndicate.mail.resend", "syndicate.sources.folder"),
        ("syndicate.storage.feeds", "syndicate.rendering.feed_xml"),
        ("syndicate.services.collect", "syndicate.services.publish_feeds"),
        ("syndicate.services.collect", "syndicate.site"),
        ("syndicate.sandbox.server", "syndicate.cli.frame"),
        ("syndicate.errors", "syndicate.core.feed"),
    ]
    assert all(may_import(*pair) for pair in allowed)
    assert not any(may_import(*pair) for pair in forbidden)


def test_no_module_needs_itself_first() -> None:
    graph = {name: {target for target, _ in imports(name, types=False) if target in MODULES} for name in MODULES}
    try:
        TopologicalSorter({name: targets - {name} for name, targets in graph.items()}).prepare()
    except CycleError as cycle:
        pytest.fail("imports in a circle: " + " → ".join(cycle.args[1]))


@pytest.mark.parametrize("package", ONLY_DOOR)
def test_only_one_module_imports(package: str) -> None:
    users = {name for name in MODULES if any(target.split(".")[0] == package for target, _ in imports(name))}
    assert users <= ONLY_DOOR[package]


def test_core_reads_no_clock_and_touches_nothing() -> None:
    """No I/O, no clock, no randomness, no settings in core/: all of them are arguments."""
    outside = {"io", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3", "subprocess", "time"}
    wrong = []
    for name in MODULES:
        if part(name) != "core":
            continue
        wrong += [f"{name}:{line} imports {target}" for target, line in imports(name) if target in outside]
        for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called == "open" or called.endswith(("datetime.now", "datetime.utcnow", "date.today", "uuid1", "uuid4")):
                wrong.append(f"{name}:{node.lineno} calls {called}")
    assert not wrong, "\n".join(wrong)


def test_the_first_run_needs_the_standard_library_only() -> None:
    for name in ("syndicate.__main__", "syndicate._first_run", "syndicate.__init__"):
        packages = {target.split(".")[0] for target, _ in imports(name)}
        assert packages - {"syndicate"} <= set(sys.stdlib_module_names)


def _project() -> dict[str, list[str]]:
    """Extra ("" for none) → names of the packages that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [canonicalize_name(Requirement(line).name) for line in lines] for extra, lines in asked.items()}


def test_every_package_imported_is_asked_for() -> None:
    """What is only there because something else needs it may be gone tomorrow."""
    asked = {name for names in _project().values() for name in names}
    asked |= {canonicalize_name(name) for name, owner in HANDED_ON.items() if owner in asked}
    distributions = packages_distributions()
    missing = {
        f"{name} imports {package}"
        for name in MODULES
        for package in {target.split(".")[0] for target, _ in imports(name)} - {"syndicate", "__future__"}
        if package not in sys.stdlib_module_names
        and not asked & {canonicalize_name(found) for found in distributions.get(package, [])}
    }
    assert not missing, "\n".join(sorted(missing))


def test_the_first_run_looks_for_every_package_asked_for() -> None:
    distributions = packages_distributions()
    found = {canonicalize_name(name) for module in _first_run.MODULES[_first_run.RUN] for name in distributions[module]}
    assert set(_project()[""]) <= found
