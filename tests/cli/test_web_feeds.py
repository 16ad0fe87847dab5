"""A web feed as a source, from the settings to the published files, as somebody at a terminal meets it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_publish import run
from tests.sources.upstream import Upstream, item, rss, upstream

SOURCE = """
[[sources]]
name = "wire"
kind = "feed"
url = "{url}/feed.xml"
every = "15m"
allow_private = {private}
defaults = {{ section = "wire" }}
"""


@pytest.fixture
def server() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


def make_site(folder: Path, server: Upstream, *, private: str = "true") -> Path:
    run(folder, "init", "site")
    site = folder / "site"
    with (site / "syndicate.toml").open("a", encoding="utf-8") as settings:
        settings.write(SOURCE.format(url=server.url, private=private))
    return site


def test_a_feed_is_collected_shown_and_published_with_its_origin(tmp_path: Path, server: Upstream) -> None:
    site = make_site(tmp_path, server)
    server.put(rss(item(1)), etag='"1"')
    out, _ = run(site, "collect")
    assert "wire: 1 article of backlog" in out
    server.put(rss(item(2), item(1)), etag='"2"')
    out, _ = run(site, "collect", "wire")
    assert "new           wire/id-2  Story 2" in out
    out, _ = run(site, "collect", "wire")
    assert "Nothing new." in out
    run(site, "publish")
    atom, plain = ((site / "feeds" / name).read_text() for name in ("atom.xml", "rss.xml"))
    assert "<source>" in atom
    assert '<link rel="alternate" type="text/html" href="https://wire.example/"/>' in atom
    assert "<dc:publisher>The Wire</dc:publisher>" in plain
    assert "<content" not in atom
    document = json.loads((site / "feeds" / "feed.json").read_text())
    assert {each["_syndicate"]["origin"] for each in document["items"]} == {"The Wire"}
    shown = json.loads(run(site, "sources", "show", "wire", "--json")[0])
    assert (shown["kind"], shown["rights"], shown["state"], shown["articles"]) == ("feed", "theirs", "nothing new", 2)
    assert shown["url"] == f"{server.url}/feed.xml"


def test_a_feed_that_fails_says_so_and_the_others_go_on(tmp_path: Path, server: Upstream) -> None:
    site = make_site(tmp_path, server)
    (site / "articles" / "hello.md").write_text("# Hello\n\nThe first story.\n")
    out, error = run(site, "collect", status=1)
    assert "desk/hello.md" in out
    assert f"wire: {server.url}/feed.xml says that there is no such page (404). Correct `url`" in error
    shown, _ = run(site, "sources", "show", "wire")
    assert "broken" in shown
    assert "left alone until" in shown
    run(site, "collect", status=1)
    assert len(server.requests) == 1
    run(site, "collect", "wire", status=1)
    assert len(server.requests) == 2


def test_this_machine_is_refused_until_the_settings_say_otherwise(tmp_path: Path, server: Upstream) -> None:
    site = make_site(tmp_path, server, private="false")
    _, error = run(site, "collect", "wire", status=1)
    assert "set allow_private = true for source 'wire' in syndicate.toml" in error
    assert not server.requests
