"""Rows of a file of people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.newsletter import Newsletter
from syndicate.core.people_file import COLUMNS, read_header, read_row
from syndicate.core.schedule import parse_cadence
from syndicate.errors import BadInput

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
CADENCES = {"daily": parse_cadence("daily", "daily 07:00"), "weekly": parse_cadence("weekly", "sat 09:00")}
BOTH = {name: Newsletter(name, name, "en", "UTC", cadences=CADENCES) for name in ("morning", "evening")}
ONE = {"morning": BOTH["morning"]}


def test_a_whole_row() -> None:
    row = dict(
        zip(
            COLUMNS,
            [
                "Bea@Post.example",
                "Béa",
                "fr-CA",
                "Europe/Paris",
                "morning; evening",
                "weekly;",
                "Active",
                "2025-01-31T10:00+02:00",
                "form",
            ],
            strict=True,
        )
    )
    found = read_row(row, BOTH, NOW)
    assert found.cadences == {"morning": "weekly", "evening": None}
    assert (found.email, found.address, found.name, found.status) == (
        "Bea@post.example",
        "bea@post.example",
        "Béa",
        "active",
    )
    assert found.consent_at == datetime(2025, 1, 31, 8, tzinfo=UTC)


def test_an_address_alone_is_enough_where_there_is_one_newsletter() -> None:
    found = read_row({"email": "bea@post.example"}, ONE, NOW)
    assert (dict(found.cadences), found.status, found.consent_at) == ({"morning": None}, "active", None)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"email": ""}, "email is empty"),
        ({"email": "bea"}, "not an e-mail address"),
        ({"email": "béa@post.example"}, "outside ASCII before the @"),
        ({"email": "béa@post.example", "status": "pending"}, "outside ASCII before the @"),
        ({"email": "b@post.example", "newsletters": "mornin"}, "did you mean 'morning'"),
        ({"email": "b@post.example", "newsletters": "morning;morning"}, "twice"),
        ({"email": "b@post.example", "cadence": "hourly"}, "no cadence"),
        ({"email": "b@post.example", "cadence": "daily;weekly"}, "cadence names 2"),
        ({"email": "b@post.example", "status": "maybe"}, "status"),
        ({"email": "b@post.example", "consent_at": "yesterday"}, "consent_at"),
        ({"email": "b@post.example", "consent_at": "2099-01-01"}, "future"),
        ({"email": "b@post.example", "timezone": "Mars/Olympus"}, "timezone"),
        ({"email": "b@post.example", "timezone": "../../etc/passwd"}, "timezone"),
        ({"email": "b@post.example", "language": "français!"}, "language"),
        ({"email": "b@post.example", "name": "Bea\r\nBcc: x@post.example"}, "line break"),
        ({"email": "b@post.example", "name": "x" * 201}, "longer"),
        ({"email": "b@post.example", "name": "Jos\ufffd"}, "UTF-8"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(row: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_row(row, ONE, NOW)


def test_several_newsletters_have_to_be_named() -> None:
    with pytest.raises(ValueError, match="morning, evening"):
        read_row({"email": "b@post.example"}, BOTH, NOW)


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=30)))
def test_any_row_is_read_or_refused(row: dict[str, Any]) -> None:
    try:
        read_row(row, BOTH, NOW)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_first_line_tells_what_stands_between_columns(delimiter: str) -> None:
    assert read_header(delimiter.join(["Email", ' "name" ', "status"]) + "\r\n") == delimiter


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("bea@post.example,Bea", "a row, not the names"),
        ("name,adress", "email among them"),
        ("email,consent_date", "consent_at"),
        ("email,name,email", "twice"),
        ("<html>", "Columns"),
        ("", "Columns"),
    ],
)
def test_a_first_line_that_does_not_name_the_columns_is_one_clear_error(line: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        read_header(line)
