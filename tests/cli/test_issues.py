"""What commands say of issues: held articles, books after a kill, cancelling, drafts."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    site = make_site(tmp_path / "site", at_hand=True)
    site.story(1)
    site.ok("collect")
    site.readers(3)
    return site


def change(site: SiteFolder, *statements: str) -> None:
    with sqlite3.connect(site.folder / "syndicate.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_holding_an_article_says_what_becomes_of_its_issues(site: SiteFolder) -> None:
    number = str(site.json("issues", "draft", "morning")["id"])
    said = site.ok("articles", "hold", "world/story-1.md")
    assert f"Issue {number} has it and is a draft again" in said
    assert "Feeds: it has left the site's own, until it is released." in said and "Page: at its address" in said
    shown = site.ok("issues", "show", number)
    assert "It carries what may not go out any more: Story number 1." in shown
    assert "issues draft morning --cadence daily" in shown
    let_go = site.ok("articles", "release", "world/story-1.md")
    assert "Feeds: it went into the site's own." in let_go
    assert "Issues: the next of Morning Briefing brings it." in let_go
    site.ok("articles", "hold", "world/story-1.md")
    change(site, "UPDATE issues SET state = 'sending', planned = 3")
    warned = site.run("articles", "hold", "world/story-1.md")
    assert f"`syndicate issues pause {number}` stops it" in warned.stderr


def test_what_a_killed_process_was_sending_is_uncertain_at_once(site: SiteFolder) -> None:
    site.ok("send", "morning", "--yes")
    change(
        site,
        "UPDATE issues SET state = 'paused'",
        "INSERT INTO workers (id, started_at) VALUES ('killed', '2026-11-20T09:30:00.000000Z')",
        "UPDATE batches SET state = 'sending', worker_id = 'killed', lease_until = '2099-01-01T00:00:00.000000Z'",
    )
    books = site.json("issues", "books", "1")
    assert (books["uncertain"], books["waiting"], books["balanced"]) == (3, 0, True)
    assert site.json("issues", "show", "1")["books"].items() <= books.items()


def test_cancelling_what_nobody_is_sending_is_over_at_once(site: SiteFolder) -> None:
    site.ok("send", "morning", "--yes")
    change(site, "UPDATE issues SET state = 'paused'", "UPDATE batches SET state = 'planned'")
    cancelled = site.json("issues", "cancel", "1", "--yes")
    assert (cancelled["state"], cancelled["books"]["withdrawn"]) == ("cancelled", 3)


def test_times_are_the_publications_whatever_the_machines(site: SiteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    site.json("issues", "draft", "morning")
    change(site, "UPDATE issues SET drafted_at = '2026-07-01T12:00:00.000000Z'")
    settings = site.folder / "syndicate.toml"
    text = settings.read_text(encoding="utf-8").split("\n")
    zones = ['timezone = "Asia/Tokyo"' if line.startswith("timezone =") else line for line in text]
    settings.write_text("\n".join(zones), encoding="utf-8")
    monkeypatch.setenv("TZ", "America/New_York")
    assert "2026-07-01 21:00" in site.ok("issues", "list")


def test_the_same_send_again_does_not_go_out_before_its_time_unasked(site: SiteFolder) -> None:
    site.ok("send", "morning", "--at", "2099-01-01T07:00", "--yes")
    unasked = site.run("send", "morning", stdin="")
    assert unasked.returncode == 1
    assert "2099-01-01 07:00" in unasked.stderr
    assert site.json("issues", "show", "1")["state"] == "scheduled"
    assert site.mails == []
    site.ok("send", "morning", "--yes")
    assert len(site.mails) == 3


def test_declining_what_somebody_else_has_agreed_to_does_not_stop_it(site: SiteFolder) -> None:
    """Two editors are asked about the very same: one says yes, then the other no."""
    command = subprocess.Popen(
        site.command("send", "morning"),
        env=site.environment(),
        cwd=site.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert command.stdout is not None
    while "reader" not in (line := command.stdout.readline()):
        assert line, "it ended before it asked"
    site.ok("send", "morning", "--at", "2099-01-01T07:00", "--yes")
    command.communicate("n\n", timeout=60)
    assert command.returncode == 1
    assert site.json("issues", "show", "1")["state"] == "scheduled"


def test_an_issue_is_edited_and_what_changed_since_approval_is_told(site: SiteFolder) -> None:
    site.story(2)
    site.ok("collect")
    number = str(site.json("issues", "draft", "morning")["id"])
    site.ok("issues", "approve", number)
    edited = site.json(
        *("issues", "edit", number, "--subject", "Our own words", "--order", "world/story-1.md"),
        *("--link", "Tides=https://tides.example/?a=b", "--sponsor", "Quay & Sons=https://quay.example"),
    )
    assert (edited["state"], edited["subject"]) == ("awaiting", "Our own words")
    shown = site.json("issues", "show", number)
    assert [each["title"] for each in shown["articles"]] == ["Story number 1", "Story number 2"]
    assert shown["edits"]["links"] == [{"title": "Tides", "url": "https://tides.example/?a=b"}]
    assert {each["what"] for each in shown["changed_since_approval"]} == {"subject", "links", "sponsor", "place"}
    said = site.ok("issues", "show", number)
    assert "Changed since it was approved:" in said
    assert "subject: [+Our own words+]" in said
    site.ok("issues", "edit", number, "--skip", "world/story-2.md", "--no-links", "--no-sponsor", "--usual-order")
    assert [each["role"] for each in site.json("issues", "show", number)["articles"]] == ["full", "skipped"]
    for wrong in ((), ("--sponsor-text", "Boats."), ("--link", "Tides"), ("--no-links", "--link", "a=https://b.example")):
        assert site.run("issues", "edit", number, *wrong).returncode == 2
    refused = site.run("issues", "edit", number, "--link", "Tides=http://tides.example")
    assert (refused.returncode, "https" in refused.stderr) == (1, True)
