"""Mails to one person are counted by the same limits as a digest, and never wait for them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from syndicate.core.allowance import Allowance, Charge, Limits, Wait, afford, in_force, of_domains
from syndicate.services.deliver_transactional import Delivered, deliver_transactional
from syndicate.storage import rate_limits
from syndicate.storage.database import Database, database_now
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer
from tests.mailing import PUBLICATION, SENDER, clock
from tests.services.site_rows import start
from tests.services.test_deliver_transactional import NOW, queue

DAY = timedelta(days=1)
LIMITS = Limits(
    requests=(Allowance(20, DAY),),
    recipients=(Allowance(30, DAY),),
    domains={"post.example": Allowance(10, DAY), "other.example": Allowance(10, DAY)},
)


def digest_waits_for(database: Database, account: str) -> Wait | None:
    """What the next request of a digest to one reader at each of both domains waits for."""
    charge = Charge(2, {"post.example": 1, "other.example": 1})
    with database.read() as connection:
        now = database_now(connection)
        limits = in_force(LIMITS, account, now, PUBLICATION.timezone) + of_domains(LIMITS, account)
        tats = rate_limits.read(connection, [limit.key for limit in limits])
    return afford(limits, tats, [charge], now)[1]


def counted(database: Database, account: str) -> dict[str, int]:
    """How much of each limit is taken."""
    found = {}
    with database.read() as connection:
        now = database_now(connection)
        limits = in_force(LIMITS, account, now, PUBLICATION.timezone) + of_domains(LIMITS, account)
        tats = rate_limits.read(connection, [limit.key for limit in limits])
    for limit in limits:
        left = tats.get(limit.key, rate_limits.LONG_AGO) - now
        found[limit.counts] = max(0, round(left / limit.every))
    return found


def test_they_are_counted_and_a_digest_waits_for_them_not_they(database: Database, tmp_path: Path) -> None:
    start(database, NOW)
    desks = [f"desk{number}@post.example" for number in range(12)]
    queue(database, *desks)
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        account = f"{api.sheet.api}:{api.account}"
        assert digest_waits_for(database, account) is None
        with worker_lock(database, tmp_path, "test", NOW) as worker:
            done = deliver_transactional(
                database, api, SENDER, PUBLICATION, worker, clock=clock, limits=LIMITS
            )
        # More than the domain may be sent in a day.
        assert done == Delivered(accepted=len(desks))
    assert counted(database, account) == {
        "requests": 12,
        "recipients": 12,
        "post.example": 12,
        "other.example": 0,
    }
    assert digest_waits_for(database, account) is not None


def test_without_limits_nothing_is_counted(database: Database, tmp_path: Path) -> None:
    start(database, NOW)
    queue(database, "desk@post.example")
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        with worker_lock(database, tmp_path, "test", NOW) as worker:
            deliver_transactional(database, api, SENDER, PUBLICATION, worker, clock=clock)
    assert counted(database, f"{api.sheet.api}:{api.account}") == dict.fromkeys(
        ("requests", "recipients", "post.example", "other.example"), 0
    )
