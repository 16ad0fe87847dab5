"""A newsroom in the middle of its day: every kind of article, issue, reader, source and user, so that every page has
something to show; and a site beside it that has nothing yet."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syndicate.demo.content import settings
from syndicate.demo.wire import running_wire
from syndicate.sandbox.start import running_sandbox
from syndicate.services.first_user import first_user_link
from tests.web.newsroom_day import FIRST, MORE, Day
from tests.web.newsroom_site import WebSite, running_site


@dataclass
class FilledSite:
    """`newsroom` with its sandbox's `inbox`, the `empty` site with its own. `names` are the parts of addresses that
    the newsroom has: `{released}` an article, `{sending}` an issue, `{active}` a reader, …"""

    newsroom: WebSite
    empty: WebSite
    inbox: str = ""
    empty_inbox: str = ""
    names: dict[str, str] = field(default_factory=dict)


@contextmanager
def filled_site(folder: Path) -> Iterator[FilledSite]:
    """Both sites, made in that folder and served; all of it on this machine."""
    with ExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0))
        wire = stack.enter_context(running_wire(0, every_seconds=1e9))
        port = listener.getsockname()[1]
        text = settings(port=port).replace(f"http://127.0.0.1:{port + 1}/feed.xml", wire.address) + MORE
        newsroom = stack.enter_context(running_site(folder / "newsroom", settings=text, listener=listener))
        empty = stack.enter_context(running_site(folder / "empty"))
        site = FilledSite(newsroom, empty)
        site.inbox = stack.enter_context(running_sandbox(newsroom.site.outbox)).url
        site.empty_inbox = stack.enter_context(running_sandbox(empty.site.outbox)).url
        site.names = Day(newsroom, site.inbox).lived()
        for path in ("/broken", "/console/broken"):
            newsroom.app.app.add_api_route(path, _broken)
        first_user_link(empty.site.database, empty.url, empty.now, FIRST)
        yield site


def _broken() -> None:
    """A page of a program that has a fault."""
    raise RuntimeError("a fault")
