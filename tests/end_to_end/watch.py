"""A look at the books again and again, from another connection, while processes send and die, and the database too."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType

from syndicate.core.books import Books
from syndicate.errors import StorageError
from syndicate.storage.database import Database, open_database
from syndicate.storage.ledger import books


class Watch:
    """`with Watch(url, issue) as watch: …`; then `watch.looks` says how often and `watch.unbalanced` what was off."""

    def __init__(self, database_url: str, issue_id: int, *, every: float = 0.05) -> None:
        self._database: Database = open_database(database_url)
        self._issue_id, self._every = issue_id, every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch")
        self.looks = 0
        self.unbalanced: list[Books] = []

    def _watch(self) -> None:
        while not self._done.wait(self._every):
            # A database that was killed is looked at again when it is back.
            with suppress(StorageError):
                with self._database.read() as connection:
                    seen = books(connection, self._issue_id)
                self.looks += 1
                if not seen.balanced:
                    self.unbalanced.append(seen)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._database.dispose()
