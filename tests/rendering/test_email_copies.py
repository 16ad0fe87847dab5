"""The copy of each reader: their own links and name, everything else the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.headers import check_headers
from syndicate.core.placeholders import NAME, PREFERENCES, UNSUBSCRIBE
from syndicate.errors import BadInput
from syndicate.rendering.email import RenderedVariant, render_digest
from syndicate.rendering.environment import make_environment
from syndicate.rendering.personalise import Recipient, message_ids_of, personalise, recipients
from tests.rendering.digests import DAY, SENDER, SIGNER, article, digest, envelope, mail, parsed

VARIANT = render_digest(make_environment(), digest(article(1), article(2)))
READERS = [Recipient(n, 100 + n, f"reader{n}@example.org", "") for n in range(1, 6)]


def test_each_reader_gets_their_own_way_out_in_header_html_and_text() -> None:
    messages = list(personalise(VARIANT, envelope(), READERS))
    assert [message.to_email for message in messages] == [reader.email for reader in READERS]
    ways = set()
    for reader, message in zip(READERS, messages, strict=True):
        headers = dict(message.headers)
        way = headers["List-Unsubscribe"].strip("<>")
        assert way.startswith("https://news.post.example/u/")
        assert SIGNER.read("unsubscribe", way.rpartition("/")[2]) == (str(reader.subscriber_id), "morning", "4711")
        assert way in parsed(message.html).xpath("//a/@href") and way in message.text.splitlines()
        (choose,) = [line for line in message.text.splitlines() if "/p/" in line]
        assert SIGNER.read("preferences", choose.rpartition("/")[2])[0] == str(reader.subscriber_id)
        ways.add(way)
    assert len(ways) == len(READERS)


def test_the_same_arguments_give_the_same_mails() -> None:
    assert list(personalise(VARIANT, envelope(), READERS)) == list(personalise(VARIANT, envelope(), iter(READERS)))


def test_headers_are_fit_for_every_mail_api() -> None:
    for message in personalise(VARIANT, envelope(), READERS):
        check_headers(message.headers)
        names = [name.lower() for name, _ in message.headers]
        assert len(set(names)) == len(names)
        # Sender, recipient and subject are fields of the message; no vendor takes them as headers.
        assert not {"from", "to", "subject", "reply-to", "content-type", "mime-version"} & set(names)
        assert message.reply_to == SENDER.reply_to
        for value in dict(message.headers).values():
            assert "reader" not in value


def test_a_message_id_stays_over_revisions_and_differs_by_person_and_issue() -> None:
    ids = message_ids_of(envelope(), recipients(READERS))
    assert ids == [mail(VARIANT, reader, revision=3).message_id for reader in READERS]
    assert len(set(ids)) == len(READERS)
    for other in (envelope(issue_id=4712), envelope(instance="another")):
        assert not set(ids) & set(message_ids_of(other, recipients(READERS)))


def test_a_test_is_marked_and_its_way_out_is_inert() -> None:
    message = mail(VARIANT, test=True)
    assert message.subject == "[Test] Headline number 1"
    for name in ("u", "p"):
        (token,) = set(re.findall(rf"https://news\.post\.example/{name}/([\w.-]+)", message.html))
        assert SIGNER.read("test", token)
        for purpose in ("unsubscribe", "preferences"):
            with pytest.raises(BadInput):
                SIGNER.read(purpose, token)


def test_two_tests_of_an_issue_are_two_mails() -> None:
    other = DAY.replace(minute=5)
    assert mail(VARIANT, test=True).message_id != mail(VARIANT, test=True, date=other).message_id
    assert mail(VARIANT, test=True).message_id != mail(VARIANT).message_id


@given(name=st.text(max_size=300), subscriber=st.integers(0, 2**63 - 1))
def test_a_name_is_escaped_in_html_plain_in_text_and_one_line_everywhere(name: str, subscriber: int) -> None:
    variant = RenderedVariant(
        f"For {NAME}",
        f'<p title="{NAME}">{NAME}</p><a href="{UNSUBSCRIBE}">out</a>',
        f"Dear {NAME},\n{UNSUBSCRIBE}\n{PREFERENCES}\n",
    )
    message = mail(variant, Recipient(1, subscriber, "reader@example.org", name))
    assert len(message.text.split("\n")) == 4
    greeted = message.text.split("\n")[0].removeprefix("Dear ").removesuffix(",")
    assert message.to_name == greeted and len(greeted) <= 200
    assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029]", message.subject + greeted)
    (paragraph,) = parsed(message.html).xpath("//p")
    assert paragraph.get("title") == greeted or not greeted.strip()
    assert len(parsed(message.html).xpath("//body//*")) == 2


def test_a_name_that_looks_like_a_placeholder_stays_what_it_is() -> None:
    variant = RenderedVariant("S", f"<p>{NAME}</p>{UNSUBSCRIBE}", f"{NAME} {UNSUBSCRIBE}")
    message = mail(variant, Recipient(1, 7, "reader@example.org", f"{UNSUBSCRIBE} {{{{ 7 * 7 }}}}"))
    assert message.html.count("/u/") == message.text.count("/u/") == 1
    assert "unsubscribe {{ 7 * 7 }}" in message.text


@pytest.mark.parametrize("place", ["from_name", "from_email", "reply_to"])
def test_a_sender_that_would_add_a_header_is_refused(place: str) -> None:
    forged: Any = {place: "desk@post.example\r\nBcc: all@example.org"}
    with pytest.raises(BadInput, match=r"\[mail\]"):
        mail(VARIANT, sender=replace(SENDER, **forged))


def test_an_address_that_would_add_a_header_is_refused() -> None:
    with pytest.raises(BadInput, match="recipient 3"):
        mail(VARIANT, Recipient(3, 7, "a@example.org\r\nBcc: all@example.org", ""))


def test_no_more_than_a_thousand_are_made_ready_before_they_are_asked_for() -> None:
    asked: list[int] = []

    def audience() -> Iterator[Recipient]:
        for ordinal in range(1, 5_001):
            asked.append(ordinal)
            yield Recipient(ordinal, ordinal, f"reader{ordinal}@example.org", "")

    mails = personalise(VARIANT, envelope(), audience())
    next(mails)
    assert len(asked) <= 1_000
    assert [mail.to_email for mail in mails] == [f"reader{ordinal}@example.org" for ordinal in range(2, 5_001)]


def test_a_template_may_greet_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "email" / "digest"
    path.mkdir(parents=True)
    (path / "body.html").write_text(
        '{% extends "shipped/email/digest/body.html" %}'
        "{% block intro %}<tr><td><p id=hello>Good morning, {{ reader.name }}</p></td></tr>{% endblock %}"
    )
    variant = render_digest(make_environment(tmp_path), digest(article(1)))
    message = mail(variant, Recipient(1, 7, "reader@example.org", "Rosa <& Co>"))
    assert parsed(message.html).xpath("string(//p[@id='hello'])") == "Good morning, Rosa <& Co>"
