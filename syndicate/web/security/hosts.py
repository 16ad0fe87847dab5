"""By which names this server is called. A page on another name (DNS rebinding) gets nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from syndicate.core.sample import is_sample_host

if TYPE_CHECKING:
    from syndicate.site import Site

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")


@lru_cache(maxsize=1_000)
def split_host(host: str) -> str:
    """The name in a Host header or authority, lower case, without port and brackets; "" for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        name = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:
        return ""
    if not name or parts.path or parts.query or parts.fragment or "@" in host or any(each <= " " for each in host):
        return ""
    return name


class Hosts:
    """The names that count: of `[web] url`, of the listener, and of this machine itself."""

    def __init__(self, web_url: str, listen_host: str) -> None:
        self._names = LOOPBACK_NAMES | {split_host(urlsplit(web_url).netloc), split_host(listen_host)} - {""}
        # Who listens everywhere is called by addresses that nobody lists here; an address is never a rebound name.
        self._any_address = listen_host in ("0.0.0.0", "::", "[::]", "")

    def has(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = split_host(host)
        return name in self._names or (self._any_address and is_address(name))


def is_address(name: str) -> bool:
    """Whether it is an IP address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1_000)
def is_loopback(name: str) -> bool:
    """Whether a name or address can only be this machine."""
    return name in LOOPBACK_NAMES or (is_address(name) and ip_address(name).is_loopback)


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The only header of that name; None when there is none or several."""
    found = [value for each, value in headers if each == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def is_from_here(scope: Mapping[str, Any]) -> bool:
    """Whether the request surely comes from this machine itself: from, to and by a loopback address, through nobody."""
    names = (scope.get("server") or ("",), scope.get("client") or ("",))
    return (
        all(is_loopback(str(each[0])) for each in names)
        and is_loopback(split_host(header(scope["headers"], b"host") or ""))
        and not any(name in _FORWARDED for name, _ in scope["headers"])
    )


def console_address(site: Site) -> str:
    """Where people reach the console, without a last stroke: `[web] url`, or the listener while that is a sample."""
    url = site.publication.web_url
    if not is_sample_host(urlsplit(url).hostname or ""):
        return url
    host, port = site.settings.listen
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"
