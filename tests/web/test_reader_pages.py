"""The pages for readers over real HTTP, on both databases: from sign-up to goodbye, and what nobody may do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.token import TokenSigner
from syndicate.storage import tables
from syndicate.storage.instance import add_signing_key
from tests.web.reading_site import ANN, ReadingSite, reading_site


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[ReadingSite]:
    with reading_site(tmp_path / "site", database_url) as site:
        yield site


def test_from_sign_up_to_goodbye(served: ReadingSite) -> None:
    answer = served.sign_up()
    assert answer.status_code == 200
    assert "Look into your mailbox" in answer.text
    assert served.statuses() == {"morning": "pending", "evening": "pending"}
    confirm = served.link("/confirm/")
    assert "Confirm your subscription" in served.get(confirm).text
    assert "You are subscribed" in served.post(confirm).text
    person = served.person()
    preferences = served.path_to("preferences", person.id)
    saved = served.post(
        preferences, {"newsletter": ["morning"], "name": "Ann", "language": "fr", "pause": "2", "action": "save"}
    )
    assert "enregistré" in saved.text
    person = served.person()
    assert (person.name, person.language) == ("Ann", "fr")
    assert served.statuses() == {"morning": "active", "evening": "left"}
    morning = person.subscription("morning")
    assert morning is not None
    assert morning.paused_until == served.now + timedelta(weeks=2)
    assert "3 décembre 2026" not in saved.text
    assert "4 décembre 2026" in saved.text
    leave = served.path_to("unsubscribe", person.id)
    assert "Se désabonner de" in served.get(leave).text
    gone = served.post(leave, {"action": "leave"})
    assert (gone.status_code, served.statuses()["morning"]) == (200, "left")
    assert "Annuler" in gone.text
    served.now += timedelta(hours=1)
    assert "Bon retour" in served.post(leave, {"action": "undo"}).text
    assert served.statuses()["morning"] == "active"
    assert "désabonné de tout" in served.post(preferences, {"action": "leave all"}).text
    assert served.person().suppressed == "unsubscribe"
    served.now += timedelta(days=2)
    assert served.post(preferences, {"action": "undo"}).status_code == 200
    assert served.statuses()["morning"] == "left"


def test_how_often_is_said_in_the_readers_language_and_chosen(served: ReadingSite) -> None:
    shown = served.get("/subscribe?lang=fr").text
    assert "Du lundi au vendredi à 18\u00a0h" in shown and "mon-fri" not in shown
    person = served.join()
    path = served.path_to("preferences", person.id)
    page = served.get(path + "?lang=fr").text
    assert '<option value="weekly">Le samedi à 9\u00a0h</option>' in page and "mon-fri" not in page
    assert '<option value="weekly">Saturday at 09:00</option>' in served.get(path).text
    served.post(path, {"newsletter": ["morning", "evening"], "cadence-evening": "weekly", "action": "save"})
    assert {each.newsletter: each.cadence for each in served.person().subscriptions} == {
        "morning": "daily",
        "evening": "weekly",
    }
    page = served.get(path).text
    assert '<option value="weekly" selected>Saturday at 09:00</option>' in page
    # One that is not there changes nothing.
    served.post(path, {"newsletter": ["evening"], "cadence-evening": "hourly", "action": "save"})
    evening = served.person().subscription("evening")
    assert evening is not None and (evening.status, evening.cadence) == ("active", "weekly")


@pytest.mark.parametrize("how", ["urlencoded", "multipart", "nothing", "nonsense", "huge"])
def test_a_mail_program_leaves_by_one_post_without_cookies_or_redirect(served: ReadingSite, how: str) -> None:
    """RFC 8058 section 3.2; whatever else is in the body, whoever asks to leave leaves."""
    path = served.path_to("unsubscribe", served.join().id)
    if how == "multipart":
        answer = served.post(path, files={"List-Unsubscribe": (None, "One-Click")})
    elif how == "nonsense":
        answer = served.post(path, b"\xff\x00", headers={"Content-Type": "multipart/form-data; boundary=x"})
    elif how == "huge":
        answer = served.post(path, {"List-Unsubscribe": "x" * 200_000})
    else:
        answer = served.post(path, {"List-Unsubscribe": "One-Click"} if how == "urlencoded" else None)
    assert (answer.status_code, answer.history, answer.headers.get("set-cookie")) == (200, [], None)
    assert served.statuses() == {"morning": "left", "evening": "active"}
    with served.site.database.read() as connection:
        last = connection.execute(sa.select(tables.consents).order_by(tables.consents.c.id.desc()).limit(1)).one()
    assert (last.action, last.origin) == ("left", "one click" if how in ("urlencoded", "multipart") else last.origin)


def test_a_scanner_that_opens_every_link_changes_nothing(served: ReadingSite) -> None:
    person = served.join()
    served.sign_up("new@post.example")
    paths = [
        served.link("/confirm/"),
        served.path_to("unsubscribe", person.id),
        served.path_to("preferences", person.id),
        *("/", "/subscribe", "/subscribe?newsletter=morning", "/subscribe/embed", "/archive/", "/archive/morning"),
    ]
    before = served.everything()
    for path in paths:
        assert served.get(path).status_code == 200, path
        head = served.session.head(served.url + path)
        assert (head.status_code, head.content) == (200, b""), path
        assert served.session.options(served.url + path).status_code in (200, 405)
    assert served.everything() == before


def test_links_live_as_long_as_the_database_and_no_other_is_taken(served: ReadingSite) -> None:
    person = served.join()
    old = {purpose: served.path_to(purpose, person.id) for purpose in ("unsubscribe", "preferences", "test")}
    with served.site.database.write() as connection:
        add_signing_key(connection, b"another key of some length, later", served.now)
    served.now += timedelta(days=4000)
    assert served.get(old["unsubscribe"]).status_code == served.get(old["preferences"]).status_code == 200
    forged = TokenSigner([(1, b"a secret of somebody else's making")])
    token = old["unsubscribe"].removeprefix("/u/")
    wrong = [
        "/u/" + forged.sign("unsubscribe", person.id, "morning", 1),
        "/u/" + old["preferences"].removeprefix("/p/"),
        "/p/" + token,
        "/confirm/" + token,
        "/u/" + token[:-1],
        "/u/" + token + "A",
        "/u/" + token[:8] + ("A" if token[8] != "A" else "B") + token[9:],
        "/p/" + "A" * 5000,
        "/u/%01%ff",
        "/confirm/" + served.site.signer().sign("confirm", "x"),
        "/confirm/" + served.site.signer().sign("confirm", "x", "y", "z", "morning"),
    ]
    before = served.everything()
    for path in wrong:
        assert served.get(path).status_code == 404, path
        answer = served.post(path, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 404, path
        assert "This link does not work" in answer.text
    # A test's link is known, and does nothing.
    assert "belongs to a test" in served.post(old["test"], {"List-Unsubscribe": "One-Click"}).text
    assert served.everything() == before


def test_known_unknown_and_closed_addresses_get_the_same_answer(served: ReadingSite) -> None:
    served.join()
    with served.site.database.write() as connection:
        connection.execute(sa.update(tables.subscribers).values(suppressed=""))
    answers = []
    for email in (ANN, "new@post.example"):
        answer = served.sign_up(email)
        answers.append((answer.status_code, answer.text.replace(email, "X").split("<main", 1)[1]))
        assert "set-cookie" not in answer.headers
    assert answers[0] == answers[1]


def test_a_form_from_elsewhere_or_of_a_program_leads_to_a_button_and_to_nothing_else(served: ReadingSite) -> None:
    fields = {"email": ANN, "newsletter": ["evening"]}
    landed = served.post("/subscribe?lang=fr", fields, headers={"Origin": "https://other.example"})
    assert landed.status_code == 200
    assert "Vous y êtes presque" in landed.text
    assert f'value="{ANN}"' in landed.text
    assert served.mails() == []
    token = landed.text.split('name="form" value="')[1].split('"')[0]
    assert "C’était très rapide" in served.post("/subscribe?lang=fr", {**fields, "form": token}).text
    assert served.mails() == []
    served.now += timedelta(seconds=3)
    # A trap that only a program fills in.
    assert "Regardez" in served.post("/subscribe?lang=fr", {**fields, "form": token, "website": "x"}).text
    assert served.mails() == []
    assert "Regardez" in served.post("/subscribe?lang=fr", {**fields, "form": token}).text
    assert len(served.mails()) == 1
    served.now += timedelta(hours=25)
    assert "resté ouvert longtemps" in served.post("/subscribe?lang=fr", {**fields, "form": token}).text
    forged = TokenSigner([(1, b"a secret of somebody else's making")]).sign("form", int(served.now.timestamp()) - 9)
    assert "resté ouvert longtemps" in served.post("/subscribe?lang=fr", {**fields, "form": forged}).text
    assert len(served.mails()) == 1


def test_a_flood_is_told_to_come_back_and_mailboxes_are_spared(served: ReadingSite) -> None:
    for _ in range(6):
        assert served.sign_up().status_code == 200
    assert len(served.mails()) == 3
    answers = [served.sign_up(f"reader{number}@post.example") for number in range(12)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert int(refused[0].headers["retry-after"]) >= 60
    assert "many sign-ups from your network" in refused[0].text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "ann"}, "That is not an e-mail address"),
        ({"email": ""}, "That is not an e-mail address"),
        ({"email": "müller@post.example"}, "We cannot write to an address with such letters before the @"),
        ({"email": "<script>alert(1)</script>@x"}, "&lt;script&gt;"),
        ({"email": "ann@post.example\r\nBcc: x@post.example"}, "That is not an e-mail address"),
        ({"newsletter": "nonsense"}, "Choose at least one"),
        ({"newsletter": ""}, "Choose at least one"),
    ],
)
def test_a_mistake_is_named_beside_its_field_and_nothing_typed_is_lost(
    served: ReadingSite, fields: dict[str, str], words: str
) -> None:
    answer = served.sign_up(**{"email": ANN, **fields})
    assert (answer.status_code, words in answer.text, served.mails()) == (422, True, [])
    assert "<script>" not in answer.text


@pytest.mark.parametrize("name", ["Ann\r\nBcc: x@post.example", "x" * 300, "\u202eAnn"])
def test_a_name_that_cannot_stand_in_a_header_is_refused_on_the_page(served: ReadingSite, name: str) -> None:
    person = served.join()
    path = served.path_to("preferences", person.id)
    answer = served.post(path, {"newsletter": ["morning"], "name": name})
    assert (answer.status_code, "on one line" in answer.text) == (422, True)
    assert served.statuses() == {"morning": "active", "evening": "active"}
    answer = served.post(path, {"newsletter": ["morning"], "pause": "date", "until": "yesterday"})
    assert "Give the date" in answer.text
    assert "within a year" in served.post(path, {"pause": "date", "until": "2020-01-01"}).text
    assert served.person() == person


def test_an_expired_confirmation_says_so_and_leads_to_a_new_one(served: ReadingSite) -> None:
    served.sign_up()
    path = served.link("/confirm/")
    served.now += timedelta(days=8)
    for answer in (served.get(path), served.post(path)):
        assert answer.status_code == 410
        assert "/subscribe?newsletter=morning&amp;newsletter=evening" in answer.text
    assert served.statuses() == {"morning": "pending", "evening": "pending"}
    served.join()
    assert served.statuses() == {"morning": "active", "evening": "active"}


@pytest.mark.parametrize(
    ("accept", "language"),
    [("fr-CA,fr;q=0.9,en", "fr"), ("de,fr;q=0.2", "fr"), ("fr;q=0,en", "en"), ("de", "en"), ("", "en"), (";,", "en")],
)
def test_a_page_speaks_the_readers_language(served: ReadingSite, accept: str, language: str) -> None:
    answer = served.get("/subscribe", accept_language=accept)
    assert f'<html lang="{language}"' in answer.text
    assert (answer.headers["content-language"], answer.headers["vary"]) == (language, "Accept-Language")
    assert '<html lang="fr"' in served.get("/subscribe?lang=fr", accept_language="en").text


def test_personal_pages_are_kept_by_nobody_and_tell_no_address(served: ReadingSite) -> None:
    person = served.join()
    for path in (served.path_to("unsubscribe", person.id), served.path_to("preferences", person.id)):
        answer = served.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script" not in answer.text
        assert ANN not in answer.text
        assert "a…\u2060@post.example" in answer.text
