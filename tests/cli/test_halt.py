"""`syndicate stop` and `resume` by hand, and the places that say that all sending is stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    site = make_site(tmp_path / "site", at_hand=True)
    site.story(1)
    assert site.call("collect").returncode == 0
    site.readers(3)
    return site


def told(site: SiteFolder, *arguments: str, status: int = 0) -> str:
    done = site.call(*arguments)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_stop_holds_every_send_until_resume(site: SiteFolder) -> None:
    assert "All sending is stopped." in told(site, "stop")
    assert "was stopped already" in told(site, "stop")
    for arguments in (("issues", "list"), ("check",)):
        assert "sending is stopped, by" in told(site, *arguments)
    sent = told(site, "send", "morning", "--yes", status=1)
    assert "`syndicate resume` goes on" in sent
    assert site.mails == []
    assert "sending is stopped, by" in told(site, "issues", "show", "1")
    assert "issue 1 waits" in told(site, "run", "--once", status=1)
    assert site.mails == []
    assert "Sending goes on." in told(site, "resume")
    assert "sending is stopped" not in told(site, "issues", "list")
    told(site, "run", "--once")
    assert len(site.mails) == 3
    assert "Nothing was stopped." in told(site, "resume")


def test_both_tell_programs_the_same(site: SiteFolder) -> None:
    assert json.loads(site.call("stop", "--json").stdout) == {"stopped": True, "changed": True, "issues": []}
    assert json.loads(site.call("resume", "--json").stdout) == {"stopped": False, "changed": True, "issues": []}
