"""Tokens of programs: told once, kept as a hash, worthless when revoked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.api_token import looks_like_token, make_token
from syndicate.errors import NotFound, Refused, UsageError
from syndicate.services.check_token import PER_NETWORK, PER_TOKEN, check_token
from syndicate.services.create_token import create_token
from syndicate.services.revoke_token import revoke_token
from syndicate.storage import tables
from syndicate.storage.api_tokens import ApiToken, list_tokens
from syndicate.storage.database import Database
from syndicate.storage.rate_limits import take


def create(database: Database, now: datetime, name: str = "cms", source: str = "", octet: bytes = b"r") -> str:
    return create_token(database, name, source=source, actor="admin", random=octet * 32, now=now)


def check(database: Database, token: str, now: datetime) -> ApiToken | None:
    return check_token(database, token, address="192.0.2.1", secret=b"s" * 32, now=now).token


def test_a_token_opens_until_it_is_revoked(database: Database, now: datetime) -> None:
    token = create(database, now, source="wire")
    assert looks_like_token(token)
    found = check(database, token, now)
    assert found is not None
    assert (found.name, found.source, found.scope, found.created_by) == ("cms", "wire", "push", "admin")
    for forged in ("", token[:-1], token + "A", token.swapcase(), token.replace("syndicate_", ""), f" {token}"):
        assert check(database, forged, now) is None
    assert check(database, make_token(b"x" * 32), now) is None
    revoke_token(database, "cms", actor="admin", now=now)
    assert check(database, token, now) is None
    with pytest.raises(NotFound):
        revoke_token(database, "cms", actor="admin", now=now)


def test_the_database_does_not_hold_it(database: Database, now: datetime) -> None:
    token = create(database, now)
    with database.read() as connection:
        for table in (tables.api_tokens, tables.audit_log):
            for row in connection.execute(sa.select(table)):
                assert token not in repr(row) and token.removeprefix("syndicate_") not in repr(row)


def test_its_use_is_noted_once_a_minute(database: Database, now: datetime) -> None:
    token = create(database, now)
    for seconds, noted in ((0, 0), (30, 0), (61, 61), (90, 61)):
        check(database, token, now + timedelta(seconds=seconds))
        with database.read() as connection:
            assert list_tokens(connection)[0].used_at == now + timedelta(seconds=noted)


def test_a_name_is_taken_while_its_token_is_good(database: Database, now: datetime) -> None:
    first = create(database, now)
    with pytest.raises(Refused):
        create(database, now, octet=b"s")
    revoke_token(database, "cms", actor="admin", now=now)
    second = create(database, now, octet=b"t")
    assert check(database, first, now) is None
    assert check(database, second, now) is not None
    with database.read() as connection:
        assert [each.revoked_at is None for each in list_tokens(connection)] == [True, False]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 81, "<b>", "-x"])
def test_names_are_plain(database: Database, now: datetime, name: str) -> None:
    with pytest.raises(UsageError):
        create(database, now, name)


def test_a_token_has_its_requests_and_no_more(database: Database, now: datetime) -> None:
    token, other = create(database, now), create(database, now, name="other", octet=b"o")
    with database.write() as connection:
        for _ in range(PER_TOKEN.burst - 2):
            assert not take(connection, "api-token:1", PER_TOKEN, now)
    told = [check_token(database, token, address="192.0.2.1", secret=b"s" * 32, now=now) for _ in range(3)]
    assert [(each.room, bool(each.wait)) for each in told] == [(1, False), (0, False), (0, True)]
    assert all(each.token is not None for each in told)
    assert told[-1].full_in == PER_TOKEN.every * PER_TOKEN.burst
    # Nobody else is held up, wherever they come from; and as soon as it was told to, it goes on.
    assert not check_token(database, other, address="192.0.2.1", secret=b"s" * 32, now=now).wait
    later = now + told[-1].wait
    assert not check_token(database, token, address="192.0.2.1", secret=b"s" * 32, now=later).wait


def test_tries_without_a_good_token_are_counted_by_network(database: Database, now: datetime) -> None:
    token = create(database, now)
    waits = [
        bool(check_token(database, f"x{number}", address=f"192.0.2.{number}", secret=b"s" * 32, now=now).wait)
        for number in range(PER_NETWORK.burst + 2)
    ]
    assert waits == [False] * PER_NETWORK.burst + [True] * 2
    assert not check_token(database, "x", address="198.51.100.1", secret=b"s" * 32, now=now).wait
    assert not check_token(database, token, address="192.0.2.1", secret=b"s" * 32, now=now).wait
