"""Answers that tell who has an account, or gets a newsletter, to whoever only tries names."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pwdlib import PasswordHash

from syndicate.core.user import secret_hash
from syndicate.services.users import remove_user
from syndicate.storage.users import add_link, list_users
from tests.web.newsroom_site import WebSite
from tests.web.reading_site import ReadingSite


def test_no_sign_in_tells_who_is_known(web_site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by its words nor by its work: a name, one without a password yet, one that was removed, none at all."""
    database = web_site.site.database
    for name in ("Eve", "New", "Gone"):
        web_site.session("editor", name)
    with database.read() as connection:
        ids = {each.user.name: each.user.id for each in list_users(connection)}
    with database.write() as connection:
        add_link(connection, secret_hash("l" * 43), ids["Eve"], web_site.now)
    client = web_site.stranger()
    path = f"/console/welcome/{'l' * 43}"
    client.submit(path, path, password="correct horse battery staple", again="correct horse battery staple")
    remove_user(database, "Gone", actor="Ada", now=web_site.now)
    client = web_site.stranger()
    token = client.form_token("/console/sign-in")
    texts: dict[str, str] = {}
    hashed: list[str] = []
    verify = PasswordHash.verify_and_update

    def counted(hasher: PasswordHash, password: str | bytes, kept: str | bytes) -> tuple[bool, str | None]:
        hashed.append(str(kept).rpartition("$")[0].rpartition("$")[0])
        return verify(hasher, password, kept)

    monkeypatch.setattr(PasswordHash, "verify_and_update", counted)
    for name in ("Eve", "New", "Gone", "Nobody"):
        answer = client.post("/console/sign-in", data={"csrf": token, "name": name, "password": "guess"})
        assert answer.status_code == 422
        texts[name] = answer.text.replace(f'value="{name}"', "")
    assert len(set(texts.values())) == 1
    # What takes the time: a hash for each, of the same kind and the same costs.
    assert len(hashed) == 4
    assert set(hashed) == {"$argon2id$v=19$m=65536,t=3,p=4"}


def test_no_link_tells_whether_it_ever_was_good(web_site: WebSite) -> None:
    web_site.client("admin")
    with web_site.site.database.write() as connection:
        [ada] = list_users(connection)
        add_link(connection, secret_hash("o" * 43), ada.user.id, web_site.now)
        add_link(connection, secret_hash("n" * 43), ada.user.id, web_site.now)
    web_site.clock.pass_by(timedelta(hours=25))
    pages = {web_site.stranger().get(f"/console/welcome/{each * 43}").text for each in "ony"}
    assert len(pages) == 1


def test_no_sign_up_tells_who_gets_a_newsletter(readers: ReadingSite) -> None:
    readers.join()
    readers.join("gone@post.example")
    readers.post(readers.path_to("unsubscribe", readers.person("gone@post.example").id))
    readers.sign_up("asked@post.example")
    readers.now += timedelta(days=1)
    answers = {}
    for name in ("ann", "gone", "asked", "new"):
        email = f"{name}@post.example"
        answer = readers.sign_up(email)
        answers[name] = (answer.status_code, answer.text.replace(email, ""))
        for header in ("content-length", "date"):
            answer.headers.pop(header, None)
    statuses = {status for status, _ in answers.values()}
    assert statuses == {200}
    # Each page has a number of its own for its style; nothing else differs.
    assert len({text.partition("nonce")[0] + text.rpartition("</style>")[2] for _, text in answers.values()}) == 1
