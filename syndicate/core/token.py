"""Signed tokens for links: they never expire, each works for one purpose only, and they survive key rotation.

A token is `context.number.mac`. The context is base64url without padding of the key's id and the parts, joined by
U+001F; the number is the first part where that is a whole number, else nothing. The MAC is the number as one block of
AES-256 (FIPS 197), in hexadecimal, under a key that is keyed BLAKE2b (RFC 7693 section 2.9) of the purpose and the
context: of messages of one block a block cipher is a MAC, and a mailing to a million, which signs two million, does so
in a few calls. Signed, not secret: nothing that a link's reader must not see goes in. Not itsdangerous: it derives a
key anew for each token, and takes several spellings of one signature.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence

from syndicate.errors import BadInput

_SEPARATOR = "\x1f"
_MAC_OCTETS = 16
_LARGEST = 2**64 - 1
_LONGEST = 2000
"""Characters; a longer token was not made here, and is not worth decoding."""

Series = Callable[[Sequence[int]], list[str]]
"""Signs for many numbers."""


class TokenSigner:
    """`keys` are (key id, secret) pairs: the last signs, all verify. A secret is at least 16 octets."""

    def __init__(self, keys: Sequence[tuple[int, bytes]]) -> None:
        if not keys:
            raise ValueError("A signer needs at least one key.")
        if any(len(secret) < 16 for _, secret in keys):
            raise ValueError("A signing secret needs at least 16 octets.")
        self._secrets = {str(key): secret for key, secret in keys}
        if len(self._secrets) != len(keys):
            raise ValueError("Two signing keys have the same id.")
        self._key = str(keys[-1][0])
        self._secret = keys[-1][1]

    def __repr__(self) -> str:
        return f"TokenSigner({len(self._secrets)} keys)"

    def sign(self, purpose: str, *parts: int | str) -> str:
        """A URL-safe token that `read` with the same purpose gives the parts back from, as text.

        Raises ValueError when the purpose or a part holds U+001F.
        """
        if parts and type(parts[0]) is int and 0 <= parts[0] <= _LARGEST:
            return self.series(purpose, *parts[1:])([parts[0]])[0]
        context = self._context(purpose, parts)
        return f"{_encode(context)}..{_macs(self._secret, purpose, context, [])}"

    def series(self, purpose: str, *rest: int | str) -> Series:
        """What `sign(purpose, number, *rest)` gives for each number from 0 to 2⁶⁴ - 1: a mailing signs two tokens for
        everybody in it.

        Raises ValueError when the purpose or a part holds U+001F.
        """
        context = self._context(purpose, rest)
        begins = _encode(context)

        def tokens(numbers: Sequence[int]) -> list[str]:
            macs = _macs(self._secret, purpose, context, numbers).split(" ")
            return [f"{begins}.{number}.{mac}" for number, mac in zip(numbers, macs, strict=True)] if numbers else []

        return tokens

    def read(self, purpose: str, token: str) -> tuple[str, ...]:
        """The parts that were signed. Raises BadInput for anything that was not signed here for this purpose."""
        if not token.isascii() or len(token) > _LONGEST:
            raise _refusal()
        begins, *others = token.split(".")
        if not others:
            return self._read_joined(purpose, token)
        if len(others) != 2:
            raise _refusal()
        number, mac = others
        context = _decode(begins)
        secret, rest = self._parts_of(context)
        if secret is None or not _is_number(number):
            raise _refusal()
        expected = _macs(secret, purpose, context, [int(number)] if number else [])
        if not hmac.compare_digest(mac, expected):
            raise _refusal()
        return (number, *rest) if number else tuple(rest)

    def _read_joined(self, purpose: str, token: str) -> tuple[str, ...]:
        """Tokens as they were first: base64url of `mac ‖ payload`. Nobody's link may end."""
        decoded = _decode(token)
        mac, payload = decoded[:_MAC_OCTETS], decoded[_MAC_OCTETS:]
        secret, parts = self._parts_of(payload)
        if secret is None or not hmac.compare_digest(mac, _hash(secret, purpose, payload, _MAC_OCTETS)):
            raise _refusal()
        return tuple(parts)

    def _context(self, purpose: str, parts: Sequence[int | str]) -> bytes:
        context = _SEPARATOR.join((self._key, *map(str, parts)))
        if _SEPARATOR in purpose or context.count(_SEPARATOR) != len(parts):
            raise ValueError("Neither a purpose nor a part of a token may hold U+001F.")
        return context.encode()

    def _parts_of(self, context: bytes) -> tuple[bytes | None, list[str]]:
        """The secret of the key that it names, if that is known, and the parts."""
        try:
            key, *parts = context.decode().split(_SEPARATOR)
        except UnicodeDecodeError:
            raise _refusal() from None
        return self._secrets.get(key), parts


def _hash(secret: bytes, purpose: str, payload: bytes, octets: int) -> bytes:
    # The purpose holds no separator, so the two cannot be divided in another way.
    key = secret if len(secret) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(secret).digest()
    return hashlib.blake2b(f"{purpose}{_SEPARATOR}".encode() + payload, key=key, digest_size=octets).digest()


def _macs(secret: bytes, purpose: str, context: bytes, numbers: Sequence[int]) -> str:
    """The MAC of each number, one space between two; of no number, that of the context alone."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    # A token with a number never has the key of one without.
    key = _hash(secret, purpose, (b"number" if numbers else b"") + _SEPARATOR.encode() + context, 32)
    blocks = struct.pack(">" + "8xQ" * len(numbers), *numbers) if numbers else bytes(_MAC_OCTETS)
    # Each block on its own, as each is a message of its own.
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks).hex(" ", _MAC_OCTETS)


def _is_number(written: str) -> bool:
    """Whether it is empty, or spells a number as it is spelt here."""
    return not written or (written.isdecimal() and str(int(written)) == written and int(written) <= _LARGEST)


def _encode(context: bytes) -> str:
    return urlsafe_b64encode(context).rstrip(b"=").decode("ascii")


def _decode(token: str) -> bytes:
    given = token.encode("ascii")
    try:
        decoded = urlsafe_b64decode(given + b"=" * (-len(given) % 4))
    except ValueError:
        raise _refusal() from None
    # The decoder skips foreign characters and the unused bits of the last one: only the one spelling counts.
    if urlsafe_b64encode(decoded).rstrip(b"=") != given:
        raise _refusal()
    return decoded


def _refusal() -> BadInput:
    return BadInput("This link is not complete or was changed.", cure="Open it from the e-mail, or copy all of it.")
