"""Settling: what an answer, a proof that comes late, or a decision makes of a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.batch import Step, after_a_run, check_step, halves, pieces
from syndicate.storage import tables
from syndicate.storage.batches import (
    BATCH_COLUMNS,
    Batch,
    Claim,
    change_batches,
    insert_batch,
    lock_batch,
    lock_batches,
    note,
    put_outcomes,
    read_batches,
    set_columns,
    set_state,
)
from syndicate.storage.issues import get_issue, move_issue
from syndicate.storage.proofs import prove
from syndicate.storage.rate_limits import take_turn

_batches = tables.batches
_outcomes = tables.recipient_outcomes
_log = tables.batch_log


def settle(connection: Connection, issue_id: int, settled: Sequence[tuple[Claim, Step]], now: datetime) -> list[bool]:
    """Records what became of posted requests; tells for each whether it was still this owner's to settle.

    A claim that was taken away meanwhile changes nothing, but for a proof: that of acceptance counts whoever brings it,
    and that it was surely not accepted while nobody has claimed it since and the issue is not closed: then it stays for
    a person to decide. A step that pauses the issue does so in the same transaction."""
    reasons = [step.pause for _, step in settled if step.pause]
    is_closed = False
    if reasons or any(_is_certain(claim, step) for claim, step in settled):
        # Before the batches, as everybody does who holds both.
        issue = get_issue(connection, issue_id, lock=True)
        is_closed = issue.state == "sent"
        if reasons and issue.state == "sending":
            move_issue(connection, issue, "paused", why=reasons[0])
    result = {}
    locked = lock_batches(connection, [claim.batch.id for claim, _ in settled])
    plain = _settle_plainly(connection, settled, locked, now)
    for claim, step in sorted(settled, key=lambda pair: pair[0].batch.id):
        held = locked[claim.batch.id]
        ours = held.state == "sending" and held.fence == claim.batch.fence
        result[claim.batch.id] = ours
        if claim.batch.id in plain:
            continue
        if ours:
            _replace_outcomes(connection, claim, step, now)
            _move(connection, held, step, now, claim)
            if step.state == "uncertain":
                _prove_a_part(connection, claim, step, step.why)
        elif step.state == "accepted":
            _prove(connection, held, claim, step, now)
        else:
            _prove_a_part(connection, claim, step, f"a late answer shows it: {step.why}")
            late = replace(held, generation=claim.batch.generation)
            note(connection, late, "late", f"a late answer: {step.why}", now, claim.batch.worker_id)
            if (
                held.state == "uncertain"
                and held.fence == claim.batch.fence
                and _is_certain(claim, step)
                and not is_closed
            ):
                again = Step("retry", f"a late answer: {step.why}", retry_at=step.retry_at or now)
                _move(connection, held, again, now)
    return [result[claim.batch.id] for claim, _ in settled]


def _is_certain(claim: Claim, step: Step) -> bool:
    """Whether a late answer tells that nobody in the request has it: the only one of its generation, it was surely not
    accepted."""
    said = step.state in ("planned", "retry", "refused", "split") and not step.vendor_ids and not step.not_taken
    return said and not claim.replay


def _settle_plainly(
    connection: Connection, settled: Sequence[tuple[Claim, Step]], locked: Mapping[int, Batch], now: datetime
) -> set[int]:
    """Settles in one statement those that were accepted with nothing to tell of anybody in them; returns their ids."""
    plain = {}
    for claim, step in settled:
        held = locked[claim.batch.id]
        ours = held.state == "sending" and held.fence == claim.batch.fence
        if ours and step == Step("accepted", step.why, vendor_ids=step.vendor_ids) and not claim.excluded:
            plain[held.id] = (held, step)
    own = sa.select(_outcomes.c.batch_id).where(_outcomes.c.batch_id.in_(list(plain))).distinct()
    for batch_id in connection.execute(own).scalars():
        del plain[batch_id]
    rows = [
        {
            "batch_id": held.id,
            "held_fence": held.fence,
            "state": "accepted",
            "settled_at": now,
            "retry_at": None,
            "why": held.proof,
            "proof": "",
            "vendor_ids": list(step.vendor_ids),
        }
        for held, step in plain.values()
    ]
    change_batches(connection, _SETTLED, rows)
    return set(plain)


_SETTLED = ("state", "settled_at", "retry_at", "why", "proof", "vendor_ids")


def _prove(connection: Connection, held: Batch, claim: Claim, step: Step, now: datetime) -> None:
    """A late acceptance: monotone, whatever the batch has become since."""
    late = replace(step, why=f"a late answer shows it: {step.why}")
    if held.state == "accepted":
        return
    if held.state == "split":
        children = sa.select(*BATCH_COLUMNS).where(_batches.c.parent_id == held.id).order_by(_batches.c.id)
        for child in read_batches(connection, children):
            _prove(connection, lock_batch(connection, child.id), _part(claim, child), replace(late, refused={}), now)
        return
    _replace_outcomes(connection, claim, step, now)
    set_state(connection, held, "accepted", now, why=late.why, retry_at=None, vendor_ids=list(step.vendor_ids))
    note(connection, held, "accepted", late.why, now, claim.batch.worker_id)


def _prove_a_part(connection: Connection, claim: Claim, step: Step, why: str) -> None:
    """Of an answer that settles nothing it is still believed whom the API took."""
    if not step.not_taken:
        return
    left = step.not_taken | step.refused.keys()
    taken = [ordinal for place, ordinal in enumerate(claim.ordinals) if place not in left]
    if taken:
        batch = claim.batch
        prove(connection, batch.issue_id, taken, api=batch.api, all_or_nothing=False, why=why)


def _part(claim: Claim, child: Batch) -> Claim:
    inside = range(child.first, child.last + 1)
    return Claim(
        replace(child, worker_id=claim.batch.worker_id),
        tuple(ordinal for ordinal in claim.ordinals if ordinal in inside),
        {ordinal: why for ordinal, why in claim.excluded.items() if ordinal in inside},
    )


def move_unresolved(connection: Connection, batch: Batch, step: Step, now: datetime) -> bool:
    """Moves an uncertain batch as a look-up or a person decided; False when it is no longer as it was read."""
    held = lock_batch(connection, batch.id)
    if held.state != "uncertain" or held.fence != batch.fence:
        return False
    if step.state != "uncertain":
        _move(connection, held, step, now)
        if step.state == "retry":
            set_columns(connection, held.id, attempts=0)
        return True
    set_columns(connection, held.id, retry_at=step.retry_at, why=step.why, attempts=held.attempts + 1)
    if step.why != held.why:
        note(connection, held, "uncertain", step.why, now, "")
    return True


def begin_look_up(
    connection: Connection, batch: Batch, now: datetime, lease: timedelta, every: timedelta = timedelta(0)
) -> bool:
    """Leaves it to the caller to ask the record about an uncertain batch; if nothing came of it, it is anybody's when
    the lease is over. False when somebody else does so, the batch is no longer as it was read, or the record was asked
    about another less than `every` ago: then it waits for its turn."""
    held = lock_batch(connection, batch.id)
    if (held.state, held.fence, held.retry_at) != ("uncertain", batch.fence, batch.retry_at):
        return False
    wait = take_turn(connection, batch.api, batch.account, every, now)
    set_columns(connection, held.id, retry_at=now + (wait or lease))
    return not wait


def put_back(connection: Connection, issue_id: int, worker_id: str, under_way: Collection[int], now: datetime) -> int:
    """Frees what this worker has claimed of an issue and is not `under_way` (ids of batches): it was never posted, as
    after a claim whose commit was not heard of. Returns how many batches."""
    query = sa.select(*BATCH_COLUMNS).where(
        _batches.c.issue_id == issue_id,
        _batches.c.state == "sending",
        _batches.c.worker_id == worker_id,
        _batches.c.id.not_in(list(under_way)),
    )
    held = read_batches(connection, query.order_by(_batches.c.id).with_for_update())
    # The first request of a generation is posted when that begins; an earlier one may have been taken.
    ids = [batch.id for batch in held]
    firsts = sa.select(_batches.c.id).where(_batches.c.id.in_(ids), _batches.c.posted_at == _batches.c.first_posted_at)
    fresh = set(connection.execute(firsts).scalars())
    for batch in held:
        why = "claimed, but not posted"
        again = Step("planned", why, counts=False) if batch.id in fresh else Step("uncertain", why, retry_at=now)
        _move(connection, batch, again, now)
    return len(held)


def last_accepted(connection: Connection, issue_id: int) -> datetime | None:
    """When the mail API last accepted something of the issue."""
    query = sa.select(sa.func.max(_batches.c.settled_at)).where(
        _batches.c.issue_id == issue_id, _batches.c.state == "accepted", _batches.c.recipients > 0
    )
    moment: datetime | None = connection.execute(query).scalar_one()
    return moment


def hand_back(connection: Connection, issue_id: int, since: datetime | None, now: datetime) -> int:
    """Plans again what was refused of an issue since anything of it was accepted, by whatever process, as the fault is
    rather the sender's; returns how many batches. What somebody else settles at this moment is passed over."""
    query = (
        sa.select(*BATCH_COLUMNS)
        .where(_batches.c.issue_id == issue_id, _batches.c.state == "refused")
        .order_by(_batches.c.id)
        .with_for_update(skip_locked=True)
    )
    held = read_batches(connection, query.where(_batches.c.settled_at >= since) if since else query)
    times: dict[int, int] = {}
    for start in range(0, len(held), 500):
        some = [batch.id for batch in held[start : start + 500]]
        refusals = sa.select(_log.c.batch_id, sa.func.count().label("times")).where(
            _log.c.batch_id.in_(some), _log.c.state == "refused"
        )
        times |= {row.batch_id: row.times for row in connection.execute(refusals.group_by(_log.c.batch_id))}
    done = 0
    for batch in held:
        step = after_a_run(batch.why, times.get(batch.id, 1))
        if step is not None:
            _move(connection, batch, step, now)
            done += 1
    return done


def set_aside(connection: Connection, batch: Batch, step: Step, now: datetime) -> None:
    """Moves a batch for which nothing is posted: refused, split, or accepted with nobody left in it. The caller holds
    its row as it was read."""
    _move(connection, batch, step, now)
    if step.state == "accepted":
        set_columns(connection, batch.id, recipients=0)


def _move(connection: Connection, held: Batch, step: Step, now: datetime, claim: Claim | None = None) -> None:
    if held.proof and step.state != "accepted":
        # It came before the answer, or instead of it.
        step = Step("accepted", held.proof)
    check_step(held.id, held.state, step.state)
    set_state(
        connection,
        held,
        step.state,
        now,
        why=step.why if step.state != "accepted" or step.refused else held.proof,
        retry_at=step.retry_at if step.state != "split" else None,
        proof="",
        vendor_ids=list(step.vendor_ids),
        attempts=held.attempts if step.counts else max(held.attempts - 1, 0),
    )
    if step.state == "split" and step.not_taken and claim is not None:
        _fall_into_pieces(connection, held, step, now, claim)
    elif step.state == "split":
        # Of whom it is proven that they have it goes on in the half that they fall to.
        own = _outcomes.c.batch_id == held.id
        connection.execute(sa.delete(_outcomes).where(own, _outcomes.c.outcome != "accepted"))
        for first, last in halves(held.first, held.last):
            half = insert_batch(connection, held.issue_id, first, last, revision=held.revision, parent_id=held.id)
            theirs = sa.update(_outcomes).where(own, _outcomes.c.ordinal.between(first, last))
            connection.execute(theirs.values(batch_id=half))
    if step.state != "accepted" or step.refused or held.state != "sending":
        note(connection, held, step.state, step.why, now, held.worker_id)


def _fall_into_pieces(connection: Connection, held: Batch, step: Step, now: datetime, claim: Claim) -> None:
    """Children of a batch of which the API took a part: accepted are those that it read, and the others go again."""
    own, ids = _outcomes.c.batch_id == held.id, iter(step.vendor_ids)
    carried = {
        name: getattr(held, name)
        for name in (*("generation", "api", "account", "request_key", "sha256"), "worker_id", "fence", "attempts")
    }
    moments = sa.select(_batches.c.first_posted_at, _batches.c.posted_at).where(_batches.c.id == held.id)
    carried |= connection.execute(moments).one()._mapping
    for piece in pieces(held.first, held.last, claim.ordinals, step.not_taken):
        inside = range(piece.first, piece.last + 1)
        mine = [place for place, ordinal in enumerate(claim.ordinals) if ordinal in inside]
        theirs = sa.and_(own, _outcomes.c.ordinal.between(piece.first, piece.last))
        refused = {at: step.refused[place] for at, place in enumerate(mine) if place in step.refused}
        more: dict[str, Any] = {"state": "retry" if step.retry_at else "planned", "retry_at": step.retry_at}
        if piece.taken:
            more = {**carried, "state": "accepted", "settled_at": now, "why": step.why if refused else ""}
            more |= {"recipients": len(mine), "vendor_ids": list(islice(ids, len(mine) - len(refused)))}
        child = insert_batch(
            connection, held.issue_id, piece.first, piece.last, revision=held.revision, parent_id=held.id, **more
        )
        if not piece.taken:
            # Whether they may be mailed is asked again.
            connection.execute(sa.delete(_outcomes).where(theirs, _outcomes.c.outcome != "accepted"))
        connection.execute(sa.update(_outcomes).where(theirs).values(batch_id=child))
        if piece.taken:
            part = _part(claim, replace(held, id=child, first=piece.first, last=piece.last))
            _replace_outcomes(connection, part, Step("accepted", refused=refused), now)


def _replace_outcomes(connection: Connection, claim: Claim, step: Step, now: datetime) -> None:
    """Who was left out of this very request, and whom the API turned down inside it."""
    if step.state != "accepted":
        return
    refused = {claim.ordinals[at]: why for at, why in step.refused.items() if 0 <= at < len(claim.ordinals)}
    query = sa.select(_outcomes.c.ordinal).where(
        _outcomes.c.batch_id == claim.batch.id, _outcomes.c.outcome == "accepted"
    )
    proven = set(connection.execute(query).scalars())
    # Of those in this request the batch itself says it now.
    settled = sorted(proven & set(claim.ordinals))
    if settled:
        connection.execute(
            sa.delete(_outcomes).where(
                _outcomes.c.issue_id == claim.batch.issue_id, _outcomes.c.ordinal.in_(settled)
            )
        )
    for outcome, people in (("refused", refused), ("suppressed", claim.excluded)):
        if people:
            rest = {ordinal: why for ordinal, why in people.items() if ordinal not in proven}
            put_outcomes(connection, claim.batch, outcome, rest, now)
