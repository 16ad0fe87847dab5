"""Bytes of a file to text."""

from __future__ import annotations

import codecs
import unicodedata

from w3lib.encoding import html_body_declared_encoding

from syndicate.errors import BadInput

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LINE_ENDS = str.maketrans({"\x85": "\n", "\u2028": "\n", "\u2029": "\n", "\x0b": "\n", "\x0c": "\n"})


def decode(raw: bytes, *, kind: str) -> tuple[str, tuple[str, ...]]:
    """The text, NFC, with `\\n` line ends, and warnings. `kind` is markdown, html or text.

    A byte order mark decides; else UTF-8. Plain text falls back to Windows-1252 with a warning, HTML to what it
    declares. Raises BadInput for anything else, and for a file with NULs (no text at all).
    """
    text, warnings = _decoded(raw, kind)
    if "\x00" in text:
        raise BadInput("it holds NUL characters, so it is no text file.", cure="Save it as plain text in UTF-8.")
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LINE_ENDS)
    return unicodedata.normalize("NFC", text), warnings


def _decoded(raw: bytes, kind: str) -> tuple[str, tuple[str, ...]]:
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            try:
                return raw[len(mark) :].decode(encoding), ()
            except UnicodeDecodeError as error:
                raise _not_text(raw, error, encoding.upper()) from None
    try:
        return raw.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        not_utf8 = error
    if kind == "text":
        try:
            text = raw.decode("cp1252")
        except UnicodeDecodeError:
            raise _not_text(raw, not_utf8, "UTF-8") from None
        return text, ("It is not UTF-8 and was read as Windows-1252: look at its accents and quotation marks.",)
    declared = html_body_declared_encoding(raw[:4096]) if kind == "html" else None
    if declared and codecs.lookup(declared).name != "utf-8":
        try:
            return raw.decode(declared), ()
        except UnicodeDecodeError as error:
            raise _not_text(raw, error, declared) from None
    raise _not_text(raw, not_utf8, "UTF-8")


def _not_text(raw: bytes, error: UnicodeDecodeError, encoding: str) -> BadInput:
    line = raw.count(b"\n", 0, error.start) + 1
    return BadInput(
        f"it is not {encoding} (byte 0x{error.object[error.start]:02X} in line {line}).", cure="Save it as UTF-8."
    )
