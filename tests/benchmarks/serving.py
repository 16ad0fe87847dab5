"""How many requests for feeds a second the web process answers, beside nginx that serves the same folder.

    python -m tests.benchmarks.serving [--seconds 2] [--rounds 5] [--idle]

Whole answers and 304, plain and gzip, over connections that are kept, asked for by wrk on loopback, from the whole web
application of a site with the product's own server, while another process keeps a processor busy as `work` may (not
with --idle). One worker of nginx against one web process, in turns, so that what else the machine does falls on both;
the median of the rounds' ratios counts. Beside the rates stands what each uses of a processor for a request, which
others on the machine spoil least. nginx keeps its files open and takes the compressed twins as they are (gzip_static).
Both and wrk are installed with apt where they are missing and this runs as root. Ends with 1 below half of nginx, or
when the two do not answer with the same bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import requests

from syndicate.publishing.local import Local
from syndicate.publishing.twins import put_with_twin
from syndicate.services.write_site import write_site
from syndicate.site import open_site
from tests.benchmarks.feeds import body

MARK = 0.5
CONNECTIONS = 16
PROGRAMS = ("nginx", "wrk")
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    gzip_static on;
    gzip_vary on;
    open_file_cache max=1000 inactive=60s;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    types {{ application/rss+xml xml; }}
    server {{
        listen 127.0.0.1:{port};
        location /feeds/ {{
            alias {feeds}/;
            add_header Cache-Control "public, max-age=1800";
            add_header Access-Control-Allow-Origin "*";
            add_header X-Content-Type-Options nosniff;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Server:
    """One of the two: where it answers, and its process."""

    address: str
    pid: int


class Run(NamedTuple):
    """Requests a second, and processor time of the server for each in seconds."""

    rate: float
    cost: float


@dataclass
class Case:
    """One kind of request; the runs of both, round by round."""

    name: str
    path: str
    accept: str
    conditional: bool
    ours: list[Run] = field(default_factory=list)
    peer: list[Run] = field(default_factory=list)

    def headers(self, address: str) -> dict[str, str]:
        asked = {"Accept-Encoding": self.accept}
        if self.conditional:
            tag = requests.get(address + self.path, headers=asked, timeout=10).headers["ETag"]
            asked["If-None-Match"] = tag
        return asked

    @property
    def ratios(self) -> list[float]:
        return [ours.rate / peer.rate for ours, peer in zip(self.ours, self.peer, strict=True)]

    @property
    def ratio(self) -> float:
        return median(self.ratios)


def cases() -> list[Case]:
    return [
        Case(f"{name} {coding} {status}", path, accept, status == 304)
        for name, path in (("feed of 5 entries", "/feeds/small/rss.xml"), ("feed of 50 entries", "/feeds/rss.xml"))
        for coding, accept in (("plain", "identity"), ("gzip", "gzip"))
        for status in (200, 304)
    ]


def install() -> None:
    """What is missing, from Debian's packages; ends with a line that says what to type where that cannot be."""
    missing = [each for each in PROGRAMS if shutil.which(each) is None and not Path("/usr/sbin", each).exists()]
    if not missing:
        return
    names = " ".join("nginx-light" if each == "nginx" else each for each in missing)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SystemExit(f"Missing: {', '.join(missing)}. Install them: apt-get install {names}")
    print(f"Installing {names} …", flush=True)
    for command in (["update"], ["install", "-y", "--no-install-recommends", *names.split()]):
        # nginx must not start as a service of this machine.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(["apt-get", "-qq", *command], check=True, env=environment, stdout=subprocess.DEVNULL)


def write(folder: Path) -> None:
    target = Local(folder)
    for path, entries in (("rss.xml", 50), ("small/rss.xml", 5)):
        stories = (f"<title>Story {n}</title><description>{body(n)}</description>" for n in range(entries))
        items = "".join(f"<item>{each}</item>" for each in stories)
        put_with_twin(target, path, f'<rss version="2.0"><channel><title>All</title>{items}</channel></rss>'.encode())
        for name in (path, f"{path}.gz"):
            os.utime(folder / name, (time.time() - 3600,) * 2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*words: str) -> Iterator[int]:
    started = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    try:
        yield started.pid
    finally:
        started.terminate()
        started.wait(20)


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if stat.parent.name == str(pid) or fields[1] == str(pid):
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def wait_for(address: str) -> None:
    for _ in range(1200):
        try:
            requests.get(f"{address}/feeds/rss.xml", timeout=5).raise_for_status()
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise SystemExit(f"{address} does not answer.")


def ask(server: Server, case: Case, seconds: float) -> Run:
    """Asks for so long; each answer is as it should be."""
    options = [part for name, value in case.headers(server.address).items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", *options, server.address + case.path]
    used = cpu_seconds(server.pid)
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 30).stdout
    used = cpu_seconds(server.pid) - used
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"{case.name}: {out}")
    rate, requests_made = re.search(r"Requests/sec:\s*([\d.]+)", out), re.search(r"(\d+) requests in", out)
    assert rate is not None and requests_made is not None, out
    return Run(float(rate[1]), used / int(requests_made[1]))


def require_same(ours: str, peer: str, case: Case) -> None:
    answers = [
        requests.get(each + case.path, headers=case.headers(each), stream=True, timeout=10) for each in (ours, peer)
    ]
    seen = [(each.status_code, each.raw.read(decode_content=False)) for each in answers]
    wanted = 304 if case.conditional else 200
    if seen[0] != seen[1] or seen[0][0] != wanted:
        raise SystemExit(f"{case.name}: the two answer differently: {[(s, len(b)) for s, b in seen]}")


def serve(folder: str, port: int) -> None:
    """The web process of the site in that folder."""
    from syndicate.process.web import listen
    from syndicate.web.app import make_app
    from syndicate.web.server import serve as serve_app

    app = make_app(open_site(Path(folder), {}), clock=lambda: datetime.now(UTC))
    serve_app(app, listen("127.0.0.1", port), threading.Event())


def work() -> None:
    """What a busy `work` process is to this machine."""
    total = 0
    while True:
        total = sum(range(10_000)) + total % 7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=2, help="of each run of wrk")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", action="store_true", help="without a busy process beside")
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "PORT"), help=argparse.SUPPRESS)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve[0], int(arguments.serve[1]))
        return 0
    if arguments.work:
        work()
    install()
    return measure(arguments.seconds, arguments.rounds, busy=not arguments.idle)


def measure(seconds: float, rounds: int, *, busy: bool) -> int:
    here = [sys.executable, "-m", "tests.benchmarks.serving"]
    every = cases()
    with tempfile.TemporaryDirectory(prefix="syndicate-serving-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_site(folder / "site")
        feeds = open_site(folder / "site", {}).feeds_folder
        write(feeds)
        ports = free_port(), free_port()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, feeds=feeds, port=ports[1]))
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        with (
            process(*here, "--serve", str(folder / "site"), str(ports[0])) as our_pid,
            process(nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")) as peer_pid,
        ):
            pids = our_pid, peer_pid
            ours, peer = (Server(f"http://127.0.0.1:{port}", pid) for port, pid in zip(ports, pids, strict=True))
            for server in (ours, peer):
                wait_for(server.address)
            for case in every:
                require_same(ours.address, peer.address, case)
            if busy:
                with process(*here, "--work"):
                    run(every, ours, peer, seconds, rounds)
            else:
                run(every, ours, peer, seconds, rounds)
    print(f"{'':<24}{'requests a second':>20}{'µs of processor':>18}")
    print(f"{'':<24}{'ours':>10}{'nginx':>10}{'ours':>9}{'nginx':>9}{'ratio':>8}{'least':>8}{'most':>8}")
    for case in every:
        runs = (case.ours, case.peer)
        rates = "".join(f"{median(each.rate for each in both):>10,.0f}" for both in runs)
        costs = "".join(f"{1e6 * median(each.cost for each in both):>9.1f}" for both in runs)
        print(
            f"{case.name:<24}{rates}{costs}{case.ratio:>8.2f}{min(case.ratios):>8.2f}{max(case.ratios):>8.2f}"
            f"{'' if case.ratio >= MARK else '   below the mark'}"
        )
    beside = "beside a busy process" if busy else "with nothing beside"
    print(f"The mark is {MARK} of nginx; {rounds} rounds of {seconds:g} s, {beside}, {os.cpu_count()} processors.")
    return 0 if all(case.ratio >= MARK for case in every) else 1


def run(every: list[Case], ours: Server, peer: Server, seconds: float, rounds: int) -> None:
    for number in range(rounds):
        for case in every:
            pair = [(ours, case.ours), (peer, case.peer)]
            for server, runs in pair if number % 2 else pair[::-1]:
                runs.append(ask(server, case, seconds))


if __name__ == "__main__":
    sys.exit(main())
