"""Users and their passwords, and the switch that stops all sending, as they are used in the console."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

import pytest

from tests.web.newsroom_site import Client, WebSite

PASSWORD = "correct horse battery staple"
OTHER = "quite another long password"


def _link(page: str) -> str:
    found = re.search(r'<code class="copy">([^<]+)</code>', page)
    assert found, page
    return urlsplit(html.unescape(found[1])).path


def _add(admin: Client, name: str, role: str = "editor") -> Client:
    """Somebody let in by an admin, with a password of their own."""
    path = _link(admin.submit("/console/users", "/console/users", name=name, role=role).text)
    client = Client(admin.base)
    assert client.submit(path, path, password=PASSWORD, again=PASSWORD).url.endswith("/console/")
    return client


def _key(admin: Client, name: str) -> str:
    row = admin.get("/console/users").text.split(html.escape(name, quote=False), 1)[1]
    found = re.search(r"/console/users/(\d+)/role", row)
    assert found
    return found[1]


def _act(admin: Client, name: str, verb: str, **fields: str) -> int:
    return admin.submit("/console/users", f"/console/users/{_key(admin, name)}/{verb}", **fields).status_code


def _is_in(client: Client) -> bool:
    return urlsplit(client.get("/console/").url).path == "/console/"


def test_an_admin_lets_people_in_changes_what_they_may_do_and_shuts_them_out(web_site: WebSite) -> None:
    admin = web_site.client("admin")
    client = _add(admin, "A/B <i>desk</i>")
    assert "<i>desk</i>" not in admin.get("/console/users").text
    assert client.get("/console/users").status_code == 403
    assert client.submit("/console/", "/console/stop-sending").status_code == 403
    assert _act(admin, "A/B <i>desk</i>", "role", role="sender") == 200
    assert not _is_in(client)
    client.submit("/console/sign-in", "/console/sign-in", name="A/B <i>desk</i>", password=PASSWORD)
    assert client.submit("/console/", "/console/stop-sending").status_code == 200
    assert _act(admin, "A/B <i>desk</i>", "role", role="owner") == 422
    assert _act(admin, "A/B <i>desk</i>", "remove") == 200
    assert not _is_in(client)
    log = admin.get("/console/log", params={"action": "user."}).text
    assert all(f"user.{verb}" in log for verb in ("add", "welcome", "role", "remove"))


def test_a_name_is_taken_however_it_is_written(web_site: WebSite) -> None:
    admin = web_site.client("admin")
    answer = admin.submit("/console/users", "/console/users", name=" aDa ", role="editor")
    assert answer.status_code == 422
    assert "There is a user" in answer.text


def test_the_last_admin_stays(web_site: WebSite) -> None:
    admin = web_site.client("admin")
    assert _act(admin, "Ada", "role", role="editor") == 409
    assert _act(admin, "Ada", "remove") == 409
    _add(admin, "Grace", "admin")
    assert _act(admin, "Grace", "remove") == 200
    assert _act(admin, "Ada", "role", role="editor") == 409


def test_a_new_link_ends_every_sign_in_once_it_is_used(web_site: WebSite) -> None:
    admin = web_site.client("admin")
    client = _add(admin, "Ed")
    path = _link(admin.submit("/console/users", f"/console/users/{_key(admin, 'Ed')}/reset").text)
    later = _link(admin.submit("/console/users", f"/console/users/{_key(admin, 'Ed')}/reset").text)
    assert web_site.stranger().get(path).status_code == 404
    assert _is_in(client)
    assert web_site.stranger().submit(later, later, password=OTHER, again=OTHER).url.endswith("/console/")
    assert not _is_in(client)


def test_a_new_password_ends_every_other_sign_in(web_site: WebSite) -> None:
    client = _add(web_site.client("admin"), "Ed")
    elsewhere = web_site.stranger()
    elsewhere.submit("/console/sign-in", "/console/sign-in", name="Ed", password=PASSWORD)
    change = ("/console/password", "/console/password")
    assert _is_in(elsewhere)
    assert client.submit(*change, present="not this one", new=OTHER, again=OTHER).status_code == 422
    assert client.submit(*change, present=PASSWORD, new=OTHER, again=PASSWORD).status_code == 422
    assert client.submit(*change, present=PASSWORD, new="short", again="short").status_code == 422
    assert _is_in(elsewhere)
    assert client.submit(*change, present=PASSWORD, new=OTHER, again=OTHER).url.endswith("/console/")
    assert not _is_in(elsewhere)
    assert _is_in(client)


@pytest.mark.parametrize("path", ["/console/users", "/console/users/1/remove", "/console/stop-sending"])
def test_nobody_does_it_from_elsewhere(web_site: WebSite, path: str) -> None:
    assert web_site.client("admin").post(path, data={"name": "Eve", "role": "admin"}).status_code == 403
    assert "Eve" not in web_site.client("admin").get("/console/users").text


def test_all_sending_is_stopped_on_every_page_until_somebody_goes_on(web_site: WebSite) -> None:
    sender = web_site.client("sender")
    assert "All sending is stopped" in sender.submit("/console/", "/console/stop-sending").text
    assert "All sending is stopped</strong> by Sandy" in web_site.client("editor").get("/console/log").text
    assert "Go on sending" not in web_site.client("editor").get("/console/log").text
    sender.submit("/console/log", "/console/resume-sending")
    assert "All sending is stopped" not in web_site.client("editor").get("/console/").text
