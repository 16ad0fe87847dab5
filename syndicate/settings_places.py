"""Where in a TOML text each key stands, which `tomllib` does not tell: so that a mistake is named with its line.

The text has been read by `tomllib` before, so this scanner may trust its grammar (https://toml.io/en/v1.0.0).
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence

Path = tuple[str | int, ...]


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table and key, by its path: `("newsletters", 0, "where", "section")`."""
    return _Scanner(text).scan()


def line_of(path: Sequence[str | int], lines: dict[Path, int]) -> int | None:
    """The line of that path, or of the nearest thing around it; None for a table that is not in the text."""
    for length in range(len(path), 0, -1):
        found = lines.get(tuple(path[:length]))
        if found is not None:
            return found
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self._counted = (0, 1)
        self.lines: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        counted: Counter[Path] = Counter()
        while self._skip_blank():
            line = self._line()
            if self.text.startswith("[[", self.at):
                self.at += 2
                plain = _within(self._key(), counted)
                table = (*plain, counted[plain])
                counted[plain] += 1
                self.at += 2
                self.lines.setdefault(plain, line)
                self.lines[table] = line
            elif self.text[self.at] == "[":
                self.at += 1
                table = _within(self._key(), counted)
                self.at += 1
                self.lines[table] = line
            else:
                self._pair(table)
        return self.lines

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = (*table, *self._key())
        self.at += 1  # =
        self.lines[path] = line
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        first = self.text[self.at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self.at += 1
            position = 0
            while self._skip_blank() and self.text[self.at] != "]":
                if self.text[self.at] == ",":
                    self.at += 1
                    continue
                self.lines[(*path, position)] = self._line()
                self._value((*path, position))
                position += 1
            self.at += 1
        elif first == "{":
            self.at += 1
            while self._skip_blank() and self.text[self.at] != "}":
                if self.text[self.at] == ",":
                    self.at += 1
                    continue
                self._pair(path)
            self.at += 1
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.at += 1

    def _key(self) -> Path:
        """The parts of a key up to `=` or `]`, which is not consumed."""
        start = self.at
        while self.text[self.at] not in "=]":
            if self.text[self.at] in "\"'":
                self._string()
            else:
                self.at += 1
        parts: list[str | int] = []
        read: object = tomllib.loads(f"{self.text[start : self.at]} = 0")
        while isinstance(read, dict):
            part, read = next(iter(read.items()))
            parts.append(part)
        return tuple(parts)

    def _string(self) -> None:
        quote = self.text[self.at]
        fence = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(fence)
        while not self.text.startswith(fence, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(fence)
        while len(fence) == 3 and self.text.startswith(quote, self.at):  # """" ends with a quote of its own
            self.at += 1

    def _skip_blank(self) -> bool:
        """Moves to the next thing that is not white space or a comment; False at the end."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at].isspace():
                self.at += 1
            else:
                return True
        return False

    def _line(self) -> int:
        at, line = self._counted
        self._counted = (self.at, line + self.text.count("\n", at, self.at))
        return self._counted[1]


def _within(parts: Path, counted: Counter[Path]) -> Path:
    """`[sources.defaults]` after `[[sources]]` belongs to the newest source."""
    path: Path = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        if position < len(parts) - 1 and counted[path]:
            path = (*path, counted[path] - 1)
    return path
