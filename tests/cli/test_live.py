"""A site that is not ready for live mail sends none, by whatever command, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    made = make_site(tmp_path / "site")
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
