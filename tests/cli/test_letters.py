"""`syndicate letters`: what is not settled is listed, sent again, or given up; and `check` tells of the alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from syndicate.core.alert import letters_troubles
from syndicate.site import open_site
from syndicate.storage import tables
from syndicate.storage.alerts import begin_alert
from syndicate.storage.transactional import queue_mail
from tests.end_to_end.site import SiteFolder, make_site

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def lose(site: SiteFolder) -> None:
    database = open_site(site.folder).database
    [trouble] = letters_troubles(0, None, "", 1, NOW, "the answer was lost", zone="UTC")
    with database.write() as connection:
        queue_mail(
            connection,
            kind="confirmation",
            request_key="confirmation 1",
            to_email="ann@post.example",
            subject="Please confirm",
            html="<p>Confirm.</p>",
            text="Confirm.\n",
            now=NOW,
        )
        values = {"state": "uncertain", "attempts": 1, "why": "the answer was lost"}
        connection.execute(sa.update(tables.transactional_mails).values(**values))
        begin_alert(connection, trouble, NOW, webhook=False)
    database.dispose()


def test_one_is_listed_sent_again_and_given_up(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", at_hand=True)
    assert "Every letter is settled." in site.call("letters", "list").stdout
    lose(site)
    assert "Of 1 letter nobody can tell" in site.call("check").stdout
    [row] = json.loads(site.call("letters", "list", "--json").stdout)
    assert (row["id"], row["state"], row["to_email"]) == (1, "uncertain", "ann@post.example")
    sent = site.call("letters", "resend", "1", "--yes")
    assert "1 letter will be posted again." in sent.stdout and "`syndicate run` posts them" in sent.stdout
    assert json.loads(site.call("letters", "list", "--json").stdout)[0]["state"] == "retry"
    assert site.call("letters", "give-up", "1").returncode == 0
    assert "Every letter is settled." in site.call("letters", "list").stdout
    assert site.call("letters", "give-up", "1").returncode == 1
