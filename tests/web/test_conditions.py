"""What a request's headers ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.web.conditions import is_since, names_any, prefers_gzip

PLAIN, ZIPPED = b'"aa"', b'"bb-gz"'


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"", False),
        (b"gzip", True),
        (b"x-gzip", True),
        (b"GZip", True),
        (b"gzip, deflate, br, zstd", True),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        (b"*", True),
        (b"*;q=0", False),
        (b"*;q=0, gzip", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000", False),
        (b"gzip; q=0.001", True),
        (b"identity", False),
        (b"identity;q=0.5, gzip;q=1", True),
        (b"identity;q=1, gzip;q=0.5", False),
        (b"identity, gzip", True),
        (b"identity;q=0", False),
        (b"gzip;q=2", False),
        (b"gzip;q=abc", False),
        (b"gzip;q", False),
        (b"deflate, br", False),
        (b"not-gzip", False),
        (b"gzip," * 10_000, False),
    ],
)
def test_gzip_is_sent_to_who_asks_for_it(header: bytes, wanted: bool) -> None:
    assert prefers_gzip(header) is wanted


@pytest.mark.parametrize(
    ("header", "place"),
    [
        (b'"aa"', 0),
        (b'W/"aa"', 0),
        (b'"bb-gz"', 1),
        (b'"x", "bb-gz"', 1),
        (b'"x" , W/"aa","y"', 0),
        (b'"a,a", "aa"', 0),
        (b"*", 0),
        (b" * ", 0),
        (b'"x"', -1),
        (b"aa", -1),
        (b'"*"', -1),
        (b'"AA"', -1),
        (b'"aa', -1),
        (b"", -1),
        (b'"x",' * 5_000 + b'"aa"', -1),
    ],
)
def test_tags_are_compared_weakly_in_lists(header: bytes, place: int) -> None:
    assert names_any(header, (PLAIN, ZIPPED)) == place


@given(
    st.lists(st.text("abc,W/-", max_size=6), max_size=6),
    st.sampled_from(["", "W/"]),
    st.sampled_from([",", ", ", " ,\t"]),
)
def test_a_tag_is_found_in_any_list_that_holds_it(others: list[str], weak: str, comma: str) -> None:
    members = [f'"{each}"' for each in others]
    header = comma.join([*members, f'{weak}"bb-gz"']).encode()
    assert names_any(header, (b'"unlike"', ZIPPED)) == 1
    assert names_any(comma.join(members).encode(), (b'"unlike"', ZIPPED)) == -1


@pytest.mark.parametrize(
    ("header", "since"),
    [
        (b"Fri, 20 Nov 2026 09:30:00 GMT", True),
        (b"Fri, 20 Nov 2026 09:30:01 GMT", True),
        (b"Fri, 20 Nov 2026 09:29:59 GMT", False),
        (b"Friday, 20-Nov-26 09:30:00 GMT", True),
        (b"Fri Nov 20 09:30:00 2026", True),
        (b"Fri, 20 Nov 2026 10:30:00 +0100", True),
        (b"yesterday", False),
        (b"", False),
        (b"\xff\xfe", False),
        (b"Fri, 99 Nov 2026 09:30:00 GMT", False),
        (b"Fri, 20 Nov 99999999 09:30:00 GMT", False),
        (b"1" * 5_000, False),
    ],
)
def test_dates_are_read_as_http_writes_them(header: bytes, since: bool) -> None:
    changed = int(datetime(2026, 11, 20, 9, 30, tzinfo=UTC).timestamp())
    assert is_since(header, changed) is since


@given(st.integers(0, 4_000_000_000), st.integers(-100_000, 100_000))
def test_any_second_compares_with_its_own_date(second: int, ahead: int) -> None:
    header = formatdate(second, usegmt=True).encode()
    assert is_since(header, second + ahead) is (ahead <= 0)


@given(st.binary(max_size=200))
def test_no_header_breaks_the_reading(header: bytes) -> None:
    prefers_gzip(header)
    names_any(header, (PLAIN,))
    is_since(header, 1)
