"""Which two texts are one article."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syndicate.core.article import ArticleDraft, Content, Image
from syndicate.core.identity import mint, page_path, page_url
from syndicate.core.matching import Candidate, came_back, find_same, same_words_beside

KNOWN = Candidate(
    "urn:uuid:1", "wire", "Ferry", "tag:x", "https://post.example/ferry", "hash", "https://post.example/a.png"
)


def draft(**options: object) -> ArticleDraft:
    picture = str(options.pop("picture", ""))
    content = Content(str(options.pop("title", "Ferry")), "<p>x</p>", image=Image(picture) if picture else None)
    return replace(ArticleDraft("k", content), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "url", "text_hash", "source", "expected"),
    [
        ("tag:x", "", "", "desk", True),
        ("", "https://post.example/ferry", "", "desk", True),
        ("", "", "hash", "desk", True),
        ("", "", "", "desk", False),  # the title alone
        ("tag:y", "https://post.example/other", "other", "desk", False),
        ("", "", "hash", "wire", False),  # two files side by side in one source
        ("tag:x", "", "", "wire", True),
    ],
)
def test_agreement(declared: str, url: str, text_hash: str, source: str, expected: bool) -> None:
    found = find_same(draft(declared_id=declared, text_hash=text_hash), url, source, [KNOWN])
    assert (found is KNOWN) is expected


def test_a_declared_id_outweighs_words() -> None:
    words = replace(KNOWN, article_id="urn:uuid:2", declared_id="", canonical_url="", text_hash="same")
    assert find_same(draft(declared_id="tag:x", text_hash="same"), "", "desk", [words, KNOWN]) is KNOWN


def test_a_gone_file_of_the_same_source_returns_by_words_and_picture() -> None:
    gone = replace(KNOWN, gone=True)
    assert find_same(draft(text_hash="hash", picture=KNOWN.picture), "", "wire", [gone]) is gone
    assert find_same(draft(text_hash="hash", picture="https://post.example/b.png"), "", "wire", [gone]) is None


def test_a_bare_number_means_nothing_in_another_source() -> None:
    numbered = replace(KNOWN, declared_id="17")
    assert find_same(draft(declared_id="17"), "", "desk", [numbered]) is None
    assert find_same(draft(declared_id="17"), "", "wire", [numbered]) is numbered


def test_equal_words_beside_are_seen_only_where_words_are() -> None:
    assert same_words_beside(draft(text_hash="hash"), "wire", [KNOWN]) is KNOWN
    assert same_words_beside(draft(), "wire", [replace(KNOWN, text_hash="")]) is None


def test_a_path_that_is_used_again() -> None:
    assert came_back(draft(title="Ferry", text_hash="edited"), KNOWN)
    assert came_back(draft(title="Ferry runs again", text_hash="hash"), KNOWN)
    assert not came_back(draft(title="Monday", text_hash="monday"), KNOWN)
    assert not came_back(draft(title="Ferry", text_hash="hash", declared_id="tag:z"), KNOWN)


def test_an_id_is_the_same_for_whoever_mints_it_and_its_page_is_named_by_it() -> None:
    one = mint("desk", "world/ferry.md")
    assert one == mint("desk", "world/ferry.md") != mint("desk", "world/ferry.md", 1) != mint("wire", "world/ferry.md")
    assert page_path(one) == f"articles/{one[9:]}.html"
    assert page_url(one, "https://news.post.example") == f"https://news.post.example/feeds/articles/{one[9:]}.html"
