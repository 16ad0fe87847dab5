"""When two readings are the same article."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.sources.sameness import canonical_url, text_hash
from tests.sources.newsdesk import LONG, read


def test_the_same_words_in_other_clothes_are_the_same() -> None:
    words = "The ferry sails “at midnight” again, office no. 5 said."
    drafts = [
        read(f"# Night *ferry*\n\n{words}"),
        read(
            "---\ntitle: NIGHT FERRY\nid: x\nsection: sea\n---\n"
            '**The** ferry sails\n"at midnight" again, office no. 5 said.'
        ),
        read("<title>Night ferry</title><p>The ferry</p><p>sails at midnight again; office no. 5 said</p>", "a.html"),
        read(f"Night ferry\n\n{words}", "a.txt"),
        read("# Night ferry\n\nThe \ufb01rst".replace("\ufb01rst", "ferry sails at midnight again office no 5 said")),
    ]
    assert len({each.text_hash for each in drafts}) == 1 and len(drafts[0].text_hash) == 64


def test_other_words_or_another_title_are_not() -> None:
    hashes = {
        text_hash("A", "<p>b c</p>"),
        text_hash("A", "<p>b d</p>"),
        text_hash("B", "<p>b c</p>"),
        text_hash("A", "<p>bc</p>"),
    }
    assert len(hashes) == 4


def test_a_title_alone_is_nothing_to_go_by() -> None:
    assert text_hash("Night ferry", "") == text_hash("Night ferry", "<p>…</p>") == ""


def test_blocks_are_not_glued() -> None:
    assert text_hash("A", "<p>one</p><p>two</p>") == text_hash("A", "<div>one</div>two")
    assert text_hash("A", "<p>one</p><p>two</p>") != text_hash("A", "<p>onetwo</p>")


@pytest.mark.parametrize(
    "address",
    [
        "https://post.example/a?b=1&c=2",
        "HTTP://POST.Example:80/a?c=2&b=1#top",
        "https://post.example:443/a/?b=1&c=2&utm_source=x&utm_medium=y&fbclid=z&gclid=q",
        " https://post.example/a?b=1&c=2&mc_cid=1&mc_eid=2\n",
    ],
)
def test_addresses_that_lead_to_the_same_page(address: str) -> None:
    assert canonical_url(address) == "https://post.example/a?b=1&c=2"


def test_addresses_that_do_not() -> None:
    kept = ["https://post.example/", "https://post.example/A", "https://post.example/a", "https://post.example/a?id=1"]
    kept += [
        "https://post.example/a?id=2",
        "https://post.example:8080/a",
        "https://www.post.example/a",
        "https://[::1]/a",
    ]
    assert len({canonical_url(each) for each in kept}) == len(kept)
    assert canonical_url("https://post.example") == canonical_url("https://post.example/")


@pytest.mark.parametrize(
    "address", ["", "story", "mailto:a@b.example", "https://", "http://[", "https://a.example:port/", "javascript:x"]
)
def test_what_is_no_web_address_is_nothing(address: str) -> None:
    assert canonical_url(address) == ""


@given(st.text(max_size=60), st.text("ab/?&=%#.:@ é", max_size=40))
def test_it_is_settled_by_one_pass_and_never_fails(text: str, tail: str) -> None:
    canonical_url(text)
    once = canonical_url(f"https://post.example/{tail}")
    assert canonical_url(once) == once


def test_words_are_counted_of_a_whole_story() -> None:
    assert read(f"# A\n\n{LONG}").text_hash != read(f"# A\n\n{LONG} It is full.").text_hash
