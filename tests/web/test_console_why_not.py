"""Why what of an issue was not accepted was not, on its page: by reason, and who was refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from syndicate.storage import tables
from syndicate.web.console import issues
from tests.web.newsroom_site import WebSite
from tests.web.sending_desk import open_sending_desk

HOSTILE = "550: <script>alert(1)</script>"


def test_the_page_says_why_and_who(web_site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = open_sending_desk(web_site, readers=6)
    number = desk.begin()
    desk.accept()
    at, editor = f"/console/issues/{number}", desk.site.client("editor")
    assert 'id="why-not"' not in editor.get(at).text
    batches = tables.batches
    with desk.site.site.database.write() as connection:
        second, third = connection.execute(
            sa.select(batches.c.id).where(batches.c.state == "planned").order_by(batches.c.id)
        ).scalars()
        connection.execute(sa.update(batches).where(batches.c.id == second).values(state="refused", why=HOSTILE))
        later = desk.site.now + timedelta(hours=1)
        connection.execute(
            sa.update(batches).where(batches.c.id == third).values(state="retry", why="too many", retry_at=later)
        )
        people = tables.issue_recipients
        refused = connection.execute(sa.select(people.c.email).where(people.c.ordinal.in_([3, 4]))).scalars().all()
    page = editor.get(at).text
    card = page.split('id="why-not"')[1].split("</section>")[0]
    assert "<script>alert" not in page and "550: &lt;script&gt;alert(1)&lt;/script&gt;" in card
    assert card.count("2 readers") == 2 and "Too many" in card and "tried again" in card
    assert all(email in card for email in refused) and "refused 1 FILE" not in card
    monkeypatch.setattr(issues, "MOST_REFUSED", 1)
    card = editor.get(at).text.split('id="why-not"')[1]
    assert f"These are the first 1 of 2: <code>syndicate issues refused {number} FILE</code>" in card
