"""`syndicate users`: links that work once, roles, and the last admin who stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.site import SiteFolder, make_site


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return make_site(tmp_path / "site", at_hand=True)


def test_users_come_change_and_go(site: SiteFolder) -> None:
    assert "Nobody yet" in site.call("users", "list").stdout
    added = json.loads(site.call("users", "add", "Ada", "--role", "admin", "--json").stdout)
    assert added["name"] == "Ada" and "/console/welcome/" in added["link"]
    assert site.call("users", "add", "Ada").returncode == 1
    assert site.call("users", "add", "Ed").returncode == 0
    assert "Ed is sender." in site.call("users", "role", "Ed", "sender").stdout
    reset = json.loads(site.call("users", "reset", "Ed", "--json").stdout)
    assert reset["link"] != added["link"]
    assert site.call("users", "remove", "Ed", "--yes").returncode == 0
    [only] = json.loads(site.call("users", "list", "--json").stdout)
    assert (only["name"], only["role"]) == ("Ada", "admin")


def test_the_last_admin_stays(site: SiteFolder) -> None:
    site.call("users", "add", "Ada", "--role", "admin")
    for arguments in (["role", "Ada", "editor"], ["remove", "Ada", "--yes"]):
        done = site.call("users", *arguments)
        assert done.returncode == 1
        assert "admin" in done.stderr


def test_a_role_that_is_none_and_a_user_that_is_not_there(site: SiteFolder) -> None:
    assert site.call("users", "add", "Ada", "--role", "owner").returncode == 2
    assert site.call("users", "reset", "Nobody").returncode == 1
