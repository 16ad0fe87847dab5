"""Requests as forms: multipart/form-data (RFC 7578), whose values stand as they are and cost nothing to write."""

from __future__ import annotations

from collections.abc import Iterable


def part(name: str, value: str) -> bytes:
    """One field, between two boundaries. Names are ours: plain ASCII."""
    return b'\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode("ascii"), value.encode())


def whole(parts: Iterable[bytes]) -> bytes:
    """The form with these parts: the same parts always give the same bytes. Its boundary stands nowhere in them."""
    parts = list(parts)
    number = 0
    while any(_boundary(number) in each for each in parts):
        number += 1
    line = b"--" + _boundary(number)
    return b"".join(piece for each in parts for piece in (line, each)) + line + b"--\r\n"


def with_first(form: bytes, parts: Iterable[bytes]) -> bytes:
    """The form with further parts before its own. They hold no boundary."""
    line = form.partition(b"\r\n")[0]
    return b"".join(piece for each in parts for piece in (line, each)) + form


def content_type(form: bytes) -> str:
    """The Content-Type of a form."""
    boundary = form[2:].partition(b"\r\n")[0].decode("ascii", "replace")
    return f"multipart/form-data; boundary={boundary}"


def _boundary(number: int) -> bytes:
    return b"syndicate-%d" % number
