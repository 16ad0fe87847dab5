"""Lines of keys, for any TOML that the standard library reads."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syndicate.settings_places import Path, key_lines, line_of

TRICKY = '''\
# a comment with [brackets] = and "quotes"
top = 1
"quoted key" . 'other' = "a # no comment, [no table]"
[site]
title = """
[not.a.table]
key = "no key" \\""" still inside
"""
raw = \'\'\'
x = 1\'\'\'
list = [ # one
  "a]", 2,
  { deep = { deeper = [1,
    { last = "}" }] } },
]
[[sources]]
name = "one"
[sources.defaults]
section = "x"
[[sources]]
name = "two" # [[sources]]
[sources.defaults]
section = "y"
[[sources.inner]]
a.b = 1
[[sources.inner]]
a.b = 2
'''


def test_places_in_a_tricky_file() -> None:
    tomllib.loads(TRICKY)
    lines = key_lines(TRICKY)
    expected: dict[Path, int] = {
        ("top",): 2,
        ("quoted key", "other"): 3,
        ("site",): 4,
        ("site", "title"): 5,
        ("site", "raw"): 9,
        ("site", "list"): 11,
        ("site", "list", 1): 12,
        ("site", "list", 2, "deep", "deeper", 1, "last"): 14,
        ("sources", 0): 16,
        ("sources", 0, "defaults", "section"): 19,
        ("sources", 1, "name"): 21,
        ("sources", 1, "defaults", "section"): 23,
        ("sources", 1, "inner", 1, "a", "b"): 27,
    }
    assert {path: lines.get(path) for path in expected} == expected
    assert lines == key_lines(TRICKY.replace("\n", "\r\n"))


def test_what_is_not_there_stands_at_the_nearest_thing_around_it() -> None:
    lines = key_lines(TRICKY)
    assert line_of(("sources", 1, "path"), lines) == 20
    assert line_of(("mail", "from"), lines) is None


values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {toml(each)}" for key, each in value.items()) + "}"
    return str(value)


def quoted(text: str) -> str:
    out = "".join(
        each if each not in '"\\' and each >= " " and each != "\x7f" else f"\\u{ord(each):04x}" for each in text
    )
    return f'"{out}"'


@given(st.dictionaries(st.text(max_size=4), values, max_size=5), st.integers(0, 3))
def test_every_key_of_any_file_is_found_on_its_line(table: dict[str, Any], blank: int) -> None:
    written = [f"{quoted(key)} = {toml(value)}" for key, value in table.items()]
    text = ("\n" * (blank + 1)).join(written)
    assert tomllib.loads(text) == table
    lines = key_lines(text)
    for position, (key, value) in enumerate(table.items()):
        for path in paths(value, (key,)):
            assert lines[path] == position * (blank + 1) + 1


def paths(value: Any, path: Path) -> list[Path]:
    found = [path]
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += paths(each, (*path, key))
    return found
