"""Takes in what a mail API reports: keeps it, once, and does what follows from it.

A report proves that the API took the mail. A hard bounce and a complaint close the address at once, mail that comes
back again and again closes it in the end, and who left at the API has left here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy.engine import Connection

from syndicate.core import reader_steps
from syndicate.core.address import address_hash, normalise
from syndicate.core.mail_event import SUPPRESSES, UNREACHABLE, MailEvent, is_unreachable
from syndicate.core.reader_steps import OWN_SUPPRESSION, Circumstances
from syndicate.mail.events.base import Report
from syndicate.storage import audit, events, mail_finding, people
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.mail_finding import Mailed
from syndicate.storage.proofs import prove
from syndicate.storage.reader_steps import came_back, find_by_hash, lift, suppress_own, write_steps
from syndicate.storage.request_tokens import believe
from syndicate.storage.transactional_ledger import prove_mails

Recorded = Literal["recorded", "suppressed", "again", "unknown"]
"""again: it came before. unknown: kept, but it is about no mail that we know, so nothing was done."""

CLOCKS = timedelta(minutes=5)
"""How far a mail API's clock may be behind ours."""

_CLOSES = {*SUPPRESSES, "soft bounce", "unsubscribe"}
"""The kinds that may close an address."""

AT_ONCE = 500
"""Reports in one write transaction."""


class Request(NamedTuple):
    """What one request of the mail API reported, and its body."""

    report: Report
    body: bytes


class _Known(NamedTuple):
    """A report that is new, about a mail that was really sent to the address of that hash."""

    place: int
    event: MailEvent
    keyed: str
    mailed: Mailed


def record_requests(
    database: Database, requests: Sequence[Request], *, all_or_nothing: bool, now: datetime
) -> list[list[Recorded] | None]:
    """Keeps what these requests of one mail API report, in whatever order they come and however often, and acts on what
    is new and about mails of ours; tells what became of each event. None for a request whose token came with another
    body before: nothing of it is kept. `all_or_nothing` is the API's, of its sheet."""
    result: list[list[Recorded] | None] = [[] for _ in requests]
    for together in _parts(requests):
        with database.write() as connection:
            # First, because whoever changes people takes it first.
            known = mail_finding.begin(connection, now)
            secret = address_key(connection)
            believed = _believed(connection, [requests[place] for place, _ in together], secret, now)
            parts = [part for part, is_believed in zip(together, believed, strict=True) if is_believed]
            told = [(event, _first_address(event)) for _, part in parts for event in part]
            recorded = iter(_record(connection, told, known, secret, all_or_nothing, now))
        for (place, part), is_believed in zip(together, believed, strict=True):
            before = result[place]
            if not is_believed:
                result[place] = None
            elif before is not None:
                before += [next(recorded) for _ in part]
    return result


def record_events(
    database: Database, reports: Sequence[MailEvent], *, all_or_nothing: bool, now: datetime
) -> list[Recorded]:
    """The same for the reports of one request that proves itself."""
    request = Request(Report(tuple(reports)), b"")
    (result,) = record_requests(database, [request], all_or_nothing=all_or_nothing, now=now)
    assert result is not None
    return result


def _parts(requests: Sequence[Request]) -> Iterator[list[tuple[int, Sequence[MailEvent]]]]:
    """What is written together: requests by their places, and events of theirs."""
    together: list[tuple[int, Sequence[MailEvent]]] = []
    size = 0
    for place, request in enumerate(requests):
        every = request.report.events
        for start in range(0, len(every), AT_ONCE):
            part = every[start : start + AT_ONCE]
            if together and size + len(part) > AT_ONCE:
                yield together
                together, size = [], 0
            together.append((place, part))
            size += len(part)
    if together:
        yield together


def _believed(connection: Connection, requests: Sequence[Request], secret: bytes, now: datetime) -> list[bool]:
    """Whether no token among them came with another body before."""
    uses = [(each.report.once, each.body) for each in requests if each.report.once]
    lasts = max((each.report.once_for for each in requests), default=timedelta(0))
    known = iter(believe(connection, uses, secret, lasts=lasts, now=now))
    return [not each.report.once or next(known) for each in requests]


def _record(
    connection: Connection,
    told: Sequence[tuple[MailEvent, str]],
    known_mails: mail_finding.Known,
    secret: bytes,
    all_or_nothing: bool,
    now: datetime,
) -> list[Recorded]:
    hashes = [address_hash(address, secret) if address else "" for _, address in told]
    reasons = people.suppressed_reasons(connection, {each for each in hashes if each})
    mails = mail_finding.find_mails(connection, told, known_mails)
    # Of somebody who was erased nothing is kept that may name them.
    erased = {keyed for keyed, reason in reasons.items() if reason == "erased"}
    rows = [
        events.Kept(
            event.api,
            event.event_id,
            event.kind,
            keyed,
            mailed.issue_id if mailed is not None else None,
            event.vendor_id,
            event.code,
            event.at,
            now,
            {} if keyed in erased else event.raw,
        )
        for (event, _), keyed, mailed in zip(told, hashes, mails, strict=True)
    ]
    result: list[Recorded] = []
    known: list[_Known] = []
    for place, is_new in enumerate(events.add_events(connection, rows)):
        mailed = mails[place]
        if not is_new:
            result.append("again")
        elif mailed is None:
            result.append("unknown")
        else:
            result.append("recorded")
            known.append(_Known(place, told[place][0], hashes[place], mailed))
    _prove(connection, known, all_or_nothing)
    for place in _close(connection, known, reasons, now):
        result[place] = "suppressed"
    return result


def _prove(connection: Connection, known: Iterable[_Known], all_or_nothing: bool) -> None:
    by_issue: dict[int, list[_Known]] = {}
    alone: list[_Known] = []
    for each in known:
        if each.mailed.issue_id is None:
            alone.append(each)
        else:
            by_issue.setdefault(each.mailed.issue_id, []).append(each)
    for issue_id, theirs in sorted(by_issue.items()):
        ordinals = {each.mailed.ordinal for each in theirs}
        event = theirs[0].event
        why = f"{event.api} reported on it ({event.kind}, {event.event_id})"
        prove(connection, issue_id, ordinals, api=event.api, all_or_nothing=all_or_nothing, why=why)
    prove_mails(connection, [each.mailed.mail_id for each in alone if each.mailed.mail_id is not None])


def _close(
    connection: Connection, known: Sequence[_Known], reasons: dict[str, str], now: datetime
) -> list[int]:
    """Closes the addresses that these reports close, by the `reasons` for which they are closed already; returns their
    places."""
    places = []
    closing: list[_Known] = []
    because: list[str] = []
    unreachable = _unreachable(connection, known, reasons, now)
    bounced = {each.keyed for each in known if each.event.kind == "hard bounce"}
    opened = events.opened_at(connection, bounced) if bounced else {}
    for each in known:
        if each.event.kind not in _CLOSES:
            continue
        before = reasons.get(each.keyed, "")
        reason = SUPPRESSES.get(each.event.kind, "")
        if each.event.kind == "soft bounce" and each.keyed in unreachable:
            reason = UNREACHABLE
        if each.event.kind == "hard bounce" and each.keyed in opened and each.event.at <= opened[each.keyed]:
            # Whoever opened the address since knows better.
            reason = ""
        if each.event.kind == "unsubscribe":
            # It looks at how they stand by then.
            _suppress(connection, closing, because, now)
            closing, because = [], []
            if _leave(connection, each, now):
                places.append(each.place)
        # What closes it for good is written down even where somebody here closed it before, but once.
        closed = before in SUPPRESSES.values() or (reason == UNREACHABLE and before not in ("", OWN_SUPPRESSION))
        if not reason or closed:
            continue
        reasons[each.keyed] = reason
        places.append(each.place)
        closing.append(each)
        because.append(reason)
    _suppress(connection, closing, because, now)
    return places


def _suppress(connection: Connection, closing: Sequence[_Known], because: Sequence[str], now: datetime) -> None:
    """Closes the addresses of these reports, each because of its reason."""
    people.add_suppressions(
        connection,
        [
            {
                "address_hash": each.keyed,
                "reason": reason,
                "at": now,
                "origin": _origin(each.event),
                # Without what a server wrote: that may repeat the address.
                "note": f"event {each.event.event_id}",
            }
            for each, reason in zip(closing, because, strict=True)
        ],
    )
    audit.record_all(
        connection,
        [_audited(each, f"subscriber.{reason}", now) for each, reason in zip(closing, because, strict=True)],
    )


def _unreachable(
    connection: Connection, known: Sequence[_Known], reasons: dict[str, str], now: datetime
) -> set[str]:
    """Addresses to which mail came back too often. One that was closed for that is opened again when a report that came
    late shows that a mail arrived meanwhile."""
    bounced = {each.keyed for each in known if each.event.kind == "soft bounce"}
    reached = {
        each.keyed: each
        for each in known
        if each.event.kind == "delivered" and reasons.get(each.keyed) == UNREACHABLE
    }
    hashes = bounced | reached.keys()
    if not hashes:
        return set()
    signs = events.signs_of(connection, hashes)
    # Nearly always none; what came before an address was opened again only takes from them.
    gone = {keyed for keyed in hashes if is_unreachable(signs[keyed])}
    if gone:
        since = events.opened_at(connection, gone)
        gone = {keyed for keyed in gone if is_unreachable(signs[keyed], since=since.get(keyed))}
    for keyed in reached.keys() - gone:
        lift(connection, keyed, UNREACHABLE, by=_origin(reached[keyed].event), now=now)
        reasons[keyed] = people.suppressed_reasons(connection, [keyed]).get(keyed, "")
        audit.record_all(connection, [_audited(reached[keyed], "subscriber.reached", now)])
    return gone


def _leave(connection: Connection, each: _Known, now: datetime) -> bool:
    """Who left at the mail API gets nothing from it any more: they have left everything here too, but for
    what they came back into after that."""
    person = find_by_hash(connection, each.keyed)
    if person is None or person.suppressed == OWN_SUPPRESSION:
        return False
    # By a mail that was made before, whatever the clocks say.
    made_at = mail_finding.made_at(connection, each.mailed)
    back = came_back(connection, person.id, max(each.event.at + CLOCKS, made_at or each.event.at))
    every = reader_steps.leave(person, None)
    steps = [step for step in every if step.newsletter not in back]
    if every and not steps:
        return False
    write_steps(connection, person.id, each.keyed, steps, Circumstances(_origin(each.event)), now)
    if len(steps) == len(every):
        suppress_own(connection, each.keyed, _origin(each.event), now)
    audit.record_all(connection, [_audited(each, "subscriber.leave", now)])
    return True


def _audited(each: _Known, action: str, now: datetime) -> dict[str, Any]:
    detail = {"issue": each.mailed.issue_id} if each.mailed.issue_id is not None else {}
    return audit.line(at=now, action=action, subject=each.keyed, actor=each.event.api, detail=detail)


def _origin(event: MailEvent) -> str:
    return f"webhook {event.api}"


def _first_address(event: MailEvent) -> str:
    for text in event.addresses:
        try:
            return normalise(text.rpartition("<")[2].rstrip("> ")).address
        except ValueError:
            continue
    return ""
