"""Front matter: the YAML between two `---` lines at the top of a file."""

from __future__ import annotations

import re
from typing import Any

import yaml

from syndicate.errors import BadInput

LARGEST = 64_000
"""Characters of front matter read."""
_FIRST_LINE = 2
_DEEPEST = 6
# Every scalar stays the text that was written: `no`, `1_000` and 2026-01-31 are an author's words until a key asks for
# a date or a yes.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_KEY_LINE = re.compile(r"[A-Za-z_][\w-]*[ \t]*:(?:[ \t]|$)", re.MULTILINE)


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The keys with their texts, lists and tables, and the rest of the file; ({}, text) when there is none.

    Raises BadInput when it is not closed, not YAML, not a table, names a key twice, uses anchors or aliases (a few of
    which can stand for gigabytes), or is deeper or larger than front matter ever is.
    """
    first, _, rest = text.partition("\n")
    if first.rstrip() == "+++" and "\n+++" in rest:
        raise BadInput("its front matter is TOML, between +++ lines.", cure="Write it as YAML between --- lines.")
    if first.rstrip() != "---":
        return {}, text
    end = _CLOSING.search(rest)
    if end is None:
        if _KEY_LINE.match(rest):
            raise BadInput("its front matter is not closed.", cure="Add a line --- after the last key.")
        return {}, text  # a thematic break at the top of the story
    source, body = rest[: end.start()], rest[end.end() :].lstrip("\n")
    if len(source) > LARGEST:
        raise BadInput(
            f"its front matter has {len(source):,} characters and may have {LARGEST:,}.", cure="Move the text below it."
        )
    return _load(source), body


def _load(source: str) -> dict[str, Any]:
    try:
        _check_events(source)
        values = yaml.load(source, Loader=_Loader)
    except yaml.YAMLError as error:
        raise BadInput(_where(error), cure="Put a value with `: ` or `#` in it in quotation marks.") from None
    if values is None or values == "":
        return {}
    if not isinstance(values, dict):
        raise BadInput("its front matter is no list of `key: value` lines.", cure="Write one key a line.")
    return values


def _check_events(source: str) -> None:
    """Look at the stream of events before anything is built from it."""
    depth = 0
    top_keys: set[str] = set()
    expects_key = True
    for event in yaml.parse(source, Loader=_Loader):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise BadInput(f"its front matter uses an anchor or alias (& or *) in line {line}.", cure="Write it out.")
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth == 1 and isinstance(event, (yaml.ScalarEvent, yaml.CollectionEndEvent)):
            if expects_key and isinstance(event, yaml.ScalarEvent):
                if event.value in top_keys:
                    raise BadInput(f"its front matter names {event.value!r} twice (line {line}).", cure="Keep one.")
                top_keys.add(event.value)
            expects_key = not expects_key
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise BadInput(f"its front matter is nested too deep in line {line}.", cure="Write it flat.")


def _line(event: yaml.Event) -> int:
    return (event.start_mark.line if event.start_mark is not None else 0) + _FIRST_LINE


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" in line {mark.line + _FIRST_LINE}" if mark is not None else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    return f"its front matter cannot be read{place}: {problem}."
