"""One letter to many: each place gets its own value, once, and nothing of a value is read as a place."""

from __future__ import annotations

from html import escape

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.copies import Addressee, Copies, Letter, Wording, addresses_of
from syndicate.core.message import Message
from syndicate.core.placeholders import NAME, PREFERENCES, UNSUBSCRIBE, fill

PLACES = {NAME: "name", UNSUBSCRIBE: "leaving", PREFERENCES: "choosing"}
BITS = st.sampled_from([*PLACES, "50 % off ", "%name% ", "-name-", "{{name}}", "é"])
TEXTS = st.lists(BITS, max_size=12).map("".join)
VALUES = st.sampled_from(["Zoë", "", UNSUBSCRIBE, NAME, "<b>", "%name%"])
ANN = Addressee("ann@example.org", "Ann & Co", "a-token", "c-token", "1")


def letter(text: str) -> Letter:
    wording = Wording.of(text, "https://x/u/", "https://x/p/")
    header = Wording(["<https://x/u/", ">"], ["leaving"])
    return Letter(
        "News",
        "news@post.example",
        "",
        wording,
        wording,
        wording,
        (("List-Unsubscribe", header), ("List-Id", Wording(["<l.x>"]))),
    )


@given(text=TEXTS, leaving=VALUES, choosing=VALUES, name=VALUES)
def test_a_wording_is_filled_as_its_placeholders_say(text: str, leaving: str, choosing: str, name: str) -> None:
    wording = Wording.of(text, "https://x/u/", "https://x/p/")
    filled = wording.fill(leaving, choosing, name)
    assert filled == fill(text, unsubscribe=f"https://x/u/{leaving}", preferences=f"https://x/p/{choosing}", name=name)
    values = {"leaving": leaving, "choosing": choosing, "name": name}
    assert wording.written(values.__getitem__) == filled
    assert len(wording.literals) == len(wording.fields) + 1


def test_a_wording_is_written_with_an_apis_own_places_and_its_literals_escaped() -> None:
    wording = Wording.of(f"100% {NAME}: {UNSUBSCRIBE}", "https://x/u/", "")
    assert wording.written("[{}]".format, lambda text: text.replace("%", "%%")) == "100%% [name]: https://x/u/[leaving]"


def test_whole_mails_are_made_as_they_are_asked_for() -> None:
    people = [ANN, Addressee("bob@example.org", "", "b-token", "d-token", "2")]
    copies = Copies(letter(f"{NAME} {UNSUBSCRIBE}"), people, lambda own: f"<{own}@x>")
    first, second = copies
    assert (copies[0], copies[-1], list(copies[1:]), len(copies)) == (first, second, [second], 2)
    assert first.html == f"{escape('Ann & Co')} https://x/u/a-token"
    assert (first.subject, first.text) == ("Ann & Co https://x/u/a-token",) * 2
    assert first.headers == (
        ("Message-ID", "<1@x>"),
        ("List-Unsubscribe", "<https://x/u/a-token>"),
        ("List-Id", "<l.x>"),
    )
    assert copies.message_ids() == [message.message_id for message in copies] == ["<1@x>", "<2@x>"]
    assert addresses_of(copies) == addresses_of(list(copies)) == ["ann@example.org", "bob@example.org"]


def test_a_letter_tells_which_values_it_needs() -> None:
    assert letter(NAME).fields == {"name", "leaving"}
    assert letter("").fields == {"leaving"}


@given(headers=st.booleans(), words=st.text(max_size=20))
def test_a_single_mail_is_a_letter_without_places(headers: bool, words: str) -> None:
    own = (("Message-ID", "<1@x>"), ("List-Unsubscribe", "<https://x/u/t>")) if headers else ()
    message = Message("ann@example.org", "News", "news@post.example", "", words, words, words, own, words)
    assert list(Copies.of(message)) == [message]
    assert Copies.of(message).letter.fields == frozenset()
