"""`syndicate token …`, as somebody at a terminal meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.site import SiteFolder


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    made = SiteFolder(tmp_path / "site")
    made.folder.mkdir()
    assert made.call("init", ".").returncode == 0
    with (made.folder / "syndicate.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[[sources]]\nname = "cms"\nkind = "push"\n')
    return made


def test_a_token_is_shown_once_listed_and_revoked(site: SiteFolder) -> None:
    assert "No token yet" in site.call("token", "list").stdout
    made = site.call("token", "create", "newsroom", "--source", "cms")
    token = made.stdout.strip()
    assert token.startswith("syndicate_") and "once" in made.stderr
    listed = site.call("token", "list")
    assert "newsroom" in listed.stdout and "good" in listed.stdout
    assert token not in listed.stdout + site.call("token", "list", "--json").stdout
    again = site.call("token", "create", "newsroom")
    assert again.returncode == 1 and "already" in again.stderr
    assert site.call("token", "revoke", "newsroom").stdout == "newsroom opens nothing any more.\n"
    [row] = json.loads(site.call("token", "list", "--json").stdout)
    assert (row["name"], row["state"], row["source"], row["used_at"]) == ("newsroom", "revoked", "cms", None)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["create", "x", "--source", "desk"], 1, "is of kind 'folder'"),
        (["create", "x", "--source", "cmz"], 1, "Did you mean 'cms'?"),
        (["create", "a/b"], 2, "A token's name"),
        (["revoke", "nobody"], 1, "No token is called 'nobody'"),
    ],
)
def test_mistakes_get_one_sentence(site: SiteFolder, arguments: list[str], status: int, said: str) -> None:
    done = site.call("token", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
