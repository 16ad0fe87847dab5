"""The folder keeps every mail, through restarts, lost indexes and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.sandbox.eml import Mail, read_request
from syndicate.sandbox.outbox import Outbox
from tests.sandbox.test_eml import request

ROOT = Path(__file__).resolve().parents[2]


def mail(number: int = 1, **changes: Any) -> Mail:
    whole = {
        "To": [{"Name": f"Zoë {number}", "Email": f"reader{number}@example.org"}],
        "Headers": {"Message-ID": f"<{number}@post.example>"},
        **changes,
    }
    return read_request(request(**whole))


@contextmanager
def opened(folder: Path) -> Iterator[Outbox]:
    outbox = Outbox(folder)
    try:
        yield outbox
    finally:
        outbox.close()


def test_each_mail_is_one_file_named_by_its_id(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        ids = [outbox.add(mail(number)) for number in range(5)]
        assert sorted(path.name for path in tmp_path.glob("*.eml")) == [f"{id_}.eml" for id_ in ids]
        assert outbox.raw(ids[2]) == (tmp_path / f"{ids[2]}.eml").read_bytes()
        assert outbox.raw("latest") == outbox.raw(ids[4])
        assert outbox.raw("../port") is None
        assert outbox.raw("none") is None


def test_a_mail_that_comes_twice_is_there_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        ids = [outbox.add(mail()), outbox.add(mail())]
        assert len(set(ids)) == len(outbox) == 2
        assert [found["ID"] for found in outbox.search("message-id:1@post.example")] == ids[::-1]


def test_ids_grow_also_when_the_clock_goes_back(tmp_path: Path) -> None:
    moments = iter([datetime(2026, 11, 20, tzinfo=UTC) - timedelta(hours=number) for number in range(3)])
    outbox = Outbox(tmp_path, now=lambda: next(moments))
    ids = [outbox.add(mail(number)) for number in range(3)]
    outbox.close()
    assert ids == sorted(ids)
    with opened(tmp_path) as again:
        assert [each["ID"] for each in again.page(0, 9)] == ids[::-1]


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        for number in range(7):
            outbox.add(mail(number))
        before = outbox.page(0, 100)
    with opened(tmp_path) as outbox:
        assert outbox.page(0, 100) == before
        outbox.add(mail(7))
        assert outbox.page(0, 100)[1:] == before
        assert [each["MessageID"] for each in outbox.search("message-id:<3@post.example>")] == ["3@post.example"]


@pytest.mark.parametrize("damage", ["gone", "cut short", "garbage", "stale"])
def test_an_index_that_is_lost_or_torn_is_made_anew_from_the_mails(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path) as outbox:
        for number in range(5):
            outbox.add(mail(number, Subject=f"L’été, n° {number}"))
        before = outbox.page(0, 100)
    index = tmp_path / "index"
    whole = index.read_bytes()
    if damage == "gone":
        index.unlink()
    elif damage == "cut short":
        index.write_bytes(whole[:-30])
    elif damage == "garbage":
        index.write_bytes(b'\xff\x00{"ID": 7}\n[]\nnull\n' + whole[100:])
    else:
        next(tmp_path.glob("*.eml")).unlink()
        before = [each for each in before if (tmp_path / f"{each['ID']}.eml").exists()]
    (tmp_path / ".0000.part").write_bytes(b"half a mail")
    with opened(tmp_path) as outbox:
        after = outbox.page(0, 100)
        keys = ("ID", "MessageID", "Subject", "To", "From", "ReplyTo", "Size")
        assert [{key: each[key] for key in keys} for each in after] == [
            {key: each[key] for key in keys} for each in before
        ]
        assert [each["ID"] for each in outbox.search("message-id:2@post.example")] == [
            each["ID"] for each in before if each["MessageID"] == "2@post.example"
        ]
    assert not list(tmp_path.glob(".*"))
    assert len(index.read_text(encoding="utf-8").splitlines()) == len(before)


def test_pages_are_newest_first(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        ids = [outbox.add(mail(number)) for number in range(5)]
        newest = ids[::-1]
        assert [each["ID"] for each in outbox.page(0, 2)] == newest[:2]
        assert [each["ID"] for each in outbox.page(3, 50)] == newest[3:]
        assert outbox.page(5, 50) == outbox.page(0, 0) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("message-id:2@post.example", [2]),
        ('message-id:"<2@post.example>"', [2]),
        ("message-id:@POST", [2, 1, 0]),
        ("message-id:9@post.example", []),
        ("to:reader1@example.org", [1]),
        ("to:zoë", [2, 1, 0]),
        ('subject:"n° 2 here"', [2]),
        ("subject:here to:reader0", [0]),
        ("from:harbour", [2, 1, 0]),
        ("reader1", [1]),
        ("nowhere", []),
    ],
)
def test_search_finds_parts_in_any_case(tmp_path: Path, query: str, found: list[int]) -> None:
    with opened(tmp_path) as outbox:
        for number in range(3):
            outbox.add(mail(number, Subject=f"N° {number} here"))
        expected = [f"{number}@post.example" for number in found]
        assert [each["MessageID"] for each in outbox.search(query)] == expected


def test_a_filter_that_is_not_known_is_said_to_be(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox, pytest.raises(ValueError, match="before"):
        outbox.search("before:2026-01-01")


ADDING = """
import sys
from pathlib import Path
from syndicate.sandbox.outbox import Outbox
from tests.sandbox.test_outbox import mail
outbox = Outbox(Path(sys.argv[1]))
for number in range(100_000):
    print(outbox.add(mail(number)), flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 23])
def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path, after: int) -> None:
    command = [sys.executable, "-c", ADDING, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline().strip() for _ in range(after)]
        os.kill(process.pid, signal.SIGKILL)
        answered += process.stdout.read().split("\n")[:-1]
    with opened(tmp_path) as outbox:
        there = [each["ID"] for each in outbox.page(0, 10_000)][::-1]
        assert there[: len(answered)] == answered
        assert len(there) - len(answered) <= 1
        for id_ in there:
            raw = outbox.raw(id_)
            assert raw is not None
            assert raw.endswith(b"--\r\n")
    assert json.loads((tmp_path / "index").read_text(encoding="utf-8").splitlines()[0])["ID"] == answered[0]
