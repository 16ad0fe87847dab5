"""The archive over real HTTP: what went out, whole, with nobody's links and without what was taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.placeholders import NAME
from syndicate.storage import tables
from tests.mailing import BODY, NOW, add_readers
from tests.mailing import make_issue as approved_issue
from tests.web.reading_site import ReadingSite, reading_site


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[ReadingSite]:
    with reading_site(tmp_path / "site", database_url) as site:
        with site.site.database.write() as connection:
            for number in range(1, 7):
                connection.execute(
                    sa.insert(tables.articles).values(
                        id=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
                        source="desk",
                        key=f"{number}.md",
                        number=number,
                        status="released",
                        arrived_at=NOW,
                        title=f"Article <number> {number}",
                        summary="What happened at the quay.",
                        html="<p>What happened.</p>",
                        language="en",
                    )
                )
        add_readers(site.site.database, 2)
        yield site


def went_out(
    served: ReadingSite, *numbers: int, state: str = "sent", subject: str = "", to: list[str] | None = None
) -> int:
    database = served.site.database
    ids = [f"urn:uuid:00000000-0000-4000-8000-{number:012}" for number in numbers]
    issue = approved_issue(database, ids, body=replace(BODY, subject=subject or f"The news of {numbers[0]}"), to=to)
    with database.write() as connection:
        connection.execute(
            sa.update(tables.issues)
            .where(tables.issues.c.id == issue)
            .values(state=state, started_at=NOW + timedelta(days=issue), planned=2, intro="Good morning.\n\nRead on.")
        )
    return issue


def test_an_issue_is_shown_whole_with_its_neighbours_and_nobodys_links(served: ReadingSite) -> None:
    first = went_out(served, 1)
    second, third = went_out(served, 2, 3, subject=f"For {NAME}: news"), went_out(served, 4)
    page = served.get(f"/archive/morning/{second}")
    assert page.status_code == 200
    for words in ("Article &lt;number&gt; 2", "Article &lt;number&gt; 3", "<h1>For : news</h1>", "Read on."):
        assert words in page.text
    assert f'rel="prev" href="/archive/morning/{first}"' in page.text
    assert f'rel="next" href="/archive/morning/{third}"' in page.text
    assert not [mark for mark in ("/u/", "/p/", "\ufdd0", "\ufdd1", "reader1@") if mark in page.text]
    listed = served.get("/archive/morning").text
    assert listed.index("The news of 4") < listed.index("The news of 1")
    assert "The news of 4" in served.get("/archive/").text


@pytest.mark.parametrize("state", ["draft", "awaiting", "approved", "scheduled", "freezing", "cancelled"])
def test_what_did_not_go_out_is_not_there(served: ReadingSite, state: str) -> None:
    issue = went_out(served, 1, state=state)
    assert served.get(f"/archive/morning/{issue}").status_code == 404
    assert "The news of 1" not in served.get("/archive/morning").text


def test_what_was_taken_back_or_held_since_is_not_shown(served: ReadingSite) -> None:
    issue = went_out(served, 1, 2, 3)
    articles = tables.articles
    with served.site.database.write() as connection:
        connection.execute(sa.update(articles).where(articles.c.number == 1).values(retracted_at=NOW))
        connection.execute(sa.update(articles).where(articles.c.number == 2).values(status="held"))
        connection.execute(sa.update(articles).where(articles.c.number == 3).values(title="As corrected"))
    page = served.get(f"/archive/morning/{issue}").text
    assert "number&gt; 1" not in page
    assert "number&gt; 2" not in page
    assert "As corrected" in page
    assert "was taken back" in page


def test_an_issue_to_a_few_is_in_no_list_and_no_search_engine(served: ReadingSite) -> None:
    first = went_out(served, 1)
    few = went_out(served, 2, to=["reader1@example.org"])
    assert served.get(f"/archive/morning/{few}").headers["x-robots-tag"] == "noindex"
    assert "The news of 2" not in served.get("/archive/morning").text
    assert 'rel="next"' not in served.get(f"/archive/morning/{first}").text


@pytest.mark.parametrize(
    "path", ["/archive/nothing", "/archive/morning/9", "/archive/evening/1", "/archive/morning/-1",
             "/archive/morning/" + "9" * 30, "/archive/morning?below=-1", "/archive/..%2f..%2fetc/1"],
)  # fmt: skip
def test_what_is_not_there_is_said_so(served: ReadingSite, path: str) -> None:
    went_out(served, 1)
    assert served.get(path).status_code == 404
