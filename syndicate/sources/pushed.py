"""An article as somebody brings it: checked, and in the one form in which it is kept and read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import PurePath
from typing import Any

from syndicate.errors import BadInput
from syndicate.rendering.html import one_line
from syndicate.sources.article_file import KINDS, LARGEST_FILE, too_large
from syndicate.sources.declared import KEYS, LONGEST, BadFields, renamed
from syndicate.sources.decoding import decode
from syndicate.sources.front_matter import split_front_matter

TEXTS = ("html", "markdown", "text")
"""How the words may come: exactly one of these keys."""
MOST_KEYS = 50
_DEEPEST = 4
_ENDINGS = ", ".join([".json", *KINDS])


@dataclass(frozen=True, slots=True)
class PushedArticle:
    """`key` is the pusher's own id; `values` are keys of front matter as given, `kind` one of TEXTS; `unknown` are keys
    that mean nothing here."""

    key: str
    values: Mapping[str, Any]
    kind: str
    body: str
    unknown: tuple[str, ...] = field(default=(), compare=False)

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {"values": dict(self.values), "kind": self.kind, "body": self.body}

    @property
    def sha256(self) -> str:
        """Of all that is kept: the same content gives the same."""
        text = json.dumps(self.as_json(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def from_json(key: str, kept: Mapping[str, Any]) -> PushedArticle:
    """What `as_json` gave."""
    return PushedArticle(key, kept["values"], kept["kind"], kept["body"])


def read_json(raw: bytes, *, key: str = "") -> tuple[PushedArticle, str]:
    """The article in a JSON object, and the source that it names ("" when it names none). `key` stands in for its `id`.
    Raises BadInput; BadFields where a field is at fault."""
    if len(raw) > LARGEST_FILE:
        raise too_large(len(raw))
    try:
        given = json.loads(raw, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(f"It is not JSON{where}.", cure="Send one JSON object in UTF-8.") from None
    if not isinstance(given, dict):
        raise BadInput("It is JSON, but no object.", cure='Send an object such as {"id": "1", "title": "…"}.')
    if len(given) > MOST_KEYS:
        raise BadInput(f"It has {len(given)} keys and may have {MOST_KEYS}.", cure="Leave out what is not used here.")
    for name, value in given.items():
        _require_plain(name, name)
        _require_plain(name[:60], value)
    given = renamed({name: value for name, value in given.items() if value is not None})
    source = given.pop("source", "")
    if not isinstance(source, str):
        raise BadFields("`source` should be the name of a source of kind push.", ("source",))
    written = given.pop("id", None)
    if key and written is not None and _key(written) != key:
        raise BadFields(f"`id` is {_key(written)!r}, and the address says {key!r}.", ("id",))
    texts = [name for name in TEXTS if name in given]
    if len(texts) > 1:
        raise BadFields(f"It has {' and '.join(f'`{each}`' for each in texts)}: send one of them.", tuple(texts[1:]))
    kind = texts[0] if texts else "html"
    body = given.pop(kind, "")
    if not isinstance(body, str):
        raise BadFields(f"`{kind}` should be a text.", (kind,))
    values = {name: _without_nulls(value) for name, value in given.items() if name in KEYS}
    unknown = tuple(name for name in given if name not in KEYS)
    body = body.replace("\r\n", "\n").replace("\r", "\n")
    return PushedArticle(_key(written) if written is not None else _key(key), values, kind, body, unknown), source


def read_file(name: str, raw: bytes, *, key: str = "") -> PushedArticle:
    """The article in a file of that name: JSON, or Markdown, HTML or plain text with front matter. Its id is `key`,
    else what it declares as `id`, else the file's name. Raises BadInput."""
    if len(raw) > LARGEST_FILE:
        raise too_large(len(raw))
    ending = PurePath(name).suffix.lower()
    if ending == ".json" or (not ending and raw.lstrip()[:1] == b"{"):
        return read_json(raw, key=key)[0]
    if ending and ending not in KINDS:
        raise BadInput(f"{PurePath(name).name!r} is no article.", cure=f"Its name should end in one of {_ENDINGS}.")
    kind = KINDS.get(ending, "markdown")
    text, _ = decode(raw, kind=kind)
    written, body = split_front_matter(text)
    values = renamed(written)
    declared = values.pop("id", "") if isinstance(values.get("id", ""), str) else ""
    known = {str(name): value for name, value in values.items() if name in KEYS}
    unknown = tuple(str(name) for name in values if name not in KEYS)
    return PushedArticle(_key(key or declared or PurePath(name).name), known, kind, body, unknown)


def _key(given: object) -> str:
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    key = one_line(given) if isinstance(given, str) else ""
    if not key or key != given or not key.isprintable():
        raise BadFields("`id` is missing or no plain text: send your own stable id of the article.", ("id",))
    if len(key) > LONGEST["id"]:
        raise BadFields(f"`id` has {len(key):,} characters and may have {LONGEST['id']}.", ("id",))
    return key


def _require_plain(name: str, value: object, depth: int = 0) -> None:
    """JSON can spell what no text may hold: NUL, and halves of characters."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= each <= "\udfff" for each in value):
            shown = name.encode("ascii", "replace").decode().replace("\x00", "?")
            raise BadFields(f"`{shown}` holds NUL or half a character: send text.", (shown,))
    elif isinstance(value, (list, dict)):
        if depth >= _DEEPEST:
            raise BadFields(f"`{name}` is nested too deep: write it flat.", (name,))
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            _require_plain(name, each, depth + 1)


def _without_nulls(value: Any) -> Any:
    return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        _no_number(digits)
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that stands twice readers take the first, the last or none (RFC 8259 section 4): nobody could say what
    was sent."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)[:60].encode("ascii", "replace").decode()
        raise BadFields(f"`{twice}` stands twice: send it once.", (twice,))
    return found
