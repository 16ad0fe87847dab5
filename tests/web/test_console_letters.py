"""Letters that wait or are uncertain: shown on Today and on a page of their own, and settled by whoever may send."""

from __future__ import annotations

import sqlalchemy as sa

from syndicate.services.raise_alerts import raise_alerts
from syndicate.storage import tables
from syndicate.storage.transactional import queue_mail
from tests.web.newsroom_site import WebSite

MAILS = tables.transactional_mails


def lose(web_site: WebSite, *to: str) -> None:
    """Letters of which nobody can tell; what is wrong is looked for once."""
    site = web_site.site
    with site.database.write() as connection:
        for email in to:
            queue_mail(
                connection,
                kind="confirmation",
                request_key=f"confirmation {email}",
                to_email=email,
                subject="Please confirm",
                html="<p>Confirm.</p>",
                text="Confirm.\n",
                now=web_site.now,
            )
        connection.execute(sa.update(MAILS).values(state="uncertain", attempts=1, why="the answer was lost"))
    raise_alerts(
        site.database,
        site.house,
        site.settings.alerts,
        newsletters=site.newsletters,
        sources=site.sources,
        feeds=site.feeds,
        now=web_site.now,
    )


def states(web_site: WebSite) -> list[str]:
    with web_site.site.database.read() as connection:
        query = sa.select(MAILS.c.state).where(MAILS.c.kind == "confirmation").order_by(MAILS.c.id)
        return list(connection.execute(query).scalars())


def test_today_leads_to_them_and_a_sender_settles_each(web_site: WebSite) -> None:
    lose(web_site, "ann@post.example", "bob@post.example")
    sender = web_site.client("sender")
    today = sender.get("/console/").text
    assert "Of 2 letters nobody can tell" in today and 'href="/console/letters"' in today
    shown = sender.get("/console/letters").text
    assert "ann@post.example" in shown and "The answer was lost" in shown
    again = sender.submit("/console/letters", "/console/letters/1/again")
    assert "The letter to ann@post.example is posted again." in again.text
    given_up = sender.submit("/console/letters", "/console/letters/2/give-up")
    assert "The letter to bob@post.example is given up." in given_up.text
    assert states(web_site) == ["retry", "refused"]
    assert "bob@post.example" not in sender.get("/console/letters").text
    assert sender.submit("/console/letters", "/console/letters/2/again").status_code == 409
    assert sender.submit("/console/letters", "/console/letters/99/again").status_code == 404


def test_an_editor_sees_them_and_settles_none(web_site: WebSite) -> None:
    lose(web_site, "ann@post.example")
    editor = web_site.client("editor")
    shown = editor.get("/console/letters").text
    assert "ann@post.example" in shown and "Give up" not in shown
    assert editor.submit("/console/letters", "/console/letters/1/again").status_code == 403
    assert states(web_site) == ["uncertain"]
