"""Looks whether live mail may go out: the settings, the web's own unsubscribe test, and an issue's readers."""

from __future__ import annotations

import secrets
from datetime import datetime

from syndicate.core.live_mail import settings_faults, standing_of_test
from syndicate.core.publication import Publication, Sender
from syndicate.core.token import TokenSigner
from syndicate.errors import BadInput
from syndicate.http import Client, Failure
from syndicate.storage import instance
from syndicate.storage.audience import MOST_SAMPLES, count_sample_readers
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue

PURPOSE = "web test"
"""What the web signs a nonce for, to prove that it is this very site."""

DEADLINE_SECONDS = 10.0


def live_faults(
    database: Database,
    *,
    publication: Publication,
    sender: Sender,
    api_url: str,
    signer: TokenSigner,
    now: datetime,
    client: Client | None = None,
) -> list[str]:
    """Everything that forbids live mail now, one sentence each; empty when it may go out. A test that passed is
    remembered."""
    faults = settings_faults(publication, sender, api_url)
    if not faults:
        faults += _web(database, publication.web_url, signer, now, client)
    return faults


def sample_readers(database: Database, issue_id: int, now: datetime) -> list[str]:
    """A sentence when the issue would go to sample readers; else empty."""
    with database.read() as connection:
        readers = count_sample_readers(connection, get_issue(connection, issue_id), now)
    if not readers:
        return []
    told = "1 reader is a sample" if readers == 1 else f"{readers:,} readers are samples"
    if readers == MOST_SAMPLES:
        told = f"{readers:,} readers or more are samples"
    return [f"{told} in issue {issue_id}, such as under example.com: erase or suppress them."]


def _web(database: Database, url: str, signer: TokenSigner, now: datetime, client: Client | None) -> list[str]:
    with database.read() as connection:
        state = standing_of_test(instance.web_tested(connection), url, now)
    if state == "fresh":
        return []
    fault = try_web(url, signer, client)
    if not fault:
        with database.write() as connection:
            instance.remember_web_test(connection, url, now)
    return [fault] if fault and state == "over" else []


def try_web(url: str, signer: TokenSigner, client: Client | None = None) -> str:
    """Asks `[web] url` to prove that it is this site and takes an unsubscribing POST, with a token that is inert; ""
    when it does, else why not. Goes to public addresses only, follows no redirect, checks certificates."""
    client = client or Client(deadline_seconds=DEADLINE_SECONDS, max_answer_bytes=100_000, public_only=True)
    nonce = secrets.token_urlsafe(24)
    proof = client.get(f"{url}/.well-known/syndicate/{nonce}")
    if isinstance(proof, Failure):
        return f"{url} does not answer its own test: {proof.why}."
    try:
        known = proof.status == 200 and signer.read(PURPOSE, proof.body.decode("ascii", "replace")) == (nonce,)
    except BadInput:
        known = False
    if not known:
        return f"{url} is answered by something else than this site (status {proof.status})."
    token = signer.sign("test", 0, "test", nonce)
    left = client.post(
        f"{url}/u/{token}",
        b"List-Unsubscribe=One-Click",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    if isinstance(left, Failure):
        return f"{url} takes no unsubscribing: {left.why}."
    if left.status != 200:
        return f"{url} answers an unsubscribing POST with status {left.status}, not with 200 at once (RFC 8058)."
    return ""
