"""What all reports of mail APIs have in common: JSON of strangers, read without trust in its shape."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NoReturn

from pydantic_core import from_json

from syndicate.errors import BadInput

LONGEST_ID = 200
LONGEST_WORDS = 1000

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
"""What JSON can say and no database keeps: NUL, and halves of characters."""

_LABEL = re.compile("[0-9a-f]{32}")
# Made once: it is asked of each of thousands a second.
_WORD, _NUMBER = (str, int), (int, float)


def json_of(body: bytes) -> Any:
    """The body as JSON, in texts that every database keeps; a number beyond all bounds is infinite. Raises BadInput."""
    try:
        # A third of the time of Python's own reader, which is asked about what this one does not take.
        found = from_json(body, allow_inf_nan=False)
    except ValueError:
        return _read_slowly(body)
    return _clean(found) if b"\\u" in body else found


def _read_slowly(body: bytes) -> Any:
    try:
        # What is too deep to be cleaned is too deep for all who take it after this.
        return _clean(json.loads(body, parse_constant=_refuse))
    except (ValueError, RecursionError):
        raise BadInput("The body is not JSON.") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_WRITER = json.JSONEncoder(sort_keys=True, default=str)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_TEXT.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(each) for name, each in value.items()}
    return value


def objects_of(body: bytes, api: str) -> list[dict[str, Any]]:
    """The object that the body is, or all of those in a list. Raises BadInput for anything else in it."""
    told = json_of(body)
    found = told if isinstance(told, list) else [told]
    if not all(isinstance(each, dict) for each in found):
        raise BadInput(f"The body is not what {api} reports.")
    return found


def object_in(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under that name; an empty one for anything else."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def text_in(value: Mapping[str, Any], *names: str) -> str:
    """The first text or whole number under one of these names, as text; "" for none."""
    for name in names:
        found = value.get(name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return ""


def id_in(value: Mapping[str, Any], *names: str) -> str:
    """As `text_in`, of a length that an id may have."""
    return text_in(value, *names)[:LONGEST_ID]


def words(*parts: object) -> str:
    """Those of the parts that are texts or numbers, in one text of bounded length."""
    said = [str(part).strip() for part in parts if isinstance(part, _WORD) and part is not True and part is not False]
    return " ".join(filter(None, said))[:LONGEST_WORDS]


def address_of(value: object) -> tuple[str, ...]:
    """The one address that an event names."""
    return (value,) if isinstance(value, str) and value else ()


def stable_id(*parts: object) -> str:
    """An id for an event that has none: the same for the same facts, however often they are told."""
    return hashlib.sha256(f"[{', '.join(map(_spelled, parts))}]".encode()).hexdigest()[:40]


def _spelled(part: object) -> str:
    """As JSON. The writer makes itself ready for all but texts, which takes far longer than to write a number."""
    return repr(part) if type(part) is int or (type(part) is float and isfinite(part)) else _WRITER.encode(part)


def moment(value: object, now: datetime, *, per_second: int = 1) -> datetime:
    """A moment as text (ISO 8601) or as seconds since 1970, number or text; `now` for anything else. `per_second` tells
    how many of a number's units a second has."""
    try:
        if isinstance(value, _NUMBER) and value is not True and value is not False:
            read = datetime.fromtimestamp(value / per_second, UTC)
        elif (told := str(value)).isascii() and told.isdigit():
            read = datetime.fromtimestamp(int(told), UTC)
        else:
            read = datetime.fromisoformat(told)
            read = read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return now
    # At the edges of time a moment of one zone is none in another.
    return read if 1 < read.year < 9999 else now


def label_in(metadata: Mapping[str, Any], name: str) -> str:
    """The label that we gave along under that name, if it is one of ours."""
    found = metadata.get(name)
    if isinstance(found, list) and found:
        found = found[0]
    return found if isinstance(found, str) and _LABEL.fullmatch(found) else ""
