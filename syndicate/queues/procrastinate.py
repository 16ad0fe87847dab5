"""The queue of many processes: Procrastinate, in the site's own PostgreSQL database.

A job is put on the connection, and inside the transaction, that made it due. Its key is both locks of Procrastinate:
the one of which a single job may wait, and the one of which a single job may run. A job that ended is deleted.
https://procrastinate.readthedocs.io/ (3.10); what it promises of crashed workers is under "Retry stalled jobs".
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from syndicate.core.job import Job
from syndicate.errors import StorageError
from syndicate.queues.base import Depth, Handle

if TYPE_CHECKING:
    from procrastinate import App
    from procrastinate.jobs import JobDeferrer

TASK = "syndicate"
POLL_SECONDS = 2.0
"""How often a worker looks for jobs of which no notice came, as through a pooler that carries none."""
BEAT_SECONDS = 2.0
STALLED_SECONDS = 10.0
"""Without a sign of life for so long a worker's jobs are others'."""
AGAIN_SECONDS = 1.0
"""After the database could not be reached."""

_logger = logging.getLogger("syndicate.queue")
_JOBS = sa.text(
    "SELECT queueing_lock, queue_name, status::text FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
)
_WHOSE = "Jobs that call the workers of Syndicate. Schema of Procrastinate at "


class ProcrastinateQueue:
    """Jobs in the database behind `engine`."""

    is_shared = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def defer(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """Puts jobs within the caller's transaction. Those that wait already are left out, by savepoints: else the
        first of them would end the transaction."""
        from procrastinate.exceptions import AlreadyEnqueued

        raw = connection.connection.driver_connection
        for job in jobs:
            with _reached(), suppress(AlreadyEnqueued), connection.begin_nested():
                self._deferrer(job, raw).defer(kind=job.kind, subject=job.subject, lane=job.lane)

    def wake(self, jobs: Collection[Job]) -> None:
        """Nothing: the commit has told the workers."""

    def put(self, jobs: Iterable[Job]) -> None:
        """Puts jobs now, in a transaction of their own."""
        with _reached(), self._engine.begin() as connection:
            self.defer(connection, sorted(set(jobs)))

    def standing(self) -> frozenset[str]:
        """The keys of all jobs that wait or are under way, anywhere."""
        with _reached(), self._engine.connect() as connection:
            return frozenset(row.queueing_lock for row in connection.execute(_JOBS))

    def depth(self) -> Mapping[str, Depth]:
        """How many there are, by lane."""
        with _reached(), self._engine.connect() as connection:
            rows = [(row.queue_name, row.status) for row in connection.execute(_JOBS)]
        return {
            lane: Depth(rows.count((lane, "todo")), rows.count((lane, "doing")))
            for lane in sorted({lane for lane, _ in rows})
        }

    def work(self, handle: Handle, lanes: Mapping[str, int]) -> _Workers:
        """Has this process do the jobs of these lanes, at most so many of each at the same time."""
        return _Workers(_conninfo(self._engine), handle, lanes)

    def upgrade(self, connection: Connection) -> None:
        """Makes the tables of the queue, or brings them up to the Procrastinate that is installed."""
        newest, known = _newest_step(), _known_step(connection)
        if known == newest:
            return
        from procrastinate.schema import SchemaManager

        if known:
            folder = Path(SchemaManager.get_migrations_path())
            steps = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql")) if path.stem > known]
        else:
            steps = [SchemaManager.get_schema()]
        raw = connection.connection.driver_connection
        for step in steps:
            raw.execute(step)  # type: ignore[union-attr]
        connection.exec_driver_sql(f"COMMENT ON TABLE procrastinate_jobs IS '{_WHOSE}{newest}'")

    def require_current(self, connection: Connection) -> None:
        """Raises StorageError unless the tables of the queue are those of the Procrastinate that is installed."""
        newest, known = _newest_step(), _known_step(connection)
        if known != newest:
            what = f"is of Procrastinate's step {known}; this program needs {newest}" if known else "has no tables yet"
            raise StorageError(f"The queue in the database {what}.", cure='Make them with "syndicate db upgrade".')

    @cached_property
    def _app(self) -> App:
        """Puts jobs on connections that it is handed, and has none of its own."""
        from procrastinate import App, SyncPsycopgConnector

        return App(connector=SyncPsycopgConnector())

    def _deferrer(self, job: Job, raw: Any) -> JobDeferrer:
        return self._app.configure_task(TASK, queue=job.lane, lock=job.key, queueing_lock=job.key, connection=raw)


class _Workers:
    """A thread with an event loop, in which Procrastinate has a worker for each lane; the jobs run in other threads."""

    def __init__(self, conninfo: str, handle: Handle, lanes: Mapping[str, int]) -> None:
        self._conninfo, self._handle, self._lanes = conninfo, handle, dict(lanes)
        self._leaving = threading.Event()
        self._lock = threading.Lock()
        self._mine: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left: asyncio.Event | None = None
        self._told = False
        _quiet()
        self._thread = threading.Thread(target=self._run, name="queue", daemon=True)
        self._thread.start()

    def leave(self, seconds: float) -> Sequence[str]:
        """Takes nothing more and waits for what is under way."""
        self._leaving.set()
        with self._lock:
            if self._loop is not None and self._left is not None:
                self._loop.call_soon_threadsafe(self._left.set)
        self._thread.join(max(0.0, seconds))
        with self._lock:
            return sorted(self._mine)

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                asyncio.run(self._serve())
            except Exception as error:
                self._tell(error)
                self._leaving.wait(AGAIN_SECONDS)

    async def _serve(self) -> None:
        from procrastinate import App, PsycopgConnector

        loop = asyncio.get_running_loop()
        # Its own number of threads would be a few for each core, whatever the lanes are given.
        loop.set_default_executor(ThreadPoolExecutor(sum(self._lanes.values()) + 2, thread_name_prefix="job"))
        loop.set_exception_handler(lambda loop, context: _logger.debug("%s", context.get("message")))
        left = asyncio.Event()
        with self._lock:
            self._loop, self._left = loop, left
            if self._leaving.is_set():
                left.set()
        try:
            app = App(connector=PsycopgConnector(conninfo=self._conninfo, min_size=1, max_size=4, name="queue"))
            app.task(name=TASK)(self._do)
            async with app.open_async():
                lanes = [
                    asyncio.create_task(self._keep(app, lane, most), name=lane) for lane, most in self._lanes.items()
                ]
                lanes.append(asyncio.create_task(self._rescue(app)))
                await left.wait()
                for each in lanes:
                    each.cancel()
                await asyncio.gather(*lanes, return_exceptions=True)
        finally:
            with self._lock:
                self._loop = self._left = None

    async def _keep(self, app: App, lane: str, most: int) -> None:
        """A worker that ends, as when its connection is lost, is followed by another."""
        while not self._leaving.is_set():
            try:
                await app.run_worker_async(
                    queues=[lane],
                    name=lane,
                    concurrency=most,
                    fetch_job_polling_interval=POLL_SECONDS,
                    update_heartbeat_interval=BEAT_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            except Exception as error:
                self._tell(error)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _rescue(self, app: App) -> None:
        """Puts again what killed workers had taken. A worker that only slept does no harm: what it does then is done
        by rows, like everything."""
        from procrastinate.exceptions import ConnectorException
        from procrastinate.jobs import Status

        jobs = app.job_manager
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                found = [each.id for each in await jobs.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS)]
            except ConnectorException as error:
                self._tell(error)
                continue
            for number in found:
                assert number is not None
                with suppress(ConnectorException):  # another rescuer was faster
                    try:
                        await jobs.retry_job_by_id_async(number, retry_at=datetime.now(UTC))
                    except ConnectorException:  # its like waits already
                        await jobs.finish_job_by_id_async(number, Status.FAILED, delete_job=True)
            if self._told:
                self._told = False
                _logger.info("The queue is reached again.")

    def _do(self, kind: Any, subject: str, lane: str) -> None:
        job = Job(kind, subject, lane)
        with self._lock:
            self._mine[job.key] = self._mine.get(job.key, 0) + 1
        try:
            self._handle(job)
        except Exception:
            _logger.exception("%s failed.", job.key)
        finally:
            with self._lock:
                self._mine[job.key] -= 1
                if not self._mine[job.key]:
                    del self._mine[job.key]

    def _tell(self, error: BaseException) -> None:
        """Once, however often it is tried."""
        if not self._told and not self._leaving.is_set():
            self._told = True
            _logger.warning("The queue cannot be reached, and is tried again each second: %s.", _told(error))


@contextmanager
def _reached() -> Iterator[None]:
    """Turns what is wrong with the database into StorageError."""
    from procrastinate.exceptions import ConnectorException

    try:
        yield
    except (ConnectorException, sa.exc.OperationalError) as error:
        found = StorageError(f"The queue in the database cannot be reached: {_told(error)}.")
        found.try_again = True
        raise found from error


def _told(error: BaseException) -> str:
    """What the server said, or the connection, in a line."""
    cause = getattr(error, "orig", None) or error.__cause__ or error
    return (str(cause).strip().partition("\n")[0] or type(cause).__name__).rstrip(".")[:300]


def _conninfo(engine: Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _newest_step() -> str:
    """The newest step of the schema of the Procrastinate that is installed, which is not imported for it. Raises
    StorageError when none is."""
    spec = find_spec("procrastinate")
    if spec is None or not spec.submodule_search_locations:
        raise StorageError("PostgreSQL needs the package procrastinate.", cure="Install 'syndicate[postgres]'.")
    folder = Path(spec.submodule_search_locations[0], "sql", "migrations")
    return max(path.stem for path in folder.glob("*.sql"))


def _known_step(connection: Connection) -> str:
    """The step that the tables are at, or "" when there are none. Raises StorageError when they are another program's.
    """
    row = connection.exec_driver_sql(
        "SELECT obj_description(to_regclass('procrastinate_jobs'), 'pg_class') AS told,"
        " to_regclass('procrastinate_jobs') IS NOT NULL AS there"
    ).one()
    if not row.there:
        return ""
    if not str(row.told).startswith(_WHOSE):
        raise StorageError(
            "The database holds the jobs of another program.", cure="Name an empty database in [database] url."
        )
    return str(row.told).removeprefix(_WHOSE)


def _quiet() -> None:
    """What goes wrong is told once, in words of ours."""
    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
