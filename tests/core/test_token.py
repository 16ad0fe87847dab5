"""Tokens: what was signed comes back, and nothing else is ever taken."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import assume, given
from hypothesis import strategies as st

from syndicate.core.token import TokenSigner
from syndicate.errors import BadInput

OLD, NEW = (1, b"the secret of the first key"), (2, b"the secret of the second key")
SIGNER = TokenSigner([OLD, NEW])
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

purposes = st.text(st.characters(exclude_characters="\x1f", codec="utf-8"), max_size=20)
parts = st.lists(
    st.integers() | st.text(st.characters(exclude_characters="\x1f", codec="utf-8"), max_size=30), max_size=5
)


@given(purpose=purposes, parts=parts)
def test_what_was_signed_comes_back(purpose: str, parts: list[Any]) -> None:
    token = SIGNER.sign(purpose, *parts)
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.[0-9]*\.[0-9a-f]{32}", token)
    assert SIGNER.read(purpose, token) == tuple(map(str, parts))


@given(
    purpose=purposes,
    rest=parts,
    numbers=st.lists(st.integers(0, 2**64 - 1), max_size=5),
    secret=st.binary(min_size=16, max_size=130),
)
def test_a_series_gives_the_very_same_tokens(
    purpose: str, rest: list[Any], numbers: list[int], secret: bytes
) -> None:
    signer = TokenSigner([OLD, (7, secret)])
    tokens = signer.series(purpose, *rest)(numbers)
    assert tokens == [signer.sign(purpose, number, *rest) for number in numbers]
    assert len(set(tokens)) == len(set(numbers))
    assert [signer.read(purpose, token) for token in tokens] == [
        (str(number), *map(str, rest)) for number in numbers
    ]


@given(purpose=purposes, rest=parts, number=st.integers(0, 2**64 - 1))
def test_a_number_and_its_digits_are_not_taken_for_one_another(purpose: str, rest: list[Any], number: int) -> None:
    by_number, by_text = SIGNER.sign(purpose, number, *rest), SIGNER.sign(purpose, str(number), *rest)
    assert by_number.rpartition(".")[2] != by_text.rpartition(".")[2]
    assert SIGNER.read(purpose, by_number) == SIGNER.read(purpose, by_text)


def test_the_mac_is_the_block_cipher_of_the_number_under_a_key_of_the_context() -> None:
    context = b"2\x1fmorning\x1f4711"
    key = hashlib.blake2b(b"unsubscribe\x1fnumber\x1f" + context, key=NEW[1], digest_size=32).digest()
    block = Cipher(algorithms.AES256(key), modes.ECB()).encryptor().update((42).to_bytes(16, "big"))
    wanted = f"{urlsafe_b64encode(context).decode().rstrip('=')}.42.{block.hex()}"
    assert SIGNER.sign("unsubscribe", 42, "morning", 4711) == wanted


def test_links_of_the_first_form_work_for_ever() -> None:
    payload = b"1\x1f42\x1fmorning\x1f7"
    mac = hashlib.blake2b(b"unsubscribe\x1f" + payload, key=OLD[1], digest_size=16).digest()
    token = urlsafe_b64encode(mac + payload).decode().rstrip("=")
    assert SIGNER.read("unsubscribe", token) == ("42", "morning", "7")
    for changed in (token[:-1], token[1:], "A" + token[1:]):
        with pytest.raises(BadInput):
            SIGNER.read("unsubscribe", changed)
    with pytest.raises(BadInput):
        SIGNER.read("preferences", token)


def test_a_series_refuses_what_a_token_may_not_hold() -> None:
    for purpose, part in (("a\x1fb", "c"), ("a", "b\x1fc")):
        with pytest.raises(ValueError, match=r"U\+001F"):
            SIGNER.series(purpose, part)


@given(parts=parts, data=st.data())
def test_any_changed_character_is_refused(parts: list[Any], data: st.DataObject) -> None:
    token = SIGNER.sign("unsubscribe", *parts)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(ALPHABET) | st.characters())
    assume(other != token[at])
    with pytest.raises(BadInput):
        SIGNER.read("unsubscribe", token[:at] + other + token[at + 1 :])


@given(parts=parts, data=st.data())
def test_any_shorter_or_longer_token_is_refused(parts: list[Any], data: st.DataObject) -> None:
    token = SIGNER.sign("unsubscribe", *parts)
    kept = data.draw(st.integers(0, len(token) - 1))
    extra = data.draw(st.text(st.sampled_from(ALPHABET + "=.\n \u00e9"), min_size=1, max_size=8))
    for changed in (token[:kept], token + extra, extra + token):
        with pytest.raises(BadInput):
            SIGNER.read("unsubscribe", changed)


@given(purpose=purposes, other=purposes, parts=parts)
def test_another_purpose_is_refused(purpose: str, other: str, parts: list[Any]) -> None:
    assume(purpose != other)
    with pytest.raises(BadInput):
        SIGNER.read(other, SIGNER.sign(purpose, *parts))


@given(parts=parts, other=st.binary(min_size=16, max_size=64))
def test_another_secret_is_refused(parts: list[Any], other: bytes) -> None:
    assume(other != NEW[1])
    with pytest.raises(BadInput):
        TokenSigner([(2, other)]).read("unsubscribe", SIGNER.sign("unsubscribe", *parts))


@given(junk=st.text(max_size=200) | st.text(st.sampled_from(ALPHABET), max_size=200))
def test_junk_is_refused_as_bad_input(junk: str) -> None:
    with pytest.raises(BadInput):
        SIGNER.read("unsubscribe", junk)


def test_a_token_survives_the_rotation_of_keys() -> None:
    before = TokenSigner([OLD]).sign("unsubscribe", 42, "morning")
    assert SIGNER.read("unsubscribe", before) == ("42", "morning")
    assert SIGNER.sign("unsubscribe", 42, "morning") == TokenSigner([NEW]).sign("unsubscribe", 42, "morning") != before
    with pytest.raises(BadInput):
        TokenSigner([NEW]).read("unsubscribe", before)


def test_a_token_is_short_and_does_not_end_in_what_mail_programs_take_for_punctuation() -> None:
    for subscriber in range(500):
        token = SIGNER.sign("unsubscribe", 10_000_000 + subscriber, "morning", 4711)
        assert len(token) <= 68
        assert token[-1].isalnum()


def test_a_separator_cannot_be_smuggled_in() -> None:
    with pytest.raises(ValueError, match=r"U\+001F"):
        SIGNER.sign("unsubscribe", "1\x1f2")
    with pytest.raises(ValueError, match=r"U\+001F"):
        SIGNER.sign("unsub\x1fscribe", 1)


@pytest.mark.parametrize(
    "keys", [[], [(1, b"short")], [(1, b"the secret of the first key"), (1, b"the secret of another key")]]
)
def test_keys_that_cannot_sign_are_refused(keys: list[tuple[int, bytes]]) -> None:
    with pytest.raises(ValueError):
        TokenSigner(keys)


def test_a_signer_shows_no_secret() -> None:
    assert "secret" not in repr(SIGNER)
