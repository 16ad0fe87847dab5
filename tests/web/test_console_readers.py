"""Readers in the console: found, explained, added, changed, closed, opened, erased and imported."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from syndicate.core.subscriber import Subscriber
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.people import find_subscriber
from syndicate.storage.reader_search import find_readers, newest_readers
from tests.mailing import NOW
from tests.process.waiting import until
from tests.web.newsroom_site import WebSite
from tests.web.reader_site import seed

if TYPE_CHECKING:
    import requests
    from playwright.sync_api import Page

CSV = """email,name,status
bea@example.org,Bea,active
cleo@example.org,Cléo,active
nobody,,
zoe@example.net,Zoe,active
"""


@pytest.fixture
def pages(web_site: WebSite) -> dict[str, str]:
    return seed(web_site)


def known(site: WebSite, address: str) -> Subscriber | None:
    with site.site.database.read() as connection:
        return find_subscriber(connection, address)


def test_readers_are_found_by_the_start_of_address_or_name(web_site: WebSite, pages: dict[str, str]) -> None:
    client = web_site.client("editor")
    everybody = {"ana.silva@example.org", "andre@example.org", "zoe@example.net"}
    for words, expected in {
        "": everybody,
        "an": {"ana.silva@example.org", "andre@example.org"},
        "ANA.SILVA@example.org": {"ana.silva@example.org"},
        "ana silva": {"ana.silva@example.org"},
        "André": {"andre@example.org"},
        "silva": set(),
        "%": set(),
        "a_a": set(),
        "example": set(),
    }.items():
        text = client.get("/console/readers", params={"q": words}).text
        assert {each for each in everybody if f">{each}</a>" in text} == expected, words


def test_finding_goes_by_an_index_on_both_databases(database: Database) -> None:
    rows = [
        {
            "email": f"r{n}@example.org",
            "address": f"r{n}@example.org",
            "address_hash": f"{n:064}",
            "name": f"Reader {n - 1}",
            "created_at": NOW,
        }
        for n in range(1, 300)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(tables.subscribers), rows)
    seen: list[str] = []

    def watch(connection: sa.Connection, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "subscribers" in statement and "LIKE" in statement:
            seen.append(statement)

    with database.read() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        sa.event.listen(database.engine, "before_cursor_execute", watch)
        assert len(find_readers(connection, "r1", limit=200)) == 111
        assert [each.address for each in find_readers(connection, "reader 7", limit=1)] == ["r8@example.org"]
        sa.event.remove(database.engine, "before_cursor_execute", watch)
        query = sa.select(tables.subscribers.c.id).where(
            tables.subscribers.c.address >= "r1", tables.subscribers.c.address <= "r1zzz"
        )
        text = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(
            ("EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN ") + text
        ).fetchall()
        assert seen and "SCAN subscribers" not in str(plan) and "Seq Scan" not in str(plan)
        newest = newest_readers(connection, limit=2)
        assert [each.address for each in newest] == ["r299@example.org", "r298@example.org"]
        [third] = newest_readers(connection, before=newest[1].id, limit=1)
        assert third.address == "r297@example.org"


def test_a_reader_s_page_explains_and_tells_what_happened(web_site: WebSite, pages: dict[str, str]) -> None:
    text = web_site.client("editor").get(pages["zoe"]).text
    assert "asked us to" in text and "asked by phone" in text and "by Ada" in text
    assert "Suppressed: somebody here asked for it" in text and "is suppressed since" in text
    assert "Open again" not in text, "an editor may not"
    assert "Open again" in web_site.client("sender").get(pages["zoe"]).text


def test_adding_wants_the_proof(web_site: WebSite, pages: dict[str, str]) -> None:
    client = web_site.client("editor")
    given = {"email": "Bea@Example.org", "newsletter": "morning", "because": "at the counter"}
    bare = client.submit(pages["add"], pages["add"], **given)
    assert bare.status_code == 422 and 'value="Bea@Example.org"' in bare.text and not known(web_site, "bea@example.org")
    done = client.submit(pages["add"], pages["add"], **given, confirmed="yes")
    assert "Bea@example.org is added." in done.text and known(web_site, "bea@example.org")
    wrong = client.submit(pages["add"], pages["add"], **{**given, "email": "no address"}, confirmed="yes")
    assert wrong.status_code == 422
    closed = client.submit(pages["add"], pages["add"], **{**given, "email": "zoe@example.net"}, confirmed="yes")
    assert closed.status_code == 409 and "suppressed" in closed.text


def test_suppressed_opened_and_erased_by_who_may(web_site: WebSite, pages: dict[str, str]) -> None:
    editor, sender = web_site.client("editor"), web_site.client("sender")
    ana = pages["ana.silva"]
    assert "nothing is sent to it" in editor.submit(ana, f"{ana}/suppress", because="bounced by hand").text
    assert editor.submit(ana, f"{ana}/unsuppress", because="x").status_code == 403
    assert "say why" in sender.submit(ana, f"{ana}/unsuppress", because=" ").text
    assert "is open again" in sender.submit(ana, f"{ana}/unsuppress", because="they wrote to us").text
    assert editor.submit(ana, f"{ana}/erase", address="ana.silva@example.org").status_code == 403
    assert "Nothing was erased" in sender.submit(ana, f"{ana}/erase", address="zoe@example.net").text
    assert "Erased." in sender.submit(ana, f"{ana}/erase", address="ana.silva@example.org").text
    assert known(web_site, "ana.silva@example.org") is None
    assert sender.get(ana).status_code == 404
    assert "ana.silva" not in sender.get("/console/readers").text


def test_how_often_is_changed_and_logged(web_site: WebSite, pages: dict[str, str]) -> None:
    client, ana = web_site.client("editor"), pages["ana.silva"]
    same = client.submit(ana, f"{ana}/cadence", newsletter="morning", cadence="daily")
    assert "on that already" in same.text
    unknown = client.submit(ana, f"{ana}/cadence", newsletter="morning", cadence="hourly")
    assert unknown.status_code == 422 and "no cadence" in unknown.text
    assert client.submit(ana, f"{ana}/cadence", newsletter="nothing", cadence="daily").status_code == 404


def upload(client: requests.Session, site: WebSite, body: bytes, name: str = "people.csv", **more: str) -> str:
    """The address of the job, once the file is read."""
    fields = {"csrf": site.client("sender").form_token("/console/readers/import"), **more}
    answer = client.post("/console/readers/import", data=fields, files={"file": (name, body, "text/csv")})
    assert answer.status_code == 200, answer.text
    return wait(client, answer.url)


def wait(client: requests.Session, url: str) -> str:
    until(lambda: "Refresh" not in client.get(url).headers)
    return url


def kept_files(site: WebSite) -> list[Path]:
    return list((site.site.directory / "imports").glob("*"))


def test_an_import_reports_then_asks_then_does_and_forgets_the_file(
    web_site: WebSite, pages: dict[str, str]
) -> None:
    client = web_site.client("sender")
    url = upload(client, web_site, CSV.encode())
    report = client.get(url).text
    assert "Import 2 readers" in report and "line 4: " in report and not known(web_site, "bea@example.org")
    [kept] = kept_files(web_site)
    assert kept.stat().st_mode & 0o077 == 0, "for its owner's eyes"
    token = client.form_token("/console/readers/import")
    bare = client.post(url, data={"csrf": token, "basis": " "})
    assert bare.status_code == 422 and not known(web_site, "bea@example.org")
    client.post(url, data={"csrf": token, "basis": "moved from our old provider"})
    client.post(url, data={"csrf": token, "basis": "a double click"})
    wait(client, url)
    assert "It is imported." in client.get(url).text and known(web_site, "bea@example.org")
    assert kept_files(web_site) == []
    zoe = known(web_site, "zoe@example.net")
    assert zoe and zoe.suppressed, "a file opens no address"
    with web_site.site.database.read() as connection:
        [done] = connection.execute(sa.select(tables.imports)).all()
    assert (done.filename, done.basis, done.actor) == ("people.csv", "moved from our old provider", "Sandy")


def test_a_file_that_is_not_wanted_is_removed(web_site: WebSite, pages: dict[str, str]) -> None:
    client = web_site.client("sender")
    url = upload(client, web_site, CSV.encode(), "../../x.csv")
    assert "x.csv" in client.get(url).text
    client.post(f"{url}/drop", data={"csrf": client.form_token("/console/readers/import")})
    assert kept_files(web_site) == [] and client.get(url).status_code == 404
    url = upload(client, web_site, b"\x00\x01\x02 no text")
    assert "not a text file" in client.get(url).text and kept_files(web_site) == []
    stale = web_site.site.directory / "imports" / "left-behind.csv"
    stale.write_text("email\n")
    upload(client, web_site, CSV.encode())
    assert not stale.exists()


LISTED = """EmailAddress,SuppressionReason,Origin
ana.silva@example.org,HardBounce,Recipient
zoe@example.net,HardBounce,Recipient
unknown@example.org,SpamComplaint,Recipient
nobody,HardBounce,Recipient
"""


def facts(text: str) -> dict[str, str]:
    """What a page tells in its list of facts."""
    return {
        key.strip(): value.strip() for key, value in re.findall(r"<dt[^>]*>([^<]*)</dt>\s*<dd[^>]*>([^<]*)</dd>", text)
    }


def test_a_list_of_suppressions_is_looked_at_and_then_done_once(web_site: WebSite, pages: dict[str, str]) -> None:
    client = web_site.client("sender")
    url = upload(client, web_site, LISTED.encode(), "../list.csv", what="suppressions")
    look = client.get(url).text
    assert "Suppress 2 addresses" in look and "line 5: " in look
    told = facts(look)
    assert told["Whose list"] == "postmark suppressions"
    assert (told["Would be suppressed"], told["Of them readers here"]) == ("2", "1")
    assert (told["Suppressed already, and kept so"], told["Cannot be used"]) == ("1", "1")
    ana = known(web_site, "ana.silva@example.org")
    assert ana and not ana.suppressed
    assert web_site.client("editor").post(url, data={"csrf": "x"}).status_code == 403
    assert client.post(url, data={"csrf": "x"}).status_code == 403
    token = client.form_token("/console/readers/import")
    for _ in range(2):
        client.post(url, data={"csrf": token})
    wait(client, url)
    assert facts(client.get(url).text)["Suppressed by that"] == "2" and kept_files(web_site) == []
    ana = known(web_site, "ana.silva@example.org")
    assert ana and ana.suppressed == "bounce"
    with web_site.site.database.read() as connection:
        [done] = connection.execute(sa.select(tables.imports)).all()
    assert (done.filename, done.basis, done.actor) == ("list.csv", "suppressions: postmark suppressions", "Sandy")
    again = client.get(upload(client, web_site, LISTED.encode(), what="suppressions")).text
    assert "Nothing in it would change anything." in again and f'action="{url}"' not in again


def test_a_list_that_may_be_one_of_blocks_is_asked_about(web_site: WebSite, pages: dict[str, str]) -> None:
    body = b"status,reason,email,created\n550,550 refused,ana.silva@example.org,1\n"
    look = web_site.client("sender").get(upload(web_site.client("sender"), web_site, body, what="suppressions")).text
    assert "Of 1 it says only that a mail was refused" in look and "Suppress 1 address" in look


@pytest.mark.parametrize(
    ("body", "more", "said"),
    [
        (CSV, {}, "These columns are of no list of suppressions that is known"),
        (LISTED, {"vendor": "mailgun"}, "These columns are of no list of mailgun"),
        ('[{"email": "a@example.org"', {}, "list.json, line 1: it is not JSON from there on"),
    ],
)
def test_what_is_no_list_of_suppressions_is_said_to_be_none(
    web_site: WebSite, pages: dict[str, str], body: str, more: dict[str, str], said: str
) -> None:
    client = web_site.client("sender")
    text = client.get(upload(client, web_site, body.encode(), "list.json", what="suppressions", **more)).text
    assert said in text and kept_files(web_site) == []
    token = client.form_token("/console/readers/import")
    fields = {"csrf": token, "what": "suppressions", "vendor": "<b>nobody</b>"}
    answer = client.post("/console/readers/import", data=fields, files={"file": ("list.csv", LISTED)})
    assert answer.status_code == 422 and "Choose whose list it is." in answer.text and "<b>nobody" not in answer.text


def test_who_may_not_import_does_not(web_site: WebSite, pages: dict[str, str]) -> None:
    client = web_site.client("editor")
    assert client.get("/console/readers/import").status_code == 403
    answer = client.post("/console/readers/import", files={"file": ("a.csv", CSV)}, data={"csrf": "x"})
    assert answer.status_code == 403
    token = client.form_token("/console/readers/add")
    answer = client.post("/console/readers/import", files={"file": ("a.csv", CSV)}, data={"csrf": token})
    assert answer.status_code == 403
    assert not (web_site.site.directory / "imports").exists()


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_a_list_is_taken_over_in_the_browser(
    web_site: WebSite, open_page: Callable[..., Page], tmp_path: Path, scripts: bool
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(CSV, encoding="utf-8")
    page = open_page("/console/readers", role="sender", scripts=scripts)
    page.get_by_role("link", name="Import…").click()
    page.get_by_label("A CSV file").set_input_files(file)
    page.get_by_role("button", name="Read it").click()
    page.get_by_label("Why these people may be mailed").fill("moved from our old provider")
    page.get_by_role("button", name="Import 3 readers").click()
    page.get_by_text("It is imported.").wait_for()
    page.get_by_role("link", name="To the readers").click()
    page.get_by_label("Address or name").fill("cl")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="cleo@example.org").click()
    page.get_by_text("moved from our old provider").wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_a_list_of_suppressions_is_taken_over_by_keyboard(
    web_site: WebSite, pages: dict[str, str], open_page: Callable[..., Page], tmp_path: Path, scripts: bool
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(LISTED, encoding="utf-8")
    page = open_page("/console/readers/import", role="sender", scripts=scripts)
    page.get_by_label("Its list").set_input_files(file)
    page.get_by_label("Its list").focus()
    page.keyboard.press("Tab")
    assert page.get_by_label("Whose it is").evaluate("each => each === document.activeElement")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Suppress 2 addresses").focus()
    page.keyboard.press("Enter")
    page.get_by_text("It is imported.").wait_for()
    assert facts(page.content())["Suppressed by that"] == "2"
