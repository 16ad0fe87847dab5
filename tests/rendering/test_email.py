"""The digest: what readers are promised of its subject, its HTML and its text twin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syndicate.core.article import Image
from syndicate.core.edits import LONGEST_INTRO, EditorLink, Sponsor
from syndicate.core.preflight import HTML_LIMIT, preflight
from syndicate.errors import BadInput
from syndicate.rendering.email import render_digest
from syndicate.rendering.environment import make_environment
from tests.rendering.digests import NEWSLETTER, PUBLICATION, SENDER, article, digest, mail, parsed, seen

ENVIRONMENT = make_environment()
PICTURE = Image("https://post.example/boat.jpg", "A boat leaves", "Photograph: Harbour desk", width=1600, height=900)


def test_an_ordinary_digest_passes_every_check() -> None:
    whole = digest(
        article(1, image=PICTURE),
        article(2, language="fr"),
        article(3, date=None),
        titles=(article(4),),
        intro="Hello.",
    )
    variant = render_digest(ENVIRONMENT, whole)
    assert preflight(variant) == preflight(mail(variant)) == ()


def test_headlines_are_links_in_one_outline() -> None:
    document = parsed(render_digest(ENVIRONMENT, digest(article(1), article(2), titles=(article(3),))).html)
    assert [each.text_content() for each in document.xpath("//h1")] == ["Morning Briefing"]
    headlines = [(each.text_content(), each.xpath("string(a/@href)")) for each in document.xpath("//h2")]
    assert headlines == [
        ("Headline number 1", "https://post.example/1"),
        ("Headline number 2", "https://post.example/2"),
        ("More on the web", ""),
    ]
    assert document.xpath("//ul/li/a/@href") == ["https://post.example/3"]


def test_the_text_twin_has_the_same_articles_in_the_same_order() -> None:
    variant = render_digest(ENVIRONMENT, digest(*(article(n) for n in (5, 3, 9)), titles=(article(7), article(1))))
    in_html = parsed(variant.html).xpath("//h2/a/@href | //li/a/@href")
    in_text = [line.strip() for line in variant.text.splitlines() if line.strip().startswith("https://post.example/")]
    assert in_html == [f"https://post.example/{n}" for n in (5, 3, 9, 7, 1)]
    assert [each for each in in_text if each != SENDER.privacy_url] == in_html


def test_text_is_wrapped_and_addresses_stay_whole() -> None:
    long_link = "https://post.example/" + "a-very-long-slug-" * 10
    variant = render_digest(
        ENVIRONMENT,
        digest(
            article(1, summary="Some words of a summary. " * 20, link=long_link),
            titles=(article(2, title="Word " * 40),),
        ),
    )
    text = mail(variant).text
    assert long_link in text.splitlines()
    assert all(len(line) <= 76 for line in text.splitlines() if "https://" not in line)


def test_the_footer_says_why_who_and_how_to_leave() -> None:
    variant = render_digest(ENVIRONMENT, digest(article(1)))
    message = mail(variant)
    links = {each.text_content(): each.get("href") for each in parsed(message.html).xpath("//a")}
    assert links["Unsubscribe"].startswith("https://news.post.example/u/")
    assert links["Preferences"].startswith("https://news.post.example/p/")
    assert links["View in your browser"] == "https://news.post.example/archive/morning/4711"
    assert links["Privacy"] == "https://post.example/privacy"
    for words in (seen(message.html), message.text.replace("\n", " ")):
        assert "You get this because you subscribed to Morning Briefing by The Harbour Post." in words
        for line in ("Harbour Post Ltd", "1 Quay Street", "Lisbon"):
            assert line in words


def test_an_article_in_another_language_says_so() -> None:
    variant = render_digest(
        ENVIRONMENT, digest(article(1), article(2, language="ar"), titles=(article(3, language="fr"),))
    )
    document = parsed(variant.html)
    assert [(each.get("lang"), each.get("dir")) for each in document.xpath("//h2[a]")] == [(None, None), ("ar", "rtl")]
    assert document.xpath("//li/@lang") == ["fr"]


@pytest.mark.parametrize("language", ["ar", "he"])
def test_a_digest_may_run_from_right_to_left(language: str) -> None:
    document = parsed(render_digest(ENVIRONMENT, digest(article(1, language=language), language=language)).html)
    assert document.get("dir") == "rtl"
    (headline,) = document.xpath("//h2[a]")
    (cell,) = headline.xpath("ancestor::td[1]")
    assert "text-align: right" in cell.get("style")


def test_only_pictures_for_everywhere_are_mailed() -> None:
    shown = render_digest(ENVIRONMENT, digest(article(1, image=PICTURE)))
    (picture,) = parsed(shown.html).xpath("//img")
    assert {name: picture.get(name) for name in ("src", "alt", "width", "height")} == {
        "src": "https://post.example/boat.jpg",
        "alt": "A boat leaves",
        "width": "552",
        "height": "310",  # 900 × 552 / 1600
    }
    assert "Photograph: Harbour desk" in seen(shown.html)
    others = (
        article(1, image=replace(PICTURE, use="web")),
        article(2, image=replace(PICTURE, use="none")),
        article(3, image=PICTURE, rights="theirs"),
        article(4, image=replace(PICTURE, src="data:image/png;base64,AAAA")),
    )
    assert parsed(render_digest(ENVIRONMENT, digest(*others)).html).xpath("//img") == []


def test_a_small_picture_is_not_blown_up_and_one_without_size_fits() -> None:
    small, unknown = replace(PICTURE, width=200, height=100), replace(PICTURE, width=None, height=None)
    document = parsed(render_digest(ENVIRONMENT, digest(article(1, image=small), article(2, image=unknown))).html)
    assert [(each.get("width"), each.get("height")) for each in document.xpath("//img")] == [
        ("200", "100"),
        ("552", None),
    ]


def test_dates_are_printed_only_where_an_article_has_one() -> None:
    dated = render_digest(ENVIRONMENT, digest(article(1)))
    undated = render_digest(ENVIRONMENT, digest(article(1, date=None)))
    old = render_digest(ENVIRONMENT, digest(article(1, date=datetime(2025, 3, 2, 12, tzinfo=UTC))))
    assert "Harbour desk · November 19" in seen(dated.html) and "Harbour desk · November 19" in dated.text
    assert "Harbour desk · March 2, 2025" in seen(old.html)
    for words in (seen(undated.html), undated.text):
        assert re.findall(r"November \d+", words) == ["November 20"]  # the digest's own


def test_the_day_is_that_of_the_newsletters_zone() -> None:
    tokyo = replace(NEWSLETTER, timezone="Asia/Tokyo")
    late = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
    assert "Saturday, November 21, 2026" in seen(
        render_digest(ENVIRONMENT, digest(article(1), newsletter=tokyo, day=late)).html
    )


def test_a_translation_and_an_origin_are_named() -> None:
    told = digest(
        article(1, translated_by="Translation desk"),
        article(2, rights="theirs", link="https://other.example/x"),
        article(3, rights="theirs", link="https://wire.example/x", origin="The <b> Wire"),
    )
    words = seen(render_digest(ENVIRONMENT, told).html)
    assert "Translation: Translation desk" in words
    assert "From other.example" in words
    assert "From The <b> Wire" in words


def test_french_words_and_dates() -> None:
    variant = render_digest(
        ENVIRONMENT,
        digest(
            article(1, language="fr", translated_by="Service traduction"),
            titles=(article(2),),
            language="fr-FR",
            day=datetime(2026, 11, 1, 7, tzinfo=UTC),
        ),
    )
    assert parsed(variant.html).get("lang") == "fr-FR"
    for words in (seen(variant.html).replace(" ", " "), variant.text.replace("\n", " ").replace("\u00a0", " ")):
        assert "dimanche 1er novembre 2026" in words
        assert "Se désabonner" in words and "Lire dans le navigateur" in words
        assert "« Morning Briefing » de The Harbour Post" in words
    assert "Traduction\u00a0: Service traduction" in variant.text  # a no-break space before the colon
    assert "«\u00a0Morning Briefing\u00a0»" in variant.text.replace("\n", " ")


def test_a_language_without_words_gets_english_ones_marked_as_such() -> None:
    document = parsed(render_digest(ENVIRONMENT, digest(article(1), titles=(article(2),), language="pt")).html)
    (heading,) = document.xpath("//h2[not(a)]")
    assert (heading.text_content(), heading.get("lang")) == ("More on the web", "en")
    assert "20 de novembro de 2026" in document.text_content()


def test_the_subject_is_the_leads_title_cut_at_a_word() -> None:
    title = "Ferries return to the strait after nine days of storms, and the captains explain what comes next"
    variant = render_digest(ENVIRONMENT, digest(article(1, title=title), article(2)))
    assert len(variant.subject) <= 78
    assert variant.subject.endswith("…")
    assert title.startswith(variant.subject.removesuffix("…") + " ")


def test_an_article_with_suspects_neither_leads_nor_names_the_issue() -> None:
    doubtful, sound = article(1, suspects=("title in lower case",)), article(2)
    variant = render_digest(ENVIRONMENT, digest(doubtful, sound))
    assert variant.subject == "Headline number 2"
    assert parsed(variant.html).xpath("//h2/a/text()") == ["Headline number 2", "Headline number 1"]
    assert render_digest(ENVIRONMENT, digest(doubtful)).subject == "Morning Briefing, November 20, 2026"


def test_an_editors_words_come_first_and_are_escaped() -> None:
    variant = render_digest(
        ENVIRONMENT,
        digest(article(1), subject="Fish & chips", preheader="Salt <b>", intro="One\nline.\r\n\r\nTwo & three."),
    )
    assert variant.subject == "Fish & chips"
    document = parsed(variant.html)
    assert document.xpath("string(//body/div[1])").startswith("Salt <b>")
    paragraphs = document.xpath("//div[contains(@class, 'intro')]/p")
    assert [" ".join(each.text_content().split()) for each in paragraphs] == ["One line.", "Two & three."]
    assert "Two & three." in variant.text


def test_an_introduction_that_is_too_long_is_refused_not_cut() -> None:
    with pytest.raises(BadInput, match=f"{LONGEST_INTRO + 1} characters"):
        render_digest(ENVIRONMENT, digest(article(1), intro="x" * (LONGEST_INTRO + 1)))


def test_the_preheader_comes_first_and_is_hidden_without_tricks_of_colour() -> None:
    document = parsed(render_digest(ENVIRONMENT, digest(article(1))).html)
    preheader = document.xpath("//body/*[1]")[0]
    assert preheader.text_content().startswith("What happened in story 1.")
    assert (
        re.sub(r"\s", "", preheader.get("style")).rstrip(";")
        == "display:none;max-height:0;overflow:hidden;mso-hide:all"
    )


def test_the_style_is_inlined_and_the_rules_for_dark_and_narrow_are_kept() -> None:
    html = render_digest(ENVIRONMENT, digest(article(1))).html
    document = parsed(html)
    assert "font-size" in document.xpath("//h1/@style")[0]
    (kept,) = document.xpath("//head/style/text()")
    assert "prefers-color-scheme: dark" in kept and "max-width: 400px" in kept
    assert len(kept) < 16_000  # Gmail drops a longer one
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") == 3


def test_a_test_is_marked_in_its_language() -> None:
    english = render_digest(ENVIRONMENT, digest(article(1), test=True))
    french = render_digest(ENVIRONMENT, digest(article(1), test=True, language="fr"))
    assert english.subject == "[Test] Headline number 1"
    assert french.subject == "[Essai] Headline number 1"
    assert "sent to editors only" in seen(english.html) and "sent to editors only" in english.text
    assert mail(english, test=True).subject == english.subject  # marked once


HOSTILE = (
    "<script>alert(1)</script> \" ' & {{ 7 * 7 }} {% raw %} \ufdd0unsubscribe\ufdd1 \x00\x1b\r\nBcc: all@example.org"
)


def test_hostile_text_in_every_field_stays_text() -> None:
    attacked = article(
        1,
        title=HOSTILE,
        summary=HOSTILE,
        section=HOSTILE,
        authors=(HOSTILE,),
        language=HOSTILE,
        translated_by=HOSTILE,
        link='https://post.example/"><script>alert(1)</script>',
        image=Image(src='https://post.example/"onerror="alert(1)', alt=HOSTILE, credit=HOSTILE),
    )
    hostile_site = replace(PUBLICATION, title=HOSTILE)
    variant = render_digest(
        ENVIRONMENT,
        digest(attacked, article(2, link="javascript:alert(1)"), titles=(attacked,), subject=HOSTILE, preheader=HOSTILE,
               intro=HOSTILE, publication=hostile_site),
    )  # fmt: skip
    message = mail(variant)
    document = parsed(message.html)
    assert document.xpath("//script | //*[@onerror]") == []
    assert all(href.startswith("https://") for href in document.xpath("//a/@href"))
    assert "{{ 7 * 7 }}" in seen(message.html) and "49" not in seen(message.html).replace("4711", "")
    assert not re.search(r"[\r\n\x00-\x1f]", message.subject)
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", message.text)
    # What looks like a placeholder in an article is not filled: the way out stands in the footer alone.
    assert message.text.count("https://news.post.example/u/") == 1
    assert len(re.findall(r"https://news\.post\.example/u/", message.html)) == 1
    assert not re.search("[\ufdd0-\ufdef]", message.html + message.text + message.subject)


def test_the_same_digest_gives_the_same_bytes_in_every_process() -> None:
    script = (
        "from tests.rendering.digests import *; from syndicate.rendering.email import render_digest;"
        "from syndicate.rendering.environment import make_environment;"
        "print(render_digest(make_environment(), digest(article(1), article(2, language='fr'))).sha256)"
    )
    root = Path(__file__).resolve().parents[2]
    seeds = ("1", "2")
    hashes = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in seeds
    }
    assert len(hashes) == 1 and len(hashes.pop().strip()) == 64


def test_the_hash_covers_all_three_parts() -> None:
    variant = render_digest(ENVIRONMENT, digest(article(1)))
    changed = {replace(variant, **{part: getattr(variant, part) + "x"}).sha256 for part in ("subject", "html", "text")}
    assert len(changed | {variant.sha256}) == 4


def test_an_introduction_may_have_a_little_markdown_and_nothing_else() -> None:
    intro = (
        "Hello *all*, see [the quay](https://quay.example/a) <b onclick=x>now</b> [no](javascript:alert(1)).\n\n"
        "- one\n- two\n\n![a spy](https://spy.example/x.png) \ufdd0unsubscribe\ufdd1"
    )
    variant = render_digest(ENVIRONMENT, digest(article(1), intro=intro))
    (words,) = parsed(variant.html).xpath("//div[contains(@class, 'intro')]")
    assert [each.text_content() for each in words.xpath(".//em | .//li")] == ["all", "one", "two"]
    assert {each.tag for each in words.iter()} == {"div", "p", "em", "a", "ul", "li"}
    assert [each.get("href") for each in words.xpath(".//a")] == ["https://quay.example/a", "https://spy.example/x.png"]
    assert "Hello all, see the quay <https://quay.example/a> <b onclick=x>now</b>" in " ".join(variant.text.split())
    assert "* two" in variant.text
    assert not [each for each in preflight(mail(variant)) if each.level == "error"]


@pytest.mark.parametrize(
    ("language", "label", "heading"),
    [
        ("en", "Sponsored by Quay & Sons", "Also worth reading"),
        ("fr", "Sponsorisé par Quay & Sons", "À lire par ailleurs"),
    ],
)
def test_links_and_a_sponsor_are_in_both_bodies_and_labelled(language: str, label: str, heading: str) -> None:
    sponsor = Sponsor("Quay & Sons", "https://www.quay.example/boats", "New *boats* <here>.")
    links = (EditorLink("The tide tables", "https://tides.example/?a=1&b=2"),)
    variant = render_digest(ENVIRONMENT, digest(article(1), language=language, links=links, sponsor=sponsor))
    document = parsed(variant.html)
    shown = seen(variant.html)
    assert shown.index(label) < shown.index("Headline number 1") < shown.index(heading)
    assert "New boats <here>.quay.example" in shown
    assert document.xpath("//a[@rel='sponsored']/@href") == ["https://www.quay.example/boats"]
    assert document.xpath("//a[text()='The tide tables']/@href") == ["https://tides.example/?a=1&b=2"]
    for words in (label.upper(), "https://www.quay.example/boats", "The tide tables", "https://tides.example/?a=1&b=2"):
        assert words in variant.text
    assert preflight(mail(variant)) == ()


def test_an_article_that_an_editor_put_first_leads_whatever_is_suspected_of_it() -> None:
    odd = article(2, suspects=("an unbalanced quote",))
    usual = render_digest(ENVIRONMENT, digest(odd, article(1)))
    arranged = render_digest(ENVIRONMENT, digest(odd, article(1), arranged=True))
    assert (usual.subject, arranged.subject) == ("Headline number 1", "Headline number 2")
    assert seen(arranged.html).index("Headline number 2") < seen(arranged.html).index("Headline number 1")


def test_links_and_sponsor_are_within_the_limit_of_a_long_day() -> None:
    links = tuple(EditorLink(f"Link {n} " + "x" * 180, f"https://links.example/{n}/" + "y" * 1500) for n in range(20))
    sponsor = Sponsor("Quay & Sons", "https://quay.example", "Boats. " * 80)
    day = digest(*(article(n, summary="Long. " * 160) for n in range(1, 120)), links=links, sponsor=sponsor)
    variant = render_digest(ENVIRONMENT, day)
    assert len(mail(variant).html.encode()) < HTML_LIMIT
    assert "https://links.example/19/" in variant.html
