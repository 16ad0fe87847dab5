"""Signed tokens for links: they never expire, each works for one purpose only, and they survive key rotation.

A token is base64url without padding of `mac ‖ payload`. The payload is the key's id and the parts, joined by U+001F;
the MAC is keyed BLAKE2b of 16 octets (RFC 7693 section 2.9) over the purpose and the payload. Signed, not secret:
nothing that a link's reader must not see goes in. Not itsdangerous: it derives a key anew for each of the two tokens
that every recipient gets, and takes several spellings of one signature. Not HMAC: it hashes twice, and a mailing to a
million signs two million.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Callable, Sequence

from syndicate.errors import BadInput

_SEPARATOR = "\x1f"
_MAC_OCTETS = 16
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_LONGEST = 2000
"""Characters; a longer token was not made here, and is not worth decoding."""


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
        payload = _SEPARATOR.join((self._key, *map(str, parts)))
        if _SEPARATOR in purpose or payload.count(_SEPARATOR) != len(parts):
            raise ValueError("Neither a purpose nor a part of a token may hold U+001F.")
        encoded = payload.encode()
        return urlsafe_b64encode(_mac(self._secret, purpose, encoded) + encoded).rstrip(b"=").decode("ascii")

    def series(self, purpose: str, *rest: int | str) -> Callable[[int], str]:
        """What `sign(purpose, number, *rest)` gives for each number, worked out once as far as they agree: a mailing
        signs two tokens for everybody in it.

        Raises ValueError when the purpose or a part holds U+001F.
        """
        self.sign(purpose, 0, *rest)
        head = f"{self._key}{_SEPARATOR}".encode()
        tail = "".join(f"{_SEPARATOR}{part}" for part in rest).encode()
        begin = _begun(self._secret, purpose, head).copy

        def token(number: int) -> str:
            payload = b"%d%b" % (number, tail)
            mac = begin()
            mac.update(payload)
            signed = b2a_base64(mac.digest() + head + payload, newline=False)
            return signed.translate(_URL_SAFE).rstrip(b"=").decode("ascii")

        return token

    def read(self, purpose: str, token: str) -> tuple[str, ...]:
        """The parts that were signed. Raises BadInput for anything that was not signed here for this purpose."""
        decoded = _decode(token)
        mac, payload = decoded[:_MAC_OCTETS], decoded[_MAC_OCTETS:]
        try:
            key, *parts = payload.decode().split(_SEPARATOR)
        except UnicodeDecodeError:
            raise _refusal() from None
        secret = self._secrets.get(key)
        if secret is None or not hmac.compare_digest(mac, _mac(secret, purpose, payload)):
            raise _refusal()
        return tuple(parts)


def _mac(secret: bytes, purpose: str, payload: bytes) -> bytes:
    return _begun(secret, purpose, payload).digest()


def _begun(secret: bytes, purpose: str, payload: bytes) -> hashlib.blake2b:
    # The purpose holds no separator, so the two cannot be divided in another way.
    key = secret if len(secret) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(secret).digest()
    return hashlib.blake2b(f"{purpose}{_SEPARATOR}".encode() + payload, key=key, digest_size=_MAC_OCTETS)


def _decode(token: str) -> bytes:
    if not token.isascii() or len(token) > _LONGEST:
        raise _refusal()
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
