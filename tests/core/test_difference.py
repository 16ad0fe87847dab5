"""The difference alone, word by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.article import Content, Image
from syndicate.core.difference import Change, Shown, Span, around, differences, mail_texts, spans

TEXTS = st.text(alphabet="ab .\n", max_size=60)


@given(TEXTS, TEXTS)
def test_the_words_give_both_texts_back(before: str, after: str) -> None:
    found = spans(before, after)
    assert "".join(each.text for each in found if each.kind != "new") == before
    assert "".join(each.text for each in found if each.kind != "gone") == after
    assert all(each.text for each in found)


def test_a_typo_is_one_word() -> None:
    found = spans("The harbor opens at noon.", "The harbour opens at noon.")
    assert found == (
        Span("same", "The "),
        Span("gone", "harbor"),
        Span("new", "harbour"),
        Span("same", " opens at noon."),
    )


def test_a_long_stretch_that_stayed_is_cut_for_reading() -> None:
    words = " ".join(f"w{n}" for n in range(100))
    told = "".join(each.text for each in around(spans(f"{words} teh {words}", f"{words} the {words}")))
    assert told == "… w94 w95 w96 w97 w98 w99 tehthe w0 w1 w2 w3 w4 w5 …"


def test_a_text_beyond_reason_is_told_whole_and_at_once() -> None:
    before, after = "a " * 50_000, "b " * 50_000
    assert spans(before, after) == (Span("gone", before), Span("new", after))


def shown(*articles: tuple[str, str], **texts: str) -> Shown:
    return Shown(texts, tuple((key, "full", {"title": title}) for key, title in articles))


def test_articles_that_came_went_and_moved_are_named() -> None:
    before = shown(("a", "A"), ("b", "B"), ("c", "C"), ("d", "D"), subject="One")
    after = shown(("c", "C"), ("a", "A"), ("b", "Bee"), ("e", "E"), subject="")
    assert [(each.where, each.what) for each in differences(before, after)] == [
        ("", "subject"),
        ("D", "taken out"),
        ("Bee", "title"),
        ("E", "put in"),
        ("C", "place"),
    ]
    assert differences(before, before) == []


def test_what_a_mail_does_not_say_is_no_difference() -> None:
    one = Content(title="A", html="<p>Page 2.</p>", summary="Short.", tags=("x",))
    other = Content(title="A", html="<p>Page 3.</p>", summary="Short.", left_out=("a line",))
    assert mail_texts(one) == mail_texts(other)
    pictured = Content(title="A", html="", summary="Short.", image=Image("https://post.example/a.jpg", "A boat"))
    assert mail_texts(pictured) != mail_texts(one)


def test_a_change_of_role_is_told() -> None:
    before = Shown({}, (("a", "full", {"title": "A"}),))
    after = Shown({}, (("a", "title", {"title": "A"}),))
    assert differences(before, after) == [Change("A", "role", (Span("gone", "full"), Span("new", "title")))]
