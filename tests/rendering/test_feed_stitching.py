"""A stitched page is, byte for byte, what the writers make of the whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.core.removal import Removal
from syndicate.rendering import feed_json, feed_xml
from syndicate.rendering.entry import RENDERER, Entry, Head, last_change, make_head
from syndicate.rendering.stitch import Marks, cut
from tests.rendering.feed_documents import (
    HEAD,
    PUBLICATION,
    TITLES,
    an_article,
    an_entry,
    articles,
    require_atom,
    require_json,
    require_rss,
    stitched,
)

MOMENTS = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


def whole(entries: list[Entry], head: Head = HEAD) -> dict[str, bytes]:
    """The three documents without stitching."""
    return {
        "rss": feed_xml.whole_feed("rss", head, entries),
        "atom": feed_xml.whole_feed("atom", head, entries),
        "json": feed_json.render_feed(head, entries),
    }


@given(st.lists(articles(), max_size=4), st.booleans(), st.booleans())
def test_stitched_equals_whole_and_is_valid(read: list[Article], full: bool, own_language: bool) -> None:
    entries = [an_entry(each, content="full" if full else "summary", own_language=own_language) for each in read]
    documents = stitched(entries)
    assert documents == whole(entries)
    require_rss(documents["rss"])
    require_atom(documents["atom"])
    require_json(documents["json"])


@given(st.lists(articles(), max_size=3), st.lists(st.tuples(st.uuids(), MOMENTS), max_size=3))
def test_stitched_equals_whole_with_what_was_taken_out(read: list[Article], gone: list[tuple[UUID, datetime]]) -> None:
    entries = [an_entry(each) for each in read]
    removals = [Removal(each.urn, moment) for each, moment in gone]
    changed = last_change(((each.published, each.updated) for each in entries), removals)
    for form in ("rss", "atom"):
        fragments = [feed_xml.render_fragment(form, each) for each in entries]
        made = feed_xml.stitch_feed(form, HEAD, fragments, changed, removals)
        assert made == feed_xml.whole_feed(form, HEAD, entries, removals)
        if form == "rss":
            require_rss(made)
            continue
        told = require_atom(made).findall(f"{{{feed_xml.AT}}}deleted-entry")
        assert [each.get("ref") for each in told] == [each.article_id for each in removals]


@given(st.text(max_size=60) | st.sampled_from(TITLES), st.text(max_size=60) | st.sampled_from(TITLES))
def test_whatever_a_feed_is_called_the_marks_are_found(title: str, description: str) -> None:
    head = make_head(Feed("world", title, description=description), PUBLICATION)
    entries = [an_entry(an_article(1)), an_entry(an_article(2))]
    assert stitched(entries, head) == whole(entries, head)


def test_the_entries_stand_in_the_order_given() -> None:
    entries = [an_entry(an_article(number)) for number in (3, 1, 2)]
    items = require_json(stitched(entries)["json"])["items"]
    assert [item["id"] for item in items] == [entry.id for entry in entries]


def test_a_fragment_is_the_same_in_every_feed() -> None:
    entry = an_entry(an_article())
    other = make_head(Feed("world", "World <1>", description="b"), PUBLICATION)
    for form in feed_xml.MARKS:
        fragment = feed_xml.render_fragment(form, entry)
        for head in (HEAD, other):
            assert fragment in whole([entry], head)[form]


def test_a_document_without_an_entry_cannot_be_cut() -> None:
    with pytest.raises(ValueError):
        cut(b"<feed/>", Marks(b"<entry", b"</entry>", b""))


def test_the_bytes_of_this_renderer_are_known() -> None:
    """Cached fragments outlive the program: whoever changes these bytes raises RENDERER, and then this."""
    from hashlib import sha256

    entries = [an_entry(an_article(1)), an_entry(replace(an_article(2, html="", image=None), updated_at=None))]
    made = b"".join(whole(entries)[form] for form in ("rss", "atom", "json"))
    assert (RENDERER, sha256(made).hexdigest()[:16]) == ("2", "ee6d3938339be899")
