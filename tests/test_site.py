"""A site is opened without starting anything, and names what it does not have."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.mail_account import is_loopback
from syndicate.errors import MailAPIError, NotFound, SettingsError
from syndicate.mail.live import Live
from syndicate.services.write_site import NEW_SETTINGS, write_site
from syndicate.site import Site, open_site
from syndicate.storage import sources, tables


def site(folder: Path, *changes: tuple[str, str], environ: dict[str, str] | None = None) -> Site:
    text = NEW_SETTINGS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    if not (folder / "syndicate.toml").exists():
        write_site(folder, text)
    return open_site(folder, environ or {})


def test_opening_touches_nothing(tmp_path: Path) -> None:
    opened = site(tmp_path)
    assert opened.directory == tmp_path
    assert opened.outbox == tmp_path / "outbox"
    assert [each.name for each in opened.feeds] == [""]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["articles", "syndicate.toml", "templates"]


def test_a_started_site_knows_that_it_began_empty(tmp_path: Path, now: datetime) -> None:
    opened = site(tmp_path)
    opened.start(now)
    with opened.database.read() as connection:
        assert sources.get_source(connection, "desk").first_look_at == now
    assert len(opened.instance) == 16
    token = opened.signer().sign("unsubscribe", 1)
    opened.start(now)
    assert opened.signer().read("unsubscribe", token) == ("1",)
    opened.database.dispose()


def test_what_the_settings_no_longer_name_is_asked_for(tmp_path: Path, now: datetime) -> None:
    opened = site(tmp_path)
    opened.start(now)
    text = (tmp_path / "syndicate.toml").read_text().replace('name = "morning"', 'name = "dawn"')
    (tmp_path / "syndicate.toml").write_text(text)
    with opened.database.write() as connection:
        connection.execute(
            sa.insert(tables.issues).values(
                newsletter="morning",
                kind="manual",
                state="draft",
                audience={"cadence": None, "to": None},
                drafted_at=now,
            )
        )
    opened.database.dispose()
    changed = open_site(tmp_path, {})
    with pytest.raises(SettingsError, match="morning"):
        changed.sync(now)
    changed.database.dispose()
    (tmp_path / "syndicate.toml").write_text(text.replace('name = "dawn"', 'name = "dawn"\nwas = "morning"'))
    renamed = open_site(tmp_path, {})
    renamed.sync(now)
    renamed.database.dispose()


def test_a_name_that_is_not_there_comes_with_the_nearest_one(tmp_path: Path) -> None:
    opened = site(tmp_path)
    assert opened.newsletter("morning").title == "Morning Briefing"
    assert opened.feed("").title == "The Harbour Post"
    with pytest.raises(NotFound, match="Did you mean 'morning'"):
        opened.newsletter("mornign")
    with pytest.raises(NotFound, match="Known: desk"):
        opened.source("wire")


def test_the_sandbox_has_an_address_only_while_it_runs(tmp_path: Path) -> None:
    opened = site(tmp_path)
    with pytest.raises(MailAPIError, match="does not run"):
        opened.mail_api()
    assert opened.mail_api("http://127.0.0.1:9").url.startswith("http://127.0.0.1:9/")


def test_a_mail_api_that_is_not_on_this_machine_is_behind_a_gate(tmp_path: Path) -> None:
    made = site(tmp_path, ('api = "sandbox" ', 'api = "resend" '), environ={"SYNDICATE_MAIL__API_KEY": "hush"})
    live = made.mail_api()
    assert isinstance(live, Live)
    assert not live.is_open
    rehearsal = open_site(tmp_path, {"SYNDICATE_MAIL__API_KEY": "hush", "SYNDICATE_MAIL__URL": "http://127.0.0.1:9"})
    assert rehearsal.mail_api().url.startswith("http://127.0.0.1:9/")


@pytest.mark.parametrize("said", ["", "activity = true\n"])
def test_the_record_that_must_be_paid_for_is_asked_by_who_says_so(tmp_path: Path, said: str) -> None:
    changed = ('api = "sandbox" ', f'{said}api = "sendgrid" ')
    made = site(tmp_path, changed, environ={"SYNDICATE_MAIL__API_KEY": "hush"})
    assert made.mail_api().sheet.lookup is bool(said)
    standby = f'\n[standby]\n{said}api = "sendgrid"\n'
    settings = tmp_path / "syndicate.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + standby, encoding="utf-8")
    keys = {"SYNDICATE_MAIL__API_KEY": "hush", "SYNDICATE_STANDBY__API_KEY": "hush2"}
    standing_by = open_site(tmp_path, keys).standby_api()
    assert standing_by is not None
    assert standing_by.sheet.lookup is bool(said)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8025", "http://[::1]:1", "http://localhost/", "https://127.9.9.9"])
def test_addresses_of_this_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    ["https://api.resend.com", "http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1", "",
     "http://127.0.0.1@example.com", "http://0.0.0.0"],
)  # fmt: skip
def test_addresses_that_are_not(url: str) -> None:
    assert not is_loopback(url)


def test_an_article_that_says_nothing_of_its_own_takes_the_zone_language_and_address_of_its_publication(
    tmp_path: Path, now: datetime
) -> None:
    opened = site(tmp_path, ('language = "en" ', 'language = "fr" '))
    folder = tmp_path / "articles"
    (folder / "a.md").write_text("---\ntitle: Bonjour\ndate: 2026-07-01 09:00\n---\n\n![x](p.jpg) Un mot.\n")
    os.utime(folder / "a.md", (now.timestamp(), now.timestamp()))
    (sighting,) = opened.source("desk").look({}, now + timedelta(minutes=1)).sightings
    assert sighting.draft is not None
    content = sighting.draft.content
    assert content.language == "fr"
    assert content.date == datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
    assert 'src="https://www.example.com/p.jpg"' in content.html
