"""The lines of the running product: one form, for people and for programs, and no secret in any of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from syndicate.process.log import HIDDEN, Log, start_log
from syndicate.site import password_of


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was written until then, once."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    yield lambda: capsys.readouterr().err
    root.handlers[:], logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])


def test_a_line_has_its_moment_its_role_and_one_sentence(written: Callable[[], str]) -> None:
    start_log()
    Log("work").say("collected", "desk: 1 new,\n1 released.")
    Log("web").warn("late", "It is late.")
    first, second = written().splitlines()
    assert first.split(" ", 1)[1] == "work  desk: 1 new, 1 released."
    assert first[:2] == "20" and first[19] == "Z"
    assert second.split(" ", 1)[1] == "web   warning: It is late."


def test_programs_get_an_object_a_line(written: Callable[[], str]) -> None:
    start_log(as_json=True)
    Log("work").say("published", "Published 1 feed.", feeds=["world"])
    value = json.loads(written())
    assert value.pop("at").endswith("Z")
    assert value == {
        "role": "work",
        "level": "info",
        "event": "published",
        "text": "Published 1 feed.",
        "feeds": ["world"],
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_are_in_no_line_and_in_no_traceback(written: Callable[[], str], as_json: bool) -> None:
    start_log(as_json=as_json, secrets=["re_very_secret", "", "x"])
    log = Log("work")
    log.warn("failed", "The key re_very_secret was refused.", key="re_very_secret")
    try:
        raise ValueError("re_very_secret")
    except ValueError:
        log.fail("failed", "It failed.")
    logging.getLogger("urllib3").warning("Authorization: re_very_secret")
    text = written()
    assert "re_very_secret" not in text
    assert text.count(HIDDEN) >= 3
    assert "ValueError" in text


def test_the_password_of_a_database_is_a_secret_however_it_is_written() -> None:
    assert password_of("postgresql://syndicate:p%40ss@db.example/news") == ("p%40ss", "p@ss")
    assert password_of("postgresql://syndicate@db.example/news") == ()
    assert password_of("sqlite:///syndicate.db") == ()
