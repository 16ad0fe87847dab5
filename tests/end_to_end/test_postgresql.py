"""The main job by command on PostgreSQL: a fresh database, concurrent commands, kill -9 and start again."""

from __future__ import annotations

import signal
import time
from collections import Counter
from email import message_from_bytes, policy

import pytest

from tests.end_to_end.site import SiteFolder

pytestmark = pytest.mark.slow


@pytest.fixture
def site(fresh: SiteFolder) -> SiteFolder:
    fresh.ok("db", "upgrade")
    fresh.ok("collect")  # an empty first look: what follows is new
    return fresh


def mails(site: SiteFolder) -> Counter[str]:
    """How many mails each address got."""
    return Counter(message_from_bytes(path.read_bytes(), policy=policy.default)["To"] for path in site.mails)


def test_a_fresh_database_is_refused_with_the_cure_and_two_upgrades_at_once_make_it(fresh: SiteFolder) -> None:
    refused = fresh.run("collect")
    assert refused.returncode == 1
    assert "db upgrade" in refused.stderr
    upgrades = [fresh.start("db", "upgrade") for _ in range(2)]
    assert [(each.communicate(timeout=120)[1], each.returncode) for each in upgrades] == [("", 0)] * 2
    assert fresh.ok("db", "check")
    # The first commands on it, at the same moment.
    commands = [fresh.start(*words) for words in (["collect"], ["collect"], ["publish"], ["issues", "list"])]
    ended = [(each.communicate(timeout=120)[1], each.returncode) for each in commands]
    assert ended == [("", 0)] * 4, "\n".join(said for said, _ in ended)


def test_from_a_saved_file_to_the_mailbox(site: SiteFolder) -> None:
    for number in (1, 2, 3):
        site.story(number)
    assert len(site.json("collect")[0]["new"]) == 3
    site.ok("publish")
    for name in ("rss.xml", "atom.xml", "feed.json"):
        assert b"Story number 2" in (site.folder / "feeds" / name).read_bytes()
    site.readers(5)
    drafted = site.json("issues", "draft", "morning")
    held = site.json("articles", "list")[0]["id"]
    site.ok("articles", "hold", held)
    assert site.json("issues", "show", str(drafted["id"]))["state"] == "draft"
    site.ok("articles", "release", held)
    site.ok("issues", "draft", "morning")
    site.ok("issues", "approve", str(drafted["id"]))
    assert site.json("issues", "send", str(drafted["id"]), "--yes")["state"] == "sent"
    assert len(mails(site)) == 5
    assert set(mails(site).values()) == {1}
    books = site.json("issues", "books", str(drafted["id"]))
    assert (books["accepted"], books["balanced"]) == (5, True)
    assert "accepted" in site.ok("subscribers", "explain", "reader3@example.com", "--issue", str(drafted["id"]))
    assert site.run("send", "morning", "--yes").returncode == 3
    site.ok("run", "--once")
    assert len(site.mails) == 5


def test_commands_at_once_send_it_once(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(120)
    commands = [site.start("send", "morning", "--yes") for _ in range(2)]
    endings = [(each.communicate(timeout=120), each.returncode) for each in commands]
    assert all(status in (0, 3) for _, status in endings), endings
    got = mails(site)
    assert len(got) == 120
    assert set(got.values()) == {1}
    for issue in site.json("issues", "list"):
        assert site.json("issues", "books", str(issue["id"]))["balanced"]


def test_a_send_by_hand_and_the_daily_issue_at_once_give_nobody_an_article_twice(site: SiteFolder) -> None:
    site.story(1)
    site.story(2)
    site.ok("collect")
    site.readers(60)
    drafted = site.json("issues", "draft", "morning")
    site.ok("issues", "approve", str(drafted["id"]))
    commands = [
        site.start("send", "morning", "--articles", "world/story-1.md", "--yes"),
        site.start("issues", "send", str(drafted["id"]), "--yes"),
    ]
    endings = [(each.communicate(timeout=120), each.returncode) for each in commands]
    assert [status for _, status in endings] == [0, 0], endings
    told: dict[str, Counter[str]] = {}
    for path in site.mails:
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        text = mail.get_body(("plain",))
        assert text is not None
        found = [story for story in ("Story number 1", "Story number 2") if story in text.get_content()]
        told.setdefault(mail["To"], Counter()).update(found)
    assert len(told) == 60
    assert all(each == {"Story number 1": 1, "Story number 2": 1} for each in told.values()), told
    for issue in site.json("issues", "list"):
        books = site.json("issues", "books", str(issue["id"]))
        assert (books["refused"], books["uncertain"], books["waiting"], books["balanced"]) == (0, 0, 0, True), books


def test_killed_and_run_again_each_reader_has_one(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(150)
    command = site.start("send", "morning", "--yes")
    end = time.monotonic() + 60
    while len(site.mails) < 5 and command.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    command.send_signal(signal.SIGKILL)
    command.communicate(timeout=60)
    for _ in range(5):
        if site.run("run", "--once").returncode == 0:
            break
    (issue,) = site.json("issues", "list")
    books = site.json("issues", "books", str(issue["id"]))
    assert (issue["state"], books["balanced"]) == ("sent", True)
    # The sandbox forgets nothing that it took, but may have died with the command before it answered.
    got = mails(site)
    assert set(got.values()) == {1}
    assert len(got) == books["accepted"]
    assert books["accepted"] + books["uncertain"] == 150
