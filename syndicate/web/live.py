"""What several people watch: read once a second whatever their number, and told to each as server-sent events.

Nothing is held open for long without a reason: a stream ends with its subject, with the sign-in of who watches it, and
at once when the server leaves.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from syndicate.errors import Refused, SyndicateError
from syndicate.storage.users import good_sessions

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from starlette.types import Receive, Scope, Send

    from syndicate.storage.database import Database

EVERY_SECONDS = 1.0
REST = 4
"""A look that takes long (the books of ten million) is followed by a rest of so many times its length."""
SAY_AGAIN_SECONDS = 3.0
"""So often what did not change is said again: whoever hears nothing for longer asks by other ways."""
NOTICE_SECONDS = 0.1
MOST_STREAMS = 200
MOST_EACH = 12
"""Of one sign-in: a browser window for each issue of a day, and some to spare."""
RECONNECT_MS = 2000


class TooMany(Refused):
    """No more streams are opened; the figures can be asked for one by one."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment. `texts` and `bars` (done, total) by the names that the page gives their places;
    `said` is one sentence for who does not see them; another `token` means that the page itself would look different.
    Once `ended` nothing moves any more."""

    token: str
    texts: Mapping[str, str] = field(default_factory=dict)
    bars: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    said: str = ""
    ended: bool = False

    def as_json(self) -> str:
        """For the page's script, in one line."""
        value = {"token": self.token, "texts": dict(self.texts), "bars": dict(self.bars), "said": self.said}
        return json.dumps({**value, "ended": self.ended}, ensure_ascii=False)


Read = Callable[["Connection", datetime], Look]


class _Watcher:
    """One open stream: the newest look that it has not told yet."""

    def __init__(self, session: str) -> None:
        self.session = session
        self._news = asyncio.Event()
        self._look: Look | None = None
        self._closed = False

    def tell(self, look: Look) -> None:
        self._look = look
        self._news.set()

    def close(self) -> None:
        self._closed = True
        self._news.set()

    async def next(self) -> Look | None:
        """The next look, waited for; None at the end."""
        await self._news.wait()
        self._news.clear()
        look, self._look = self._look, None
        return None if self._closed else look


class _Subject:
    def __init__(self, read: Read) -> None:
        self.read = read
        self.lock = asyncio.Lock()
        self.watchers: set[_Watcher] = set()
        self.task: asyncio.Task[None] | None = None
        self.look: Look | None = None
        self.looked_at = 0.0
        self.took = 0.0

    @property
    def is_fresh(self) -> bool:
        return self.look is not None and time.monotonic() - self.looked_at < self.pace

    @property
    def pace(self) -> float:
        return max(EVERY_SECONDS, REST * self.took)


class Stream(StreamingResponse):
    """The answer that a watcher gets. Its place is free again when it ends, however it ends."""

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        # nginx keeps answers back to fill its buffers unless told not to (ngx_http_proxy_module, X-Accel-Buffering).
        super().__init__(events, headers={"X-Accel-Buffering": "no"}, media_type="text/event-stream")
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


class Streams:
    """All open streams of one server. Its methods belong to the server's event loop; threads read the database."""

    def __init__(self, database: Database, clock: Callable[[], datetime], stopping: threading.Event) -> None:
        self._database, self._clock, self._stopping = database, clock, stopping
        self._subjects: dict[str, _Subject] = {}

    async def look(self, name: str, read: Read) -> Look:
        """How the subject of that name looks, at most a moment ago. Raises what `read` raises."""
        subject = self._subject(name, read)
        async with subject.lock:
            if subject.look is None or (subject.task is None and not subject.is_fresh):
                await self._read(subject, ())
        assert subject.look is not None
        return subject.look

    async def open(self, name: str, read: Read, session: str) -> Stream:
        """A new stream, for as long as `session` (its hash; "" never ends) stands. Raises TooMany, and what `read`
        raises."""
        self._require_room(session)
        await self.look(name, read)
        # Others may have come meanwhile; from here to its place in the set nobody can.
        self._require_room(session)
        subject, watcher = self._subject(name, read), _Watcher(session)
        subject.watchers.add(watcher)
        return Stream(self._events(subject, watcher), lambda: subject.watchers.discard(watcher))

    def _require_room(self, session: str) -> None:
        watching = [each for subject in self._subjects.values() for each in subject.watchers]
        own = sum(1 for watcher in watching if watcher.session == session)
        if self._stopping.is_set() or len(watching) >= MOST_STREAMS or own >= MOST_EACH:
            raise TooMany("Too many pages are watching.", cure="Close some of them.")

    async def _events(self, subject: _Subject, watcher: _Watcher) -> AsyncIterator[bytes]:
        yield f"retry: {RECONNECT_MS}\n\n".encode()
        if subject.task is None:
            subject.task = asyncio.create_task(self._watch(subject))
        elif subject.look is not None:
            watcher.tell(subject.look)
        while (look := await watcher.next()) is not None:
            yield f"data: {look.as_json()}\n\n".encode()
            if look.ended:
                return

    def _subject(self, name: str, read: Read) -> _Subject:
        for key, each in list(self._subjects.items()):
            in_use = each.task or each.watchers or each.is_fresh or each.lock.locked()
            if key != name and not in_use:
                del self._subjects[key]
        return self._subjects.setdefault(name, _Subject(read))

    async def _watch(self, subject: _Subject) -> None:
        """Looks again and again while somebody watches; ends every stream of the subject when it ends itself."""
        told: tuple[Look, float] | None = None
        try:
            while subject.watchers and not self._stopping.is_set():
                asked = {each.session for each in subject.watchers} - {""}
                async with subject.lock:
                    good = await self._read(subject, asked)
                look, now = subject.look, time.monotonic()
                assert look is not None
                is_news = told is None or told[0] != look or now - told[1] >= SAY_AGAIN_SECONDS
                for watcher in list(subject.watchers):
                    if watcher.session in asked and watcher.session not in good:
                        watcher.close()
                    elif is_news:
                        watcher.tell(look)
                told = (look, now) if is_news else told
                if look.ended:
                    return
                until = subject.looked_at + subject.pace
                while time.monotonic() < until and subject.watchers and not self._stopping.is_set():
                    await asyncio.sleep(NOTICE_SECONDS)
        except SyndicateError:
            # The database is out of order, or what was watched is gone: the page asks again, and is told.
            pass
        finally:
            subject.task = None
            if subject.look is None or not subject.look.ended or self._stopping.is_set():
                for watcher in list(subject.watchers):
                    watcher.close()

    async def _read(self, subject: _Subject, sessions: Collection[str]) -> Collection[str]:
        """Looks now; returns which of the sessions still stand."""
        began = time.monotonic()

        def read() -> tuple[Look, Collection[str]]:
            with self._database.read() as connection:
                now = self._clock()
                return subject.read(connection, now), good_sessions(connection, sessions, now) if sessions else ()

        subject.look, good = await run_in_threadpool(read)
        subject.looked_at = time.monotonic()
        subject.took = subject.looked_at - began
        return good
