"""`syndicate demo --once`: a whole sample site from nothing, as its user meets it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import feedparser
import requests

from syndicate.cli.demo_steps import Steps
from syndicate.demo.content import settings
from syndicate.services.write_site import write_site
from syndicate.site import open_site
from tests.end_to_end.site import SiteFolder


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        SiteFolder.command("demo", "--once", "--dir", str(folder)),
        env=SiteFolder.environment(),
        capture_output=True,
        text=True,
        timeout=180,
    )


def recipients(folder: Path) -> Counter[str]:
    mails = (folder / "outbox").glob("*.eml")
    return Counter(message_from_bytes(path.read_bytes(), policy=policy.default)["To"] for path in mails)


def test_it_makes_a_site_does_the_main_job_and_says_so_in_ten_lines(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = demo(folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 10
    assert all(len(line.replace(str(folder), "")) <= 100 for line in lines)
    got = recipients(folder)
    assert len(got) == 200
    assert set(got.values()) == {1}
    assert all(address.endswith(("@example.com>", "@example.org>", "@example.net>")) for address in got)
    for feed in ("", "harbour/", "culture/"):
        for name in ("rss.xml", "atom.xml"):
            assert feedparser.parse((folder / "feeds" / feed / name).read_bytes()).bozo == 0
        assert json.loads((folder / "feeds" / feed / "feed.json").read_text())["items"]
    entries = feedparser.parse((folder / "feeds" / "atom.xml").read_bytes()).entries
    assert len(entries) == 15
    assert {entry.content[0].language for entry in entries} >= {"fr"}


def test_a_machine_that_takes_long_to_make_the_site_still_finds_its_articles(tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(seconds=20)
    write_site(tmp_path, settings())
    site = open_site(tmp_path)
    site.start(began)
    said: list[str] = []
    Steps(site, began, said.append).take_in()
    site.database.dispose()
    assert said == ["Collected  15 new articles from articles/, 15 released"]


def test_a_second_time_it_goes_on_and_mails_nobody_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    assert demo(folder).returncode == 0
    again = demo(folder)
    assert again.returncode == 0
    assert "nothing new" in again.stdout
    assert set(recipients(folder).values()) == {1}
    # What a breaking mail brought to everybody is no issue of its own.
    (folder / "articles" / "seal.md").write_text("# A seal sleeps on the slipway\n\nIt came in with the tide.\n")
    site = SiteFolder(folder)
    site.ok("collect", "desk")
    site.ok("send", "morning", "--yes")
    assert "All readers have these by hand" in demo(folder).stdout
    assert set(recipients(folder).values()) == {2}


def test_killed_half_way_it_goes_on_and_each_reader_gets_one(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = subprocess.Popen(
        SiteFolder.command("demo", "--once", "--dir", str(folder)),
        env=SiteFolder.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    outbox = folder / "outbox"
    until = time.monotonic() + 120
    while time.monotonic() < until and len(list(outbox.glob("*.eml")) if outbox.is_dir() else []) < 20:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert demo(folder).returncode == 0
    got = recipients(folder)
    assert len(got) == 200
    assert set(got.values()) == {1}


def test_it_refuses_a_folder_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = demo(tmp_path)
    assert done.returncode == 1
    assert "not made by the demo" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_it_stays_alive_with_everything_to_open_until_told_to_leave(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = SiteFolder(tmp_path).start("demo", "--dir", str(folder))
    assert process.stdout is not None
    said = ""
    try:
        while "leave by one click" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        console, inbox = (
            re.search(rf"{name} +(http://127\.0\.0\.1:\d+\S*)", said) for name in ("Console", "Inbox")
        )
        assert console and inbox
        site = console[1].removesuffix("/console/")
        with requests.Session() as web:
            web.trust_env = False
            # Whoever sits at this machine is signed in.
            assert "Today" in web.get(console[1]).text
            for path in ("/", "/feeds/", "/archive/", "/archive/morning/1", "/subscribe", "/feeds/pictures/cinema.jpg"):
                assert web.get(site + path).status_code == 200, path
            assert "200 mails" in web.get(inbox[1]).text
            story = folder / "articles" / "harbour" / "seal.md"
            story.write_text("# A seal on the stairs\n\nIt came in with the morning tide.\n", encoding="utf-8")
            _await(lambda: "A seal on the stairs" in web.get(f"{site}/feeds/rss.xml").text)
            _await(lambda: "Salt marsh" in web.get(f"{site}/feeds/atom.xml").text)
            leave = re.search(r'http://127\.0\.0\.1:\d+/u/[\w.-]+', _last_mail(folder))
            assert leave
            assert web.post(leave[0], data={"List-Unsubscribe": "One-Click"}, allow_redirects=False).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0
    finally:
        process.kill()
        process.communicate()
    # What was served here only while the demo ran is not missed afterwards.
    assert SiteFolder(folder).run("collect").returncode == 0


def _await(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def _last_mail(folder: Path) -> str:
    mail = message_from_bytes(max((folder / "outbox").glob("*.eml")).read_bytes(), policy=policy.default)
    return str(mail["List-Unsubscribe"])
