"""Front matter: what it says is taken as written; what cannot be used is named with the cure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syndicate.core.article import Image
from syndicate.errors import BadInput
from tests.sources.newsdesk import NOW, read

BODY = "The ferry sails at midnight.\n"


def front(lines: str, body: str = BODY) -> str:
    return f"---\n{lines}\n---\n{body}"


def problem(content: str | bytes, key: str = "story.md") -> str:
    with pytest.raises(BadInput) as error:
        read(content, key)
    return str(error.value)


def test_every_key_is_taken() -> None:
    draft = read(
        front(
            "id: ferry-1\ntitle: 'Night ferry: it is back'\nsummary: |\n  Two lines\n  of summary.\n"
            "date: 2026-11-19 07:30\nupdated: 2026-11-19T09:00:00Z\nsection: Harbour\ntags: [ferry, sea, ferry]\n"
            "authors:\n  - Harbour desk\n  - Night desk\nlanguage: en_gb\nurl: https://post.example/ferry\n"
            "image: {src: https://img.example/a.jpg, alt: A ferry, credit: Picture desk, use: web}\n"
            "breaking: yes\nrights: theirs\ntranslated_from: fr\ntranslated_by: Translation desk"
        ),
        zone=ZoneInfo("Europe/Paris"),
    )
    content = draft.content
    assert (draft.declared_id, draft.updated) == ("ferry-1", datetime(2026, 11, 19, 9, tzinfo=UTC))
    assert content.title == "Night ferry: it is back"
    assert content.summary == "Two lines of summary."
    assert content.date == datetime(2026, 11, 19, 6, 30, tzinfo=UTC)
    assert (content.section, content.tags, content.language) == ("Harbour", ("ferry", "sea"), "en-GB")
    assert content.authors == ("Harbour desk", "Night desk")
    assert content.url == "https://post.example/ferry"
    assert content.image == Image("https://img.example/a.jpg", "A ferry", "Picture desk", "web")
    assert content.breaking and content.rights == "theirs"
    assert (content.translated_from, content.translated_by) == ("fr", "Translation desk")
    assert draft.warnings == () and draft.hold == "" and draft.not_before is None


def test_values_stay_the_words_that_were_written() -> None:
    content = read(front("title: 1984\nsummary: 012\ntags: [no, 1_000, 2026-01-31, ~]\nsection: on")).content
    assert (content.title, content.summary, content.section) == ("1984", "012", "on")
    assert content.tags == ("no", "1_000", "2026-01-31", "~")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-07-01", datetime(2026, 6, 30, 23, tzinfo=UTC)),
        ("2026-07-01 08:00", datetime(2026, 7, 1, 7, tzinfo=UTC)),
        ("2026-07-01T08:00:30", datetime(2026, 7, 1, 7, 0, 30, tzinfo=UTC)),
        ("2026-07-01 08:00 +0200", datetime(2026, 7, 1, 6, tzinfo=UTC)),
        ("2026-07-01T08:00:00Z", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ('"2026-07-01 08:00:00 -05:00"', datetime(2026, 7, 1, 13, tzinfo=UTC)),
    ],
)
def test_a_date_without_an_offset_is_in_the_zone_of_the_site(written: str, moment: datetime) -> None:
    assert read(front(f"title: A\ndate: {written}"), zone=ZoneInfo("Europe/Lisbon")).content.date == moment


@pytest.mark.parametrize(
    "written", ["2026-02-30", "31/01/2026", "yesterday", "0001-01-01", "9999-12-31", "12:00", "[2026]"]
)
def test_a_date_that_is_none_is_named(written: str) -> None:
    for key in ("date", "updated", "embargo"):
        message = problem(front(f"title: A\n{key}: {written}"))
        assert message.startswith(f"`{key}` in the front matter ")


def test_all_mistakes_are_named_at_once() -> None:
    message = problem(front("title: [A, B]\ndate: soon\ndraft: perhaps\nlanguage: klingon language\nurl: story"))
    assert message.split("; ") == [
        "`title` in the front matter should be a text and is a list: put it in quotation marks",
        "`date` in the front matter is 'soon', which is no date: write 2026-01-31 or 2026-01-31 10:00",
        "`draft` in the front matter is 'perhaps' and should be true or false",
        "`language` in the front matter is 'klingon language' and should be a language tag such as en or pt-BR",
        "`url` in the front matter is 'story' and should be a whole address such as https://post.example/story.",
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("image: [a, b]", "`image` in the front matter should be an address, or a table"),
        ("image: {alt: A ferry}", "has no `src`"),
        ("image: {src: 'https://a.example/x.jpg', use: print}", "should be all, web or none"),
        ("image: 'data:image/png;base64,AAAA'", "should be a whole address"),
        ("url: 'javascript:alert(1)'", "should be a whole address"),
        ("url: https://desk:secret@post.example/", "carries a user name or password"),
        ("tags: {a: b}", "should be a list such as"),
        ("tags: [[a]]", "`tags` in the front matter should be a text and is a list"),
        ("authors: {name: A}", "should be a list"),
        ("id: {a: b}", "should be a text and is a table"),
        (f"section: {'x' * 101}", "has 101 characters and may have 100: shorten it"),
        (f"title: {'x' * 50_000}", "`title` in the front matter has 50,000 characters and may have 500"),
        (f"tags: [{', '.join(f't{n}' for n in range(51))}]", "has 51 values and may have 50"),
    ],
)
def test_a_value_of_the_wrong_shape_is_named(lines: str, expected: str) -> None:
    assert expected in problem(front(("" if lines.startswith("title") else "title: A\n") + lines))


def test_an_author_is_one_of_the_authors() -> None:
    draft = read(front("title: A\nauthor: Harbour desk"))
    assert (draft.content.authors, draft.warnings) == (("Harbour desk",), ())
    both = read(front("title: A\nauthor: Night desk\nauthors: [Harbour desk]"))
    assert both.content.authors == ("Harbour desk",)
    assert both.warnings == ("The front matter has an unknown key 'author': did you mean 'authors'?",)


def test_an_unknown_key_is_a_warning_with_the_nearest_known_one() -> None:
    draft = read(front("title: A\nsumary: B\nLayout: post\nimage: {src: https://a.example/x.jpg, atl: Ferry}"))
    assert draft.warnings == (
        "The front matter has an unknown key 'sumary': did you mean 'summary'?",
        "The front matter has an unknown key 'Layout': known: id, title, summary, date, updated, section, tags, "
        "authors, "
        "language, url, image, embargo, draft, breaking, rights, translated_from, translated_by.",
        "The `image` of the front matter has an unknown key 'atl': did you mean 'alt'?",
    )
    assert draft.content.title == "A"


def test_empty_values_are_as_if_not_written() -> None:
    content = read(front("title: A\nsection:\ntags: []\nauthors: ''\nimage:\nlanguage:\ndate:")).content
    assert (content.section, content.tags, content.authors, content.image) == ("", (), (), None)
    assert (content.language, content.date) == ("en", None)


def test_tags_may_be_written_in_one_line_and_one_author_without_a_list() -> None:
    content = read(front("title: A\ntags: ferry, the sea ,\nauthors: Desk, Harbour")).content
    assert (content.tags, content.authors) == (("ferry", "the sea"), ("Desk, Harbour",))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("---\ntitle: A\nText.\n", "its front matter is not closed. Add a line --- after the last key."),
        (front("title: Ferry: back"), "in line 2: mapping values are not allowed"),
        (front("title: A\n  bad: [1, 2"), "its front matter cannot be read in line"),
        (front("title: 'A"), "its front matter cannot be read in line"),
        (front("\ttitle: A"), "its front matter cannot be read in line 2"),
        (front("- a\n- b"), "its front matter is no list of `key: value` lines."),
        (front("just words"), "its front matter is no list of `key: value` lines."),
        (front("title: A\ntitle: B"), "names 'title' twice (line 3). Keep one."),
        ("+++\ntitle = 'A'\n+++\nText", "Write it as YAML between --- lines."),
        (front("title: A\nx: " + "y" * 70_000), "its front matter has 70,"),
    ],
)
def test_front_matter_that_cannot_be_read_is_named_with_its_line(content: str, expected: str) -> None:
    message = problem(content)
    assert expected in message
    assert len(message) < 400


def test_a_bomb_of_aliases_is_refused_before_anything_is_built() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
    )
    assert "uses an anchor or alias (& or *) in line 2. Write it out." in problem(front(bomb + "title: *z"))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert "nested too deep" in problem(front(f"title: A\nx: {opening * 5000}" if opening != "- " else opening * 5000))


def test_tags_of_yaml_run_nothing() -> None:
    assert "should be a text and is a list" in problem(front("title: !!python/object/apply:os.system ['true']"))


def test_merge_keys_are_unknown_keys() -> None:
    draft = read(front("title: A\n<<: {summary: B}"))
    assert draft.content.summary == BODY.strip() and "unknown key '<<'" in draft.warnings[0]


def test_line_ends_and_control_characters_do_not_reach_one_line_fields() -> None:
    draft = read(front('title: "A\\r\\nBcc: all@post.example\\u0007\\u202E"\nauthors: ["Desk\\nX"]\nid: "a\\0b"'))
    assert draft.content.title == "A Bcc: all@post.example"
    assert draft.content.authors == ("Desk X",)
    assert draft.declared_id == "ab"


def test_no_break_spaces_of_french_stay() -> None:
    assert (
        read(front('title: "Pourquoi\u00a0? «\u202fOui\u202f»"')).content.title == "Pourquoi\u00a0? «\u202fOui\u202f»"
    )


def test_a_thematic_break_at_the_top_is_no_front_matter() -> None:
    assert read("---\n\n# A\n\nText.").content.title == "A"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_line_ends_and_byte_order_marks_do_not_matter(ends: str, encoding: str) -> None:
    raw = front("title: Café", "Thé.").replace("\n", ends).encode(encoding)
    content = read(raw).content
    assert (content.title, content.html) == ("Café", "<p>Thé.</p>")


def test_html_may_have_front_matter_too_and_it_outranks_the_page() -> None:
    page = "<html lang='fr'><title>Page</title><meta name=author content='Page desk'><body><p>Words.</p>"
    content = read(front("title: Said\nlanguage: en", page), "a.html").content
    assert (content.title, content.language, content.authors) == ("Said", "en", ("Page desk",))


# -- holding and waiting ---------------------------------------------------------------------------------------------


def test_a_future_date_or_embargo_is_waited_for_the_later_one() -> None:
    past, soon, later = (NOW + timedelta(days=days) for days in (-1, 1, 2))
    assert read(front(f"title: A\ndate: {soon:%Y-%m-%d %H:%M}\nembargo: {later:%Y-%m-%d %H:%M}")).not_before == later
    assert read(front(f"title: A\ndate: {later:%Y-%m-%d %H:%M}\nembargo: {soon:%Y-%m-%d %H:%M}")).not_before == later
    assert read(front(f"title: A\nembargo: {past:%Y-%m-%d %H:%M}")).not_before is None
    assert read(front(f"title: A\nembargo: {past:%Y-%m-%d %H:%M}"), now=None).not_before == past


@pytest.mark.parametrize("written", ["true", "True", "yes", "on"])
def test_a_draft_is_held(written: str) -> None:
    assert read(front(f"title: A\ndraft: {written}")).hold == "draft: true in the front matter"
    assert read(front("title: A\ndraft: false")).hold == ""


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("EMBARGO until Monday 9:00", "EMBARGO"),
        ("EMBARGOED: 20 November", "EMBARGO"),
        ("*** STRICT EMBARGO ***", "EMBARGO"),
        ("UNDER EMBARGO", "EMBARGO"),
        ("The report [EMBARGO 10 March]", "EMBARGO"),
        ("Embargoed until 00:01 Tuesday", "EMBARGO"),
        ("Embargo: 9.00 am", "EMBARGO"),
        ("The minister said TK on Monday.", "TK"),
        ("TK", "TK"),
        ("NOT FOR PUBLICATION", "NOT FOR PUBLICATION"),
        ("Draft, NOT FOR PUBLICATION before the vote", "NOT FOR PUBLICATION"),
        ("Not for publication", "NOT FOR PUBLICATION"),
    ],
)
def test_a_mark_in_the_first_lines_holds_it(line: str, mark: str) -> None:
    for key, content in {
        "a.md": front("title: A", f"First.\n\n{line}\n\nMore words."),
        "a.txt": f"A title\n\n{line}\n\nMore words.",
        "a.html": f"<title>A</title><p>First.</p><p>{line}</p>",
    }.items():
        hold = read(content, key).hold
        assert hold.startswith(f"{mark} in the first lines: "), key


def test_a_mark_in_title_or_summary_holds_it_too() -> None:
    assert read(front("title: TK headline")).hold.startswith("TK")
    assert read(front("title: A\nsummary: Summary TK")).hold.startswith("TK")


@pytest.mark.parametrize(
    "line",
    [
        "Embargo on arms exports ends",
        "The embargo is lifted, the ministry said.",
        "An island with the domain .tk sells addresses, says ATK.",
        "The letter was not for publication, she said, and then read it out.",
        "Embargo for oil, embargo for gas",
    ],
)
def test_a_story_about_embargoes_is_no_mark(line: str) -> None:
    assert read(front(f'title: "{line}"', line)).hold == ""


def test_a_mark_further_down_is_part_of_the_story() -> None:
    assert read(front("title: A", "\n\n".join(["Words."] * 5 + ["TK"]))).hold == ""
    assert read(front("title: A", "\n\n".join(["Words."] * 4 + ["TK"]))).hold != ""
