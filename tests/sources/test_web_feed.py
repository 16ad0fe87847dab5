"""Feeds of others on the web, fetched over real HTTP: what becomes an article, and what a bad day of theirs does."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.core.article import ArticleDraft, Content
from syndicate.errors import BadInput, NotFound, SettingsError
from syndicate.sources import open_source
from syndicate.sources.base import Known, Look, Sighting, SourceSettings
from syndicate.sources.web_feed import WebFeed
from tests.sources.newsdesk import NOW
from tests.sources.upstream import Answer, Upstream, item, rss, upstream


@dataclass
class Wire:
    """A feed as a collector meets it: `known` and `state` are kept from look to look."""

    server: Upstream
    settings: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> WebFeed:
        given = {"url": f"{self.server.url}/feed.xml", "allow_private": True, "rights": "theirs", **self.settings}
        source = open_source(SourceSettings("wire", kind="feed", **given), Path())
        assert isinstance(source, WebFeed)
        return source

    def look(self, now: datetime = NOW, *, at_once: bool = False) -> tuple[list[Sighting], Look]:
        look = self.source.look_again(self.known, now, self.state, at_once=at_once)
        sightings = list(look.sightings)
        for each in sightings:
            self.known.pop(each.renamed_from, None)
            draft = each.draft
            marks = (draft.text_hash, draft.declared_id) if draft else ("", "")
            self.known[each.key] = Known(each.key, each.fingerprint, each.sha256, *marks)
        for key in look.gone:
            del self.known[key]
        if look.state is not None:
            self.state = dict(look.state)
        return sightings, look

    def keys(self, now: datetime = NOW) -> list[str]:
        return [each.key for each in self.look(now)[0]]

    def drafts(self) -> list[ArticleDraft]:
        return [each.draft for each in self.look()[0] if each.draft]

    def only(self) -> Content:
        [draft] = self.drafts()
        return draft.content

    def problem(self, now: datetime = NOW) -> str:
        sightings, look = self.look(now)
        assert not sightings
        return look.problem

    @property
    def asked(self) -> int:
        return len(self.server.requests)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with upstream() as server:
        yield Wire(server)


# --- articles ---------------------------------------------------------------------------------------------------


def test_of_theirs_only_a_summary_is_kept_and_its_origin_is_named(wire: Wire) -> None:
    body = '<p>The boats left the harbour at dawn.</p><p>And <a href="/more">more</a>.</p><img src="/boat.jpg">'
    wire.server.put(rss(item(1, description=body)))
    content = wire.only()
    assert content.title == "Story 1"
    assert content.summary == "The boats left the harbour at dawn."
    assert content.html == "<p>The boats left the harbour at dawn.</p>"
    assert (content.rights, content.image) == ("theirs", None)
    assert (content.origin, content.origin_url) == ("The Wire", "https://wire.example/")
    assert content.url == "https://wire.example/1"
    assert content.language == "en-GB"


def test_of_ours_the_whole_text_and_the_picture_are_kept(wire: Wire) -> None:
    wire.settings["rights"] = "ours"
    thumbnail = '<media:thumbnail xmlns:media="http://search.yahoo.com/mrss/" url="/t.jpg"/>'
    text = '<p>Whole.</p><p><a href="more">More</a><script>alert(1)</script></p><img src="/boat.jpg" alt="A boat">'
    wire.server.put(rss(item(1, description=text).replace("</item>", f"{thumbnail}</item>")))
    content = wire.only()
    assert '<a href="https://wire.example/more">' in content.html
    assert '<img src="https://wire.example/boat.jpg" alt="A boat">' in content.html
    assert "alert" not in content.html
    assert content.image is not None
    assert content.image.src == "https://wire.example/t.jpg"
    assert (content.rights, content.origin) == ("ours", "")


def test_the_settings_fill_in_what_an_item_does_not_say(wire: Wire) -> None:
    wire.settings["defaults"] = {"section": "wire", "authors": ["Wire desk"], "tags": ["agency"]}
    wire.server.put(rss(item(1), item(2, category="Sea")))
    first, second = (each.content for each in wire.drafts())
    assert (first.section, first.authors, first.tags) == ("wire", ("Wire desk",), ("agency",))
    assert second.tags == ("Sea",)


def test_they_come_oldest_first_so_that_numbers_follow_time(wire: Wire) -> None:
    wire.server.put(rss(item(5), item(3), item(4, pubDate=""), item(1)))
    assert wire.keys() == ["id-1", "id-4", "id-3", "id-5"]


def test_a_date_is_never_later_than_now_and_none_is_made_up(wire: Wire) -> None:
    late = "Sat, 20 Nov 2032 09:00:00 GMT"
    wire.server.put(rss(item(1, pubDate=late), item(2, pubDate=""), item(3, pubDate="tomorrow, perhaps")))
    drafts = {each.key: each for each in wire.drafts()}
    assert drafts["id-1"].content.date == NOW
    assert drafts["id-1"].not_before is None
    assert drafts["id-2"].content.date is drafts["id-3"].content.date is None


def test_an_embargo_in_the_words_holds_the_article(wire: Wire) -> None:
    words = "EMBARGOED until Monday. " + "The boats leave the harbour at dawn and come back in the evening. " * 3
    wire.server.put(rss(item(1, title="TK Maxx opens"), item(2, description=words)))
    assert ["EMBARGO" in each.hold for each in wire.drafts()] == [False, True]


def test_an_item_that_can_not_be_used_is_named_and_the_others_go_on(wire: Wire) -> None:
    deep = "<div>" * 300 + "words"
    wire.server.put(rss(item(1), item(2, description=deep), "<item><guid>id-3</guid></item>"))
    sightings, look = wire.look()
    assert {each.key: each.problem.partition(".")[0] for each in sightings if each.problem} == {
        "id-2": "its HTML is nested 300 deep (at most 200 is read)",
        "id-3": "it has neither a title nor a text",
    }
    assert not look.problem
    wire.server.put(rss(item(1)) + " ")
    assert sorted(wire.look()[1].gone) == ["id-2", "id-3"]


# --- what is the same, and what is new ----------------------------------------------------------------------------


def test_only_what_is_new_or_changed_is_read(wire: Wire) -> None:
    wire.server.put(rss(item(1), item(2)))
    assert wire.keys() == ["id-1", "id-2"]
    wire.server.put(rss(item(3), item(2, title="Another title"), item(1)))
    assert sorted(wire.keys()) == ["id-2", "id-3"]
    wire.server.put(rss(item(3), item(2, title="Another title"), item(1), head="<ttl>5</ttl>"))
    assert wire.keys() == []


def test_what_made_room_for_newer_items_is_not_gone(wire: Wire) -> None:
    wire.server.put(rss(item(1), item(2)))
    wire.look()
    wire.server.put(rss(item(3), item(4)))
    sightings, look = wire.look()
    assert [each.key for each in sightings] == ["id-3", "id-4"]
    assert look.gone == []
    wire.server.put(rss(item(2), item(3), item(4)))
    assert wire.keys() == []


def test_an_item_is_known_by_its_id_else_its_link_else_its_words(wire: Wire) -> None:
    wire.server.put(rss(item(1), item(2, guid=""), item(3, guid="", link="")))
    first, second, third = wire.keys()
    assert (first, second) == ("id-1", "https://wire.example/2")
    assert third.startswith("words-")
    wire.server.put(rss(item(3, guid="", link=""), item(1), item(2, guid=""), head="<ttl>5</ttl>"))
    assert wire.keys() == []


@pytest.mark.parametrize(
    "change",
    [{"guid": "other"}, {"guid": "other", "link": "https://www.wire.example/new-slug"}],
    ids=["a new id", "a new id and a new address"],
)
def test_an_item_that_comes_back_under_another_id_is_the_old_one(wire: Wire, change: dict[str, str]) -> None:
    wire.server.put(rss(item(1), item(2)))
    wire.look()
    wire.server.put(rss(item(2), item(1, **change)))
    [sighting], _ = wire.look()
    assert (sighting.key, sighting.renamed_from) == ("other", "id-1")


def test_the_same_words_on_another_day_are_another_article(wire: Wire) -> None:
    column = {
        "title": "The tides",
        "description": "<p>High water at six, low water at noon, and high again at six.</p>",
    }
    wire.server.put(rss(item(1, **column)))
    wire.look()
    wire.server.put(rss(item(2, **column)))
    [sighting], _ = wire.look()
    assert (sighting.key, sighting.renamed_from) == ("id-2", "")


@pytest.mark.parametrize("link", ["https://wire.example/", "https://other.example/", "https://wire.example/live"])
def test_a_link_that_several_give_says_nothing_of_what_is_the_same(wire: Wire, link: str) -> None:
    wire.server.put(rss(item(1, link=link), item(2, link=link)))
    drafts = wire.drafts()
    assert [each.key for each in drafts] == ["id-1", "id-2"]
    assert [each.url_is_its_own for each in drafts] == [False, False]
    assert drafts[0].content.url == link


def test_an_id_that_several_give_identifies_none_of_them(wire: Wire) -> None:
    wire.server.put(rss(item(1, guid="same"), item(2, guid="same")))
    assert wire.keys() == ["https://wire.example/1", "https://wire.example/2"]


def test_only_an_id_that_is_unique_in_the_world_is_compared_between_feeds(wire: Wire) -> None:
    uuid = "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"
    ids = ["1", "post-7", uuid, "tag:wire.example,2026:7", "https://wire.example/?p=7", "https://wire.example/"]
    wire.server.put(rss(*(item(number, guid=each) for number, each in enumerate(ids))))
    found = {each.key: each.declared_id for each in wire.drafts()}
    assert [found[each] for each in ids] == ["", "", *ids[2:5], ""]


def test_the_newest_500_are_read_of_a_feed_with_very_many(wire: Wire) -> None:
    start = datetime(2026, 1, 1)
    dates = [(start + timedelta(minutes=each)).strftime("%a, %d %b %Y %H:%M:00 GMT") for each in range(20_000)]
    wire.server.put(
        rss(*(f"<item><title>Story {n}</title><pubDate>{dates[n]}</pubDate></item>" for n in range(20_000)))
    )
    sightings, look = wire.look()
    titles = [each.draft.content.title for each in sightings if each.draft]
    assert titles == [f"Story {number}" for number in range(19_500, 20_000)]
    assert look.warnings == ("It has 20,000 items; the 500 newest were read.",)


def test_other_settings_read_everything_again(wire: Wire) -> None:
    wire.server.put(rss(item(1)), etag='"1"')
    wire.look()
    wire.settings["defaults"] = {"section": "wire"}
    assert wire.keys() == ["id-1"]


# --- asking politely ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("validator", "header"),
    [({"etag": 'W/"a, b"'}, "If-None-Match"), ({"modified": "Fri, 20 Nov 2026 08:00:00 GMT"}, "If-Modified-Since")],
)
def test_an_unchanged_feed_is_not_sent_again(wire: Wire, validator: dict[str, str], header: str) -> None:
    answer = wire.server.put(rss(item(1)), **validator)
    assert wire.keys() == ["id-1"]
    sightings, look = wire.look()
    assert (sightings, look.problem) == ([], "")
    assert wire.server.requests[1][1][header] == next(iter(validator.values()))
    answer.body, answer.etag, answer.modified = rss(item(2)).encode(), "", ""
    assert wire.keys() == ["id-2"]


def test_a_server_without_marks_is_read_only_when_its_bytes_change(wire: Wire) -> None:
    wire.server.put(rss(item(1)))
    wire.look()
    wire.known.clear()  # a second reading would find it again
    assert wire.keys() == []
    wire.server.put(rss(item(1)) + "\n")
    assert wire.keys() == ["id-1"]


def test_marks_of_another_address_are_not_shown(wire: Wire) -> None:
    wire.server.put(rss(item(1)), etag='"1"')
    wire.server.put(rss(item(2)), "/other.xml", etag='"1"')
    wire.look()
    wire.settings["url"] = f"{wire.server.url}/other.xml"
    assert wire.keys() == ["id-2"]


def test_a_document_that_was_cut_is_read_as_far_as_it_goes_and_asked_for_again(wire: Wire) -> None:
    whole = rss(item(1), item(2))
    wire.server.put(whole[: whole.rindex("fish")], etag='"1"')
    sightings, look = wire.look()
    assert [each.key for each in sightings] == ["id-1"]
    assert "its XML is broken" in look.warnings[0]
    wire.server.put(whole, etag='"1"')
    assert [each.key for each in wire.look()[0]] == ["id-2"]


def test_a_compressed_feed_is_read(wire: Wire) -> None:
    wire.server.put(gzip.compress(rss(item(1)).encode()), headers={"Content-Encoding": "gzip"})
    assert wire.keys() == ["id-1"]


def test_a_feed_that_moved_is_read_and_its_new_address_told(wire: Wire) -> None:
    wire.server.put("", status=301, headers={"Location": "/new.xml"})
    wire.server.put(rss(item(1)), "/new.xml")
    sightings, look = wire.look()
    assert [each.key for each in sightings] == ["id-1"]
    assert f"{wire.server.url}/new.xml" in look.warnings[0]


# --- bad days -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why", "cure"),
    [
        (Answer(status=404), "no such page (404)", "Correct `url`"),
        (Answer(status=410), "gone for good (410)", "retired = true"),
        (Answer(status=403), "refuses us (403)", "Ask its publisher"),
        (Answer(status=500), "trouble of its own (500)", "Wait"),
        (Answer(status=429, headers={"Retry-After": "7200"}), "less often (429)", "Raise `every`"),
        (Answer(status=204), "answers 204", "browser"),
        (Answer(b""), "empty answer", "Look at the address"),
        (Answer(b"words"), "no feed", "Put the address"),
        (Answer(b"<!doctype html><html><p>Hello"), "web page", "Put the address"),
        (Answer(b"{}"), "no JSON Feed", "Put the address"),
        (Answer(b"{"), "cannot be read", "Tell its publisher"),
        (Answer(b"x" * 10_000_001), "larger than 10000000 bytes", "Look whether"),
        (Answer(gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}), "larger than", "Look whether"),
        (Answer(status=302, headers={"Location": "/feed.xml"}), "redirects more than 5 times", "Look whether"),
        (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "no web address", "Look whether"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_feed_that_can_not_be_had_is_one_problem_with_its_cure(
    wire: Wire, answer: Answer, why: str, cure: str
) -> None:
    wire.server.put(rss(item(1)), etag='"1"')
    wire.look()
    wire.server.answers["/feed.xml"] = answer
    problem = wire.problem()
    assert problem.startswith(f"{wire.server.url}/feed.xml ")
    assert why in problem
    assert cure in problem
    assert "id-1" in wire.known
    wire.server.put(rss(item(2), item(1)), etag='"2"')
    assert wire.keys(NOW + timedelta(days=1)) == ["id-2"]


def test_a_web_page_tells_the_address_of_its_feed(wire: Wire) -> None:
    link = '<link rel="alternate" title="x" type="application/atom+xml" href="/atom.xml?a=1&amp;b=2">'
    wire.server.put(f"<!-- a page --><!DOCTYPE html><html><head>{link}</head></html>")
    assert f"It names this feed: {wire.server.url}/atom.xml?a=1&b=2" in wire.problem()


def test_an_answer_to_a_condition_that_nobody_made_is_a_problem(wire: Wire) -> None:
    wire.server.put("", status=304)
    assert "answers 304, which is no feed" in wire.problem()


def test_a_key_in_the_address_is_not_repeated(wire: Wire) -> None:
    wire.settings["url"] = f"{wire.server.url}/feed.xml?key=secret"
    assert "secret" not in wire.problem()


def test_a_server_that_is_down_is_one_problem(wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    wire.settings["url"] = f"http://127.0.0.1:{port}/feed.xml"
    assert "cannot be fetched" in wire.problem()


def test_a_feed_that_failed_is_left_alone_for_longer_each_time(wire: Wire) -> None:
    wire.server.put("", status=503)
    wire.settings["every_seconds"] = 60
    first = wire.problem()
    assert "It is asked again after 2026-11-20 09:31 UTC." in first
    assert wire.problem(NOW + timedelta(seconds=30)) == first
    assert wire.asked == 1
    assert "09:33 UTC" in wire.problem(NOW + timedelta(minutes=1))
    assert "09:37 UTC" in wire.problem(NOW + timedelta(minutes=3))
    assert wire.asked == 3
    for step in range(30):
        wire.look(NOW + timedelta(days=step))
    assert "2026-12-20 15:30 UTC" in wire.problem(NOW + timedelta(days=30))
    wire.server.put(rss(item(1)))
    assert wire.keys(NOW + timedelta(days=31)) == ["id-1"]
    assert not wire.state.keys() & {"failures", "retry_at", "problem"}


def test_a_person_who_waits_for_it_is_answered_at_once(wire: Wire) -> None:
    wire.server.put("", status=503)
    wire.look()
    wire.server.put(rss(item(1)))
    assert wire.look(at_once=True)[0][0].key == "id-1"


@pytest.mark.parametrize("asked", ["7200", "Fri, 20 Nov 2026 11:30:00 GMT"])
def test_a_server_that_names_a_time_is_left_alone_until_then(wire: Wire, asked: str) -> None:
    wire.server.put("", status=429, headers={"Retry-After": asked})
    assert "11:30 UTC" in wire.problem()


@pytest.mark.parametrize("asked", ["soon", "-5", "99999999", "Fri, 99 Nov 2026 11:30:00 GMT"])
def test_a_time_that_makes_no_sense_is_at_most_a_day(wire: Wire, asked: str) -> None:
    wire.server.put("", status=503, headers={"Retry-After": asked})
    wire.look()
    assert wire.state["retry_at"] <= (NOW + timedelta(days=1)).isoformat()


# --- addresses that are nobody's business ---------------------------------------------------------------------------


def test_this_machine_is_refused_unless_the_settings_allow_it(wire: Wire) -> None:
    wire.settings["allow_private"] = False
    wire.server.put(rss(item(1)))
    problem = wire.problem()
    assert "127.0.0.1, which is this machine or no public address" in problem
    assert "allow_private = true for source 'wire'" in problem
    assert wire.asked == 0


def test_a_name_that_leads_to_this_machine_is_refused(wire: Wire) -> None:
    wire.settings |= {"allow_private": False, "url": wire.server.url.replace("127.0.0.1", "localhost") + "/feed.xml"}
    assert "localhost leads to" in wire.problem()
    assert wire.asked == 0


def test_a_redirect_to_this_machine_is_refused(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first server counts as public here; where it leads does not."""
    monkeypatch.setattr("syndicate.http.is_public", lambda address: address == "127.0.0.1")
    wire.settings["allow_private"] = False
    wire.server.put("", status=302, headers={"Location": "http://127.0.0.2/latest/meta-data/"})
    assert "127.0.0.2 leads to 127.0.0.2" in wire.problem()
    assert wire.asked == 1


# --- the rest of the port -------------------------------------------------------------------------------------------


def test_one_item_is_read_again(wire: Wire) -> None:
    wire.server.put(rss(item(1)))
    assert wire.source.read("id-1").content.title == "Story 1"
    with pytest.raises(NotFound, match="no longer has"):
        wire.source.read("id-2")
    wire.server.put("", status=500)
    with pytest.raises(BadInput, match="trouble of its own"):
        wire.source.read("id-1")


def test_a_plain_look_raises_what_is_wrong(wire: Wire) -> None:
    wire.server.put(rss(item(1)))
    assert [each.key for each in wire.source.look({}, NOW).sightings] == ["id-1"]
    wire.server.put("", status=500)
    with pytest.raises(BadInput, match="trouble of its own"):
        wire.source.look({}, NOW)


@pytest.mark.parametrize(
    "settings",
    [{"options": {"langauge": "en"}}, {"defaults": {"sectoin": "x"}}, {"defaults": {"language": "no such"}}],
)
def test_a_wrong_setting_names_the_source(settings: dict[str, Any]) -> None:
    given = replace(SourceSettings("wire", kind="feed", url="https://wire.example/"), **settings)
    with pytest.raises(SettingsError, match="wire"):
        open_source(given, Path())
