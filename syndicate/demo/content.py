"""What the sample site consists of: its settings, its articles and its readers. Every name and address is a sample."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

ARTICLES = Path(__file__).parent / "articles"
PICTURES = Path(__file__).parent / "pictures"
PICTURES_ELSEWHERE = "https://images.harbour-post.example/"
"""Where the articles as shipped say that their pictures are."""
READERS = 200
PORT = 8025

SETTINGS = """\
# A whole sample site: 15 articles, three feeds, one newsletter and 200 readers, none of whom exists.
# Change what you like and run `syndicate collect`, `publish` or `send morning` in this folder.

[site]
title = "The Harbour Post"
url = "https://www.harbour-post.example"
language = "en"
timezone = "Europe/Lisbon"
description = "News from a small town with a large harbour."

[web]
url = "http://127.0.0.1:{port}"             # the links in feeds and mails lead here

listen = "127.0.0.1:{port}"

[mail]
api = "sandbox"                             # mails land in outbox/ and go nowhere else
sandbox_seconds = 0.4                       # it takes its time, so that a sending can be watched, and stopped
from = "The Harbour Post <news@harbour-post.example>"
reply_to = "desk@harbour-post.example"
legal_name = "Harbour Post Ltd"
postal_address = "1 Quay Street, Port Salter"
privacy_url = "https://www.harbour-post.example/privacy"
test_to = ["desk@harbour-post.example"]
{publish}
[[sources]]
name = "desk"
kind = "folder"
path = "articles"

[[sources]]                                 # a feed of others, which the demo serves while it runs
name = "wire"
kind = "feed"
url = "http://127.0.0.1:{wire_port}/feed.xml"
every = "10s"
allow_private = true                        # it is on this machine
defaults = {{ section = "coast" }}

[[feeds]]
name = "harbour"
title = "The Harbour Post: Harbour"
where = {{ section = "harbour" }}

[[feeds]]
name = "culture"
title = "The Harbour Post: Culture"
where = {{ section = "culture" }}
content = "summary"

[[newsletters]]
name = "morning"
title = "Morning Briefing"
cadences = {{ daily = "mon-fri 07:00", weekly = "sat 09:00" }}
max_articles = 8
"""

PUBLISH = """
[publish]
folder = "{folder}"
"""


def settings(feeds_folder: Path | None = None, *, port: int = PORT) -> str:
    """The sample site's settings, reached at that port of this machine, with the wire at the next one. With a folder,
    it publishes there instead of into its own `feeds/`."""
    publish = PUBLISH.format(folder=feeds_folder.as_posix()) if feeds_folder is not None else ""
    return SETTINGS.format(publish=publish, port=port, wire_port=port + 1)


def write_articles(folder: Path, web_url: str) -> int:
    """Puts the sample articles that are not there into the folder; returns how many. Their pictures are those that
    `write_pictures` puts beside the feeds under `web_url`."""
    written = 0
    for original in sorted(ARTICLES.rglob("*.*")):
        copy = folder / original.relative_to(ARTICLES)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = original.read_text(encoding="utf-8")
            copy.write_text(text.replace(PICTURES_ELSEWHERE, f"{web_url}/feeds/pictures/"), encoding="utf-8")
            written += 1
    return written


def write_pictures(feeds_folder: Path) -> None:
    """Puts the pictures of the sample articles where the feeds are."""
    shutil.copytree(PICTURES, feeds_folder / PICTURES.name, dirs_exist_ok=True)


def readers_csv() -> str:
    """The sample readers as a file to import: active, on the daily cadence, at three sample domains."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["email", "name", "language", "newsletters", "cadence", "status"])
    for number in range(1, READERS + 1):
        domain = ("example.com", "example.org", "example.net")[number % 3]
        writer.writerow([f"reader{number:03}@{domain}", f"Reader {number}", "en", "morning", "daily", "active"])
    return out.getvalue()
