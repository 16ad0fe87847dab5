"""How long the pages of the console take on a site with many readers.

    python -m tests.benchmarks.console                            two hundred thousand on PostgreSQL, in a few minutes
    python -m tests.benchmarks.console --subscribers 10000000 --folder DIR
    python -m tests.benchmarks.console [--subscribers N] [--database sqlite] [--folder DIR] [--rounds 15]

The site is made by tests.benchmarks.large_site: once in DIR, which is kept (without it in a temporary folder, which is
not); ten million take half an hour and some ten gigabytes. The pages are asked for over HTTP, one after the other, by
somebody who is signed in, from the web process with its own server. A page counts with the median of its rounds; the
first answer, and the longest, are told beside it. Ends with 1 when a page is over the mark.
"""

from __future__ import annotations

import argparse
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import requests

from syndicate.core.user import secret_hash
from syndicate.site import Site, open_site
from syndicate.storage.users import add_session, hold_users, put_user
from tests.benchmarks.large_site import NOW, READER, SENDING, SENT, LargeSite, large_site
from tests.benchmarks.serving import free_port

MARK_MS = 200.0
_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
_SEAL = re.compile(r'name="seal" value="([^"]+)"')
_GOES_TO = re.compile(r"<strong>To ([\d,]+) readers?\.</strong>")


def pages(large: LargeSite) -> list[tuple[str, str]]:
    """What is asked for: what people call it, and its path."""
    article = "00000000-0000-4000-8000-000000002003"
    return [
        ("Today", "/console/"),
        ("Articles", "/console/articles"),
        ("Articles of one state", "/console/articles?state=held"),
        ("an article that was mailed", f"/console/articles/{article}"),
        ("Issues", "/console/issues"),
        ("Issues that await", "/console/issues?state=awaiting"),
        ("an issue that was sent", f"/console/issues/{SENT}"),
        ("an issue that is being sent", f"/console/issues/{SENDING}"),
        ("its figures, asked for each second", f"/console/issues/{SENDING}/figures"),
        *((f"an issue before it goes, {name}", f"/console/issues/{key}") for name, key in large.awaiting.items()),
        ("Send by hand", "/console/send"),
        ("Newsletters", "/console/newsletters"),
        ("Readers", "/console/readers"),
        ("Readers, further back", "/console/readers?before=400000"),
        ("Readers, one address", "/console/readers?q=anna.almeida320@example.net"),
        ("Readers, the start of many addresses", "/console/readers?q=anna"),
        ("Readers, one letter", "/console/readers?q=m"),
        ("Readers, the start of a name", "/console/readers?q=Maria+Mo"),
        ("Readers, nobody", "/console/readers?q=zzyzx"),
        ("a reader who got every issue", f"/console/readers/{READER}"),
        ("a reader who is suppressed", "/console/readers/53"),
        ("Sources", "/console/sources"),
        ("Feeds", "/console/feeds"),
        ("Log", "/console/log"),
        ("Log, of one thing", "/console/log?subject=article+1999"),
        ("Log, of what was done long ago", "/console/log?action=token"),
    ]


def sign_in(site: Site) -> str:
    """The token of somebody who may do everything."""
    token = secrets.token_urlsafe(32)
    with site.database.write() as connection:
        hold_users(connection)
        add_session(connection, secret_hash(token), put_user(connection, "Ada", "admin", NOW).id, NOW)
    return token


def serve(folder: str, url: str, port: int) -> None:
    """The web process, at one moment."""
    from syndicate.web.app import make_app
    from syndicate.web.server import serve as serve_app

    site = open_site(Path(folder), {"SYNDICATE_DATABASE__URL": url})
    serve_app(make_app(site, clock=lambda: NOW), socket.create_server(("127.0.0.1", port)), threading.Event())


@contextmanager
def serving(site: Site) -> Iterator[str]:
    """Its address, from a process of its own."""
    port = free_port()
    url = site.database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    command = [sys.executable, "-m", "tests.benchmarks.console", "--serve", str(site.directory), url, str(port)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                requests.get(f"http://127.0.0.1:{port}/up", timeout=5).raise_for_status()
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def ask(session: requests.Session, address: str, **form: str) -> tuple[float, str]:
    """Milliseconds to the whole answer, and the answer."""
    start = time.perf_counter()
    if form:
        answer = session.post(address, data=form, timeout=600, allow_redirects=False)
    else:
        answer = session.get(address, timeout=600)
    taken = (time.perf_counter() - start) * 1000
    if answer.status_code >= 400:
        raise SystemExit(f"{address}: {answer.status_code} {answer.text[:300]}")
    return taken, answer.text


def acts(session: requests.Session, url: str, large: LargeSite) -> Iterator[tuple[str, list[float]]]:
    """The steps of a send that count again before they commit: each issue is sent in ten seconds, and stopped."""
    for name, key in large.awaiting.items():
        desk = f"{url}/console/issues/{key}"
        times: list[float] = []
        for _ in range(3):
            _, text = ask(session, desk)
            token, seal, goes_to = (pattern.search(text) for pattern in (_TOKEN, _SEAL, _GOES_TO))
            assert token and seal and goes_to, text[:2000]
            form = {"csrf": token[1], "seal": seal[1], "typed": goes_to[1], "again": "yes"}
            times.append(ask(session, f"{desk}/send", **form)[0])
            ask(session, f"{desk}/stop", csrf=token[1])
        yield f"Send in 10 seconds, {name}", times


def measure(large: LargeSite, rounds: int) -> int:
    """Prints a line for each page; returns how many are over the mark."""
    over = 0

    def tell(name: str, times: Sequence[float]) -> None:
        nonlocal over
        middle = median(times[1:])
        over += middle > MARK_MS
        late = "   over the mark" if middle > MARK_MS else ""
        print(f"{name:<52}{times[0]:>9,.0f}{middle:>9,.1f}{max(times[1:]):>9,.0f}{late}", flush=True)

    with serving(large.site) as url, requests.Session() as session:
        session.cookies.set("syndicate", sign_in(large.site), domain="127.0.0.1", path="/")
        print(f"{'':<52}{'first':>9}{'median':>9}{'longest':>9}   ms")
        for name, path in pages(large):
            tell(name, [ask(session, url + path)[0] for _ in range(rounds + 1)])
        for name, times in acts(session, url, large):
            tell(name, times)
    return over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=200_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    parser.add_argument("--folder", type=Path, help="where the site is kept for the next time")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", nargs=3, metavar=("FOLDER", "URL", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve[0], chosen.serve[1], int(chosen.serve[2]))
        return 0
    with tempfile.TemporaryDirectory(prefix="syndicate-large-") as temporary:
        folder = chosen.folder or Path(temporary)
        print(f"{chosen.subscribers:,} subscribers on {chosen.database}, in {folder}")
        with large_site(folder, subscribers=chosen.subscribers, database=chosen.database) as large:
            over = measure(large, chosen.rounds)
    print(f"The mark is {MARK_MS:g} ms for the median of {chosen.rounds} answers; {over} over it.")
    return int(over > 0)


if __name__ == "__main__":
    sys.exit(main())
