"""`run --once`: one thing that fails keeps no other from going on, and is named."""

from __future__ import annotations

import sqlite3
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return make_site(tmp_path / "site", at_hand=True)


def add_to_settings(site: SiteFolder, text: str) -> None:
    with (site.folder / "syndicate.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")


def due(site: SiteFolder, newsletter: str) -> int:
    """An issue of it that was to go out a moment ago."""
    drafted = site.json("issues", "draft", newsletter)
    site.ok("issues", "approve", str(drafted["id"]))
    site.ok("issues", "send", str(drafted["id"]), "--at", "2099-01-01T07:00", "--yes")
    return int(drafted["id"])


def test_one_issue_that_cannot_go_keeps_no_other_from_going(site: SiteFolder) -> None:
    evening = '[[newsletters]]\nname = "evening"\ntitle = "Evening"\ncadences = { daily = "daily 18:00" }'
    add_to_settings(site, evening)
    site.story(1)
    site.ok("collect")
    site.readers(2, "evening;morning")
    first, second = due(site, "evening"), due(site, "morning")
    move_to_now(site)
    settings = site.folder / "syndicate.toml"
    text = settings.read_text(encoding="utf-8").replace('"evening"', '"evening"\nretired = true')
    settings.write_text(text, encoding="utf-8")
    done = site.run("run", "--once")
    assert done.returncode == 1
    assert f"Issue {first}" in done.stderr
    assert "evening" in done.stderr
    assert site.json("issues", "show", str(second))["state"] == "sent"
    assert len(site.mails) == 2


def test_a_source_that_cannot_be_read_keeps_no_issue_from_going(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(2)
    issue = due(site, "morning")
    move_to_now(site)
    articles = site.folder / "articles"
    articles.rename(site.folder / "elsewhere")
    done = site.run("run", "--once")
    assert done.returncode == 1
    assert "articles" in done.stderr
    assert site.json("issues", "show", str(issue))["state"] == "sent"
    mail = message_from_bytes(site.mails[0].read_bytes(), policy=policy.default)
    assert "Story number 1" in str(mail["Subject"])


def test_a_template_that_is_broken_keeps_no_issue_from_going(site: SiteFolder) -> None:
    site.story(1)
    site.ok("collect")
    site.readers(2)
    issue = due(site, "morning")
    move_to_now(site)
    broken = site.folder / "templates" / "web" / "public"
    broken.mkdir(parents=True)
    (broken / "article.html").write_text("{{ nothing.like.that() }}", encoding="utf-8")
    site.story(2)
    done = site.run("run", "--once")
    assert done.returncode == 1
    assert "article.html" in done.stderr
    assert site.json("issues", "show", str(issue))["state"] == "sent"


def test_what_is_old_is_forgotten(site: SiteFolder) -> None:
    site.readers(2)
    with sqlite3.connect(site.folder / "syndicate.db") as connection:
        connection.execute(
            "UPDATE subscriptions SET status = 'pending', changed_at = '2020-01-01 00:00:00' WHERE subscriber_id = 1"
        )
    connection.close()
    done = site.ok("run", "--once")
    assert "1 unconfirmed sign-up" in done
    assert site.json("run", "--once")["forgotten"]["sign_ups"] == 0
    assert len(site.json("subscribers", "list")) == 1


def move_to_now(site: SiteFolder) -> None:
    """Lets the time of every scheduled issue come."""
    with sqlite3.connect(site.folder / "syndicate.db") as connection:
        connection.execute("UPDATE issues SET send_at = drafted_at WHERE state = 'scheduled'")
    connection.close()
