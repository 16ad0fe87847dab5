"""A site that is not ready for live mail sends none, by whatever command, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.site import open_site
from syndicate.storage import tables
from syndicate.storage.instance import quarantined_why
from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    made = make_site(tmp_path / "site", at_hand=True)
    made.readers(3)
    made.story(1)
    made.ok("collect")
    settings = made.folder / "syndicate.toml"
    # Nobody is asked: the guard stands before.
    text = settings.read_text().replace('api = "sandbox"', 'api = "mailpit"\nurl = "https://203.0.113.9:8025"')
    settings.write_text(text)
    return made


def test_every_command_that_sends_is_refused(site: SiteFolder) -> None:
    drafted = site.call("issues", "draft", "morning")
    assert drafted.returncode == 0, drafted.stderr
    for words in (("send", "morning", "--yes"), ("issues", "test", "1", "--to", "ann@quay-news.pt")):
        refused = site.call(*words)
        assert refused.returncode == 1, words
        assert "No live mail goes out: These are samples still: [site] url" in refused.stderr
    shown = site.call("issues", "list", "--json").stdout
    assert '"sending"' not in shown and '"freezing"' not in shown


def test_check_says_why(site: SiteFolder) -> None:
    done = site.call("check")
    assert done.returncode == 1
    assert "live mail: Nothing is sent: These are samples still" in done.stdout
    assert "samples: 3 active readers are samples" in done.stdout
    assert "quarantine" not in done.stdout


def test_check_foresees_a_quarantine_and_changes_nothing(site: SiteFolder) -> None:
    database = open_site(site.folder).database
    elsewhere = {"machine": "another:/site", "web_url": "https://old.quay-news.pt", "mail_account": "another"}
    with database.write() as connection:
        connection.execute(sa.update(tables.instance).values(**elsewhere))
    told = next(line for line in site.call("check").stdout.splitlines() if "would go into quarantine" in line)
    for part in ("It was used at another:/site", "[web] url was https://old.quay-news.pt", "account at the mail API"):
        assert part in told
    with database.read() as connection:
        assert quarantined_why(connection) is None
    database.dispose()


def test_a_rehearsal_may_move(site: SiteFolder) -> None:
    database = open_site(site.folder).database
    with database.write() as connection:
        connection.execute(sa.update(tables.instance).values(machine="another:/site", mail_account="another"))
    database.dispose()
    settings = site.folder / "syndicate.toml"
    settings.write_text(settings.read_text().replace("https://203.0.113.9:8025", "http://127.0.0.1:9"))
    told = site.call("check").stdout
    assert "quarantine" not in told and "readers are samples" not in told
