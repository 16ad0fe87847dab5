"""Taking over whom a mail API mails no more: what is reported is what happens, nobody is opened, nothing is lost."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.address import address_hash
from syndicate.core.newsletter import Newsletter
from syndicate.errors import BadInput
from syndicate.services import import_suppressions as module
from syndicate.services.explain_subscriber import explain_subscriber
from syndicate.services.import_suppressions import SuppressionReport, import_suppressions
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.services.unsuppress_subscriber import unsuppress_subscriber
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.journal import Journal
from tests.services.site_rows import EVENING, MORNING, start
from tests.services.test_import_subscribers import HEADER, standing, take

NEWSLETTERS: tuple[Newsletter, ...] = (MORNING, EVENING)


@pytest.fixture
def readers(database: Database, tmp_path: Path, now: datetime) -> Database:
    """Ann, Bea, Cy and Dan get the morning's; Ann the evening's too."""
    start(database, now)
    file = tmp_path / "people.csv"
    rows = [f"{name}@post.example,,,,morning,,active,," for name in ("bea", "cy", "dan")]
    file.write_text("\n".join([HEADER + "ann@post.example,,,,morning;evening,,active,,", *rows, ""]), encoding="utf-8")
    take(database, file, now)
    return database


def bring(database: Database, file: Path, now: datetime, *, apply: bool = True, vendor: str = "") -> SuppressionReport:
    return import_suppressions(database, path=file, vendor=vendor, apply=apply, actor="ann", now=now)


def written(tmp_path: Path, content: Any, name: str = "list") -> Path:
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def counts(report: SuppressionReport) -> dict[str, int]:
    names = ("bounce", "complaint", "unsubscribe", "other", "readers", "already", "open", "bad")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def reasons(database: Database) -> dict[str, list[str]]:
    """The suppressions in force of those that are asked about here, in the order in which they came."""
    names = ("ann", "bea", "cy", "dan", "unknown", "other")
    with database.read() as connection:
        key = address_key(connection)
        hashes = {address_hash(f"{name}@post.example", key): name for name in names}
        table = tables.suppressions
        query = sa.select(table.c.address_hash, table.c.reason).where(table.c.lifted_at.is_(None)).order_by(table.c.id)
        found: dict[str, list[str]] = {}
        for row in connection.execute(query):
            found.setdefault(hashes[row.address_hash], []).append(row.reason)
    return found


POSTMARK = "EmailAddress,SuppressionReason,Origin,CreatedAt\n" + "".join(
    f"{email},{reason},{origin},2026-01-01T00:00:00Z\n"
    for email, reason, origin in (
        ("Ann@post.example", "ManualSuppression", "Recipient"),
        ("bea@post.example", "HardBounce", "Recipient"),
        ("cy@post.example", "SpamComplaint", "Recipient"),
        ("unknown@post.example", "HardBounce", "Recipient"),
        ("other@post.example", "ManualSuppression", "Customer"),
    )
)


def test_a_report_changes_nothing_and_then_comes_true(readers: Database, tmp_path: Path, now: datetime) -> None:
    file = written(tmp_path, POSTMARK)
    expected = {"bounce": 2, "complaint": 1, "unsubscribe": 1, "other": 1, "readers": 3}
    before = standing(readers)
    report = bring(readers, file, now, apply=False)
    assert (counts(report), report.rows, report.lists) == (expected, 5, ["postmark suppressions"])
    assert (standing(readers), reasons(readers)) == (before, {})
    assert counts(bring(readers, file, now)) == expected
    assert reasons(readers) == {
        "ann": ["unsubscribe"],
        "bea": ["bounce"],
        "cy": ["complaint"],
        "unknown": ["bounce"],
        "other": ["import"],
    }
    assert standing(readers) == {
        "ann@post.example/morning": ("left", "daily", "unsubscribe"),
        "ann@post.example/evening": ("left", "", "unsubscribe"),
        "bea@post.example/morning": ("active", "daily", "bounce"),
        "cy@post.example/morning": ("active", "daily", "complaint"),
        "dan@post.example/morning": ("active", "daily", ""),
    }


def test_the_same_list_again_changes_nothing(readers: Database, tmp_path: Path, now: datetime) -> None:
    file = written(tmp_path, POSTMARK)
    bring(readers, file, now)
    once = reasons(readers)
    assert counts(bring(readers, file, now, apply=False)) == counts(bring(readers, file, now)) == {"already": 5}
    assert reasons(readers) == once


def test_one_that_was_interrupted_is_run_again(
    readers: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, POSTMARK)
    monkeypatch.setattr(module, "CHUNK_ROWS", 2)

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_suppressions(readers, path=file, apply=True, now=now, progress=interrupt)
    assert reasons(readers) == {"ann": ["unsubscribe"], "bea": ["bounce"]}
    done: list[int] = []
    report = import_suppressions(readers, path=file, apply=True, now=now, progress=done.append)
    assert counts(report) == {"bounce": 1, "complaint": 1, "other": 1, "readers": 1, "already": 2}
    assert done == [2, 4, 5]
    with readers.read() as connection:
        finished = [row.counts["finished"] for row in connection.execute(sa.select(tables.imports))]
        audited = connection.execute(
            sa.select(tables.audit_log.c.detail).where(tables.audit_log.c.action == "suppression.import")
        ).scalar_one()
    assert finished == [True, False, True]
    assert audited["lists"] == ["postmark suppressions"]


def test_nobody_is_opened_and_the_stronger_reason_is_added(readers: Database, tmp_path: Path, now: datetime) -> None:
    for name in ("ann", "unknown"):
        suppress_subscriber(readers, email=f"{name}@post.example", because="asked", now=now)
    left = written(tmp_path, "email,created\ncy@post.example,1\nann@post.example,1\n")
    assert counts(bring(readers, left, now)) == {"unsubscribe": 1, "readers": 1, "already": 1}
    bring(readers, written(tmp_path, POSTMARK), now)
    assert reasons(readers)["ann"] == reasons(readers)["unknown"] == ["manual"]
    # Who left may come back by themselves; who complained may not.
    assert reasons(readers)["cy"] == ["unsubscribe", "complaint"]
    assert standing(readers)["cy@post.example/morning"] == ("left", "daily", "complaint")


def test_it_is_in_the_journal_that_outlives_the_database(readers: Database, tmp_path: Path, now: datetime) -> None:
    journal = readers.journal = Journal(tmp_path / "beside")
    bring(readers, written(tmp_path, POSTMARK), now)
    with readers.read() as connection:
        key = address_key(connection)
    told = [json.loads(line) for line in journal.path.read_bytes().splitlines()[1:]]
    acts = {(line["act"], line["hash"], line.get("about", "")) for line in told}
    hashes = {name: address_hash(f"{name}@post.example", key) for name in ("ann", "unknown")}
    assert ("suppressed", hashes["unknown"], "bounce") in acts
    assert {("suppressed", hashes["ann"], "unsubscribe"), ("left", hashes["ann"], "evening")} <= acts
    assert b"post.example" not in journal.path.read_bytes()


def test_what_was_lifted_here_is_closed_again_only_by_a_list_that_still_says_so(
    readers: Database, tmp_path: Path, now: datetime
) -> None:
    file = written(tmp_path, POSTMARK)
    bring(readers, file, now)
    unsuppress_subscriber(readers, email="bea@post.example", because="they wrote to us", now=now)
    assert counts(bring(readers, file, now, apply=False)) == {"bounce": 1, "readers": 1, "already": 4}


def test_bad_rows_are_named_by_their_line_and_harm_no_other(readers: Database, tmp_path: Path, now: datetime) -> None:
    file = written(
        tmp_path,
        "email;created;reason;status\n"
        "nobody;1;550;5.1.1\n"
        "bea@post.example;1;550 no such user;5.1.1\n"
        ";1;550;5.1.1\n"
        "\n"
        'cy@post.example;1;"550 a quote in\nit";5.1.1\n'
        "dan@post.example;1;mailbox full;5.2.2\n"
        "x;1;550;5.1.1;more\n"
        '"ann@post.example"x;1;550;5.1.1\n',
    )
    report = bring(readers, file, now)
    assert counts(report) == {"bounce": 2, "readers": 2, "open": 1, "bad": 4}
    assert [line for line, _ in report.problems] == [2, 4, 9, 10]
    assert set(reasons(readers)) == {"bea", "cy"}


ROWS = [{"email": f"{name}@post.example", "created": 1, "ip": "192.0.2.1"} for name in ("ann", "unknown")]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=1),
        "\n".join(map(json.dumps, ROWS)),
        "\n\n".join(json.dumps([row], indent=2) for row in ROWS),
        json.dumps({"result": 1, "items": ROWS}) + "\n" + json.dumps({"items": []}),
        "\ufeff" + json.dumps(ROWS),
    ],
    ids=["one line", "indented", "a row a line", "pages", "answers", "marked"],
)
def test_json_is_read_however_it_was_fetched(readers: Database, tmp_path: Path, now: datetime, content: str) -> None:
    report = bring(readers, written(tmp_path, content), now)
    assert (counts(report), report.rows) == ({"complaint": 2, "readers": 1}, 2)
    assert reasons(readers) == {"ann": ["complaint"], "unknown": ["complaint"]}


def test_a_bad_line_of_json_is_named_and_harms_no_other(readers: Database, tmp_path: Path, now: datetime) -> None:
    first, last = map(json.dumps, ROWS)
    lines = [first, '{"email": ', "7", '{"what": 1}', '{"created": 1, "email": null}', last]
    report = bring(readers, written(tmp_path, "\n".join(lines)), now)
    assert counts(report) == {"complaint": 2, "readers": 1, "bad": 4}
    assert [line for line, _ in report.problems] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("email,name\nann@post.example,Ann\n", "no list of suppressions"),
        ("ann@post.example,BOUNCE\n", "first line must name the columns"),
        ('{"email": "ann@post.example"}', "no list of suppressions"),
        ('{\n"items": [\n{"address": "a@post.example"},\n', "line 4: it is not JSON"),
        ("[" * 100_000, "nested too deeply|not JSON"),
        ("7", "no list of suppressions"),
    ],
)
def test_what_is_no_list_is_refused_with_a_cure(
    readers: Database, tmp_path: Path, now: datetime, content: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        bring(readers, written(tmp_path, content), now)
    assert reasons(readers) == {}


def test_the_vendor_may_be_said(readers: Database, tmp_path: Path, now: datetime) -> None:
    file = written(tmp_path, "email,reason\nann@post.example,Spam\nbea@post.example,Soft bounce\n")
    report = bring(readers, file, now, vendor="brevo")
    assert (counts(report), report.lists) == ({"complaint": 1, "readers": 1, "open": 1}, ["brevo list"])
    with pytest.raises(BadInput, match="no list of postmark"):
        bring(readers, file, now, vendor="postmark")


def test_twice_in_a_file_is_once_in_the_report_too(readers: Database, tmp_path: Path, now: datetime) -> None:
    file = written(tmp_path, "email,created,ip\n" + "Ann@post.example,1,\n" * 3)
    assert counts(bring(readers, file, now, apply=False)) == {"complaint": 1, "readers": 1, "already": 2}
    assert counts(bring(readers, file, now)) == {"complaint": 1, "readers": 1, "already": 2}
    assert reasons(readers) == {"ann": ["complaint"]}


def test_who_asks_why_is_told(readers: Database, tmp_path: Path, now: datetime) -> None:
    bring(readers, written(tmp_path, POSTMARK), now)
    found = explain_subscriber(readers, email="unknown@post.example", newsletters=NEWSLETTERS, now=now)
    assert "their mailbox does not exist" in " ".join(found.lines)


def test_a_row_that_is_nested_however_deep_keeps_back_no_other(
    readers: Database, tmp_path: Path, now: datetime
) -> None:
    for deep in range(900, 1_000):
        odd = '{"address": "ann@post.example", "tags": %s}' % ("[" * deep + "]" * deep)
        file = written(tmp_path, f'{{"address": "bea@post.example", "tags": "x"}}\n{odd}\n')
        try:
            report = bring(readers, file, now, apply=False, vendor="mailgun")
        except BadInput as error:
            assert "nested too deeply" in error.message
        else:
            assert report.unsubscribe + report.bad == 2
