"""The Coast Wire: a small web feed of others on this machine, so that the demo has something to collect from the web.

It starts with the oldest of its stories and adds one every so often, as a wire does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

AT_FIRST = 3
EVERY_SECONDS = 40.0
"""How many stories there are at once, and how long until the next."""


@dataclass(frozen=True, slots=True)
class Story:
    """One item of the wire. `words` are its paragraphs."""

    slug: str
    title: str
    words: tuple[str, ...]


STORIES = (
    Story(
        "gale-warning-lifted",
        "Gale warning lifted along the north coast",
        (
            "The gale warning between the two capes was lifted at noon. Small boats may leave again, with care for a"
            " swell of three metres that will take until evening to settle.",
            "Two ferries that waited out the night in the lee of the islands are expected with the tide.",
        ),
    ),
    Story(
        "salt-marsh-survey",
        "Salt marsh has grown by the size of nine football fields",
        (
            "Where the old sea wall was opened six winters ago, surveyors have counted more new marsh than anybody had"
            " hoped for: nine football fields, most of it samphire and sea aster.",
            "The wading birds came in the second spring, the walkers in the third.",
        ),
    ),
    Story(
        "slow-trains",
        "Coast railway to run slower, and on time",
        (
            "From January the coast railway adds four minutes to its timetable between the viaduct and the harbour. The"
            " trains have needed them for years; now the timetable admits it.",
            "Passengers who change to the island boat will no longer have to run.",
        ),
    ),
    Story(
        "lighthouse-keeper-log",
        "A lighthouse log of 1911 turns up behind a wardrobe",
        (
            "Movers in a village above the bay found the log of the outer light behind a wardrobe that had not been"
            " shifted for eighty years. It notes fog on 212 days and visitors on three.",
            "The maritime museum will show it from spring, open at the night of the great storm.",
        ),
    ),
    Story(
        "herring-early",
        "Herring come two weeks early",
        (
            "The first shoals were met on Monday, a fortnight before anybody had mended a net. Skippers speak of full"
            " holds by breakfast, buyers of prices to match.",
            "Whether it means warmer water or only a good year, nobody at the quay would say.",
        ),
    ),
    Story(
        "night-bus-pilot",
        "Night buses along the shore stay, for now",
        (
            "The pilot with night buses along the shore road goes on until summer. In its first half it carried"
            " bakers, nurses and, on one Sunday, a complete brass band.",
            "The county will count again in May.",
        ),
    ),
    Story(
        "cable-repair",
        "Cable ship leaves after nine days off the point",
        (
            "The repair of the sea cable is done. For nine days the ship lay four miles off the point, lit up like a"
            " small town; children from the upper school kept its log.",
            "The islands had telephones all the time, by a second cable that nobody had needed before.",
        ),
    ),
)


class Wire:
    """The server. `address` is that of its feed."""

    def __init__(self, port: int, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._began, self._every = time.monotonic(), every_seconds
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/feed.xml"

    def stories(self) -> tuple[Story, ...]:
        """Those that are out by now, oldest first."""
        return STORIES[: AT_FIRST + int((time.monotonic() - self._began) / self._every)]

    def feed(self) -> str:
        """RSS 2.0, newest first. Without dates: a server that was just started would have others each time."""
        home = self.address.removesuffix("feed.xml")
        items = "".join(
            f"<item><title>{escape(each.title)}</title><link>{home}{each.slug}</link>"
            f'<guid isPermaLink="false">coast-wire:{each.slug}</guid>'
            f"<description>{escape(''.join(f'<p>{escape(words)}</p>' for words in each.words))}</description></item>"
            for each in reversed(self.stories())
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Coast Wire</title>'
            f"<link>{home}</link><description>News from along the coast</description><language>en</language>"
            f"{items}</channel></rss>"
        )

    def page(self, slug: str) -> str | None:
        """A story's own page; None when there is none."""
        story = next((each for each in self.stories() if each.slug == slug), None)
        if story is None:
            return None
        words = "".join(f"<p>{escape(each)}</p>" for each in story.words)
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(story.title)} · Coast Wire</title><body><h1>{escape(story.title)}</h1>{words}"
        )

    def serve(self) -> None:
        """Until `close`."""
        self._server.serve_forever(0.1)

    def close(self) -> None:
        """Ends `serve`."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        wire = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                feed = self.path == "/feed.xml"
                text = wire.feed() if feed else wire.page(self.path.strip("/"))
                body = (text or "Not here.").encode()
                kind = "application/rss+xml" if feed else "text/html"
                self.send_response(200 if text is not None else 404)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


@contextmanager
def running_wire(port: int, *, every_seconds: float = EVERY_SECONDS) -> Iterator[Wire]:
    """The wire, served from a thread of this process until the block ends. Raises OSError when the port is taken."""
    wire = Wire(port, every_seconds=every_seconds)
    thread = threading.Thread(target=wire.serve, name="coast-wire", daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        wire.close()
        thread.join()
