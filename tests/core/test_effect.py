"""What becomes of everything that shows an article, in words."""

from __future__ import annotations

from typing import get_args

import pytest

from syndicate.core.effect import Action, Effects, IssueEffect, What, sentences
from syndicate.core.issue import State

ACTIONS: tuple[Action, ...] = get_args(Action)
WHATS: tuple[What, ...] = get_args(What)


def effects(action: Action, *issues: IssueEffect, page: bool = True) -> Effects:
    return Effects("an id", "The ferry", action, ("", "world"), page, issues, ("Morning",))


def issue(was: State, what: What) -> IssueEffect:
    return IssueEffect(7, "morning", was, what, 10, 4)


def test_a_hold_says_that_the_page_and_the_archive_go_too() -> None:
    told = sentences(effects("hold", issue("sent", "mailed"), issue("approved", "draft")), done=False)
    assert told == [
        "Feeds: it leaves the site's own, world, until it is released.",
        "Page: at its address, to which mails that went out lead, there is nothing until it is released.",
        "Issue 7 (morning): what went out stays as it is (4 of 10 sent); its page in the archive leaves it out until it"
        " is released.",
        "Issue 7 (morning): goes back to draft; it was approved.",
    ]
    [going] = sentences(effects("hold", issue("sending", "goes on"), page=False), done=True)[1:]
    assert going == "Issue 7 (morning): is sending and keeps it: to stop it, pause the issue or retract the article."


def test_a_release_names_feeds_newsletters_and_archives() -> None:
    told = sentences(effects("release", issue("sent", "mailed"), issue("draft", "composed")), done=True)
    assert told == [
        "Feeds: it went into the site's own, world.",
        "Page: it stands again at its address.",
        "Issues: the next of Morning brings it.",
        "Issue 7 (morning): its page in the archive shows it again.",
    ]
    assert sentences(Effects("an id", "The ferry", "release"), done=False) == [
        "Feeds: none selects it.",
        "Issues: no next one brings it.",
    ]


def test_of_what_nobody_has_seen_a_hold_says_so() -> None:
    assert sentences(Effects("an id", "The ferry", "hold"), done=False) == [
        "Feeds: it is in none.",
        "Issues: none carries it.",
    ]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("done", [False, True])
def test_whatever_becomes_of_an_issue_is_a_sentence(action: Action, what: What, done: bool) -> None:
    for line in sentences(effects(action, issue("sending", what)), done=done):
        assert line.endswith(".") and ": " in line
