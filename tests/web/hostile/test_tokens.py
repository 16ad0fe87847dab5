"""Links, reports and programs' tokens that nobody here signed."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests
import sqlalchemy as sa

from syndicate.core.asked import Asked
from syndicate.core.token import TokenSigner
from syndicate.services.create_token import create_token
from syndicate.services.revoke_token import revoke_token
from syndicate.storage import tables
from syndicate.storage.instance import list_signing_keys
from tests.mail.events.signing import SECRET, signed
from tests.web.hostile import raw
from tests.web.hostile.site import HostileSite, rows
from tests.web.newsroom_site import WebSite
from tests.web.reading_site import ANN, ReadingSite, reading_site

PLACES = {"u": "unsubscribe", "p": "preferences", "confirm": "confirm"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def good(readers: ReadingSite) -> dict[str, str]:
    """A token that is good at each place, of a reader who has joined."""
    readers.join()
    person = readers.person()
    with readers.site.database.read() as connection:
        keyed = connection.execute(sa.select(tables.subscribers.c.address_hash)).scalars().first()
    signer = readers.site.signer()
    return {
        "u": signer.sign("unsubscribe", person.id, "morning", 1),
        "p": signer.sign("preferences", person.id, "morning", 1),
        "confirm": Asked(str(keyed), ("morning",), readers.now, "2026-11").token(signer),
        "test": signer.sign("test", 0, "morning", 1),
        "form": signer.sign("form", int(readers.now.timestamp())),
        "self-test": readers.get("/.well-known/syndicate/" + "n" * 24).text,
    }


def forged(token: str) -> Iterator[str]:
    """Each bit of it flipped, each end of it cut off, other spellings, more around it, and tricks of other formats."""
    begins, number, mac = token.split(".")
    octets, mark = base64.urlsafe_b64decode(begins + "=" * (-len(begins) % 4)), bytes.fromhex(mac)
    for bit in range(len(octets) * 8):
        yield f"{_coded(_flipped(octets, bit))}.{number}.{mac}"
    for bit in range(len(mark) * 8):
        yield f"{begins}.{number}.{_flipped(mark, bit).hex()}"
    signs = (f"0{number}", f"{number}0", f"-{number}", f"+{number}", f" {number}")
    for other in (*signs, "", "0", "1e1", str(2**64), "\u0661"):
        if other != number:
            yield f"{begins}.{quote(other)}.{mac}"
    for place in range(len(token)):
        yield token[:place] + ALPHABET[(ALPHABET.index(token[place]) + 1) % len(ALPHABET)] + token[place + 1 :]
        yield token[:place]
        yield token[place + 1 :]
    yield from (token + "A", "A" + token, token + "=", token + "==", token + "%3D", token + "%0A", token * 2)
    yield from (token.swapcase(), token[::-1], token.replace("-", "+").replace("_", "%2F") + ".", "%20" + token)
    yield from (f"{token}.", f".{token}", f"{token}%00", f"%00{token}", f"{token}%2F..", f"{token};x=1", f"{token},")
    yield from (quote("ａ" * len(token)), quote("é" + token), "%FF%FE" + token, "A" * 10_000, token + "A" * 10_000)
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(b'{"sub":1}').rstrip(b"=").decode()
    yield from (f"{none}.{body}.", f"{none}.{body}.{token}", f"v1.{token}", "null", "undefined", "{}", "[]", "0", "-1")
    # No, an empty or a zero mark, another key's name, and the form that tokens had first.
    for other in ("", "0" * 32, mac.upper(), mac[:-1], hashlib.blake2b(octets, digest_size=16).hexdigest()):
        if other != mac:
            yield f"{begins}.{number}.{other}"
    yield f"{_coded(b'2' + octets[1:])}.{number}.{mac}"
    payload = b"\x1f".join([octets[:1], number.encode(), octets[2:]])
    for before in (b"", bytes(16), mark, hashlib.blake2b(payload, digest_size=16).digest()):
        yield _coded(before + payload)
    for size in (1, 15, 16, 17):
        yield _coded(bytes(size))


def _coded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _flipped(octets: bytes, bit: int) -> bytes:
    changed = bytearray(octets)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_link_that_was_changed_does_anything(readers: ReadingSite) -> None:
    tokens = good(readers)
    before = rows(readers)
    pages = set()
    for place in PLACES:
        # Each of them where one click acts; elsewhere some of each kind: it is one reading for all.
        others = [each for each in forged(tokens[place]) if each not in ("", tokens[place])]
        for token in others[:: 1 if place == "u" else 9]:
            fields = {"List-Unsubscribe": "One-Click", "action": "leave all"}
            answer = readers.post(f"/{place}/{token}", fields)
            assert answer.status_code == (400 if "%00" in token else 404), (place, token, answer.text)
            pages |= {answer.text.partition("nonce")[0]} if answer.status_code == 404 else set()
    assert rows(readers) == before
    assert len(pages) <= 2, "one answer for all that are not ours; a stroke in it makes another path"


def test_no_link_is_good_for_another_purpose(readers: ReadingSite) -> None:
    tokens = good(readers)
    before = rows(readers)
    for place in PLACES:
        for name, token in tokens.items():
            if name != place:
                shown = readers.get(f"/{place}/{token}")
                answer = readers.post(f"/{place}/{token}", {"List-Unsubscribe": "One-Click", "action": "leave all"})
                if (place, name) == ("u", "test"):
                    # The way out of a test send leads to a page that says so, and nowhere else.
                    assert shown.status_code == answer.status_code == 200 and "<button" not in answer.text
                else:
                    assert shown.status_code == answer.status_code == 404, (place, name)
    # The form's own proof of age is of that purpose, too.
    for token in tokens.values():
        answer = readers.post("/subscribe", {"email": "x@post.example", "newsletter": "morning", "form": token})
        assert answer.status_code == 200 and "<button" in answer.text
    assert rows(readers) == before


def test_only_our_keys_count_the_old_ones_for_ever(readers: ReadingSite) -> None:
    tokens = good(readers)
    person = readers.person()
    with readers.site.database.read() as connection:
        keys = list_signing_keys(connection)
    strangers = [
        TokenSigner([(keys[-1][0], b"another site's own secret of 32.")]),
        TokenSigner([(99, b"another site's own secret of 32.")]),
        TokenSigner([(99, keys[-1][1])]),
        TokenSigner([(keys[-1][0], keys[-1][1][:-1])]),
    ]
    before = rows(readers)
    for stranger in strangers:
        for place, purpose in PLACES.items():
            parts: tuple[Any, ...] = (person.id, "morning", 1)
            assert readers.post(f"/{place}/{stranger.sign(purpose, *parts)}").status_code == 404
    assert rows(readers) == before
    # Strange parts under our own key, as a newer program might have written them: refused, not a failure.
    signer = readers.site.signer()
    strange: list[tuple[Any, ...]] = [(), (1,), ("x", "y", "z"), ("٣", "morning", 1), (2**70, "morning", 1)]
    strange += [(1, "morning", 1, 1), ("-1", "", ""), (9**9, "nothing", 1), (9**9, "morning", 1)]
    strange += [("a", "9" * 20, "x", "y"), ("a", "x", "x", "y"), ("a", "1", "x", "nothing")]
    for parts in strange:
        for place, purpose in PLACES.items():
            path = f"/{place}/{signer.sign(purpose, *parts)}"
            for answer in (readers.get(path), readers.post(path)):
                assert answer.status_code in (200, 404, 410), (parts, place, answer.text)
    assert rows(readers) == before
    with readers.site.database.write() as connection:
        newer = {"secret": b"a newer key of 32 octets, for now", "created_at": readers.now}
        connection.execute(sa.insert(tables.signing_keys).values(**newer))
    assert readers.site.signer().sign("unsubscribe", person.id, "morning", 1) != tokens["u"]
    assert readers.post(f"/u/{tokens['u']}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert readers.statuses() == {"morning": "left", "evening": "active"}


def test_the_time_of_an_answer_tells_no_part_of_a_link(readers: ReadingSite) -> None:
    """A first octet that is right takes no longer than one that is wrong."""
    token = good(readers)["p"]
    octets = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))

    def near(place: int) -> str:
        changed = bytearray(octets)
        changed[place] ^= 1
        return base64.urlsafe_b64encode(changed).rstrip(b"=").decode()

    times: dict[int, list[float]] = {0: [], 15: []}
    for _ in range(60):
        for place, taken in times.items():
            began = time.process_time()
            assert readers.get(f"/p/{near(place)}").status_code == 404
            taken.append(time.process_time() - began)
    first, last = (statistics.median(each) for each in times.values())
    assert 0.5 < first / last < 2, (first, last)


def test_a_preview_is_for_who_is_signed_in(hostile: HostileSite) -> None:
    stranger = hostile.web.stranger()
    for path in ("mail.html", "mail.txt", "live", "figures", ""):
        answer = stranger.get(f"/console/issues/{hostile.issues['draft']}/{path}".rstrip("/"), allow_redirects=False)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/console/sign-in")
    # What it links to is inert: the unsubscribe link in it unsubscribes nobody.
    mail = hostile.web.client("editor").get(f"/console/issues/{hostile.issues['draft']}/mail.html").text
    before = rows(hostile.web)
    for link in {each.partition('"')[0] for each in mail.split('href="https://news.example.com')[1:]}:
        if link.startswith(("/u/", "/p/")):
            hostile.web.stranger().post(link, data={"List-Unsubscribe": "One-Click", "action": "leave all"})
    assert rows(hostile.web) == before


# --- reports of the mail API -------------------------------------------------------------------------------------


@pytest.fixture
def reported(_migrated_sqlite: Any, tmp_path: Any) -> Iterator[ReadingSite]:
    import shutil

    shutil.copyfile(_migrated_sqlite, tmp_path / "syndicate.db")
    mail = {"API": "resend", "API_KEY": "key", "WEBHOOK_SECRET": SECRET}
    environ = {f"SYNDICATE_MAIL__{name}": value for name, value in mail.items()}
    with reading_site(tmp_path / "site", f"sqlite:///{tmp_path / 'syndicate.db'}", environ=environ) as site:
        site.join()
        with site.site.database.write() as connection:
            accepted = {"api": "resend", "vendor_id": "e1", "state": "accepted"}
            connection.execute(sa.update(tables.transactional_mails).values(**accepted))
        yield site


def test_a_report_that_nobody_signed_is_not_taken(reported: ReadingSite) -> None:
    body = json.dumps({"type": "email.complained", "data": {"email_id": "e1", "to": [ANN]}}).encode()
    now = reported.now
    right = signed(body, now)
    signature = right["svix-signature"]
    other = "whsec_" + base64.b64encode(b"another secret than the right one").decode()
    wrong: list[dict[str, str]] = [
        {},
        {"svix-id": right["svix-id"]},
        {**right, "svix-signature": ""},
        {**right, "svix-signature": "v1,"},
        {**right, "svix-signature": signature[:-4]},
        {**right, "svix-signature": signature.replace("v1,", "v2,")},
        {**right, "svix-signature": signature.replace("v1,", "v1a,")},
        {**right, "svix-signature": signature.replace("v1,", "")},
        {**right, "svix-signature": "v1,é"},
        {**right, "svix-signature": " ".join(["v1,AAAA"] * 30) + f" {signature}"},
        {**right, "svix-id": "msg_2"},
        {**right, "svix-timestamp": str(int(now.timestamp()) + 1)},
        {**right, "svix-timestamp": f"{int(now.timestamp())}.0"},
        {**right, "svix-timestamp": "9" * 40},
        {**right, "svix-timestamp": "-1"},
        {**right, "svix-timestamp": "٣"},
        signed(body, now, secret=other),
        signed(body, now - timedelta(minutes=6)),
        signed(body, now + timedelta(minutes=6)),
        signed(body + b" ", now),
    ]
    before = rows(reported)
    for headers in wrong:
        encoded = {name: value.encode("utf-8") for name, value in headers.items()}
        answer = reported.post("/webhooks/resend", body, headers=encoded)
        assert answer.status_code == 401, (headers, answer.text)
    query = "&".join(f"{name}={quote(value)}" for name, value in right.items())
    assert reported.post(f"/webhooks/resend?{query}", body).status_code == 401
    assert rows(reported) == before
    assert reported.post("/webhooks/resend", body, headers=right).json() == {"results": ["suppressed"]}


def test_a_report_that_comes_again_changes_nothing_more(reported: ReadingSite) -> None:
    body = json.dumps({"type": "email.complained", "data": {"email_id": "e1", "to": [ANN]}}).encode()
    headers = signed(body, reported.now)
    assert reported.post("/webhooks/resend", body, headers=headers).json() == {"results": ["suppressed"]}
    before = rows(reported)
    for _ in range(3):
        assert reported.post("/webhooks/resend", body, headers=headers).json() == {"results": ["again"]}
    # Signed anew under the same id it is still the same event; an old recording is refused.
    reported.now += timedelta(minutes=4)
    assert reported.post("/webhooks/resend", body, headers=signed(body, reported.now)).json() == {"results": ["again"]}
    reported.now += timedelta(minutes=2)
    assert reported.post("/webhooks/resend", body, headers=headers).status_code == 401
    assert rows(reported) == before


# --- programs' tokens --------------------------------------------------------------------------------------------


@pytest.fixture
def pushing(web_site: WebSite) -> str:
    """The token of a program, on a site with a source to push to."""
    settings = web_site.site.directory / "syndicate.toml"
    assert settings.exists()
    return create_token(web_site.site.database, "cms", source="", actor="Ada", random=b"t" * 32, now=web_site.now)


def call(web_site: WebSite, headers: dict[str, str], **more: Any) -> requests.Response:
    return requests.get(f"{web_site.url}/api/v1/articles/1", headers=headers, timeout=60, **more)


def test_a_programs_token_is_a_header_and_nothing_else(web_site: WebSite, pushing: str) -> None:
    let_in = call(web_site, {"Authorization": f"Bearer {pushing}"})
    assert (let_in.status_code, "push" in let_in.text) == (404, True)
    ways: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({}, {"params": {"access_token": pushing, "token": pushing, "Authorization": f"Bearer {pushing}"}}),
        ({"Cookie": f"token={pushing}; Authorization=Bearer {pushing}"}, {}),
        ({"X-API-Key": pushing}, {}),
        ({"Authorization": pushing}, {}),
        ({"Authorization": f"Token {pushing}"}, {}),
        ({"Authorization": f"Basic {base64.b64encode(f':{pushing}'.encode()).decode()}"}, {}),
        ({"Authorization": f"Bearer {pushing}x"}, {}),
        ({"Authorization": f"Bearer {pushing} {pushing}"}, {}),
        ({"Authorization": f"Bearer {pushing.swapcase()}"}, {}),
        ({"Authorization": "Bearer " + "syndicate_" + "A" * 10_000}, {}),
        ({"Authorization": f"Bearer {pushing.replace('syndicate_', '')}"}, {}),
        ({"Authorization": f"Bearer {hash(pushing)}"}, {}),
    ]
    for headers, more in ways:
        answer = call(web_site, headers, **more)
        assert answer.status_code == 401, (headers, more)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert pushing not in answer.text
    with web_site.site.database.read() as connection:
        kept = connection.execute(sa.select(tables.api_tokens.c.token_hash)).scalar_one()
    assert call(web_site, {"Authorization": f"Bearer {kept}"}).status_code == 401
    revoke_token(web_site.site.database, "cms", actor="Ada", now=web_site.now)
    web_site.clock.pass_by(timedelta(minutes=10))
    assert call(web_site, {"Authorization": f"Bearer {pushing}"}).status_code == 401


def test_a_token_of_another_scope_pushes_nothing(web_site: WebSite, pushing: str) -> None:
    with web_site.site.database.write() as connection:
        connection.execute(sa.update(tables.api_tokens).values(scope="look"))
    answer = call(web_site, {"Authorization": f"Bearer {pushing}"})
    assert answer.status_code == 403
    assert "insufficient_scope" in answer.headers["www-authenticate"]
    # Nor does it open any page of the console.
    console = requests.get(
        f"{web_site.url}/console/", headers={"Authorization": f"Bearer {pushing}"}, timeout=60, allow_redirects=False
    )
    assert console.status_code == 303


def test_no_token_is_ever_written_down(
    web_site: WebSite, pushing: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in the database nor in any log, also when something goes wrong."""
    caplog.set_level(0)
    headers = {"Authorization": f"Bearer {pushing}"}
    call(web_site, headers)
    call(web_site, {}, params={"access_token": pushing})
    requests.post(f"{web_site.url}/api/v1/articles", data=b"{", headers=headers, timeout=60)
    requests.post(f"{web_site.url}/api/v1/articles", json={"id": pushing[:5]}, headers=headers, timeout=60)
    raw.get(web_site.url, f"/api/v1/articles/{pushing}%zz", f"Authorization: Bearer {pushing}")
    shown = capfd.readouterr()
    # But for what the test's own client says of itself, and for a log that is switched off, which pytest hears still.
    access = logging.getLogger("uvicorn.access")
    assert not access.propagate and {type(each).__name__ for each in access.handlers} <= {"LogCaptureHandler"}
    silent = ("urllib3", access.name)
    told = "\n".join(each.getMessage() for each in caplog.records if not each.name.startswith(silent))
    session = web_site.client("admin").cookies["syndicate"]
    for secret in (pushing, pushing.removeprefix("syndicate_"), session):
        assert secret not in told + shown.out + shown.err
    with web_site.site.database.read() as connection:
        for table in tables.metadata.sorted_tables:
            if table.name != "audit_log":
                for row in connection.execute(sa.select(table)):
                    assert pushing not in repr(row) and session not in repr(row), table.name


def test_too_many_requests_are_told_to_wait(web_site: WebSite, pushing: str) -> None:
    good_headers = {"Authorization": f"Bearer {pushing}"}
    first = call(web_site, good_headers)
    assert first.headers["ratelimit-policy"] == '"token";q=600;w=60'
    assert first.headers["ratelimit"] == '"token";r=599;t=1'
    with web_site.site.database.write() as connection:
        connection.execute(
            sa.update(tables.rate_limits)
            .where(tables.rate_limits.c.key == "api-token:1")
            .values(tat=web_site.now + timedelta(seconds=60))
        )
    for method in ("GET", "POST", "DELETE"):
        path = "/api/v1/articles" + ("" if method == "POST" else "/1")
        late = requests.request(method, web_site.url + path, headers=good_headers, timeout=60)
        assert late.status_code == 429
        assert late.headers["retry-after"] == "1"
        assert late.headers["ratelimit"] == '"token";r=0;t=60'
        assert late.json()["error"]["cure"] == "Wait 1 seconds."
    web_site.clock.pass_by(timedelta(seconds=1))
    assert call(web_site, good_headers).status_code == 404
    # Without a good token the network counts, whatever is shown.
    tries = [call(web_site, {"Authorization": f"Bearer {number}"}) for number in range(31)]
    assert [each.status_code for each in tries] == [401] * 30 + [429]
    assert tries[-1].headers["retry-after"] == "10" and "ratelimit" not in tries[-1].headers
    assert call(web_site, {}).status_code == 429
    assert call(web_site, good_headers).status_code == 404
    assert call(web_site, {"X-Forwarded-For": "198.51.100.1"}).status_code == 401


def test_the_limits_are_in_the_description(web_site: WebSite) -> None:
    described = requests.get(f"{web_site.url}/api/v1/openapi.json", timeout=60).json()
    for methods in described["paths"].values():
        for operation in methods.values():
            assert set(operation["responses"]["429"]["headers"]) == {"Retry-After", "RateLimit", "RateLimit-Policy"}
            assert {"RateLimit", "RateLimit-Policy"} <= set(operation["responses"]["200"]["headers"])


