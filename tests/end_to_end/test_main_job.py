"""The main job by command: articles in a folder become feeds, and a digest in the mailbox."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return make_site(tmp_path / "site", at_hand=True)


@pytest.fixture
def typed(tmp_path: Path) -> SiteFolder:
    """One whose commands are processes of their own, as somebody at a terminal starts them."""
    return make_site(tmp_path / "site")


def recipients(site: SiteFolder) -> Counter[str]:
    """How many mails each address got."""
    return Counter(message_from_bytes(path.read_bytes(), policy=policy.default)["To"] for path in site.mails)


def test_from_a_saved_file_to_the_mailbox(typed: SiteFolder) -> None:
    for number in (1, 2, 3):
        typed.story(number)
    collected = typed.json("collect")
    assert len(collected[0]["new"]) == 3
    assert typed.ok("publish")
    for name in ("rss.xml", "atom.xml", "feed.json", "index.html", "feeds.opml"):
        assert (typed.folder / "feeds" / name).stat().st_size > 200
    typed.readers(5)
    drafted = typed.json("issues", "draft", "morning")
    assert drafted["state"] == "awaiting"
    text = typed.ok("issues", "preview", str(drafted["id"]), "--text")
    assert "Story number 1" in text
    refused = typed.run("issues", "send", str(drafted["id"]), "--yes")
    assert refused.returncode == 1
    assert "approve" in refused.stderr
    typed.ok("issues", "approve", str(drafted["id"]))
    sent = typed.json("issues", "send", str(drafted["id"]), "--yes")
    assert sent["state"] == "sent"
    books = typed.json("issues", "books", str(drafted["id"]))
    assert books == {
        "planned": 5,
        "accepted": 5,
        "refused": 0,
        "suppressed": 0,
        "withdrawn": 0,
        "uncertain": 0,
        "waiting": 0,
        "balanced": True,
        "not_accepted": [],
    }
    got = recipients(typed)
    assert len(got) == 5
    assert set(got.values()) == {1}
    mail = message_from_bytes(typed.mails[0].read_bytes(), policy=policy.default)
    assert re.fullmatch(r"<https://\S+/u/\S+>", mail["List-Unsubscribe"])
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert b"\r\n" in typed.mails[0].read_bytes()


def test_nothing_new_is_not_a_failure_but_nothing_to_send_says_so(typed: SiteFolder) -> None:
    assert typed.run("collect").returncode == 0
    assert typed.run("publish").returncode == 0
    assert typed.run("run", "--once").returncode == 0
    assert typed.run("issues", "draft", "morning").returncode == 3
    assert typed.run("send", "morning", "--yes").returncode == 3
    assert typed.run("send", "mornin").returncode == 1
    assert typed.run("bogus").returncode == 2


def test_a_manual_send_and_the_next_issue_never_mail_an_article_twice(site: SiteFolder) -> None:
    site.story(1)
    site.story(2)
    site.ok("collect")
    site.readers(3)
    first = site.json("send", "morning", "--articles", "world/story-1.md", "--to", "reader1@example.com", "--yes")
    assert first["books"]["accepted"] == 1
    drafted = site.json("issues", "draft", "morning")
    site.ok("issues", "approve", str(drafted["id"]))
    assert site.json("issues", "send", str(drafted["id"]), "--yes")["books"]["accepted"] == 3
    bodies: dict[str, list[str]] = {}
    for path in site.mails:
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        text = mail.get_body(("plain",))
        assert text is not None
        bodies.setdefault(mail["To"], []).append(text.get_content())
    for address, texts in bodies.items():
        for story in ("Story number 1", "Story number 2"):
            assert sum(story in text for text in texts) == 1, (address, story)


def test_the_same_send_again_mails_nobody_again(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(3)
    site.ok("send", "morning", "--yes")
    again = site.run("send", "morning", "--articles", "world/story-1.md", "--yes")
    assert "within the last day" in again.stderr
    assert set(recipients(site).values()) == {1}


def test_two_commands_at_once_send_it_once(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(120)
    commands = [site.start("send", "morning", "--yes") for _ in range(3)]
    endings = [(each.communicate(timeout=120), each.returncode) for each in commands]
    assert all(status in (0, 3) for _, status in endings), endings
    assert any(status == 0 for _, status in endings)
    got = recipients(site)
    assert len(got) == 120
    assert set(got.values()) == {1}
    for issue in site.json("issues", "list"):
        assert site.json("issues", "books", str(issue["id"]))["balanced"]


def test_a_send_later_goes_out_by_run_once_when_its_time_has_come(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(2)
    later = site.json("send", "morning", "--at", "2099-01-01T07:00", "--yes")
    assert later["state"] == "scheduled"
    site.ok("run", "--once")
    assert site.mails == []
    site.ok("issues", "send", str(later["id"]), "--yes")
    assert len(site.mails) == 2


def test_an_embargo_that_is_over_is_released_by_run_once(site: SiteFolder) -> None:
    over = datetime.now(UTC) + timedelta(hours=1)
    site.write("world/secret.md", f"---\ntitle: The secret\nembargo: {over:%Y-%m-%dT%H:%M:%SZ}\n---\n\nNot before.\n")
    site.ok("collect")
    site.ok("publish")
    feed = site.folder / "feeds" / "atom.xml"
    assert "The secret" not in feed.read_text()
    assert not list((site.folder / "feeds" / "articles").glob("*.html"))
    with sqlite3.connect(site.folder / "syndicate.db") as database:  # the hour is over
        past = "UPDATE articles SET not_before = '2026-01-01T00:00:00.000000Z' WHERE status = 'waiting'"
        assert database.execute(past).rowcount == 1
    database.close()
    site.ok("run", "--once")
    assert "The secret" in feed.read_text()
    assert len(list((site.folder / "feeds" / "articles").glob("*.html"))) == 1


def test_a_suppressed_and_a_cancelled_reader_get_nothing(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(3)
    site.ok("subscribers", "suppress", "reader2@example.com", "--because", "asked by telephone")
    later = site.json("send", "morning", "--at", "2099-01-01T07:00", "--yes")
    site.ok("issues", "cancel", str(later["id"]), "--yes")
    assert site.run("issues", "send", str(later["id"]), "--yes").returncode == 1
    site.ok("send", "morning", "--yes")
    assert set(recipients(site)) == {"Reader 1 <reader1@example.com>", "Reader 3 <reader3@example.com>"}
    explained = site.ok("subscribers", "explain", "reader2@example.com")
    assert "suppressed" in explained.lower()


def test_a_send_asks_and_many_readers_want_the_number_typed(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(1001)
    for answer in ("", "y\n", "1000\n"):
        refused = site.run("send", "morning", stdin=answer)
        assert refused.returncode == 1
        assert "To 1,001 readers." in refused.stdout
        assert "Nothing was sent." in refused.stderr
    assert site.mails == []
    few = site.run("send", "morning", "--to", "reader7@example.com", stdin="y\n")
    assert few.returncode == 0, few.stderr
    assert len(site.mails) == 1
    site.story(2)
    site.ok("collect")
    later = site.run("send", "morning", "--at", "2099-01-01T07:00", stdin="1001\n")
    assert later.returncode == 0, later.stderr
    assert "2099-01-01" in later.stdout
