"""Bodies that anybody may send to `/webhooks/…`, and a mail API that has lost its way: each gets a plain answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.mail import ADAPTERS
from syndicate.mail.events import WEBHOOKS
from syndicate.storage import tables
from tests.mail.events.amazon import envelope
from tests.mail.events.signing import VENDORS
from tests.web.reading_site import ReadingSite, reading_site
from tests.web.test_webhooks import OPENED

HOSTILE = (
    b"NaN",
    b"-Infinity",
    b'"\xff"',
    b'"\x00"',
    b"01",
    b"9" * 5_000,
    b"[" * 100_000,
    b"9" * 400,
    b"-" + b"9" * 4_300,
    b"1e999",
    b"1e-999",
    b'"\\ud800\\u0000"',
    b'"x" , "email": "other@post.example", "email": "x"',
    b'"0001-01-01T00:00:00+14:00"',
    b'"9999-12-31T23:59:59-14:00"',
    b'"%b"' % (b"9" * 4_400),
    *(b"[" * deep + b"1" + b"]" * deep for deep in (199, 250, 450, 600, 900)),
    *(b'{"a":' * deep + b'"\\ud800"' + b"}" * deep for deep in (150, 250, 450, 600, 900)),
)
"""As they stand in JSON: too large, too deep, of no time, no text, twice."""
HELD = '"held"'

apis = pytest.mark.parametrize("api", sorted(WEBHOOKS.keys() & ADAPTERS.keys()))


@pytest.fixture
def site(tmp_path: Path, database_url: str, api: str) -> Iterator[ReadingSite]:
    environ = {
        "SYNDICATE_MAIL__API": api,
        "SYNDICATE_MAIL__API_KEY": "key:secret",
        "SYNDICATE_MAIL__WEBHOOK_SECRET": VENDORS[api].secret,
    }
    with reading_site(tmp_path / "site", database_url, environ=environ) as site:
        site.sign_up()
        mails = tables.transactional_mails
        with site.site.database.write() as connection:
            connection.execute(sa.update(mails).values(api=api, vendor_id="e1", state="accepted"))
        yield site


def with_one_held(told: Any) -> Iterator[str]:
    """The JSON of it, once for each of its values, with that value held for another."""
    for place in told if isinstance(told, dict) else range(len(told)):
        inner = told[place]
        changed = [HELD.strip('"'), *([json.loads(each) for each in with_one_held(inner)] if _holds(inner) else [])]
        for other in changed:
            copy = dict(told) if isinstance(told, dict) else list(told)
            copy[place] = other
            yield json.dumps(copy)


def _holds(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


@apis
def test_a_report_with_anything_in_any_place_is_read_or_refused(site: ReadingSite, api: str) -> None:
    # With every moment that a vendor tells of.
    moments = dict.fromkeys(("ts_event", "timestamp", "time", "BouncedAt", "created_at", "reason", "link"), "x")
    told = json.loads(json.dumps(OPENED[api]))
    event = told[0] if isinstance(told, list) else told
    (event["msys"]["message_event"] if api == "sparkpost" else event).update(moments)
    bodies = list(with_one_held(told))
    # Then what cannot be read proves nothing.
    in_the_body = not VENDORS[api].in_headers
    for text in HOSTILE:
        for body in (text, *(each.encode().replace(HELD.encode(), text) for each in bodies)):
            proved, headers = VENDORS[api].prove(body, site.now)
            answer = site.post(f"/webhooks/{api}", proved, headers=headers)
            assert answer.status_code in ((200, 400, 401) if in_the_body else (200, 400)), body[:300]
            assert site.post(f"/webhooks/{api}", body).status_code == 401
    body, headers = VENDORS[api].prove(json.dumps(OPENED[api]).encode(), site.now)
    assert site.post(f"/webhooks/{api}", body, headers=headers).status_code == 200
    # And all that was kept can be read.
    with site.site.database.read() as connection:
        assert connection.execute(sa.select(tables.events)).all()


@pytest.mark.parametrize("api", ["mailgun", "ses"])
def test_a_proof_with_anything_in_any_place_of_it_is_none(site: ReadingSite, api: str) -> None:
    if api == "mailgun":
        body = VENDORS[api].prove(json.dumps(OPENED[api]).encode(), site.now)[0]
        told = {"signature": json.loads(body)["signature"]}
    else:
        # Its certificate is known by then, as after any report.
        VENDORS[api].prove(b"{}", site.now)
        told = {**envelope("{}", site.now), "Signature": "AAAA"}
    for body in [each.encode() for each in with_one_held(told)]:
        for text in HOSTILE:
            assert site.post(f"/webhooks/{api}", body.replace(HELD.encode(), text)).status_code == 401, body
