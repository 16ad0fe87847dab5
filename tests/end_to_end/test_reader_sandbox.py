"""From sign-up to goodbye with the sandbox: the links are followed as they stand in the mails that arrived."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from pathlib import Path

from syndicate.process.posting import posting
from syndicate.services.deliver_transactional import Delivered, deliver_transactional
from syndicate.storage.workers import worker_lock
from tests.web.reading_site import ANN, ReadingSite, reading_site


def deliver(served: ReadingSite) -> Delivered:
    site = served.site
    now = datetime.now(UTC)
    with posting(site) as api, worker_lock(site.database, site.directory, "test", now) as worker:
        return deliver_transactional(site.database, api, site.sender, site.publication, worker, clock=lambda: now)


def newest(outbox: Path) -> tuple[str, str, str]:
    """Addressee, subject and text of the last mail in the outbox."""
    path = max(outbox.glob("*.eml"), key=lambda each: (each.stat().st_mtime_ns, each.name))
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return str(message["To"]), str(message["Subject"]), str(body.get_content())


def link(text: str, path: str, web_url: str) -> str:
    """The path of the link in the mail, as somebody who clicks would go there."""
    return path + text.split(web_url + path, 1)[1].split()[0]


def test_from_sign_up_to_goodbye_by_the_mails_that_arrive(database_url: str, tmp_path: Path) -> None:
    with reading_site(tmp_path / "site", database_url) as served:
        web_url, outbox = served.site.publication.web_url, served.site.outbox
        assert served.sign_up().status_code == 200
        assert deliver(served) == Delivered(accepted=1)
        to, subject, text = newest(outbox)
        assert (to, subject) == (ANN, "Please confirm: Morning Briefing, Evening Note")
        assert "You are subscribed" in served.post(link(text, "/confirm/", web_url)).text
        # Again: the mail shows the way to the preferences, and from there out of everything.
        assert served.sign_up().status_code == 200
        assert deliver(served) == Delivered(accepted=1)
        _, subject, text = newest(outbox)
        assert subject.startswith("You get this already")
        preferences = link(text, "/p/", web_url)
        assert "Unsubscribe from everything" in served.get(preferences).text
        assert "unsubscribed from everything" in served.post(preferences, {"action": "leave all"}).text
        assert set(served.statuses().values()) == {"left"}
        assert deliver(served) == Delivered()
