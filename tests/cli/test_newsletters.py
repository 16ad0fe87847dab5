"""`syndicate newsletters|sources|feeds pause|resume|skip|missed`, as an editor types them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.process.ticking import tick_site
from syndicate.site import open_site
from syndicate.storage import tables
from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> SiteFolder:
    return make_site(tmp_path_factory.mktemp("slots") / "site", at_hand=True)


def test_pause_and_resume_show_in_the_list(site: SiteFolder) -> None:
    assert "is paused." in site.ok("newsletters", "pause", "morning")
    assert "as before" in site.ok("newsletters", "pause", "morning")
    [row] = site.json("newsletters", "list")
    assert (row["state"], row["next_state"]) == ("paused", "paused")
    assert site.json("newsletters", "resume", "morning") == {
        "id": "morning",
        "name": "morning",
        "paused": False,
        "changed": True,
    }


def test_a_skipped_slot_shows_among_the_next(site: SiteFolder) -> None:
    assert "skipped" in site.ok("newsletters", "skip", "morning")
    row = site.json("newsletters", "show", "morning", "--next", "3")
    assert [each["state"] for each in row["next"]] == ["skipped", "planned", "planned"]
    assert "skipped" in site.ok("newsletters", "show", "morning")
    assert "planned again" in site.ok("newsletters", "skip", "morning", "--undo")
    assert site.run("newsletters", "skip", "morning", "--undo").returncode == 1
    assert site.run("newsletters", "skip", "morning", "hourly").returncode == 1


def test_a_paused_source_is_not_looked_at_and_what_came_is_taken_in_afterwards(site: SiteFolder) -> None:
    site.ok("collect")
    site.ok("sources", "pause", "desk")
    site.story(1)
    [report] = site.json("collect")
    assert report["new"] == [] and "paused" in report["warnings"][0]
    assert site.json("sources", "show", "desk")["state"] == "paused"
    site.ok("sources", "resume", "desk")
    [report] = site.json("collect")
    assert [each["title"] for each in report["new"]] == ["Story number 1"]


def test_a_paused_feed_keeps_its_files(site: SiteFolder) -> None:
    site.ok("publish")
    before = (site.folder / "feeds/rss.xml").read_bytes()
    site.ok("feeds", "pause")
    site.story(2)
    site.ok("collect")
    site.ok("publish")
    assert (site.folder / "feeds/rss.xml").read_bytes() == before
    assert "goes on" in site.ok("feeds", "resume")
    site.ok("publish")
    assert (site.folder / "feeds/rss.xml").read_bytes() != before


def test_what_was_missed_is_listed_and_sent_by_one_line(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", at_hand=True)
    site.ok("collect")
    assert "Nothing is missed." in site.ok("newsletters", "missed")
    site.readers(3)
    site.story(1)
    site.ok("collect")
    # The clock of a site that slept through its slot: it ticks now, and its next tick is days later.
    opened = open_site(site.folder, {})
    now = datetime.now(UTC)
    tick_site(opened, now - timedelta(days=7))
    with opened.database.write() as connection:
        # The site itself began only now.
        connection.execute(sa.update(tables.instance).values(clock_at=None))
        connection.execute(sa.update(tables.cadences).values(horizon_at=now - timedelta(days=8)))
    tick_site(opened, now)
    opened.database.dispose()
    [slot] = site.json("newsletters", "missed")
    assert slot["state"] == "missed"
    assert "Missed" in site.run("newsletters", "show", "morning").stderr
    assert site.run("newsletters", "missed", "morning", "--send-now").returncode == 1
    assert "3 accepted" in site.ok("newsletters", "missed", "morning", "--send-now", "--yes")
    assert len(site.mails) == 3
    assert site.json("newsletters", "missed") == []


def test_the_clock_says_that_it_goes(site: SiteFolder) -> None:
    site.ok("run", "--once")
    assert site.json("newsletters", "clock")["held"] == ""
    assert "The clock goes." in site.ok("newsletters", "clock", "--go-on", "--yes")
