"""The one way out: HTTP requests with a total deadline, a size limit, and the truth about whether bytes left us.

Nothing is retried, and only `fetch` follows redirects. Proxies, cookies and credentials of the environment play no
part; a proxy that a client is given opens a tunnel (RFC 9110 §9.3.6) and sees no request.
"""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from syndicate.core.network_address import is_public
from syndicate.deadlines import Deadline, Deadlines

IDLE_SECONDS = 2.0
"""A pooled connection that rested longer is not used again. Servers close idle connections after 5 s and more, and a
request written into a connection that is just being closed cannot be told from one that was taken."""

MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_FOR_GOOD = (301, 308)
_GZIP = ("gzip", "x-gzip")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Names in `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """No whole answer came. `left` is False only when no byte of the request can have left this machine: name
    resolution, connecting, a proxy's way or TLS failed. `refused` when it leads to where a client with `public_only`
    does not go."""

    left: bool
    why: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """What `fetch` got: the answer after all redirects, its body decompressed, and the address that gave it. `moved_to`
    is the address that redirects said is the new one for good, or ""."""

    reply: Reply
    url: str
    moved_to: str = ""


@dataclass(slots=True)
class _Exchange:
    """One request under way in this thread."""

    deadline: Deadline
    public_only: bool = False
    refused: str = ""
    left: bool = False


_current = threading.local()


class _Observed(HTTPConnection):
    """Connects within the deadline, knows when the first byte is about to leave, and does not outlive its rest."""

    _rests_since = 0.0
    _asks_for_a_way = False

    def _new_conn(self) -> socket.socket:
        exchange: _Exchange = _current.exchange
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        if exchange.public_only:
            # Of the addresses that are connected to below, not of another answer of the resolver; and all of them: a
            # name with one private address among its public ones is meant to lead somebody astray.
            exchange.refused = next((str(each[4][0]) for each in found if not is_public(str(each[4][0]))), "")
            if exchange.refused:
                raise NewConnectionError(self, f"{exchange.refused} is refused")
        failed: OSError | None = None
        for family, kind, protocol, _, address in found:
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(exchange.deadline.remaining())
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.connect(address)
                return connection
            except OSError as error:
                connection.close()
                failed = error
        if isinstance(failed, TimeoutError):
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from failed
        raise NewConnectionError(self, f"no connection to {self.host}: {failed}") from failed

    def connect(self) -> None:
        super().connect()
        _current.exchange.deadline.watch(self.sock)

    def _tunnel(self) -> None:
        """What a proxy is asked is no part of the request: before it has opened the way nothing has left."""
        _current.exchange.deadline.watch(self.sock)
        self._asks_for_a_way = True
        try:
            super()._tunnel()
        finally:
            self._asks_for_a_way = False

    @property
    def is_connected(self) -> bool:
        rested = time.monotonic() - self._rests_since
        return rested <= IDLE_SECONDS and super().is_connected

    def send(self, data: Any) -> None:
        if self._asks_for_a_way:
            super().send(data)
            return
        exchange: _Exchange = _current.exchange
        if self.sock is None:
            self.connect()
        elif not exchange.left:
            exchange.deadline.watch(self.sock)
        exchange.left = True
        super().send(data)

    def rests(self) -> None:
        self._rests_since = time.monotonic()


class _ObservedTLS(_Observed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Observed

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.rests()
        super()._put_conn(conn)


class _PoolTLS(_Pool, HTTPSConnectionPool):
    ConnectionCls = _ObservedTLS


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}
        return manager


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: even when it follows nothing, requests reads a redirect's whole body to know where it would go."""


class Client:
    """Posts and gets with one deadline for the whole request: connecting, sending, and the last byte of the answer.

    (Only the resolver of the system keeps its own time.) With `public_only` nothing is connected to on this machine, in
    a private network or in a multicast group, whatever name leads there. `trusted` is a file of certificates in place
    of the world's own. `proxy` is an http address, with user and password where it wants them, through which https
    addresses are reached; others are reached directly. Safe to use from several threads: each has its connections.
    """

    def __init__(
        self,
        *,
        deadline_seconds: float,
        max_answer_bytes: int = 1_000_000,
        public_only: bool = False,
        trusted: Path | None = None,
        proxy: str = "",
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._max_answer_bytes = max_answer_bytes
        self._public_only = public_only
        self._trusted = trusted
        self._proxy = proxy
        password = urlsplit(proxy).password or ""
        self._hidden = {each for each in (password, unquote(password)) if each}
        self._threads = threading.local()
        self._deadlines = Deadlines(deadline_seconds)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply | Failure:
        """Posts the body once."""
        return self._request("POST", url, body, headers)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Reply | Failure:
        """Gets the address as it stands, query included."""
        return self._request("GET", url, None, headers or {})

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched | Failure:
        """Gets the address, follows redirects (each hop by the same rules as the first), and decompresses the body,
        which then too may have `max_answer_bytes`. No hop begins after the deadline."""
        ends = time.monotonic() + self._deadline_seconds
        moved_to, for_good = "", True
        for _ in range(MOST_REDIRECTS + 1):
            reply = self.get(url, {"Accept-Encoding": "gzip", **(headers or {})})
            if isinstance(reply, Failure):
                return reply
            location = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not location:
                whole = self._decompressed(reply)
                return whole if isinstance(whole, Failure) else Fetched(whole, url, moved_to)
            following = _hop(url, location)
            if following is None:
                return Failure(True, f"it redirects to what is no web address: {location[:200]!r}")
            url = following
            for_good = for_good and reply.status in _FOR_GOOD
            moved_to = url if for_good else moved_to
            if time.monotonic() >= ends:
                return Failure(True, f"no whole answer within {self._deadline_seconds:g} s")
        return Failure(True, f"it redirects more than {MOST_REDIRECTS} times")

    def _decompressed(self, reply: Reply) -> Reply | Failure:
        coding = reply.headers.get("content-encoding", "identity").strip().lower()
        if coding in ("", "identity") or not reply.body:
            return reply
        if coding not in _GZIP:
            return Failure(True, f"the answer is coded as {coding[:40]!r}, which nobody asked for")
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            body = inflater.decompress(reply.body, self._max_answer_bytes + 1)
        except zlib.error:
            return Failure(True, "the answer is not the gzip that it says it is")
        if len(body) > self._max_answer_bytes:
            return Failure(True, f"the answer is larger than {self._max_answer_bytes} bytes")
        if not inflater.eof:
            return Failure(True, "the answer is cut")
        return Reply(reply.status, reply.headers, body)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = _Session()
            session.trust_env = False
            if self._trusted is not None:
                session.verify = str(self._trusted)
            if self._proxy:
                session.proxies = {"https": self._proxy}
            session.headers.clear()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter(pool_connections=2, pool_maxsize=1, max_retries=0))
            self._threads.session = session
        return session

    def _request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply | Failure:
        exchange = _current.exchange = _Exchange(self._deadlines.begin(), self._public_only)
        try:
            return self._exchange(method, url, body, headers)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if exchange.refused:
                why = f"{_host(url)} leads to {exchange.refused}, which is this machine or no public address"
                return Failure(False, why, refused=True)
            if exchange.deadline.expired or isinstance(error, TimeoutError | requests.Timeout):
                why = f"no whole answer within {self._deadline_seconds:g} s"
                return Failure(exchange.left, why if exchange.left else f"no connection: {why}")
            reason = _reason(error)
            for secret in self._hidden:
                reason = reason.replace(secret, "[secret]")
            return Failure(exchange.left, f"{'connection lost' if exchange.left else 'not reached'}: {reason}")
        finally:
            exchange.deadline.finish()
            del _current.exchange

    def _exchange(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply | Failure:
        with self._session().request(
            method,
            url,
            data=body,
            headers={"User-Agent": "Syndicate", "Accept-Encoding": "identity", **headers},
            timeout=self._deadline_seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            head = response.raw._original_response
            if head is None or head.msg.defects:
                response.raw.close()
                return Failure(True, "the head of the answer is cut or garbled")
            answer = bytearray()
            while chunk := response.raw.read(65536, decode_content=False):
                answer += chunk
                if len(answer) > self._max_answer_bytes:
                    response.raw.close()
                    return Failure(True, f"the answer is larger than {self._max_answer_bytes} bytes")
            if _current.exchange.deadline.expired:
                # A body without a length ends where the connection ends, also when the deadline ended it.
                raise TimeoutError
            named = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status_code, named, bytes(answer))


def _hop(url: str, location: str) -> str | None:
    """Where a redirect leads, without a fragment; None when that is no web address or carries credentials."""
    try:
        # http.client reads headers as Latin-1; servers write UTF-8 (RFC 9110 §5.5 leaves it open).
        following = urljoin(url, location.encode("latin-1").decode("utf-8", "replace").strip())
        parts = urlsplit(following)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return following.partition("#")[0] if fits and "@" not in parts.netloc else None


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the host"


def _reason(error: BaseException) -> str:
    """The innermost cause in one short line: the wrappers around it repeat addresses and object names."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = error.__cause__ or error.__context__
        inner = inner or next((argument for argument in error.args if isinstance(argument, BaseException)), None)
        inner = inner or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    words = "".join(each if each.isprintable() else " " for each in str(error))
    return " ".join(words.split())[:200] or type(error).__name__
