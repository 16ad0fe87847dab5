"""What a request's headers ask for: which coding, and whether the asker holds these bytes already (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

LONGEST = 8_000
"""Octets of a header that are looked at; a longer one counts as absent."""

_TAG = re.compile(rb'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_WEIGHT = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")


class Asked(NamedTuple):
    """The headers that choose an answer; what stands on several lines is one list (RFC 9110 section 5.3)."""

    none_match: bytes | None
    since: bytes | None
    accept_encoding: bytes | None


def asked(headers: Iterable[tuple[bytes, bytes]]) -> Asked:
    """From the headers of a request, their names in lower case."""
    none_match = since = accept = None
    for name, value in headers:
        if name == b"if-none-match":
            none_match = value if none_match is None else none_match + b"," + value
        elif name == b"if-modified-since":
            since = value
        elif name == b"accept-encoding":
            accept = value if accept is None else accept + b"," + value
    return Asked(none_match, since, accept)


def prefers_gzip(accept_encoding: bytes) -> bool:
    """Whether gzip may be sent and is no less welcome than the plain bytes (RFC 9110 section 12.5.3)."""
    if len(accept_encoding) > LONGEST:
        return False
    weights: dict[str, float] = {}
    for part in accept_encoding.decode("latin-1").lower().split(","):
        coding, *parameters = (each.strip() for each in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = (each.strip() for each in parameter.partition("="))
            if name == "q":
                weight = float(value) if _WEIGHT.match(value) else 0.0
        if coding:
            weights.setdefault("gzip" if coding == "x-gzip" else coding, weight)
    gzip = weights.get("gzip", weights.get("*", 0.0))
    # Plain bytes are always acceptable when nothing is said of them, and then the last resort.
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def names_any(if_none_match: bytes, tags: tuple[bytes, ...]) -> int:
    """Which of the entity tags (with their quotation marks) the header names: its place in `tags`, or -1. `*` names the
    first. The comparison is the weak one (RFC 9110 section 13.1.2)."""
    if if_none_match.strip() == b"*":
        return 0
    if len(if_none_match) > LONGEST:
        return -1
    named = set(_TAG.findall(if_none_match))
    return next((place for place, tag in enumerate(tags) if tag[1:-1] in named), -1)


def is_since(if_modified_since: bytes, last_modified: int) -> bool:
    """Whether what changed last at that second of Unix time has not changed since. What is no date counts as absent
    (RFC 9110 section 13.1.3)."""
    if len(if_modified_since) > 100:
        return False
    try:
        moment = parsedate_to_datetime(if_modified_since.decode("ascii"))
        return last_modified <= moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return False
