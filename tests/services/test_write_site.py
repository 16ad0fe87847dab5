"""The files of a new site, and where none may be made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syndicate.errors import Refused
from syndicate.services.write_site import NEW_SETTINGS, write_site
from syndicate.site import open_site


def test_a_new_folder_becomes_a_site(tmp_path: Path) -> None:
    write_site(tmp_path / "a" / "site")
    made = tmp_path / "a" / "site"
    assert sorted(path.name for path in made.iterdir()) == ["articles", "syndicate.toml", "templates"]
    assert (made / "syndicate.toml").read_text("utf-8") == NEW_SETTINGS
    assert all(len(line) <= 120 for line in NEW_SETTINGS.splitlines())


def test_what_its_settings_only_mention_may_be_said_as_it_stands(tmp_path: Path) -> None:
    mentioned = re.compile(r"^# (?=\[|[a-z_]+ = )", re.MULTILINE)
    assert len(mentioned.findall(NEW_SETTINGS)) > 25
    write_site(tmp_path, mentioned.sub("", NEW_SETTINGS))
    (tmp_path / "own-authority.pem").touch()
    said = open_site(tmp_path, {}).settings
    assert said.mail.proxy is not None and said.mail.certificates and said.alerts.webhook and said.keep.mails_days


def test_a_folder_with_nothing_that_matters_is_fit(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").write_text("ours")
    (tmp_path / "articles").mkdir()
    write_site(tmp_path, "# other\n")
    assert (tmp_path / "syndicate.toml").read_text() == "# other\n"


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.txt", "d.txt"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(Refused, match=r"a\.txt, b\.txt, c\.txt and 1 more"):
        write_site(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_articles_that_are_there_already_are_not_taken_for_new(tmp_path: Path) -> None:
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "old.md").write_text("old")
    with pytest.raises(Refused, match="articles"):
        write_site(tmp_path)


def test_a_site_is_never_overwritten(tmp_path: Path) -> None:
    write_site(tmp_path)
    (tmp_path / "syndicate.toml").write_text("mine")
    with pytest.raises(Refused, match="a site already"):
        write_site(tmp_path)
    assert (tmp_path / "syndicate.toml").read_text() == "mine"


@pytest.mark.parametrize("inside", [".", "syndicate", "templates/email", "feeds"])
def test_a_checkout_is_never_a_site(tmp_path: Path, inside: str) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "syndicate"\n')
    with pytest.raises(Refused, match="checkout"):
        write_site(tmp_path / inside)
    write_site(tmp_path / "mysite")


def test_a_file_and_a_folder_that_cannot_be_written_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refused, match="is a file"):
        write_site(tmp_path / "file")
    with pytest.raises(Refused, match="cannot be written"):
        write_site(tmp_path / "file" / "below")
