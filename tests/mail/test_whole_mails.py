"""Copies of a letter in the requests of APIs that take whole mails: octet by octet as if each had been written by
itself, and as an earlier version wrote them: its requests in doubt are looked up, or go again, by a later one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syndicate.core.copies import Addressee, Copies, Field, Letter, Wording
from syndicate.core.message import CapabilitySheet
from syndicate.errors import BadInput
from syndicate.mail import ADAPTERS, open_mail_api, sheet_of, whole_mails
from syndicate.mail.base import Connection, MailAPI
from tests.mail_api_server import DIALECTS

WHOLE = sorted(name for name in ADAPTERS.keys() - {"smtp"} if not sheet_of(name).substitution)
FIELDS: list[Field] = ["leaving", "choosing", "name"]
LOOKALIKE = '\x00place\x00 \\u0000place\\u0000 "\\u0000place\\u0000"'

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LINES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=30)
TOKENS = st.from_regex(r"[A-Za-z0-9_.-]{0,20}", fullmatch=True)


def wordings(words: st.SearchStrategy[str]) -> st.SearchStrategy[Wording]:
    """With up to three places."""
    return st.lists(st.sampled_from(FIELDS), max_size=3).flatmap(
        lambda fields: st.lists(words, min_size=len(fields) + 1, max_size=len(fields) + 1).map(
            lambda literals: Wording(literals, fields)
        )
    )


def opened(name: str, stream: str = "") -> MailAPI:
    url = "smtp://127.0.0.1:9" if name == "smtp" else "http://127.0.0.1:9"
    return open_mail_api(name, Connection(url, "key:secret", stream=stream))


def a_letter(subject: Wording | None = None, text: Wording | None = None, html: Wording | None = None) -> Letter:
    """With a header of each one's own, in the place where a letter has it."""
    leave_at = "https://news.post.example/u/"
    return Letter(
        "The Harbour Post",
        "news@post.example",
        "Harbour desk <desk@post.example>",
        subject or Wording(["Ferries: « l’été » for ", ""], ["name"]),
        html or Wording([f'<p class="a">\\ L’été 🚢 <a href="{leave_at}', '">', "</a>\n.\n"], ["leaving", "name"]),
        text or Wording([f"L’été 🚢 {leave_at}", "\n.\nFrom \t", " https://x/p/", ""], ["leaving", "name", "choosing"]),
        (
            ("Date", Wording(["Fri, 20 Nov 2026 07:00:00 +0000"])),
            ("List-Unsubscribe", Wording([f"<{leave_at}", ">"], ["leaving"])),
            ("List-Id", Wording(["Morning Briefing <morning.news.post.example>"])),
        ),
    )


def to(letter: Letter, *names: str) -> Copies:
    people = [
        Addressee(f"reader{n}@example.org", name, f"leave-{n}.x_", f"choose-{n}", n) for n, name in enumerate(names)
    ]
    return Copies(letter, people, "<{}@news.post.example>".format)


@pytest.mark.parametrize("name", WHOLE)
@given(
    letter=st.builds(a_letter, wordings(LINES), wordings(WORDS.map("x{}".format)), wordings(WORDS.map("<p>{}".format))),
    people=st.lists(st.tuples(LINES, TOKENS, TOKENS), min_size=1, max_size=4),
)
@example(
    letter=a_letter(Wording(["\\u0000place\\u0000"]), Wording([LOOKALIKE, LOOKALIKE], ["name"]), Wording([LOOKALIKE])),
    people=[('Ann "A" \\u0000place\\u0000', "T0k", "x"), ("", "", "")],
)
@example(letter=a_letter(text=Wording([""])), people=[("", "", "")] * 2)
def test_it_is_what_json_would_write_of_each(name: str, letter: Letter, people: list[tuple[str, str, str]]) -> None:
    api = opened(name)
    addressees = [Addressee(f"reader{n}@example.org", *values, n) for n, values in enumerate(people)]
    copies = Copies(letter, addressees, "<{}@news.post.example>".format)[: api.sheet.recipients_per_request]
    written = api.build(copies)
    assert written == api.build(list(copies))
    assert written == json.dumps(json.loads(written), separators=(",", ":")).encode()
    assert [(one.to, one.subject, one.text, one.html) for one in DIALECTS[name]().read(written)] == [
        (mail.to_email, mail.subject, mail.text, mail.html) for mail in copies
    ]


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("mailjet", "6c4867d2927ebc7bde00be51fdfb2802e4e39ef6403cd51922be0b776fc074f3"),
        ("mailpit", "0f87494489ce07936506ce1fc33c05b6cf5c98bffef8c0017d43afd05198c527"),
        ("postmark", "c3c047499244974157907855aacdb5f00e11cd61f22b4973dab1e6be32da7627"),
        ("resend", "d8d97c85a0b4d2e979d1c552964cc8e2b9e8fa553a792b754573950db1c19ef4"),
        ("smtp", "64b92b41867d2955b6e54db589cf2965e825ffcda5096563632e06f6d0710727"),
    ],
)
def test_a_request_of_an_earlier_version_comes_out_as_it_was(name: str, sha256: str) -> None:
    api = opened(name, stream="broadcast")
    copies = to(a_letter(), "Zoë, the \"reader\"", "", "Ann <b> & Co")[: api.sheet.recipients_per_request]
    assert hashlib.sha256(api.build(copies)).hexdigest() == sha256


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize(
    ("what", "letter", "readers_name"),
    [
        ("text", a_letter(text=Wording(["a ", " \ud83d"], ["name"])), "Ann"),
        ("HTML", a_letter(html=Wording(["\ud83d", " b"], ["name"])), "Ann"),
        ("subject", a_letter(subject=Wording(["a ", "\n"], ["name"])), "Ann"),
        ("name", a_letter(), "half of \ud83d"),
        ("name", a_letter(), "Ann\r\nBcc: spy@example.org"),
        ("X-For", replace(a_letter(), headers=(("X-For", Wording(["to ", ""], ["name"])),)), "Zoë"),
        ("X-For", replace(a_letter(), headers=(("X-For", Wording(["x" * 900, ""], ["name"])),)), "Ann" * 33),
    ],
    ids=["text", "html", "subject", "half a pair", "line end", "header", "long header"],
)
def test_what_no_mail_could_carry_is_refused(name: str, what: str, letter: Letter, readers_name: str) -> None:
    api = opened(name)
    with pytest.raises(BadInput, match=what):
        api.build(to(letter, *["Ann", readers_name][-api.sheet.recipients_per_request :]))


def test_one_reader_whose_name_makes_the_subject_too_long_is_told() -> None:
    letter = a_letter(subject=Wording(["News for ", ""], ["name"]))
    assert opened("mailjet").build(to(letter, "Ann", "x" * 246))
    with pytest.raises(BadInput, match="255 characters"):
        opened("mailjet").build(to(letter, "Ann", "x" * 247))


def test_a_request_that_is_too_large_is_refused() -> None:
    sheet = CapabilitySheet("small", "this test", 2, 200)
    mails = whole_mails.copies_of(to(a_letter(), "Ann", "Bob"), sheet)
    with pytest.raises(BadInput, match="is more than small takes"):
        whole_mails.request(mails, sheet, lambda mail: {"html": mail.html}, lambda name, email: email)
