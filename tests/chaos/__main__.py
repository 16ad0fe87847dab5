"""`python3 -m tests.chaos`: sends an issue again and again while all around it fails, and counts at the mail API.

Each round is a site of its own. On PostgreSQL two clocks and four workers send its issue, on SQLite three processes
that are both; they are killed with -9 at random instants, put to sleep until what they had claimed is others', and
woken; the PostgreSQL server is killed and started again. The mail API answers in the dialect of one vendor, keeps
request keys and a record where that vendor does, drops connections before, within and after its answer, delays, turns
away and fails; SendGrid is tried without the record that it sells and with it. All claims are short, and all requests
small, so that seconds have the instants of hours.

It ends with 1 when a reader was lost or mailed twice, when somebody is uncertain although the mail API can tell, or
when the books did not balance at some look; with 130 after Ctrl-C, with what was counted until then.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.apis import APIS, can_know
from tests.chaos.counting import per_million
from tests.chaos.postgresql import PostgreSQLServer
from tests.chaos.round import Plan, Round, run

DATABASES = ("sqlite", "postgresql")
HEAD = (
    f"{'mail API':17} {'database':10} {'seconds':>7} {'kills':>5} {'sleeps':>6} {'restarts':>8}"
    f" {'lost':>5} {'doubled':>7} {'uncertain':>9} {'in a million':>12}  {'looks':>6}"
)


def main(arguments: Sequence[str]) -> int:
    """Runs the rounds, and returns the exit status."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    # A shell makes what it starts in the background deaf to Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(1_000_000)
    plan = Plan(chosen.recipients, chosen.kills, chosen.sleeps, chosen.restarts)
    apis = APIS if chosen.api == "all" else chosen.api.split(",")
    if unknown := set(apis).difference(APIS):
        parser.error(f"no mail API is called {', '.join(sorted(unknown))}; known: {', '.join(APIS)}")
    databases = DATABASES if chosen.database == "both" else (chosen.database,)
    told = sys.stderr if chosen.json else sys.stdout
    print(f"Seed {seed}, {plan.recipients:,} readers in each round.\n{HEAD}", file=told, flush=True)
    rounds: list[Round] = []
    with ExitStack() as stack:
        try:
            server = stack.enter_context(PostgreSQLServer()) if "postgresql" in databases else None
            for api in apis:
                for database in databases:
                    rounds.append(_round(api, database, plan, seed, server))
                    print(_line(rounds[-1]), file=told, flush=True)
                    if not rounds[-1].is_over:
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            print("Broken off: what was counted until now.", file=told)
    is_over = len(rounds) == len(apis) * len(databases) and all(each.is_over for each in rounds)
    print(_sum(rounds), file=told, flush=True)
    if chosen.json:
        print(json.dumps({"seed": seed, "is_over": is_over, "rounds": [each.as_dict() for each in rounds]}, indent=2))
    if not all(each.is_good for each in rounds):
        return 1
    return 0 if is_over else 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python3 -m tests.chaos",
        description=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=15, help="of processes in each round (15)")
    parser.add_argument("--sleeps", type=int, default=1, help="of processes in each round (1)")
    parser.add_argument("--restarts", type=int, default=2, help="of the PostgreSQL server in each round (2)")
    parser.add_argument("--recipients", type=int, default=3000, metavar="N", help="readers in each round (3000)")
    parser.add_argument("--api", default="all", metavar="NAMES", help="the dialects, with commas between them (all)")
    parser.add_argument("--database", choices=["both", *DATABASES], default="both")
    parser.add_argument("--seed", type=int, help="of the instants and the faults (a new one)")
    parser.add_argument("--json", action="store_true", help="figures for programs on standard output")
    return parser


def _round(api: str, database: str, plan: Plan, seed: int, server: PostgreSQLServer | None) -> Round:
    rng = random.Random(f"{seed} {api} {database}")
    with TemporaryDirectory(prefix="syndicate-chaos-") as folder, ExitStack() as stack:
        if database == "sqlite":
            return run(Path(folder), api, f"sqlite:///{folder}/syndicate.db", plan, rng, progress=_show)
        assert server is not None
        url = server.new_database()
        stack.callback(server.drop, url)
        return run(Path(folder), api, url, plan, rng, server=server, progress=_show)


def _show(line: str) -> None:
    """How far it is, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{line:<110}\r", end="", file=sys.stderr, flush=True)


def _line(one: Round) -> str:
    counted = one.count
    words = (
        f"{one.api:17} {one.database:10} {one.seconds:7.1f} {one.kills:5} {one.sleeps:6} {one.restarts:8}"
        f" {counted.lost:5} {counted.doubled:7} {counted.uncertain:9}"
        f" {per_million(counted.uncertain, one.recipients):12,}  {one.looks:6,}"
    )
    notes = [
        "not over" if not one.is_over else "",
        "books were off" if one.unbalanced else "",
        "uncertain although it can tell" if counted.uncertain and can_know(one.api) else "",
        *(f"unforeseen: {fault.partition(chr(10))[0]}" for fault in one.faults),
    ]
    return "\n    ".join([words, *filter(None, notes)])


def _sum(rounds: Sequence[Round]) -> str:
    over = [each for each in rounds if each.is_over]
    knowing = [each for each in over if can_know(each.api)]
    others = [each for each in over if not can_know(each.api)]
    lines = []
    for told, some in (("with a key or a record", knowing), ("with neither", others)):
        if some:
            people = sum(each.recipients for each in some)
            parts = [
                f"{per_million(sum(getattr(each.count, what) for each in some), people):,} {what}"
                for what in ("lost", "doubled", "uncertain")
            ]
            lines.append(f"In a million, through mail APIs {told}: {', '.join(parts)} ({people:,} readers).")
    kills, sleeps, restarts, looks = (
        sum(getattr(each, what) for each in rounds) for what in ("kills", "sleeps", "restarts", "looks")
    )
    lines.append(
        f"{kills:,} kills, {sleeps:,} sleeps, {restarts:,} restarts of the database; the books balanced at"
        f" {looks - sum(each.unbalanced for each in rounds):,} of {looks:,} looks."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
