"""`init`, `check`, `subscribers` and the lists of definitions, as somebody at a terminal meets them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syndicate.core.alert import Trouble
from syndicate.site import open_site
from syndicate.storage.alerts import begin_alert, end_alert
from tests.end_to_end.site import call


def run(*words: str, folder: Path, status: int = 0, environ: dict[str, str] | None = None) -> str:
    """Standard output of one command; standard error too when it fails."""
    done = call(folder, *words, environment={**os.environ, **(environ or {})})
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + (done.stderr if status else "")


def listed(*words: str, folder: Path) -> Any:
    return json.loads(run(*words, "--json", folder=folder))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    run("init", "site", folder=tmp_path)
    return tmp_path / "site"


def test_a_new_site_is_in_order_and_says_what_is_next(tmp_path: Path) -> None:
    said = run("init", "site", folder=tmp_path)
    assert "syndicate collect" in said
    site = tmp_path / "site"
    assert "samples" in run("check", folder=site)
    assert {each["level"] for each in listed("check", folder=site)} == {"ok", "warning"}
    assert "a site already" in run("init", "site", folder=tmp_path, status=1)


def test_check_tells_of_every_alert_that_is_open(site: Path) -> None:
    begun = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    opened = open_site(site, {})
    opened.start(begun)
    with opened.database.write() as connection:
        for name in ("tides", "ferries", "over"):
            trouble = Trouble("source", f"{name} silent", f"The source {name} has brought nothing new.")
            begin_alert(connection, trouble, begun, webhook=False)
        end_alert(connection, "source over silent", begun)
    opened.database.dispose()
    said = run("check", folder=site)
    assert "alerts: The source tides has brought nothing new. (Since 2026-11-20 " in said
    assert "source over" not in said
    told = [each for each in listed("check", folder=site) if each["area"] == "alerts"]
    assert [each["id"] for each in told] == ["source ferries silent", "source tides silent"]
    assert {each["level"] for each in told} == {"warning"}
    assert {each["since"] for each in told} == {"2026-11-20T09:30:00Z"}


def test_every_list_carries_ids_and_works_from_anywhere(site: Path, tmp_path: Path) -> None:
    where = ("--site", str(site))
    assert [each["id"] for each in listed("sources", "list", *where, folder=tmp_path)] == ["desk"]
    assert [each["id"] for each in listed("feeds", "list", *where, folder=tmp_path)] == [""]
    assert [each["id"] for each in listed("newsletters", "list", *where, folder=tmp_path)] == ["morning"]
    assert listed("subscribers", "list", *where, folder=tmp_path) == []
    assert json.loads(run(*where, "sources", "show", "desk", "--json", folder=tmp_path))["state"] == "not heard from"


def test_a_newsletter_shows_its_next_slots(site: Path) -> None:
    shown = listed("newsletters", "show", "morning", "--next", "7", folder=site)
    assert len(shown["next"]) == 7
    assert all(each["wall_time"].endswith("T07:00") for each in shown["next"])
    assert run("newsletters", "show", "morning", "--next", "7", folder=site).count("07:00 Europe/Lisbon") == 7


def test_settings_with_mistakes_end_with_two_and_name_them_all(site: Path) -> None:
    file = site / "syndicate.toml"
    file.write_text(file.read_text().replace("title =", "titel =").replace('"mon-fri 07:00"', '"weekdays"'))
    said = run("check", folder=site, status=2)
    assert said.count("did you mean 'title'") == 2
    assert "cadences.daily" in said
    assert "cadences.daily" in run("subscribers", "list", folder=site, status=2)


def test_a_template_with_a_mistake_is_found_before_it_matters(site: Path) -> None:
    (site / "templates/email/digest").mkdir(parents=True)
    (site / "templates/email/digest/body.txt").write_text("fine\n{% if %}\n")
    assert "body.txt, line 2" in run("check", folder=site, status=1)


def test_a_mail_api_that_does_not_answer_is_found(site: Path) -> None:
    environ = {"SYNDICATE_MAIL__API": "mailpit", "SYNDICATE_MAIL__URL": "http://127.0.0.1:9"}
    assert "does not answer" in run("check", folder=site, status=1, environ=environ)
    environ = {"SYNDICATE_MAIL__API": "resend", "SYNDICATE_MAIL__API_KEY": "hush-hush"}
    said = run("check", folder=site, status=1, environ=environ)
    assert "Nothing is sent: These are samples still" in said
    assert "hush-hush" not in said


def test_adding_somebody_wants_the_proof(site: Path) -> None:
    said = run("subscribers", "add", "ann@post.example", folder=site, status=2)
    assert "--confirmed" in said
    assert listed("subscribers", "list", folder=site) == []
    run("subscribers", "add", "ann@post.example", "--confirmed", "--because", "asked by phone", folder=site)
    (ann,) = listed("subscribers", "list", folder=site)
    assert (ann["id"], ann["email"], ann["status"], ann["newsletters"]) == (
        1,
        "ann@post.example",
        "active",
        ["morning"],
    )


def test_the_life_of_one_reader(site: Path) -> None:
    run("subscribers", "add", "ann@post.example", "--confirmed", "--because", "asked", folder=site)
    assert listed("subscribers", "explain", "ann@post.example", folder=site)["gets_mail"]
    run("subscribers", "suppress", "ann@post.example", "--because", "called us", folder=site)
    assert listed("subscribers", "list", "--status", "suppressed", folder=site)[0]["suppressed"] == "manual"
    assert listed("subscribers", "list", "--status", "active", folder=site) == []
    assert "Nothing was erased" in run("subscribers", "erase", "ann@post.example", folder=site, status=1)
    run("subscribers", "erase", "ann@post.example", "--yes", folder=site)
    assert "Nobody here" in run("subscribers", "show", "ann@post.example", folder=site, status=1)
    assert "suppressed" in run("subscribers", "explain", "ann@post.example", folder=site)


def test_an_import_is_a_report_until_it_is_wanted(site: Path) -> None:
    (site / "people.csv").write_text("email,name\nann@post.example,Ann\nbea@post.example,\n")
    assert "Nothing was changed" in run("subscribers", "import", "people.csv", folder=site)
    assert "--basis" in run("subscribers", "import", "people.csv", "--yes", folder=site, status=2)
    assert listed("subscribers", "list", folder=site) == []
    report = listed("subscribers", "import", "people.csv", "--yes", "--basis", "moved", folder=site)
    assert (report["new"], report["bad"], report["applied"]) == (2, 0, True)
    assert [each["name"] for each in listed("subscribers", "list", folder=site)] == ["Ann", ""]
    (site / "people.csv").write_text("email\nann@post.example\nnobody\n")
    said = run("subscribers", "import", "people.csv", "--yes", "--basis", "moved", folder=site, status=1)
    assert "line 3" in said
    assert "no such file" in run("subscribers", "import", "none.csv", folder=site, status=1).lower()


def test_suppressions_of_a_mail_api_are_a_report_until_they_are_wanted(site: Path) -> None:
    take = ("subscribers", "import", "--suppressions", "bounces.csv")
    columns = "address,code,error,created_at\n"
    (site / "bounces.csv").write_text(f"{columns}ann@post.example,550,no such user,x\nbob,550,,x\n")
    said = run(*take, folder=site)
    assert "mailgun bounces" in said and "1 would be suppressed" in said and "Nothing was changed" in said
    assert "line 3" in run(*take, "--yes", folder=site, status=1)
    (site / "bounces.csv").write_text(f"{columns}ann@post.example,550,no such user,x\n")
    report = listed(*take, "--yes", "--vendor", "mailgun", folder=site)
    assert (report["already"], report["new"], report["applied"], report["problems"]) == (1, 0, True, [])


def test_a_list_that_may_be_one_of_blocks_is_asked_about_before_it_is_done(site: Path) -> None:
    take = ("subscribers", "import", "--suppressions", "list.csv")
    gone = "5.1.1,550 5.1.1 no such user,ann@post.example,1\n550,550 user unknown,bob@post.example,1\n"
    (site / "list.csv").write_text(f"status,reason,email,created\n{gone}")
    assert "blocks" not in run(*take, folder=site)
    with (site / "list.csv").open("a") as file:
        file.write("550,550 refused,cy@post.example,1\n5.7.1,550 5.7.1 blocked,dan@post.example,1\n")
        file.write("550,550 listed at spamhaus.org,eve@post.example,1\n")
    report = listed(*take, folder=site)
    assert (report["bounce"], report["open"], report["unsure"]) == (3, 2, 1)
    assert "Of 1 it says only that a mail was refused, and SendGrid's list of blocks" in report["caution"]
    assert run(*take, folder=site).endswith("add --yes.\n")
    assert listed(*take, "--yes", folder=site)["caution"] == ""


@pytest.mark.parametrize(
    ("options", "said"), [(("--vendor", "ses"), "--suppressions"), (("--suppressions", "--basis", "x"), "--basis")]
)
def test_what_an_import_of_people_and_one_of_suppressions_want_is_told_apart(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    assert said in run("subscribers", "import", "people.csv", *options, folder=tmp_path, status=2)


def test_readers_are_exported_to_a_file_that_the_import_takes_and_opened_again(site: Path) -> None:
    add = ("subscribers", "add", "ann@example.net", "--confirmed", "--because", "asked by phone")
    run("collect", folder=site)
    run(*add, folder=site)
    run("subscribers", "suppress", "bob@example.net", "--because", "asked", folder=site)
    assert listed("subscribers", "export", "people.csv", folder=site) == {"file": "people.csv", "rows": 1}
    assert (site / "people.csv").stat().st_mode & 0o077 == 0
    assert run("subscribers", "export", folder=site) == (site / "people.csv").read_text()
    assert listed("subscribers", "import", "people.csv", folder=site)["unchanged"] == 1
    assert "cannot be written" in run("subscribers", "export", "nowhere/people.csv", folder=site, status=1)
    run("subscribers", "unsuppress", "bob@example.net", "--because", "wrote to us", folder=site, status=1)
    assert "is open again" in run(
        "subscribers", "unsuppress", "bob@example.net", "--because", "wrote to us", "--yes", folder=site
    )
