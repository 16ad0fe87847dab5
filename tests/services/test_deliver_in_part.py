"""Mail APIs that answer for each message by itself: one bad address is refused alone, and whom an account in trouble
did not take goes again once it is cured, nobody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from syndicate.core.books import Books
from syndicate.services.pause_issue import resume
from syndicate.services.resolve_issue import resolve
from syndicate.storage.database import Database
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, Plan, doubled, lost, read_journal
from tests.mailing import MORNING, NOW, address, batches_of, books_now, frozen_issue
from tests.services.test_deliver_issue import check, deliver_it, everybody, issue_of, leave

READERS = 30
names = pytest.mark.parametrize("name", ["postmark", "mailjet", "ses"])


@names
def test_one_bad_address_is_refused_alone(database: Database, tmp_path: Path, name: str) -> None:
    with MailApiServer(name, tmp_path / "journal", refuse=[address(17)]) as server:
        api = mail_api(name, server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS - 1, refused=1)
        journal = read_journal(server.journal)
        assert (lost(journal, everybody(READERS)), doubled(journal)) == ({address(17)}, {})
        assert len(server.seen) == 3
    assert issue_of(database, issue_id).state == "sent"


@pytest.mark.parametrize(
    ("name", "cure"),
    [("postmark", "plan and credits"), ("mailjet", "Validate [mail] from"), ("ses", "has paused sending")],
)
def test_whom_the_account_could_not_send_to_goes_again_when_it_is_cured(
    database: Database, tmp_path: Path, name: str, cure: str
) -> None:
    with MailApiServer(name, tmp_path / "journal", refuse=[address(2), address(16)]) as server:
        server.credits = 12
        api = mail_api(name, server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        leave(database, 4, 18)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=1)
        # Only the two bad addresses are refused: the others wait.
        assert (balance.accepted, balance.refused, balance.uncertain) == (12, balance.refused, 0)
        assert balance.refused <= 2
        assert balance.waiting == READERS - 12 - balance.refused - balance.suppressed
        issue = issue_of(database, issue_id)
        assert (issue.state, cure in issue.why) == ("paused", True)
        server.credits = None
        resume(database, issue_id, actor="an editor", now=NOW)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(
            READERS, accepted=READERS - 4, refused=2, suppressed=2
        )
        journal = read_journal(server.journal)
        missing = {address(number) for number in (2, 4, 16, 18)}
        assert (lost(journal, everybody(READERS)), doubled(journal)) == (missing, {})
    assert issue_of(database, issue_id).state == "sent"


@names
def test_an_account_that_stays_in_trouble_refuses_nobody(database: Database, tmp_path: Path, name: str) -> None:
    """Each time it goes on a few are taken."""
    with MailApiServer(name, tmp_path / "journal") as server:
        api = mail_api(name, server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        for turn, credits_ in enumerate((3, 0, 5, 9), 1):
            server.credits = credits_
            deliver_it(database, issue_id, api, tmp_path, threads=1)
            balance = books_now(database, issue_id)
            assert balance == Books(READERS, accepted=balance.accepted, waiting=READERS - balance.accepted), turn
            assert issue_of(database, issue_id).state == "paused"
            resume(database, issue_id, actor="an editor", now=NOW)
        server.credits = None
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server, READERS)
    batches = [batch for batch in batches_of(database, issue_id) if batch.state != "split"]
    assert {batch.state for batch in batches} == {"accepted"}
    assert [n for batch in batches for n in range(batch.first, batch.last + 1)] == [*range(1, READERS + 1)]


@pytest.mark.parametrize("name", ["postmark", "mailjet", "sparkpost"])
def test_whom_the_record_shows_gets_it_no_second_time_when_the_rest_is_sent_again(
    database: Database, tmp_path: Path, name: str
) -> None:
    """One of a request was turned down and its answer is lost: the record shows the others, so nobody can tell of that
    one alone."""
    plan = Plan.parse(["2:drop_after_accept"], [], seed=7)
    with MailApiServer(name, tmp_path / "journal", plan=plan, refuse=[address(17)]) as server:
        api = Resized(mail_api(name, server.url, recipients=10), idempotency_seconds=None)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=1)
        assert balance == Books(READERS, accepted=READERS - 1, uncertain=1)
        assert issue_of(database, issue_id).state == "sent"
        assert resolve(database, issue_id, "resend", actor="an editor", now=NOW) == 1
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS - 1, refused=1)
        journal = read_journal(server.journal)
        assert (lost(journal, everybody(READERS)), doubled(journal)) == ({address(17)}, {})


def test_when_uncertain_resend_goes_to_those_alone_whom_the_record_does_not_show(
    database: Database, tmp_path: Path
) -> None:
    plan = Plan.parse(["2:drop_after_accept"], [], seed=7)
    with MailApiServer("postmark", tmp_path / "journal", plan=plan, refuse=[address(17)]) as server:
        api = mail_api("postmark", server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        resend = replace(MORNING, when_uncertain="resend")
        balance = deliver_it(database, issue_id, api, tmp_path, newsletter=resend)
        assert balance == Books(READERS, accepted=READERS - 1, refused=1)
        journal = read_journal(server.journal)
        assert (lost(journal, everybody(READERS)), doubled(journal)) == ({address(17)}, {})
