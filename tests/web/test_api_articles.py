"""The API for programs, through a real server on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import sqlalchemy as sa
from fastapi import FastAPI

from syndicate.services.create_token import create_token
from syndicate.services.revoke_token import revoke_token
from syndicate.site import Site, open_site
from syndicate.sources.article_file import LARGEST_FILE
from syndicate.sources.declared import KEYS
from syndicate.sources.pushed import TEXTS
from syndicate.storage import tables
from syndicate.web.api.articles import router
from tests.web.serving import serving
from tests.web.test_hostile_reports import HELD, HOSTILE

SETTINGS = """
[site]
title = "The Harbour Post"
url = "https://post.example"
timezone = "Europe/Lisbon"
[web]
url = "https://news.post.example"
[database]
url = "{database}"
[mail]
from = "The Harbour Post <news@post.example>"
legal_name = "Harbour Post Ltd"
postal_address = "1 Quay Street"
privacy_url = "https://post.example/privacy"
[[sources]]
name = "desk"
path = "articles"
[[sources]]
name = "cms"
kind = "push"
"""
WIRE = '[[sources]]\nname = "wire"\nkind = "push"\n'
STORY = {"id": "a/42", "title": "The ferry is back", "html": "<p>It sails.</p>", "date": "2026-11-20 08:00"}


class Program:
    """What pushes, and the site it pushes to."""

    def __init__(self, site: Site, address: str, now: datetime) -> None:
        self.site, self.address, self.now = site, address, now
        self.token = self.make_token("cms")

    def make_token(self, name: str, source: str = "") -> str:
        octets = name.encode().ljust(32, b".")
        return create_token(self.site.database, name, source=source, actor="admin", random=octets, now=self.now)

    def call(self, method: str, path: str = "", *, token: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}", **options.pop("headers", {})}
        return requests.request(method, f"{self.address}/api/v1/articles{path}", headers=headers, timeout=60, **options)

    def push(self, **changed: Any) -> requests.Response:
        return self.call("POST", json={**STORY, **changed})

    def error(self, answer: requests.Response) -> dict[str, Any]:
        body = answer.json()
        assert set(body) == {"error"}
        error: dict[str, Any] = body["error"]
        assert error["message"] and "\n" not in error["message"]
        return error


def make_site(folder: Path, database_url: str, now: datetime, *, more: str = "") -> Site:
    (folder / "articles").mkdir(exist_ok=True)
    (folder / "syndicate.toml").write_text(SETTINGS.format(database=database_url.replace("+psycopg", "")) + more)
    site = open_site(folder, {})
    site.sync(now)
    return site


def start(site: Site, now: datetime) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.state.site, app.state.clock = site, lambda: now
    app.include_router(router)
    return app


@pytest.fixture
def program(database_url: str, tmp_path: Path, now: datetime) -> Iterator[Program]:
    site = make_site(tmp_path, database_url, now)
    with serving(start(site, now)) as address:
        yield Program(site, address, now)
    site.database.dispose()


def test_push_again_change_look_and_take_away(program: Program) -> None:
    first = program.push()
    answer = first.json()
    assert first.status_code == 201
    assert first.headers["Location"] == "/api/v1/articles/a%2F42"
    assert answer["id"].startswith("urn:uuid:")
    assert (answer["result"], answer["status"], answer["number"], answer["source"]) == ("new", "released", 1, "cms")
    assert answer["url"].startswith("https://news.post.example/feeds/articles/")
    again = program.push()
    assert (again.status_code, again.json()["result"], again.json()["id"]) == (200, "unchanged", answer["id"])
    changed = program.push(title="The ferry is late", titel="?")
    assert (changed.status_code, changed.json()["result"], changed.json()["revision"]) == (200, "changed", 2)
    assert "did you mean 'title'?" in changed.json()["warnings"][0]
    for path in ("/a/42", "/a%2F42"):
        seen = program.call("GET", path).json()
        assert (seen["id"], seen["title"]) == (answer["id"], "The ferry is late")
        assert seen["content"] == {**STORY, "title": "The ferry is late"}
    gone = program.call("DELETE", "/a%2F42")
    assert (gone.status_code, gone.json()["result"], gone.json()["status"]) == (200, "missing", "released")
    for method in ("GET", "DELETE"):
        assert program.call(method, "/a/42").status_code == 404
    assert program.push().json()["result"] == "back"
    with program.site.database.read() as connection:
        actors = set(connection.execute(sa.select(tables.audit_log.c.actor)).scalars())
    assert "token cms" in actors


def test_an_author_is_one_of_the_authors_as_in_front_matter(program: Program) -> None:
    def content() -> Any:
        return program.call("GET", "/a/42").json()["content"]

    assert program.push(author="Night desk").json()["warnings"] == []
    assert content() == {**STORY, "authors": "Night desk"}
    assert program.push(author="Night desk", authors=None).json()["result"] == "unchanged"
    both = program.push(author="Night desk", authors=["Harbour desk"]).json()
    assert "did you mean 'authors'?" in both["warnings"][0]
    assert content() == {**STORY, "authors": ["Harbour desk"]}
    assert program.error(program.push(author=7))["field"] == "authors"


def test_embargo_and_draft_are_kept_back(program: Program, now: datetime) -> None:
    held = program.push(id="1", draft=True).json()
    assert (held["status"], held["number"]) == ("held", None) and "draft" in held["hold_reason"]
    due = now + timedelta(hours=3)
    waiting = program.push(id="2", title="Later", embargo=due.isoformat()).json()
    assert (waiting["status"], datetime.fromisoformat(waiting["until"])) == ("waiting", due)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic Y21zOng=", "Bearer syndicate_" + "A" * 43, "Bearer " + "x" * 9000],
)
def test_without_a_good_token_nothing_is_read(program: Program, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for method in ("POST", "GET", "DELETE"):
        path = "/api/v1/articles" + ("" if method == "POST" else "/1")
        answer = requests.request(method, program.address + path, data=b"{not json", headers={**headers}, timeout=60)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "token" in program.error(answer)["message"]


def test_a_revoked_token_opens_nothing(program: Program, now: datetime) -> None:
    revoke_token(program.site.database, "cms", actor="admin", now=now)
    assert program.push().status_code == 401


def test_mistakes_name_their_field(program: Program) -> None:
    for changed, field in (({"date": "soon"}, "date"), ({"id": ""}, "id"), ({"source": "cmz"}, "source")):
        answer = program.push(**changed)
        assert (answer.status_code, program.error(answer)["field"]) == (422, field)
    assert program.call("POST", data=b"{").status_code == 422
    assert "JSON" in program.error(program.call("POST", data=b"\xff\xfe"))["message"]
    answer = program.push(title="", html="<p>No title.</p>")
    assert answer.status_code == 422 and "no title" in program.error(answer)["message"]
    assert program.call("GET", "/nothing").status_code == 404
    assert program.call("GET", "/" + "x" * 2000).status_code == 422
    with program.site.database.read() as connection:
        assert connection.execute(sa.select(tables.pushed_articles)).first() is None


def test_too_much_is_refused_before_it_is_read(program: Program) -> None:
    large = json.dumps({**STORY, "html": "x" * LARGEST_FILE}).encode()
    answer = program.call("POST", data=large)
    assert answer.status_code == 413 and "MB" in program.error(answer)["message"]
    # In pieces, without a length beforehand.
    answer = program.call("POST", data=(large[at : at + 500_000] for at in range(0, len(large), 500_000)))
    assert answer.status_code == 413
    assert program.push().status_code == 201


def test_an_article_with_anything_in_any_field_is_taken_or_refused(program: Program) -> None:
    texts = (*HOSTILE, b"[%b]" % b",".join([b'"x"'] * 3_000), b'"%b"' % (b"x " * 9_000), b"{}", b"[[]]", b'{"src": 1}')
    bodies = [json.dumps({"id": "x", "title": "x", "text": "x", name: "held"}).encode() for name in sorted(KEYS)]
    bodies += [json.dumps({"title": "x", name: "held"}).encode() for name in ("id", "held", *TEXTS)]
    for number, text in enumerate(texts):
        # Each token may make so many requests at once.
        program.token = program.make_token(f"cms {number}")
        for body in (text, *(each.replace(HELD.encode(), text) for each in bodies)):
            answer = program.call("POST", data=body)
            assert answer.status_code in (200, 201, 422), (body[:300], answer.text)
            if answer.status_code == 422:
                assert program.error(answer)
    assert program.push().status_code == 201
    # And all that was taken can be looked at and taken away.
    with program.site.database.read() as connection:
        taken = [row.key for row in connection.execute(sa.select(tables.source_items))]
    for key in taken:
        assert program.call("GET", f"/{quote(key, safe='')}").status_code == 200


def test_hostile_words_come_out_clean(program: Program) -> None:
    hostile = (
        '<p onclick="x()">Hi<script>alert(1)</script><a href="javascript:x()">go</a></p><iframe src="//evil.example">'
    )
    program.push(html=hostile, title="<b>Title</b> & more")
    with program.site.database.read() as connection:
        row = connection.execute(sa.select(tables.articles.c.html, tables.articles.c.title)).one()
    assert "script" not in row.html and "onclick" not in row.html and "iframe" not in row.html
    assert row.title == "<b>Title</b> & more"


def test_a_token_of_one_source_stays_in_it(database_url: str, tmp_path: Path, now: datetime) -> None:
    site = make_site(tmp_path, database_url, now, more=WIRE)
    with serving(start(site, now)) as address:
        program = Program(site, address, now)
        answer = program.push()
        assert (answer.status_code, program.error(answer)["field"]) == (422, "source")
        assert program.push(source="wire").json()["source"] == "wire"
        assert program.call("GET", "/a/42?source=wire").status_code == 200
        assert program.call("GET", "/a/42?source=cms").status_code == 404
        program.token = program.make_token("only", "cms")
        assert program.push(source="wire").status_code == 403
        assert program.call("DELETE", "/a/42?source=wire").status_code == 403
        assert program.push().json()["source"] == "cms"
    site.database.dispose()


def test_a_site_without_such_a_source_says_so(tmp_path: Path, database_url: str, now: datetime) -> None:
    site = make_site(tmp_path, database_url, now)
    settings = tmp_path / "syndicate.toml"
    settings.write_text(settings.read_text().replace('[[sources]]\nname = "cms"\nkind = "push"\n', ""))
    without = open_site(tmp_path, {})
    with serving(start(without, now)) as address:
        program = Program(site, address, now)
        answer = program.push()
        assert answer.status_code == 404 and "kind" in program.error(answer)["cure"]
    without.database.dispose()
    site.database.dispose()


def test_the_description_is_complete(program: Program) -> None:
    answer = requests.get(f"{program.address}/api/v1/openapi.json", timeout=60)
    described = answer.json()
    assert described["openapi"].startswith("3.")
    assert {(path, method) for path, methods in described["paths"].items() for method in methods} == {
        ("/api/v1/articles", "post"),
        ("/api/v1/articles/{external_id}", "get"),
        ("/api/v1/articles/{external_id}", "delete"),
    }
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"HTTPBearer": []}]
            assert "401" in operation["responses"]
    assert "#/$defs" not in answer.text
    fields = described["paths"]["/api/v1/articles"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(fields["properties"]) == {*KEYS, *TEXTS, "author", "source"}
