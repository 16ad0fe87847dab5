"""Every command as a person or a program meets it: its help, its lists, its exit status, and being stopped."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from syndicate.cli import root
from tests.end_to_end.site import SiteFolder, make_site
from tests.process.waiting import until

VERBS = (
    *("init", "demo", "run", "check", "collect", "publish", "send"),
    *(f"articles {verb}" for verb in ("list", "show", "hold", "release", "include", "restore")),
    *(f"issues {verb}" for verb in ("list", "show", "draft", "preview", "test", "approve", "send")),
    *(f"issues {verb}" for verb in ("pause", "resume", "cancel", "resolve", "books", "refused")),
    *(f"subscribers {verb}" for verb in ("list", "show", "add", "import", "suppress", "erase", "explain")),
    *(f"{noun} {verb}" for noun in ("sources", "feeds", "newsletters") for verb in ("list", "show")),
    *("push", "sources release", "token create", "token list", "token revoke"),
    *(f"users {verb}" for verb in ("list", "add", "role", "remove", "reset")),
    *("stop", "resume", "confirm-live", "articles correct", "articles retract"),
    *("subscribers export", "subscribers unsuppress", "newsletters clock", "newsletters missed", "newsletters skip"),
    *(f"{noun} {verb}" for noun in ("sources", "feeds", "newsletters") for verb in ("pause", "resume")),
    *("letters list", "letters resend", "letters give-up"),
    *("issues edit", "issues check", "db upgrade", "db check", "db backup", "db restore"),
)
GROUPS = ("articles", "issues", "subscribers", "letters", "sources", "feeds", "newsletters", "token", "users", "db")
LATER = ("doctor",)
"""Verbs of the design that do not exist yet."""
BOOKS = [
    *("planned", "accepted", "refused", "suppressed", "withdrawn", "uncertain", "waiting", "balanced", "not_accepted"),
]
URN = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def in_process(*arguments: str) -> tuple[int, str]:
    """Status and words of a command that only parses: real parsing, without the price of a process."""
    done = CliRunner().invoke(root, list(arguments), prog_name="syndicate")
    return done.exit_code, done.output


def read(site: SiteFolder, *arguments: str) -> Any:
    """What a command that must succeed gives to programs."""
    done = site.call(*arguments, "--json")
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def every_command() -> list[tuple[str, click.Command]]:
    """Each command and group with its words, the root's first."""
    found: list[tuple[str, click.Command]] = []
    context = click.Context(root, info_name="syndicate")
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", each) for inner, each in command.commands.items()]
    return found


# --- help ------------------------------------------------------------------------------------------------------------


def test_the_verbs_are_these_and_no_others() -> None:
    assert {name for name, _ in every_command()} == {*VERBS, *GROUPS}


@pytest.mark.parametrize("verb", ["", *VERBS, *GROUPS])
def test_each_has_a_help_that_fits_and_begins_with_a_verb(verb: str) -> None:
    status, text = in_process(*verb.split(), "--help")
    assert status == 0
    assert text.startswith(f"Usage: syndicate {verb}".rstrip())
    first = text.split("\n\n")[1].strip()
    assert re.match(r"[A-Z][a-z]+ ", first), first
    assert not re.match(r"[A-Z][a-z]+s\b", first.split()[0]) or first.startswith("Release"), (
        f"not the imperative: {first}"
    )
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("name", "command"), every_command(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_line_in_the_list_is_whole(name: str, command: click.Command) -> None:
    line = command.get_short_help_str(limit=200)
    assert 10 <= len(line) <= 60, line
    assert line.endswith("."), line
    *before, last = name.split()
    _, listed = in_process(*before, "--help")
    assert re.search(rf"^  {last} +{re.escape(line)}$", listed, re.MULTILINE), listed


def test_every_command_of_a_site_takes_the_site_and_json_and_yes() -> None:
    for name, command in every_command():
        options = {option for parameter in command.params for option in parameter.opts}
        if name not in (*GROUPS, "init", "demo"):
            assert {"--site", "--json", "--yes"} <= options, name


@pytest.mark.parametrize("verb", LATER)
def test_what_does_not_exist_yet_is_unknown(verb: str) -> None:
    status, text = in_process(*verb.split())
    assert status == 2
    assert "No such command" in text


# --- a site ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> SiteFolder:
    """Three articles, three readers, one issue that awaits approval."""
    made = make_site(tmp_path_factory.mktemp("commands") / "site", at_hand=True)
    for number in (1, 2, 3):
        made.story(number)
    made.ok("collect")
    made.readers(3)
    made.ok("issues", "draft", "morning")
    return made


@pytest.mark.parametrize("noun", ["articles", "issues", "subscribers", "sources", "feeds", "newsletters"])
def test_a_list_is_an_array_of_objects_with_ids(site: SiteFolder, noun: str) -> None:
    rows = read(site, noun, "list")
    assert isinstance(rows, list)
    assert rows
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    if noun == "articles":
        assert all(URN.fullmatch(each) for each in ids)
    elif noun == "issues":
        assert all(isinstance(each, int) for each in ids)


def test_an_article_is_named_by_its_urn_a_start_of_it_or_its_path(site: SiteFolder) -> None:
    [row] = [each for each in read(site, "articles", "list") if each["title"] == "Story number 2"]
    digits = row["id"].removeprefix("urn:uuid:")
    names = (
        row["id"],
        row["id"][:17],
        digits[:8],
        "world/story-2.md",
        "desk/world/story-2.md",
        "articles/world/story-2.md",
    )
    for name in names:
        assert read(site, "articles", "show", name)["id"] == row["id"], name
    for name in ("story-2", "urn:uuid:", "world/story-9.md", "../site/syndicate.toml", "%", "'", ""):
        done = site.call("articles", "show", name)
        assert done.returncode == 1, name
        assert "syndicate articles list" in done.stderr or "fits several" in done.stderr, done.stderr


def test_the_books_have_these_keys_in_this_order(site: SiteFolder) -> None:
    [issue] = read(site, "issues", "list")
    assert list(read(site, "issues", "books", str(issue["id"]))) == BOOKS


def test_the_list_of_issues_tells_the_subject(site: SiteFolder) -> None:
    [issue] = read(site, "issues", "list")
    assert issue["subject"] == read(site, "issues", "show", str(issue["id"]))["subject"]
    assert "Story number" in issue["subject"]


def test_the_site_is_named_before_or_after_the_verb_or_is_this_folder(site: SiteFolder, tmp_path: Path) -> None:
    def listed(*arguments: str, folder: Path) -> str:
        done = subprocess.run(
            SiteFolder.command(*arguments),
            env=SiteFolder.environment(),
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    place = str(site.folder)
    here = listed("issues", "list", "--json", folder=site.folder)
    assert json.loads(here)
    assert listed("--site", place, "issues", "list", "--json", folder=tmp_path) == here
    assert listed("issues", "list", "--site", place, "--json", folder=tmp_path) == here
    assert listed("issues", "list", "--json", "--site", "../site", folder=site.folder / "articles" / "..") == here


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("collect nowhere", 1, r"No source is called 'nowhere'\. Known: desk"),
        ("publish nowhere", 1, r"No feed is called 'nowhere'"),
        ("send evening", 1, r"No newsletter is called 'evening'\. Known: morning"),
        ("send morning --articles nothing --yes", 1, r"No article is called 'nothing'"),
        ("send morning --at yesterday --yes", 2, r"'yesterday' is not a time\. Write it as 2026-01-31T07:00"),
        ("send morning --at 2020-01-01T07:00 --yes", 2, r"--at 2020-01-01T07:00 is past"),
        ("issues send 1 --at 2020-01-01T07:00 --yes", 2, r"--at 2020-01-01T07:00 is past"),
        ("send morning", 1, r"add --yes.*\n.*Nothing was sent"),
        ("issues show 99", 1, r"no issue 99\. `syndicate issues list`"),
        ("issues show first", 2, r"not a valid integer"),
        ("issues books 99", 1, r"no issue 99"),
        ("issues send 1 --yes", 1, r"awaits approval\. `syndicate issues approve 1` first"),
        ("issues resume 1", 1, r"Issue 1 is awaiting, not paused"),
        ("issues resolve 1", 2, r"--resend .* or --count-as-sent"),
        ("subscribers add new@example.com", 2, r"was not added.*--confirmed --because"),
        ("subscribers add nobody --confirmed --because x", 1, r"'nobody' is not an e-mail address"),
        ("subscribers show nobody@example.com", 1, r"Nobody here has the address"),
        ("subscribers import readers.csv --yes", 2, r"--yes wants --basis"),
        ("subscribers erase reader1@example.com", 1, r"add --yes.*\n.*Nothing was erased"),
        ("sources show nowhere", 1, r"No source is called"),
        ("feeds show nowhere", 1, r"No feed is called"),
        ("newsletters show morn", 1, r"did you mean 'morning'|Did you mean 'morning'"),
        ("init .", 1, r"is a site already"),
        ("bogus", 2, r"No such command 'bogus'"),
        ("articles list --limit 0", 2, r"--limit"),
    ],
)
def test_what_cannot_be_done_says_why_and_ends_with_its_status(
    site: SiteFolder, arguments: str, status: int, said: str
) -> None:
    done = site.call(*arguments.split())
    assert done.returncode == status, done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_outside_of_a_site_says_what_to_do(tmp_path: Path) -> None:
    for arguments in (("articles", "list"), ("run", "--once"), ("check",), ("db", "upgrade")):
        done = SiteFolder(tmp_path).call(*arguments)
        assert done.returncode == 2, arguments
        assert re.search(r"There is no syndicate\.toml in .*--site DIR.*syndicate init DIR", done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_older_database_asks_for_the_upgrade(site: SiteFolder, tmp_path: Path) -> None:
    """Today's oldest is one without tables; one of an earlier revision is told the same."""
    older = make_site(tmp_path / "older")
    for each in older.folder.glob("syndicate.db*"):
        each.unlink()
    sqlite3.connect(older.folder / "syndicate.db").close()
    (older.folder / "syndicate.db").touch()
    done = older.call("articles", "list")
    assert done.returncode == 1
    assert "syndicate db upgrade" in done.stderr
    assert "revision" in older.call("db", "upgrade").stdout
    assert read(older, "articles", "list") == []


def test_a_pipe_that_closes_early_is_no_failure_to_tell(site: SiteFolder) -> None:
    words = " ".join(SiteFolder.command("articles", "list", "--json"))
    done = subprocess.run(
        ["bash", "-c", f"{words} | true"],
        env=SiteFolder.environment(),
        cwd=site.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_tables_stay_within_a_terminal_of_eighty_columns(site: SiteFolder) -> None:
    """As `script` shows them: on a terminal, long titles are folded, never the table cut."""
    for noun in ("articles", "issues", "subscribers", "newsletters"):
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            SiteFolder.command(noun, "list"),
            env={**SiteFolder.environment(), "COLUMNS": "80", "TERM": "dumb"},
            cwd=site.folder,
            stdout=follower,
            stderr=subprocess.PIPE,
        )
        os.close(follower)
        text = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            text += piece
        os.close(leader)
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        process.stderr.close()
        lines = text.decode().splitlines()
        assert len(lines) > 1
        assert all(len(line) <= 80 for line in lines), lines
        assert "…" not in text.decode()


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


def interrupted(site: SiteFolder, arguments: Sequence[str], when: Callable[[], bool]) -> str:
    """Runs the command until `when`, presses Ctrl-C, and returns what it said. Fails if it was done before; meanwhile
    it cannot come to its end, as nobody but this one writes to the database."""
    process = site.start(*arguments)
    until(lambda: when() or process.poll() is not None)
    writer = sqlite3.connect(site.folder / "syndicate.db", timeout=60, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    process.send_signal(signal.SIGINT)
    writer.execute("ROLLBACK")
    writer.close()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("Stopped."), said
    return said


def rows(site: SiteFolder, table: str) -> int:
    """How many rows another process sees now."""
    with sqlite3.connect(site.folder / "syndicate.db", timeout=60) as database:
        (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    database.close()
    return int(count)


def test_ctrl_c_in_a_collection_and_the_same_command_goes_on(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    settings = site.folder / "syndicate.toml"
    free = 'path = "articles"\ntripwire = { at_least = 0 }'
    settings.write_text(settings.read_text().replace('path = "articles"', free))
    for number in range(300):
        site.story(number)
    interrupted(site, ["collect"], lambda: rows(site, "articles") > 0)
    taken = rows(site, "articles")
    assert 0 < taken < 300
    site.ok("collect")
    articles = site.json("articles", "list", "--limit", "1000")
    assert {each["title"] for each in articles} == {f"Story number {number}" for number in range(300)}
    assert sorted(each["number"] for each in articles) == list(range(1, 301))
    assert site.run("db", "check").returncode == 0


def test_ctrl_c_in_an_import_and_the_same_command_goes_on(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    lines = ["email,newsletters", *(f"reader{number}@example.com,morning" for number in range(12_000))]
    (site.folder / "people.csv").write_text("\n".join(lines) + "\n")
    command = ["subscribers", "import", "people.csv", "--yes", "--basis", "Test readers"]
    interrupted(site, command, lambda: rows(site, "subscribers") > 0)
    taken = rows(site, "subscribers")
    assert 0 < taken < 12_000
    report = json.loads(site.ok(*command, "--json"))
    assert (report["new"], report["unchanged"]) == (12_000 - taken, taken)
    assert rows(site, "subscribers") == rows(site, "subscriptions") == 12_000


def test_ctrl_c_in_a_send_names_the_issue_that_goes_on_and_nobody_is_mailed_twice(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.story(1)
    site.ok("collect")
    site.readers(150)
    said = interrupted(site, ["send", "morning", "--yes"], lambda: len(site.mails) >= 5)
    [issue] = site.json("issues", "list")
    number = str(issue["id"])
    assert f"syndicate issues send {number}" in said
    books = site.json("issues", "books", number)
    assert books["balanced"]
    # What was under way came to its end, so nothing is in doubt.
    assert (books["uncertain"], books["accepted"] + books["waiting"]) == (0, 150)
    assert 5 <= books["accepted"] < 150
    again = site.run("send", "morning", "--yes")
    assert again.returncode == 3
    assert f"syndicate issues send {number}" in again.stderr
    site.ok("issues", "send", number, "--yes")
    books = site.json("issues", "books", number)
    assert (books["accepted"], books["balanced"]) == (150, True)
    got = Counter(message_from_bytes(path.read_bytes(), policy=policy.default)["To"] for path in site.mails)
    assert len(got) == 150
    assert set(got.values()) == {1}
