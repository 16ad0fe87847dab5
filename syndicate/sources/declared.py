"""What an article declares about itself: the keys of front matter, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from typing import Any, get_args
from urllib.parse import urlsplit

from syndicate.core.article import Image, ImageUse
from syndicate.errors import BadInput
from syndicate.rendering.html import absolute_url, one_line

LONGEST = {
    "id": 300,
    "title": 500,
    "summary": 3_000,
    "section": 100,
    "tags": 100,
    "authors": 200,
    "url": 2_000,
    "rights": 300,
    "translated_from": 200,
    "translated_by": 200,
    "alt": 1_000,
    "credit": 500,
    "src": 2_000,
}
"""Characters allowed in each field."""
MOST_VALUES = 50
"""Tags or authors of one article."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z")
_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0", "")
_IMAGE_KEYS = ("src", "alt", "credit", "use")


@dataclass(frozen=True, slots=True)
class Declared:
    """Each field is None when it was not declared. Moments are aware, in UTC."""

    id: str | None = None
    title: str | None = None
    summary: str | None = None
    date: datetime | None = None
    updated: datetime | None = None
    section: str | None = None
    tags: tuple[str, ...] | None = None
    authors: tuple[str, ...] | None = None
    language: str | None = None
    url: str | None = None
    image: Image | None = None
    embargo: datetime | None = None
    draft: bool | None = None
    breaking: bool | None = None
    rights: str | None = None
    translated_from: str | None = None
    translated_by: str | None = None
    warnings: tuple[str, ...] = ()


class BadFields(BadInput):
    """Keys whose values cannot be used; `fields` names them in the order given."""

    def __init__(self, message: str, fields: tuple[str, ...]) -> None:
        super().__init__(message)
        self.fields = fields


KEYS = tuple(name for name in Declared.__slots__ if name != "warnings")


def renamed(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """The same with `author`, as many programs write it, under the name `authors` where that is not there besides."""
    return {"authors" if key == "author" and "authors" not in values else key: each for key, each in values.items()}


def declared(values: Mapping[Any, Any], *, zone: tzinfo, base_url: str = "", place: str = "front matter") -> Declared:
    """Check the keys and values, all texts or lists of texts (`image` may be a table).

    Dates without an offset are taken in `zone`; `url` and `image.src` may be relative to `base_url`. An unknown key is
    a warning with the nearest known one; `author` is read as `authors`. Raises BadFields that names every key at fault.
    """
    found: dict[str, Any] = {}
    mistakes: dict[str, str] = {}
    warnings: list[str] = []
    for key, value in renamed(values).items():
        if key not in _CHECKS:
            warnings.append(_unknown(key, KEYS, place))
            continue
        try:
            checked = _CHECKS[key](_Field(key, value, zone, base_url, place, warnings))
        except ValueError as mistake:
            mistakes[key] = f"`{key}` in the {place} {mistake}"
        else:
            if checked not in (None, "", ()):
                found[key] = checked
    if mistakes:
        raise BadFields("; ".join(mistakes.values()) + ".", tuple(mistakes))
    return Declared(**found, warnings=tuple(warnings))


def _unknown(key: object, known: tuple[str, ...], place: str) -> str:
    near = get_close_matches(str(key)[:100].lower(), known, 1, 0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
    return f"The {place} has an unknown key {_shown(key)}: {hint}"


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    value: Any
    zone: tzinfo
    base_url: str
    place: str
    warnings: list[str]

    def named(self, name: str, value: Any) -> _Field:
        return _Field(name, value, self.zone, self.base_url, self.place, self.warnings)


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "…")


def _text(field: _Field) -> str:
    if not isinstance(field.value, str):
        kinds = ((list, "list"), (tuple, "list"), (Mapping, "table"))
        kind = next((name for form, name in kinds if isinstance(field.value, form)), "number")
        raise ValueError(f"should be a text and is a {kind}: put it in quotation marks")
    text = one_line(field.value)
    longest = LONGEST.get(field.name)
    if longest is not None and len(text) > longest:
        raise ValueError(f"has {len(text):,} characters and may have {longest:,}: shorten it")
    return text


def _texts(field: _Field, separator: str | None) -> tuple[str, ...]:
    value = field.value
    if isinstance(value, str):
        value = value.split(separator) if separator else [value]
    if not isinstance(value, (list, tuple)):
        raise ValueError("should be a list such as [harbour, ferries]")
    if len(value) > MOST_VALUES:
        raise ValueError(f"has {len(value):,} values and may have {MOST_VALUES}: shorten it")
    return tuple(dict.fromkeys(text for each in value if (text := _text(field.named(field.name, each)))))


def _moment(field: _Field) -> datetime | None:
    text = _text(field)
    if not text:
        return None
    try:
        # "2026-01-31 10:00 +0100" is written by many tools; ISO 8601 has no space before the offset.
        moment = datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d{2}:?\d{2}$|Z$)", "", text))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=field.zone)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"is {_shown(text)}, which is no date: write 2026-01-31 or 2026-01-31 10:00") from None
    if not 1900 <= moment.year <= 2199:  # RFC 5322 section 3.3: a year is 1900 or later
        raise ValueError(f"is {_shown(text)}, a year outside 1900 to 2199: correct it")
    return moment


def _flag(field: _Field) -> bool:
    text = "true" if field.value is True else "false" if field.value is False else _text(field).lower()
    if text not in (*_YES, *_NO):
        raise ValueError(f"is {_shown(text)} and should be true or false")
    return text in _YES


def _language(field: _Field) -> str:
    text = _text(field).replace("_", "-")
    if text and not _LANGUAGE.match(text):
        raise ValueError(f"is {_shown(text)} and should be a language tag such as en or pt-BR")
    first, *rest = text.split("-")
    # RFC 5646 section 2.1.1: language in lower case, region in upper case, script with a capital.
    return "-".join([first.lower(), *(p.upper() if len(p) == 2 else p.title() if len(p) == 4 else p for p in rest)])


def _address(field: _Field) -> str:
    text = _text(field)
    if not text:
        return ""
    address = absolute_url(text, field.base_url)
    if address is None:
        raise ValueError(f"is {_shown(text)} and should be a whole address such as https://post.example/story")
    if urlsplit(address).username is not None:
        raise ValueError("carries a user name or password, which everybody would read: take it out")
    return address


def _image(field: _Field) -> Image | None:
    table = {"src": field.value} if isinstance(field.value, str) else field.value
    if not isinstance(table, Mapping):
        raise ValueError("should be an address, or a table of src, alt, credit and use")
    for key in table:
        if key not in _IMAGE_KEYS:
            field.warnings.append(_unknown(key, _IMAGE_KEYS, f"`image` of the {field.place}"))
    src = _address(field.named("src", table.get("src", "")))
    if not src:
        if not any(table.values()):
            return None
        raise ValueError("has no `src`: add the address of the picture")
    use = _text(field.named("use", table.get("use", ""))) or "all"
    if use not in get_args(ImageUse):
        raise ValueError(f"has `use` {_shown(use)}, which should be all, web or none")
    return Image(
        src=src,
        alt=_text(field.named("alt", table.get("alt", ""))),
        credit=_text(field.named("credit", table.get("credit", ""))),
        use=use,  # type: ignore[arg-type]  # checked above
    )


_CHECKS: dict[Any, Callable[[_Field], Any]] = {
    "id": _text,
    "title": _text,
    "summary": _text,
    "date": _moment,
    "updated": _moment,
    "section": _text,
    "tags": lambda field: _texts(field, ","),
    "authors": lambda field: _texts(field, None),
    "language": _language,
    "url": _address,
    "image": _image,
    "embargo": _moment,
    "draft": _flag,
    "breaking": _flag,
    "rights": _text,
    "translated_from": _text,
    "translated_by": _text,
}
