"""What nobody can prove is decided on the page of an issue: both ways, the count after each, and by whom."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.storage import tables
from syndicate.storage.issues import get_issue
from tests.mailing import books_now
from tests.web.newsroom_site import WebSite
from tests.web.sending_desk import SendingDesk, open_sending_desk

BOX = "Nobody can tell whether 2 got it"


@pytest.fixture
def desk(web_site: WebSite) -> SendingDesk:
    """An issue to four readers, two of whom have it; the answer for the others was lost."""
    desk = open_sending_desk(web_site, readers=4)
    desk.begin()
    desk.accept()
    lose(desk)
    return desk


def lose(desk: SendingDesk, retry_at: datetime | None = None) -> None:
    """What is not accepted is uncertain, and goes on by itself at that time or not at all."""
    batches = tables.batches
    with desk.site.site.database.write() as connection:
        connection.execute(
            sa.update(batches)
            .where(batches.c.state != "accepted")
            .values(state="uncertain", retry_at=retry_at, recipients=2, generation=1, why="the answer was lost")
        )


def state(desk: SendingDesk) -> str:
    with desk.site.site.database.read() as connection:
        return get_issue(connection, desk.issue).state


@pytest.mark.parametrize("ended", [False, True], ids=["while it is being sent", "after it"])
@pytest.mark.parametrize(
    ("how", "says", "after", "state_after"),
    [
        ("resend", "Sent again to 2 readers.", Books(4, accepted=2, waiting=2), "sending"),
        ("count-as-sent", "Counted as sent: 2 readers.", Books(4, accepted=4), None),
    ],
)
def test_it_is_decided_once_either_way(
    desk: SendingDesk, how: str, says: str, after: Books, state_after: str | None, ended: bool
) -> None:
    if ended:
        desk.end()
    was = state(desk)
    at = f"/console/issues/{desk.issue}"
    database, sender = desk.site.site.database, desk.site.client("sender")
    assert BOX in sender.get(at).text
    answer = sender.submit(at, f"{at}/resolve", how=how)
    assert answer.status_code == 200 and says in answer.text and BOX not in answer.text
    assert books_now(database, desk.issue) == after
    assert state(desk) == (state_after or was)
    # A second click, and the page of somebody else that was open before.
    again = sender.submit(at, f"{at}/resolve", how="count-as-sent" if how == "resend" else "resend")
    assert again.status_code == 409 and "is uncertain" in again.text
    assert books_now(database, desk.issue) == after


def test_what_will_be_found_out_is_nobodys_to_decide_while_the_issue_goes_on(desk: SendingDesk) -> None:
    lose(desk, retry_at=desk.site.now + timedelta(minutes=1))
    at = f"/console/issues/{desk.issue}"
    database, sender = desk.site.site.database, desk.site.client("sender")
    assert BOX not in sender.get(at).text
    refused = sender.submit(at, f"{at}/resolve", how="resend")
    assert refused.status_code == 409 and "still being found out" in refused.text
    assert books_now(database, desk.issue) == Books(4, accepted=2, uncertain=2)
    # Paused, nothing goes on.
    sender.submit(at, f"{at}/stop")
    assert BOX in sender.get(at).text
    assert sender.submit(at, f"{at}/resolve", how="count-as-sent").status_code == 200
    assert books_now(database, desk.issue) == Books(4, accepted=4)
    assert state(desk) == "paused"


def test_an_editor_decides_nothing(desk: SendingDesk) -> None:
    at = f"/console/issues/{desk.issue}"
    editor = desk.site.client("editor")
    assert "/resolve" not in editor.get(at).text
    assert editor.submit(at, f"{at}/resolve", how="resend").status_code == 403
    assert desk.site.client("sender").submit(at, f"{at}/resolve", how="forget it").status_code in (400, 422)
    assert books_now(desk.site.site.database, desk.issue) == Books(4, accepted=2, uncertain=2)
