"""The look at a mail before people get it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from syndicate.core.message import Message
from syndicate.core.placeholders import NAME, PREFERENCES, UNSUBSCRIBE
from syndicate.core.preflight import HTML_LIMIT, errors_among, look_at_headers, look_over, preflight
from tests.mailing import MORNING, NOW, PUBLICATION, SENDER

OUT = "https://news.post.example/u/token"
SOUND = Message(
    to_email="reader@example.org",
    from_name="The Harbour Post",
    from_email="news@post.example",
    reply_to="",
    subject="Ferries return",
    html='<h1>Today</h1><a href="https://post.example/1?a=1&amp;b=2"><img src="https://post.example/1.jpg" alt=""></a>'
    f'<a href="{OUT}">Unsubscribe</a><a href="mailto:desk@post.example">Write to us</a>',
    text=f"Ferries return (https://post.example/1?a=1&b=2).\n\nUnsubscribe: {OUT}\n",
    headers=(("List-Unsubscribe", f"<{OUT}>"),),
)


def test_a_sound_mail_has_no_findings() -> None:
    assert preflight(SOUND) == ()


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({"subject": " "}, "error", "subject is empty"),
        ({"subject": "a\r\nBcc: b"}, "error", "line end"),
        ({"subject": "x" * 100}, "warning", "100 characters"),
        ({"subject": "x" * 300}, "error", "300 characters"),
        ({"subject": "Hello {{ name }}"}, "warning", "unfilled"),
        ({"subject": "Dear *|FNAME|*"}, "warning", "unfilled"),
        ({"text": SOUND.text + "TKTK"}, "error", "TKTK"),
        ({"text": SOUND.text + "It cost TK crowns"}, "warning", "'TK'"),
        ({"text": SOUND.text + "NOT FOR PUBLICATION"}, "error", "NOT FOR PUBLICATION"),
        ({"text": " "}, "error", "no text"),
        ({"text": f"Unsubscribe: {OUT}"}, "warning", "https://post.example/1?a=1&b=2"),
        ({"text": SOUND.text.replace(OUT, OUT + "x")}, "warning", OUT),
        ({"text": SOUND.text + "\ufdd0NAME\ufdd1"}, "error", "placeholder"),
        ({"html": SOUND.html + "\ufdd0name"}, "error", "placeholder"),
        ({"html": ""}, "error", "HTML is empty"),
        ({"html": SOUND.html + "x" * HTML_LIMIT}, "error", "Gmail"),
        ({"html": SOUND.html + "x" * int(HTML_LIMIT * 0.85)}, "warning", "four fifths"),
        ({"html": SOUND.html + '<a href="/relative">x</a>'}, "error", "'/relative'"),
        ({"html": SOUND.html + '<a href="javascript:alert(1)">x</a>'}, "error", "javascript"),
        ({"html": SOUND.html + '<img alt="" src="boat.jpg">'}, "error", "'boat.jpg'"),
        ({"html": SOUND.html + '<img src="https://post.example/2.jpg">'}, "warning", "alt"),
        ({"html": SOUND.html + "<h1>Again</h1>"}, "warning", "2 h1"),
    ],
)
def test_what_is_off_is_named(changes: Any, level: str, text: str) -> None:
    found = preflight(replace(SOUND, **changes))
    assert any(finding.level == level and text in finding.text for finding in found), found


def test_a_variant_is_looked_at_as_if_its_places_were_filled() -> None:
    html = f'<h1>For {NAME}</h1><a href="{UNSUBSCRIBE}">Out</a><a href="{PREFERENCES}">Choose</a>'
    variant = replace(SOUND, subject=f"For {NAME}", html=html, text=f"{UNSUBSCRIBE} {PREFERENCES}")
    assert preflight(variant) == ()
    (finding,) = preflight(replace(variant, text=UNSUBSCRIBE))
    assert "preferences" in finding.text


@dataclass(frozen=True)
class Kept:
    """A version as it is kept."""

    subject: str = SOUND.subject
    html: str = SOUND.html
    text: str = SOUND.text
    article_ids: tuple[str, ...] = ("one",)


def test_every_version_is_looked_at_and_each_finding_told_once() -> None:
    bad, long = Kept(text=SOUND.text + "TKTK"), Kept(subject="x" * 100)
    assert look_over([Kept(), Kept()]) == ()
    found = look_over([Kept(), long, bad, bad])
    assert [each.level for each in found] == ["error", "warning"]
    assert errors_among(found) == [found[0].text]


def test_who_has_nothing_left_gets_no_mail_that_could_be_off() -> None:
    assert look_over([Kept(), Kept("", "", "", ())]) == ()
    assert errors_among(look_over([Kept("", "", "")]))


def test_sound_headers_have_no_findings() -> None:
    assert look_at_headers(PUBLICATION, SENDER, MORNING, date=NOW) == ()


@pytest.mark.parametrize(
    ("publication", "sender", "text"),
    [
        ({}, {"from_name": "Post\r\nBcc: all@post.example"}, "[mail] from holds a line end"),
        ({}, {"reply_to": "desk@post.example\n"}, "[mail] reply_to holds a line end"),
        ({"web_url": "https://news.post.example/" + "x" * 900}, {}, "The header List-Unsubscribe is longer than 998"),
        ({"web_url": "https://news.post.example/é"}, {}, "The header List-Unsubscribe holds"),
        ({"web_url": f"https://{'x' * 300}.example"}, {}, "which is not a host name"),
    ],
)
def test_a_header_that_no_mail_api_takes_is_an_error(publication: Any, sender: Any, text: str) -> None:
    found = look_at_headers(replace(PUBLICATION, **publication), replace(SENDER, **sender), MORNING, date=NOW)
    assert any(text in each for each in errors_among(found)), found


def test_words_that_only_look_like_marks_pass() -> None:
    assert preflight(replace(SOUND, text=SOUND.text + "The STKs and an embargo on fish.")) == ()


def test_errors_come_first() -> None:
    found = preflight(replace(SOUND, subject="x" * 100, text=" "))
    assert [finding.level for finding in found] == ["error", "warning"]
