"""One sandbox for one outbox, whoever asks for it: started here, or found where another process runs it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from syndicate.errors import MailAPIError
from syndicate.http import Client, Failure

PATIENCE = 15.0
"""Seconds that a process which holds the lock may take to answer: it is starting, stopping, or stuck."""

_HEIR_LOOKS_EVERY = 0.2
_POLL = 0.01


class Sandbox:
    """The mail API of an outbox while a `with running_sandbox(…)` block runs.

    Whoever holds the lock `outbox/lock` serves and writes its port to `outbox/port`. The others use that server; when
    its process goes away, one of them takes over, on the same port if it can.
    """

    def __init__(self, outbox: Path, seconds: float = 0.0) -> None:
        outbox.mkdir(parents=True, exist_ok=True)
        self._outbox = outbox
        self._seconds = seconds
        self._identity = identity(outbox)
        self._client = Client(deadline_seconds=2.0)
        self._mutex = threading.Lock()
        self._hosting: _Hosting | None = None
        self._stop = threading.Event()
        self._port = self._settle()
        self._heir: threading.Thread | None = None
        if self._hosting is None:
            self._heir = threading.Thread(target=self._inherit, name="sandbox-heir", daemon=True)
            self._heir.start()

    @property
    def url(self) -> str:
        """Where it listens now. Raises MailAPIError when nobody answers and nobody lets go of the outbox."""
        with self._mutex:
            if self._hosting is None and not self._answers(self._port):
                self._port = self._settle()
            return f"http://127.0.0.1:{self._port}"

    @property
    def hosted_here(self) -> bool:
        """Whether this process serves."""
        return self._hosting is not None

    def close(self) -> None:
        """Stops serving, if it was served here: open requests are finished first, the lock is let go last."""
        self._stop.set()
        if self._heir is not None:
            self._heir.join()
        with self._mutex:
            if self._hosting is not None:
                self._hosting.close()
                self._hosting = None

    def _settle(self) -> int:
        patience = time.monotonic() + PATIENCE
        while True:
            if port := self._try_to_host():
                return port
            if (port := _read_port(self._outbox)) and self._answers(port):
                return port
            if time.monotonic() > patience:
                raise MailAPIError(
                    f"Another process holds {self._outbox / 'lock'}, but its sandbox does not answer.",
                    cure="End that process, then try again.",
                )
            self._stop.wait(_POLL)

    def _try_to_host(self) -> int | None:
        """The port, None when another process serves."""
        lock = _lock(self._outbox / "lock")
        if lock is None:
            return None
        self._hosting = _Hosting(self._outbox, self._identity, lock, self._seconds)
        return self._hosting.port

    def _inherit(self) -> None:
        while not self._stop.wait(_HEIR_LOOKS_EVERY):
            with self._mutex:
                if self._hosting is None and (port := self._try_to_host()):
                    self._port = port
                if self._hosting is not None:
                    return

    def _answers(self, port: int) -> bool:
        reply = self._client.get(f"http://127.0.0.1:{port}/api/v1/info")
        if isinstance(reply, Failure) or reply.status != 200:
            return False
        try:
            return bool(json.loads(reply.body)["Database"] == self._identity)
        except (ValueError, TypeError, KeyError):
            return False


@contextmanager
def running_sandbox(outbox: Path, *, seconds: float = 0.0) -> Iterator[Sandbox]:
    """The sandbox of that folder, served by this process or another, until the block ends; here it answers a mail after
    `seconds`. Raises MailAPIError when
    another process holds the folder and does not answer."""
    sandbox = Sandbox(outbox, seconds)
    try:
        yield sandbox
    finally:
        sandbox.close()


def identity(outbox: Path) -> str:
    """Tells an outbox from others: 16 hexadecimal digits of its real path and its place in the file system."""
    place = outbox.stat()
    return sha256(f"{outbox.resolve()}\n{place.st_dev}\n{place.st_ino}".encode()).hexdigest()[:16]


class _Hosting:
    """The server in a thread of this process. The lock's descriptor is its own from here on, and let go last."""

    def __init__(self, outbox: Path, identity: str, lock: int, seconds: float) -> None:
        # The web framework takes a third of a second to load: only who serves pays for it.
        import uvicorn

        from syndicate.sandbox.outbox import Outbox
        from syndicate.sandbox.server import make_app

        with ExitStack() as undo:
            undo.callback(os.close, lock)
            listener = undo.enter_context(_listen(_read_port(outbox)))
            box = Outbox(outbox)
            undo.callback(box.close)
            config = uvicorn.Config(
                make_app(box, identity, seconds=seconds),
                loop="asyncio",
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=10,
            )
            self._server = uvicorn.Server(config)
            self._thread = threading.Thread(
                target=self._server.run, args=([listener],), name="sandbox-server", daemon=True
            )
            self._thread.start()
            while not self._server.started:
                if not self._thread.is_alive():
                    raise MailAPIError("The sandbox did not start.", cure="Look whether another program uses its port.")
                time.sleep(0.002)
            self.port: int = listener.getsockname()[1]
            _write_port(outbox, self.port)
            self._undo = undo.pop_all()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._undo.close()


def _lock(path: Path) -> int | None:
    """The descriptor that holds the lock, None when another holds it. It goes with the process, however that ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _listen(preferred: int | None) -> socket.socket:
    """A listening socket, at the port of last time if it is free: those who use it need not look again, and what was
    sent there before a restart stays the same account of the same API."""
    for port in [preferred] * 20 + [0] if preferred else [0]:
        # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named; else each waits 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
        except OSError:
            listener.close()
            if not port:
                raise
            time.sleep(_POLL)  # the process before may not be wholly gone
        else:
            return listener
    raise AssertionError("the last port, 0, is always free")


def _read_port(outbox: Path) -> int | None:
    with suppress(OSError, ValueError):
        port = int((outbox / "port").read_text(encoding="ascii"))
        return port if 0 < port < 65536 else None
    return None


def _write_port(outbox: Path, port: int) -> None:
    unfinished = outbox / ".port.part"
    unfinished.write_text(f"{port}\n", encoding="ascii")
    unfinished.replace(outbox / "port")
