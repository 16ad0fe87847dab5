"""The lane of mails to one person: where none can be posted, the first that waits says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syndicate.errors import SyndicateError
from syndicate.process.attendance import Attendance
from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.process.post_office import Letters, PostOffice
from syndicate.site import Site
from syndicate.storage.letters import open_letters, troubles_of_letters
from syndicate.storage.transactional import queue_mail


def test_what_forbids_all_mail_is_told_as_the_reason(site: Site) -> None:
    now = datetime.now(UTC)
    with site.database.write() as connection:
        queue_mail(
            connection,
            kind="confirmation",
            request_key="confirmation 1",
            to_email="ann@quay-news.pt",
            subject="Please confirm",
            html="<p>Confirm.</p>",
            text="Confirm.\n",
            now=now,
        )
    # Live, where everything is a sample still: nobody is asked, the guard stands before.
    live = replace(site.mail, api="mailpit", url="https://203.0.113.9:8025")
    refused = replace(site, mail=live)
    log = Log("work")
    loops = Loops(log)
    attendance = Attendance(refused, "work", loops)
    attendance.begin()
    post = PostOffice(refused, loops)
    letters = Letters(refused, post, attendance, loops, log)
    try:
        with pytest.raises(SyndicateError) as raised:
            letters.step()
    finally:
        post.close()
        attendance.close()
        refused.database.dispose()
    with site.database.read() as connection:
        [waiting] = open_letters(connection)
        [told] = troubles_of_letters(connection, now + timedelta(minutes=6), "UTC")
    assert waiting.state == "planned" and waiting.why == str(raised.value) != ""
    assert waiting.why.rstrip(".") in told.sentence
