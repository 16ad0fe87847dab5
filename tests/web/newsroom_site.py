"""A site with its web server running, as its people meet it."""

from __future__ import annotations

import re
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from syndicate.core.user import Role, User, secret_hash
from syndicate.services.write_site import NEW_SETTINGS, write_site
from syndicate.site import Site, open_site
from syndicate.storage.users import add_session, hold_users, put_user
from syndicate.web.app import make_app
from syndicate.web.server import serve

COOKIE = "syndicate"
"""The session's cookie, as it is called on this machine itself."""
_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


def session_cookie(url: str, token: str) -> dict[str, Any]:
    """As a browser keeps it."""
    return {"name": COOKIE, "value": token, "url": url, "httpOnly": True}


class Client(requests.Session):
    """A browser without scripts: `get("/console/")`; `submit(page, action, …)` sends a form of the console with the
    token that its page carries. Redirects are followed."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        options.setdefault("timeout", 60)
        address = str(url)
        return super().request(method, self.base + address if address.startswith("/") else address, *args, **options)

    def form_token(self, page: str = "/console/") -> str:
        """The token that the forms of a page carry."""
        answer = self.get(page)
        assert answer.status_code == 200, answer.text
        found = _TOKEN.search(answer.text)
        assert found, f"{page} has no form"
        return found[1]

    def submit(self, page: str, action: str, **fields: Any) -> requests.Response:
        """Sends the form of `page` that goes to `action`."""
        return self.post(action, data={"csrf": self.form_token(page), **fields})


class Hand:
    """The clock's hand; moved by tests."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, time: timedelta) -> None:
        """Lets time go by."""
        self.now += time


@dataclass
class WebSite:
    """A real site with its server. `clock.pass_by(…)` moves the time of every request."""

    site: Site
    url: str
    clock: Hand
    app: Any
    _clients: dict[str, Client] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The time that the next request sees."""
        return self.clock.now

    def stranger(self) -> Client:
        """Somebody who is not signed in."""
        return Client(self.url)

    def session(self, role: Role, name: str = "") -> str:
        """The token of a new sign-in of a user of that role, called "Ed", "Sandy" or "Ada" unless it is said."""
        name = name or {"editor": "Ed", "sender": "Sandy", "admin": "Ada"}[role]
        token = secrets.token_urlsafe(32)
        with self.site.database.write() as connection:
            hold_users(connection)
            user: User = put_user(connection, name, role, self.now)
            add_session(connection, secret_hash(token), user.id, self.now)
        return token

    def client(self, role: Role = "admin") -> Client:
        """Somebody who is signed in in that role: the same one each time."""
        if role not in self._clients:
            client = Client(self.url)
            client.cookies.set(COOKIE, self.session(role), domain=urlsplit(self.url).hostname or "", path="/")
            self._clients[role] = client
        return self._clients[role]


@contextmanager
def running_site(
    folder: Path,
    *,
    settings: str = NEW_SETTINGS,
    database_url: str = "",
    environ: Mapping[str, str] | None = None,
    listener: socket.socket | None = None,
    **options: Any,
) -> Iterator[WebSite]:
    """A new site in that folder with its server on a free port, or where `listener` is bound. `environ` are settings
    from the environment; `options` go to `make_app`."""
    write_site(folder, settings)
    environ = {**(environ or {}), **({"SYNDICATE_DATABASE__URL": database_url} if database_url else {})}
    site = open_site(folder, environ)
    hand = Hand(datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
    site.start(hand.now)
    app = make_app(site, clock=hand, **options)
    try:
        with serving_for_real(app, listener) as url:
            yield WebSite(site, url, hand, app)
    finally:
        site.database.dispose()


@contextmanager
def serving_for_real(app: Any, listener: socket.socket | None = None) -> Iterator[str]:
    """The address of the product's own server around an application."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(app, listener, stop))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join(60)
        listener.close()
        assert not thread.is_alive()
