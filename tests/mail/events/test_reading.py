"""The JSON of reports: read as Python's own reader reads it, in texts that every database keeps; and the ids made of
it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.errors import BadInput
from syndicate.mail.events.reading import json_of, moment, stable_id

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def kept(value: Any) -> Any:
    """The value without what no database keeps."""
    if isinstance(value, str):
        return "".join("\ufffd" if each == "\0" or "\ud800" <= each <= "\udfff" else each for each in value)
    if isinstance(value, list):
        return [kept(each) for each in value]
    if isinstance(value, dict):
        return {kept(name): kept(each) for name, each in value.items()}
    return value


def as_python_reads(body: bytes) -> Any:
    def refuse(constant: str) -> float:
        raise ValueError(constant)

    try:
        return kept(json.loads(body, parse_constant=refuse))
    except (ValueError, RecursionError):
        return BadInput


def read(body: bytes) -> Any:
    try:
        return json_of(body)
    except BadInput:
        return BadInput


@given(VALUES, st.booleans(), st.sampled_from([None, 1]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_every_spelling_is_read_as_python_reads_it(value: Any, ascii_only: bool, indent: Any, encoding: str) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).replace("Infinity", "1e999")
    body = text.encode(encoding, "surrogatepass")
    assert repr(read(body)) == repr(as_python_reads(body))


@given(VALUES, st.data())
def test_what_is_garbled_too(value: Any, data: st.DataObject) -> None:
    body = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass"))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    assert repr(read(bytes(body))) == repr(as_python_reads(bytes(body)))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1,]", b"NaN", b"[-Infinity]", b'"\xff"', b'"\x01"', b"01", b"[1] 2", b"[" * 100_000, b"9" * 5_000],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput):
        json_of(body)


def test_what_is_deep_is_read() -> None:
    deep = b"[" * 400 + b'"x"' + b"]" * 400
    assert json.dumps(json_of(deep)).encode() == deep


@pytest.mark.parametrize(
    "told",
    [
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9" * 12, "9" * 5_000, "", "today"),
        *(10**400, -(10**15), 1e300, float("inf"), None, True, []),
    ],
)
def test_what_is_no_moment_is_now(told: Any) -> None:
    now = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert moment(told, now) == moment(told, now, per_second=1000) == now


def test_a_moment_is_read_in_seconds_and_in_parts_of_them() -> None:
    expected = datetime(2026, 11, 20, 9, 30, 0, 250_000, tzinfo=UTC)
    now = datetime(2026, 11, 21, tzinfo=UTC)
    for told in ("2026-11-20T09:30:00.25Z", "2026-11-20T10:30:00.250+01:00", "2026-11-20 09:30:00.25"):
        assert moment(told, now) == expected
    seconds = expected.timestamp()
    assert moment(seconds, now) == moment(int(seconds * 1000), now, per_second=1000) == expected


@given(st.lists(VALUES | st.integers().map(float), max_size=5))
def test_an_id_made_of_facts_is_for_ever_the_same(facts: list[Any]) -> None:
    """The database knows by it what came before, also before an upgrade."""
    told = json.dumps(tuple(facts), sort_keys=True, default=str)
    assert stable_id(*facts) == hashlib.sha256(told.encode()).hexdigest()[:40]
