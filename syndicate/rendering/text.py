"""Text from outside made fit for one place in a mail: one line, a length, a width, an address."""

from __future__ import annotations

import re
import textwrap
from urllib.parse import urlsplit

WIDTH = 76
"""Columns of plain text: RFC 5322 asks for 78 at most, and a quote mark needs two."""

LONGEST_URL = 2000
"""Characters. Longer addresses break in mail programs."""

# Line ends and blanks but not the no-break spaces, which are part of an author's typography.
_BLANKS = re.compile(r"[\t\n\v\f\r \x85\u2028\u2029]+")
# Controls, surrogates and the characters that Unicode keeps for the inside of programs: ours mark the placeholders.
_PRIVATE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNSAFE = re.compile(r"[\x00-\x20\"<>\\^`{|}\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060-\u206f\u3000\ufeff]")


def one_line(text: str, limit: int | None = None) -> str:
    """The text on one line, without control characters; longer than `limit` characters it is shortened."""
    if limit is not None:
        # What follows is never shown: not worth reading when a title is ten megabytes long.
        text = text[: limit * 3 + 300]
    line = _BLANKS.sub(" ", _PRIVATE.sub("", text)).strip(" ")
    return line if limit is None else shorten(line, limit)


def fold(text: str) -> str:
    """A template's output on one line; unlike `one_line` it keeps the placeholders in it."""
    return _CONTROLS.sub("", _BLANKS.sub(" ", text)).strip(" ")


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut behind a word, with an ellipsis where something was cut."""
    if len(text) <= limit:
        return text
    if limit <= 1:
        return "…"[:limit]
    cut = text[:limit]
    blank = cut.rfind(" ")
    # A first word longer than half of the place (or a script without blanks) is cut inside.
    kept = cut[:blank] if blank >= limit // 2 else cut[:-1]
    return kept.rstrip(" ,;:–—-(«“‘\u00a0\u202f") + "…"


def wrap(text: str, width: int = WIDTH, indent: str = "", hanging: str | None = None) -> str:
    """Paragraphs of at most `width` columns; a longer word, such as an address, stays whole on its own line."""
    return "\n".join(
        textwrap.fill(
            paragraph,
            width,
            initial_indent=indent,
            subsequent_indent=indent if hanging is None else hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for paragraph in text.splitlines()
    )


def web_address(url: str | None) -> str:
    """The http or https address, safe in an attribute and in running text, or "" for anything else."""
    if not url or len(url) > LONGEST_URL:
        return ""
    clean = _UNSAFE.sub(
        lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode()), _PRIVATE.sub("", url.strip())
    )
    try:
        parts = urlsplit(clean)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    return clean if usable and len(clean) <= LONGEST_URL else ""


def host(url: str) -> str:
    """The name of the machine in an address, as people say it: without `www.`."""
    return (urlsplit(url).hostname or url).removeprefix("www.")
