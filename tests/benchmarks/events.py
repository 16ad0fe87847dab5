"""How many events a second the web process takes in: proven, kept and acted on, and durable before it answers.

    python -m tests.benchmarks.events [--api sendgrid] [--database postgresql] [--events 40000] [--connections 64]
    python -m tests.benchmarks.events --database postgresql --servers 2

The server is the product's own, in a process of its own; another posts what each vendor sends after a mailing, over
connections that are kept, each waiting for the answer to its last request: SendGrid lists of up to 768 KB, Postmark and
Mailgun one event a request. No vendor says how many connections it opens. What comes at once is written together: with
fewer of them each event costs more, with more of them less. Most are deliveries, some bounces and complaints; the
readers have thirty issues behind them. Beside it, in the same run, the floor: the same rows inserted bare, as many to a
transaction as the intake may write together. The CPU for each event is that of the web process, and ("to post") that of
the process that posts, which shares the machine with it. With `--servers` so many web processes take them in, the
connections spread over them as a proxy does.
Without `--api` it takes one vendor after the other. Ends with 1 below 5,000 a second, or when an event is missing or
matched with no mail.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import pickle
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
import uvloop

from syndicate.core.address import address_hash
from syndicate.core.headers import mail_host, message_id
from syndicate.core.message import LABEL, label
from syndicate.services.record_event import AT_ONCE
from syndicate.services.write_site import write_site
from syndicate.site import Site, open_site
from syndicate.storage import instance, tables
from syndicate.storage.database import Database
from tests.benchmarks.large_site import database_in
from tests.benchmarks.ledger import add_many
from tests.benchmarks.serving import cpu_seconds, free_port
from tests.mail.events.signing import VENDORS
from tests.mailing import NOW

MARK = 5_000
LARGEST_LIST = 768_000
"""SendGrid posts its list after so many bytes, or half a minute."""
ISSUES = 30
PER_REQUEST = 1_000
Request = tuple[bytes, dict[str, str]]


@dataclass(frozen=True)
class Facts:
    """One event, as every vendor would tell it. `message` is the label of the mail, `request` that of its request."""

    number: int
    reader: int
    kind: str
    message: str
    request: str

    @property
    def email(self) -> str:
        return f"reader{self.reader}@example.org"


def make_facts(database: Database, count: int) -> list[Facts]:
    """What happens to the newest issue, in the order in which it happens."""
    rng = random.Random(7)
    with database.read() as connection:
        host, name = mail_host(instance.remembered(connection).web_url), instance.instance_id(connection)
    kinds = rng.choices(("delivered", "deferred", "soft", "hard", "complaint"), (95, 2, 1.3, 1.5, 0.2), k=count)
    readers = list(range(1, count + 1))
    rng.shuffle(readers)
    return [
        Facts(
            *(number, reader, kind),
            label(message_id(host, name, ISSUES, reader)),
            label(request_key(ISSUES, (reader - 1) // PER_REQUEST)),
        )
        for number, (reader, kind) in enumerate(zip(readers, kinds, strict=True))
    ]


def request_key(issue: int, batch: int) -> str:
    return hashlib.sha256(f"{issue} {batch}".encode()).hexdigest()


def sendgrid(fact: Facts) -> dict[str, Any]:
    names = {"soft": "bounce", "hard": "bounce", "complaint": "spamreport"}
    told = {
        **{"email": fact.email, "timestamp": int(NOW.timestamp()), "event": names.get(fact.kind, fact.kind)},
        **{"smtp-id": f"<{fact.message}@ismtpd>", "sg_event_id": f"event-{fact.number:012}", LABEL: fact.message},
        **{"sg_message_id": f"{fact.request[:22]}.filter0001.16648.5515E0B88.0", "response": "250 OK", "tls": 1},
    }
    if fact.kind in ("soft", "hard"):
        status = "5.1.1" if fact.kind == "hard" else "4.2.2"
        told |= {"status": status, "reason": f"550 {status} mailbox", "type": "bounce", "ip": "192.0.2.1"}
    return told


def postmark(fact: Facts) -> dict[str, Any]:
    moment = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    told: dict[str, Any] = {
        **{"MessageID": f"{fact.message[:8]}-0000-4000-8000-{fact.number:012}", "MessageStream": "broadcast"},
        **{"Metadata": {LABEL: fact.message}, "ServerID": 23, "Tag": "issue"},
    }
    if fact.kind == "delivered":
        return told | {"RecordType": "Delivery", "Recipient": fact.email, "DeliveredAt": moment, "Details": "250 OK"}
    types = {"deferred": "Transient", "soft": "SoftBounce", "hard": "HardBounce", "complaint": "SpamComplaint"}
    record = "SpamComplaint" if fact.kind == "complaint" else "Bounce"
    details = {"hard": "smtp;550 5.1.1 The mailbox does not exist", "soft": "smtp;552 5.2.2 It is full"}
    return told | {
        **{"RecordType": record, "ID": fact.number + 1, "Type": types[fact.kind], "Email": fact.email},
        **{"BouncedAt": moment, "Details": details.get(fact.kind, "later"), "From": "news@example.com"},
    }


def mailgun(fact: Facts) -> dict[str, Any]:
    name = {"delivered": "delivered", "complaint": "complained"}.get(fact.kind, "failed")
    told: dict[str, Any] = {
        **{"event": name, "id": f"id-{fact.number}", "timestamp": NOW.timestamp(), "recipient": fact.email},
        **{"user-variables": {LABEL: fact.request}, "tags": [], "recipient-domain": "example.org"},
        "message": {"headers": {"message-id": f"{fact.request}@example.com", "from": "news@example.com"}},
        "envelope": {"transport": "smtp", "sender": "news@example.com", "sending-ip": "192.0.2.1"},
        "flags": {"is-routed": False, "is-authenticated": True, "is-test-mode": False},
        "delivery-status": {"code": 250, "message": "OK", "attempt-no": 1, "tls": True, "mx-host": "mx.example.org"},
    }
    if name == "failed":
        code = "5.1.1" if fact.kind == "hard" else "5.2.2"
        told["severity"] = "temporary" if fact.kind == "deferred" else "permanent"
        told["delivery-status"] |= {"code": 550, "enhanced-code": code, "message": f"550 {code} mailbox"}
    return told


def requests_of(api: str, facts: Sequence[Facts]) -> list[Request]:
    """What the vendor posts."""
    prove = VENDORS[api].prove
    if api != "sendgrid":
        tell = {"postmark": postmark, "mailgun": mailgun}[api]
        # Signed when they are told, as many a second as the mark has.
        told = ((tell(fact), NOW + timedelta(seconds=fact.number // MARK)) for fact in facts)
        return [prove(json.dumps(event).encode(), at) for event, at in told]
    made, events, size = [], [b""][:0], 0
    for fact in facts:
        event = json.dumps(sendgrid(fact)).encode()
        if events and size + len(event) > LARGEST_LIST:
            made.append(prove(b"[%b]" % b",".join(events), NOW))
            events, size = [], 0
        events.append(event)
        size += len(event) + 1
    return [*made, prove(b"[%b]" % b",".join(events), NOW)]


# --- the site ---------------------------------------------------------------------------------------------------


def environ(api: str, url: str) -> dict[str, str]:
    return {
        **{"SYNDICATE_DATABASE__URL": url, "SYNDICATE_MAIL__API": api, "SYNDICATE_MAIL__API_KEY": "key:secret"},
        "SYNDICATE_MAIL__WEBHOOK_SECRET": VENDORS[api].secret,
    }


def fill(site: Site, api: str, readers: int) -> None:
    """Readers who got thirty issues, all accepted."""
    add_many(site.database, readers)
    with site.database.write() as connection:
        key = instance.address_key(connection)
        people = tables.subscribers
        connection.execute(
            sa.update(people).where(people.c.id == sa.bindparam("n")).values(address_hash=sa.bindparam("h")),
            [
                {"n": n, "h": address_hash(f"reader{n}@example.org", key)} for n in range(1, readers + 1)
            ],
        )
        for number in range(1, ISSUES + 1):
            then = NOW - timedelta(days=ISSUES - number, hours=1)
            connection.execute(
                sa.insert(tables.issues).values(
                    **{"id": number, "newsletter": "morning", "cadence": "daily", "kind": "cadence", "state": "sent"},
                    **{"audience": {"cadence": "daily", "to": None}, "planned": readers, "drafted_at": then},
                    frozen_at=then,
                )
            )
            connection.exec_driver_sql(
                "INSERT INTO issue_recipients (issue_id, ordinal, subscriber_id, address, email, name, variant_key)"
                f" SELECT {number}, id, id, address, email, '', '' FROM subscribers"
            )
            connection.execute(
                sa.insert(tables.batches),
                [
                    {"issue_id": number, "first": first + 1, "last": min(first + PER_REQUEST, readers)}
                    | {"state": "accepted", "api": api, "recipients": PER_REQUEST, "settled_at": then}
                    | {"request_key": (name := request_key(number, first // PER_REQUEST)), "vendor_ids": [name]}
                    for first in range(0, readers, PER_REQUEST)
                ],
            )
    if not site.database.is_sqlite:
        # As its server does by and by; SQLite has no statistics unless somebody asks for them, and nobody does.
        with site.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")


def floor(database: Database, api: str, facts: Sequence[Facts]) -> float:
    """Events a second that are only inserted; taken back."""
    tell = {"sendgrid": sendgrid, "postmark": postmark, "mailgun": mailgun}[api]
    rows = [
        {"api": api, "event_id": f"event-{fact.number}", "kind": fact.kind, "address_hash": secrets.token_hex(32)}
        | {"issue_id": ISSUES, "message_id": fact.message, "code": "", "at": NOW, "received_at": NOW}
        | {"raw": tell(fact)}
        for fact in facts
    ]
    start = time.perf_counter()
    for first in range(0, len(rows), AT_ONCE):
        with database.write() as connection:
            connection.execute(sa.insert(tables.events), rows[first : first + AT_ONCE])
    taken = time.perf_counter() - start
    with database.write() as connection:
        connection.execute(sa.delete(tables.events))
    return len(rows) / taken


def serve(folder: str, port: int) -> None:
    """The web process, at the moment of the signatures; its settings are in the environment."""
    from syndicate.web.app import make_app
    from syndicate.web.server import serve as serve_app

    site = open_site(Path(folder))
    app = make_app(site, clock=lambda: NOW)
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    serve_app(app, listener, threading.Event())


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)


@contextmanager
def process(environment: dict[str, str], *words: str) -> Iterator[int]:
    started = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.events", *words], env=environment)
    try:
        yield started.pid
    finally:
        started.terminate()
        started.wait(30)


# --- who posts --------------------------------------------------------------------------------------------------


class Poster(asyncio.Protocol):
    """One connection that is kept: posts the next of the requests that wait when the one before it is answered."""

    def __init__(self, waiting: Iterator[bytes], left: asyncio.Future[None]) -> None:
        self._waiting, self.left = waiting, left
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._end(SystemExit(f"{head!r} {body!r}"))
            return
        self._answer = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or SystemExit("The server closed a connection."))

    def _next(self) -> None:
        request = next(self._waiting, None)
        if request is not None:
            self._transport.write(request)
            return
        self._end(None)
        self._transport.close()

    def _end(self, error: BaseException | None) -> None:
        if self.left.done():
            return
        if error is None:
            self.left.set_result(None)
        else:
            self.left.set_exception(error)


def post_all(api: str, ports: Sequence[int], requests: Sequence[Request], connections: int) -> tuple[float, float]:
    """Seconds until every request is answered with 200, each on the next connection that is free, and the seconds of
    CPU that it took to post them."""

    def spelled(body: bytes, headers: dict[str, str]) -> bytes:
        lines = {"host": f"127.0.0.1:{ports[0]}", "content-length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST /webhooks/{api} HTTP/1.1\r\n{head}\r\n".encode() + body

    written = [spelled(*request) for request in requests]

    async def every() -> tuple[float, float]:
        loop, waiting = asyncio.get_running_loop(), iter(written)
        start, used = time.perf_counter(), time.process_time()
        left = [loop.create_future() for _ in range(connections)]
        for each, port in zip(left, cycle(ports)):
            await loop.create_connection(partial(Poster, waiting, each), "127.0.0.1", port)
        await asyncio.gather(*left)
        return time.perf_counter() - start, time.process_time() - used

    # As little of the machine as can be: it is the server that is measured.
    return uvloop.run(every())


def post_from(file: str, ports: str, connections: int) -> None:
    api, requests = pickle.loads(Path(file).read_bytes())
    print(*post_all(api, [int(port) for port in ports.split(",")], requests, connections))


def measure(folder: Path, url: str, api: str, count: int, connections: int, servers: int) -> bool:
    """Prints one line; whether it reaches the mark."""
    home = folder / api
    write_site(home)
    site = open_site(home, environ(api, url))
    site.start(NOW - timedelta(days=40))
    fill(site, api, count)
    facts = make_facts(site.database, count)
    bare = floor(site.database, api, facts)
    waiting = folder / f"{api}.requests"
    requests = requests_of(api, facts)
    waiting.write_bytes(pickle.dumps((api, requests)))
    ports, pids = [free_port() for _ in range(servers)], []
    with ExitStack() as up:
        for port in ports:
            serving = process({**os.environ, **environ(api, url)}, "--serve", str(home), str(port))
            pids.append(up.enter_context(serving))
        for port in ports:
            wait_for(port)
        used = sum(map(cpu_seconds, pids))
        spread = ",".join(map(str, ports))
        command = [sys.executable, "-m", "tests.benchmarks.events", "--post", str(waiting), spread]
        said = subprocess.run(
            [*command, "--connections", str(connections)], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        used = (sum(map(cpu_seconds, pids)) - used) / count * 1e6
    seconds, posting = map(float, said.split())
    rate = count / seconds
    events = tables.events
    with site.database.read() as connection:
        kept, matched = connection.execute(
            sa.select(sa.func.count(), sa.func.count(events.c.issue_id)).select_from(events)
        ).one()
        closed = connection.execute(sa.select(sa.func.count()).select_from(tables.suppressions)).scalar_one()
    site.database.dispose()
    if (kept, matched) != (count, count):
        raise SystemExit(f"{api}: {count} were posted, {kept} are kept and {matched} matched with their mail.")
    short = "" if rate >= MARK else "   below the mark"
    each = count / len(requests)
    print(
        f"{api:<10}{each:>12,.0f}{rate:>12,.0f}{bare:>14,.0f}{rate / bare:>8.2f}{used:>10,.0f}"
        f"{posting / count * 1e6:>10,.0f}{closed:>10,}{short}",
        flush=True,
    )
    return rate >= MARK


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api", choices=["sendgrid", "postmark", "mailgun"], action="append")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--servers", type=int, default=1, help="web processes")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--post", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve[0], int(chosen.serve[1]))
        return 0
    if chosen.post:
        post_from(chosen.post[0], chosen.post[1], chosen.connections)
        return 0
    by = f" to {chosen.servers} web processes" if chosen.servers > 1 else ""
    print(f"{chosen.events:,} events to {chosen.database}, over {chosen.connections} connections{by}")
    print(
        f"{'':<10}{'a request':>12}{'a second':>12}{'bare inserts':>14}{'ratio':>8}{'µs of CPU':>10}"
        f"{'to post':>10}{'closed':>10}"
    )
    reached = []
    for api in chosen.api or ["sendgrid", "postmark", "mailgun"]:
        with tempfile.TemporaryDirectory(prefix="syndicate-events-") as name, database_in(
            Path(name) / "database", chosen.database
        ) as url:
            reached.append(measure(Path(name), url, api, chosen.events, chosen.connections, chosen.servers))
    print(f"The mark is {MARK:,} a second.")
    return int(not all(reached))


if __name__ == "__main__":
    sys.exit(main())
