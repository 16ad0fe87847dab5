"""Plain text, often a page saved by hand: whole lines may be left out, and not a word is changed."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syndicate.errors import BadInput
from syndicate.sources.plain_text import Page, read_page
from tests.sources.newsdesk import read

LEAD = (
    "The ferry to the north shore will sail at midnight again, the harbour office said on Friday, after four winters."
)
MORE = (
    "It is the last boat of the day, and it will wait for the last train when the last train is late, as it often is."
)


def page(*paragraphs: str) -> Page:
    return read_page("\n\n".join(paragraphs))


def words(markup: str) -> list[str]:
    return html.unescape(re.sub(r"<[^>]*>", " ", markup)).split()


def test_the_title_is_the_first_line_and_its_repeats_go_only_in_the_top_block() -> None:
    title = "Night ferry returns"
    found = page(title, title, f"{title}\n{title}", LEAD, title, MORE, title)
    assert found.title == title
    assert found.left_out == (title, title, title)
    assert found.html == f"<p>{LEAD}</p>\n<h2>{title}</h2>\n<p>{MORE}</p>\n<p>{title}</p>"


@pytest.mark.parametrize(
    "line",
    [
        "PREV",
        "PREV Bus fares",
        "PREV: Bus fares",
        "PREVIOUS STORY",
        "NEXT",
        "NEXT Bus fares",
        "NEXT → Bus",
        "Share",
        "SHARE",
        "Share:",
        "Read also",
        "READ ALSO:",
        *("-", "–", "—", "•", "·", "*", "---", "- -"),
    ],
)
def test_the_furniture_of_a_page_goes_from_top_and_tail_as_whole_lines(line: str) -> None:
    found = page("Night ferry returns", line, LEAD, line, MORE, line)
    assert found.left_out == (line, line)
    assert words(found.html) == [*LEAD.split(), *line.split(), *MORE.split()]


@pytest.mark.parametrize(
    "line",
    [
        "Share prices fall",
        "Read also the report",
        "NEXTEL wins",
        "Next week: the bus",
        "Prev",
        "PREVENTION is dearer",
        "- A dash",
    ],
)
def test_lines_that_only_begin_alike_stay(line: str) -> None:
    found = page("Night ferry returns", line, LEAD, line)
    assert found.left_out == ()
    assert words(found.html) == [*line.split(), *LEAD.split(), *line.split()]


def test_a_story_that_begins_with_next_is_a_story() -> None:
    found = page("NEXT raises profit forecast", LEAD, "NEXT raises profit forecast", MORE)
    assert found.title == "NEXT raises profit forecast"
    assert found.left_out == ()
    assert found.html.count("NEXT raises profit forecast") == 1


def test_navigation_above_the_title_is_passed_over() -> None:
    found = page("PREV Bus fares", "NEXT Seal moves in", "—", "Share", "Night ferry returns", LEAD)
    assert found.title == "Night ferry returns"
    assert found.left_out == ("PREV Bus fares", "NEXT Seal moves in", "—", "Share")
    assert found.whole_html.startswith("<p>PREV Bus fares</p>\n<p>NEXT Seal moves in</p>\n<p>—</p>\n<p>Share</p>\n")


def test_a_text_without_a_long_line_is_taken_as_it_is() -> None:
    found = page("A poem", "A poem", "Share", "NEXT comes the tide", "A poem")
    assert found.left_out == ()
    assert words(found.html) == ["A", "poem", "Share", "NEXT", "comes", "the", "tide", "A", "poem"]


def test_a_heading_is_a_line_alone_before_a_longer_paragraph() -> None:
    assert page("Title", LEAD, "What the rules say", MORE).html == (
        f"<p>{LEAD}</p>\n<h2>What the rules say</h2>\n<p>{MORE}</p>"
    )
    assert "<h2>Who pays?</h2>" in page("Title", LEAD, "Who pays?", MORE).html
    assert f"<h2>{'x' * 80}</h2>" in page("Title", LEAD, "x" * 80, MORE).html


@pytest.mark.parametrize("end", list(".:;,…!”»"))
def test_a_line_that_ends_like_a_sentence_is_no_heading(end: str) -> None:
    assert "<h2>" not in page("Title", LEAD, f"What the rules say{end}", MORE).html


def test_what_is_no_heading() -> None:
    assert "<h2>" not in page("Title", LEAD, "x" * 81, MORE).html
    assert "<h2>" not in page("Title", LEAD, "A longer line than the next", "Short.").html
    assert "<h2>" not in page("Title", LEAD, "The last line").html
    assert "<h2>" not in read_page(f"Title\n\n{LEAD}\nUnder a line\n\n{MORE}").html
    assert "<h2>" not in read_page(f"Title\n\n{LEAD}\n\nOver a line\n{MORE}").html
    assert "<h2>" not in page("Title", LEAD, "* * *", MORE).html


@pytest.mark.parametrize("line", ["By the Harbour desk", "12 March 2026", "Friday, 20 November 2026, 10:30"])
def test_a_byline_or_day_above_the_lead_is_no_heading(line: str) -> None:
    assert page("Title", line, LEAD).html == f"<p>{line}</p>\n<p>{LEAD}</p>"
    assert f"<h2>{line}</h2>" in page("Title", LEAD, line, MORE).html


def test_a_heading_above_the_lead_is_a_heading() -> None:
    assert page("Title", "What is new", LEAD).html == f"<h2>What is new</h2>\n<p>{LEAD}</p>"


def test_the_first_long_paragraph_is_the_lead() -> None:
    assert page("Title", "By the Harbour desk", "Share", LEAD, MORE).lead == LEAD
    assert page("Title", "Short.", "Shorter.").lead == "Short."


def test_lines_wrapped_at_a_column_are_one_paragraph() -> None:
    wrapped = "The ferry to the north shore will sail at midnight again, the\n"
    wrapped += "harbour office said on Friday. After four winters it is the\nlast boat."
    found = page("Title", wrapped, "Next\nShare")
    joined = wrapped.replace("\n", " ")
    assert (found.lead, found.left_out) == (joined, ("Share",))
    assert found.html == f"<p>{joined}</p>\n<p>Next</p>"


def test_short_lines_together_keep_their_breaks_and_long_ones_are_paragraphs() -> None:
    assert page("Title", "1 Quay Street\nPort Salter", f"{LEAD}\n{MORE}").html == (
        f"<p>1 Quay Street<br>Port Salter</p>\n<p>{LEAD}</p>\n<p>{MORE}</p>"
    )


def test_it_is_not_markdown_and_not_html() -> None:
    draft = read(
        f"# Title\n\n{LEAD}\n\n* one *two* [three](https://a.example)\n\n"
        f"<script>alert(1)</script> & <b>bold</b>\n\n{MORE}",
        "a.txt",
    )
    assert draft.content.title == "# Title"
    assert "* one *two* [three](https://a.example)" in draft.content.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;bold&lt;/b&gt;" in draft.content.html


def test_no_date_in_the_text_is_its_date_and_front_matter_is_text() -> None:
    draft = read(f"Title\n\n2026-11-19 08:00\n\ndate: 2027-01-01\n\n{LEAD}", "a.txt")
    assert (draft.content.date, draft.not_before) == (None, None)
    assert "date: 2027-01-01" in draft.content.html


def test_what_was_left_out_is_kept_and_comes_back_whole() -> None:
    draft = read(f"Title\n\nShare\n\n{LEAD}\n\nRead also\n\n- \n", "a.txt")
    assert draft.content.left_out == ("Share", "Read also", "-")
    assert draft.full is not None and draft.full.left_out == ()
    assert draft.full.html == f"<p>Share</p>\n<p>{LEAD}</p>\n<p>Read also</p>\n<p>-</p>"
    assert read(f"Title\n\n{LEAD}", "a.txt").full is None


def test_a_restored_and_a_renamed_reading_have_the_same_words_mark() -> None:
    text = f"Title\n\nShare\n\n{LEAD}"
    assert read(text, "a.txt").text_hash == read(text, "b.txt").text_hash != ""


@pytest.mark.parametrize(
    ("raw", "warned"),
    [
        ("Café “ouvert”".encode(), False),
        ("Café “ouvert”".encode("utf-8-sig"), False),
        ("Café “ouvert”".encode("utf-16"), False),
        (b"\xfe\xff" + "Café “ouvert”".encode("utf-16-be"), False),
        ("Café “ouvert”".encode("cp1252"), True),
        (unicodedata.normalize("NFD", "Café “ouvert”").encode(), False),
    ],
)
def test_encodings(raw: bytes, warned: bool) -> None:
    bom = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    tail = f"\r\n\r\n{LEAD}"
    body = tail.encode("utf-16-le" if raw[:2] == b"\xff\xfe" else "utf-16-be") if bom else tail.encode("ascii")
    draft = read(raw + body, "a.txt")
    assert (draft.content.title, draft.content.html) == ("Café “ouvert”", f"<p>{LEAD}</p>")
    assert any("Windows-1252" in each for each in draft.warnings) is warned


@pytest.mark.parametrize(
    "raw", [b"Title\x81\n\nText", "Title\n\nText".encode("utf-16-le"), b"\xff\xfeT\x00i\x00t", b"PK\x00\x01\n\nx"]
)
def test_what_is_no_text_is_named(raw: bytes) -> None:
    with pytest.raises(BadInput) as error:
        read(raw, "a.txt")
    assert "Save it as" in str(error.value)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_line_ends(ends: str) -> None:
    assert read(f"Title{ends}{ends}{LEAD}", "a.txt").content.html == f"<p>{LEAD}</p>"


def test_a_first_line_that_is_a_paragraph_is_no_title() -> None:
    with pytest.raises(
        BadInput, match=r"its title has 1,000,000 characters and may have 500\. Write a title of its own"
    ):
        read("x" * 1_000_000 + f"\n\n{LEAD}", "a.txt")
    with pytest.raises(BadInput, match=r"a title and no text"):
        read("Only a title\n", "a.txt")
    with pytest.raises(BadInput, match=r"no title\. Write the title in its first line"):
        read("-\n\n—\n\nShare\n", "a.txt")


# -- suspects --------------------------------------------------------------------------------------------------------


def suspects(*paragraphs: str, title: str = "Title") -> tuple[str, ...]:
    return page(title, *paragraphs).suspects


def test_a_title_in_lower_case_is_suspect() -> None:
    assert suspects(LEAD, title="night ferry returns") == ("The title is in lower case: 'night ferry returns'.",)
    assert suspects(LEAD, title="iPhone prices rise") == ()
    assert suspects(LEAD, title="12 000") == ()


@pytest.mark.parametrize(
    "text", ["She said“We sail.”", "“We sail.”he said.", 'She said"We sail."', "Il dit«Oui»", "Er sagt„Ja“ immer"]
)
def test_a_letter_glued_to_a_quotation_mark_is_suspect(text: str) -> None:
    assert [each for each in suspects(text) if each.startswith("A letter is glued to a quotation mark: ")]


@pytest.mark.parametrize("text", ["“We sail.", "We sail.”", 'He said "We sail.', "«Oui", "»Oui««"])
def test_quotation_marks_that_do_not_pair_are_suspect(text: str) -> None:
    assert f"Quotation marks do not pair: {text!r}." in suspects(text)


@pytest.mark.parametrize(
    "paragraphs",
    [
        ("“We sail,” she said. “At midnight.”",),
        ('"We sail," she said. "At midnight."',),
        ("„Wir fahren“, sagte sie.",),
        ("»Wir fahren«, sagte sie.",),
        ("« Oui », dit-elle.",),
        ("”Vi seglar”, sade hon. ”I natt.”",),
        ("»Vi seglar», sade hon.",),
        ("“We sail. We always did.", "“And we always will.”"),
        ('It’s the skipper’s ’90s boat, 6\'2" long and 12" wide.',),
    ],
)
def test_honest_quotations_are_not_suspect(paragraphs: tuple[str, ...]) -> None:
    assert suspects(*paragraphs) == ()


def test_suspects_are_listed_and_the_words_stay() -> None:
    draft = read(f"night ferry\n\nHe said“We sail.\n\n{LEAD}", "a.txt")
    assert len(draft.content.suspects) == 3
    assert "<p>He said“We sail.</p>" in draft.content.html and draft.content.title == "night ferry"
    assert len(suspects(*["“open"] * 60 + ["x"])) <= 21


# -- never a word changed --------------------------------------------------------------------------------------------

LINES = st.one_of(
    st.sampled_from(
        ["", "", "Share", "Read also", "-", "—", "• •", "PREV", "PREV a b", "NEXT raises profit", "NEXT: x", "Title"]
    ),
    st.sampled_from(
        [LEAD, MORE, "What the rules say", "By the desk", "“Quoted”", "<b>not bold</b> & so", "12 March 2026"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"]), max_size=120),
    st.text("ab .”“\"'<>&", max_size=200),
)


@given(st.lists(LINES, max_size=30), st.sampled_from(["\n", "\r\n", "\n\n"]))
@example(["NEXT one", "PREV two", "Share", "Title", LEAD, "Share", MORE, "Title", "Share"], "\n\n")
def test_no_word_is_ever_changed_lost_or_moved(lines: list[str], ends: str) -> None:
    text = unicodedata.normalize("NFC", ends.join(lines))
    found = read_page(text.replace("\r\n", "\n"))
    everything = text.split()
    shown = [*found.title.split(), *words(found.html)]
    out = [word for line in found.left_out for word in line.split()]
    if found.title:
        assert sorted(shown + out) == sorted(everything)
        assert sorted([*found.title.split(), *words(found.whole_html)]) == sorted(everything)
        _assert_merged(everything, shown, out)
    else:
        # Without a title there is no article, and nothing of it is thrown away: the file is named as broken.
        assert shown == []
    assert set(found.left_out) <= {" ".join(line.split(" ")).strip() for line in re.split(r"\r?\n", text)}


def _assert_merged(everything: list[str], shown: list[str], out: list[str]) -> None:
    """Both keep their order inside the whole: a merge of the two gives it back."""
    reachable = {0}  # how many words of `shown` are used after each word of the whole
    for place, word in enumerate(everything):
        reachable = {
            used + step
            for used in reachable
            for step in (0, 1)
            if (shown[used : used + 1] == [word] if step else out[place - used : place - used + 1] == [word])
        }
        assert reachable, f"{word!r} is out of order"
