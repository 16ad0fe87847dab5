"""Lists of suppressions: whose they are is told by their columns, however these are written, and nothing opens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.reader_steps import OWN_SUPPRESSION
from syndicate.core.vendor_suppressions import (
    SHAPES,
    VENDORS,
    flat,
    is_news,
    plain,
    read_row,
    recognise,
    records,
)
from syndicate.errors import BadInput

ANN = "Ann@post.example"

LISTS: dict[str, list[tuple[dict[str, Any], str | None]]] = {
    "postmark suppressions": [
        ({"EmailAddress": ANN, "SuppressionReason": "HardBounce", "Origin": "Recipient", "CreatedAt": "x"}, "bounce"),
        ({"EmailAddress": ANN, "SuppressionReason": "SpamComplaint", "Origin": "Recipient"}, "complaint"),
        ({"EmailAddress": ANN, "SuppressionReason": "ManualSuppression", "Origin": "Recipient"}, "unsubscribe"),
        ({"EmailAddress": ANN, "SuppressionReason": "ManualSuppression", "Origin": "Customer"}, "import"),
    ],
    "ses suppressed destinations": [
        ({"EmailAddress": ANN, "Reason": "BOUNCE", "LastUpdateTime": "2026-01-01T00:00:00Z"}, "bounce"),
        ({"EmailAddress": ANN, "Reason": "COMPLAINT", "LastUpdateTime": 1795166942.5}, "complaint"),
    ],
    "sparkpost suppression list": [
        ({"recipient": ANN, "type": "transactional", "source": "Bounce Rule", "transactional": True}, "bounce"),
        ({"recipient": ANN, "type": "non_transactional", "source": "Spam Complaint"}, "complaint"),
        ({"recipient": ANN, "type": "non_transactional", "source": "List Unsubscribe"}, "unsubscribe"),
        ({"recipient": ANN, "type": "non_transactional", "source": "Unsubscribe Link"}, "unsubscribe"),
        ({"recipient": ANN, "type": "non_transactional", "source": "Manually Added"}, "import"),
        ({"recipient": ANN, "type": "non_transactional", "source": "Compliance"}, "import"),
        ({"recipient": ANN, "type": "transactional", "description": "so it is"}, "import"),
    ],
    "brevo blocked contacts": [
        ({"email": ANN, "senderEmail": "a@b.example", "reason": {"code": "hardBounce"}, "blockedAt": "x"}, "bounce"),
        ({"email": ANN, "senderEmail": "", "reason": {"code": "contactFlaggedAsSpam", "message": ""}}, "complaint"),
        ({"email": ANN, "senderEmail": "", "reason": {"code": "unsubscribedViaMA"}}, "unsubscribe"),
        ({"email": ANN, "senderEmail": "", "reason": {"code": "unsubscribedViaEmail"}}, "unsubscribe"),
        ({"email": ANN, "senderEmail": "", "reason": {"code": "adminBlocked"}}, "import"),
        ({"Email": ANN, "Blocked at": "x", "Reason": "Unsubscribed via email"}, "unsubscribe"),
    ],
    "brevo contacts": [
        ({"EMAIL": ANN, "emailBlacklisted": True, "id": 4}, "unsubscribe"),
        ({"EMAIL": ANN, "emailBlacklisted": False, "id": 4}, None),
    ],
    "mailjet contacts": [
        ({"Email": ANN, "IsExcludedFromCampaigns": True, "ID": 7, "CreatedAt": "x"}, "unsubscribe"),
        ({"Email": ANN, "IsExcludedFromCampaigns": "false"}, None),
        ({"Email": ANN, "IsUnsubscribed": "true"}, "unsubscribe"),
    ],
    "resend suppressions": [
        ({"id": "1", "email": ANN, "origin": "bounce", "source_id": "2", "created_at": "x"}, "bounce"),
        ({"id": "1", "email": ANN, "origin": "complaint", "source_id": None}, "complaint"),
        ({"id": "1", "email": ANN, "origin": "manual", "source_id": None}, "import"),
    ],
    "resend contacts": [
        ({"id": "1", "email": ANN, "first_name": "", "created_at": "x", "unsubscribed": True}, "unsubscribe"),
        ({"id": "1", "email": ANN, "first_name": "", "created_at": "x", "unsubscribed": "false"}, None),
    ],
    "mailgun bounces": [
        ({"address": ANN, "code": "550", "error": "5.1.1 no such user", "created_at": "x"}, "bounce"),
        ({"address": ANN, "code": 605, "error": "", "created_at": "x"}, "bounce"),
        ({"address": ANN, "code": "552", "error": "5.2.2 mailbox full", "created_at": "x"}, None),
        ({"address": ANN, "code": "550", "error": "550 5.7.1 blocked by policy", "created_at": "x"}, None),
    ],
    "mailgun unsubscribes": [({"address": ANN, "tags": ["*"], "created_at": "x", "id": "1"}, "unsubscribe")],
    "mailgun complaints": [({"address": ANN, "created_at": "x"}, "complaint")],
    "sendgrid bounces": [
        ({"status": "5.1.1", "reason": "550 no such user", "email": ANN, "created": 1250337600}, "bounce"),
        ({"status": "4.2.2", "reason": "over quota", "email": ANN, "created": 1250337600}, None),
        ({"status": "5.7.1", "reason": "blocked", "email": ANN, "created": 1250337600}, None),
        ({"status": "550", "reason": "550 refused", "email": ANN, "created": 1250337600}, "bounce"),
        ({"status": "550", "reason": "550 listed by a blocklist", "email": ANN, "created": 1250337600}, None),
        ({"status": "4.0.0", "reason": "dial tcp: i/o timeout", "email": ANN, "created": 1250337600}, None),
    ],
    "sendgrid invalid emails": [({"reason": "Mail domain is unknown", "email": ANN, "created": 1}, "bounce")],
    "sendgrid spam reports": [({"ip": "192.0.2.1", "email": ANN, "created": 1}, "complaint")],
    "sendgrid unsubscribes": [({"email": ANN, "created": 1}, "unsubscribe")],
}
ROWS = [(name, row, why) for name, rows in LISTS.items() for row, why in rows]


@pytest.mark.parametrize(("name", "row", "why"), ROWS, ids=str)
def test_each_list_is_known_by_its_columns_and_read(name: str, row: dict[str, Any], why: str | None) -> None:
    shape = recognise(list(flat(row)))
    assert shape.name == name
    listed = read_row(shape, flat(row))
    assert (listed.address, listed.why) == ("ann@post.example", why)
    assert recognise(list(flat(row)), shape.vendor).vendor == shape.vendor


def test_every_list_that_is_known_has_a_sample() -> None:
    assert {shape.name for shape in SHAPES if shape.kind != "list"} == set(LISTS)


@given(st.sampled_from(ROWS), st.data())
def test_neither_order_nor_spelling_of_columns_matters(
    one: tuple[str, dict[str, Any], str | None], data: st.DataObject
) -> None:
    name, row, _ = one
    spell = [str.upper, str.lower, str.title, lambda column: f" {column.replace('_', ' ')} ", lambda column: column]
    columns = [data.draw(st.sampled_from(spell))(column) for column in data.draw(st.permutations(list(flat(row))))]
    assert recognise(columns).name == name


@given(st.lists(st.text(max_size=20), max_size=6), st.sampled_from(["", *VENDORS]))
def test_columns_are_known_or_refused_with_a_cure(columns: list[str], vendor: str) -> None:
    try:
        shape = recognise(columns, vendor)
    except BadInput as refused:
        assert refused.cure
        assert not vendor or vendor in refused.message
        return
    assert shape.needs <= {plain(column) for column in columns}
    assert not vendor or shape.vendor == vendor


def test_a_console_with_words_of_its_own_is_read_when_the_vendor_is_said() -> None:
    columns = ["email", "reason", "date"]
    with pytest.raises(BadInput, match="no list of suppressions") as refused:
        recognise(columns)
    assert "--vendor" in refused.value.cure
    shape = recognise(columns, "brevo")
    words = {"Hard bounce": "bounce", "Spam": "complaint", "Unsubscribed": "unsubscribe", "Soft bounce": None}
    assert {word: read_row(shape, {"email": ANN, "reason": word}).why for word in words} == words
    assert read_row(shape, {"email": ANN, "reason": "what is new"}).why == "import"


_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(ROWS), _json, st.data())
def test_whatever_stands_in_a_row_it_is_read_or_refused(
    one: tuple[str, dict[str, Any], str | None], value: Any, data: st.DataObject
) -> None:
    changed = {**one[1], data.draw(st.sampled_from(sorted(one[1]))): value}
    shape = next(shape for shape in SHAPES if shape.name == one[0])
    try:
        listed = read_row(shape, flat(changed))
    except ValueError as error:
        assert 0 < len(str(error)) < 500
        return
    assert "@" in listed.address
    assert listed.why in (None, "bounce", "complaint", "unsubscribe", "import")


@pytest.mark.parametrize("email", ["", " ", "nobody", "a@b@c", "ann@post.example\nbcc: x", "ann@gmial,com"])
def test_what_is_no_address_is_said(email: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_row(recognise(["email", "created"]), {"email": email})


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        ([{"a": 1}, {"a": 2}], 2),
        ({"Suppressions": [{"a": 1}]}, 1),
        ({"items": [], "paging": {}}, 0),
        ({"SuppressedDestinationSummaries": [{}, {}], "NextToken": "x"}, 2),
        ({"email": "x"}, 1),
        (7, 1),
    ],
)
def test_an_answer_of_an_api_holds_its_rows(document: Any, rows: int) -> None:
    assert len(records(document)) == rows


@pytest.mark.parametrize("record", [7, None, "x", [1]])
def test_what_is_no_row_is_said(record: Any) -> None:
    with pytest.raises(ValueError, match="not a row"):
        flat(record)


REASONS = st.sampled_from(["", "manual", "complaint", "bounce", "unreachable", "unsubscribe", "erased", "import"])


@given(REASONS, st.lists(st.sampled_from(["bounce", "complaint", "unsubscribe", "import"])))
def test_nothing_is_opened_and_the_second_time_changes_nothing(before: str, whys: list[Any]) -> None:
    reason = before
    for why in whys:
        if is_news(reason, why):
            assert reason in ("", OWN_SUPPRESSION)
            reason = why
    assert bool(reason) >= bool(before)
    assert before in ("", OWN_SUPPRESSION) or reason == before
    assert not any(is_news(reason, why) for why in whys)
