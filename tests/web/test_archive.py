"""The archive over real HTTP: what went out, whole, with nobody's links and without what was taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

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


SPONSOR = {"name": "The <Ferry> Line", "url": "https://ferry.example/offers", "text": "Half price *tonight*."}
LINKS = [{"title": "The tide <table>", "url": "https://tides.example/today"}]


def edited(served: ReadingSite, issue: int, intro: str, **edits: Any) -> str:
    """The page of that issue with these edits of an editor's."""
    with served.site.database.write() as connection:
        connection.execute(
            sa.update(tables.issues).where(tables.issues.c.id == issue).values(intro=intro, edits=edits)
        )
    page = served.get(f"/archive/morning/{issue}")
    assert page.status_code == 200
    return page.text


def test_the_editors_words_links_and_the_labelled_sponsor_are_as_in_the_mail(served: ReadingSite) -> None:
    intro = "Good *morning*.\n\n- [The tide table](https://tides.example/)\n- <b>bold</b> [x](javascript:alert)"
    page = edited(served, went_out(served, 1, 2), intro, links=LINKS, sponsor=SPONSOR)
    for shown in (
        "<p>Good <em>morning</em>.</p>",
        '<li><a href="https://tides.example/">The tide table</a></li>',
        "&lt;b&gt;bold&lt;/b&gt;",
        ">Sponsored by The &lt;Ferry&gt; Line</p>",
        "<p>Half price <em>tonight</em>.</p>",
        '<a href="https://ferry.example/offers" rel="sponsored">ferry.example</a>',
        ">Also worth reading</h2>",
        '<a href="https://tides.example/today">The tide &lt;table&gt;</a>',
    ):
        assert shown in page, shown
    order = [page.index(each) for each in ("Good <em>", "Sponsored by", "number&gt; 1", "Also worth reading")]
    assert order == sorted(order)
    assert not [mark for mark in ("/u/", "/p/", "\ufdd0", "\ufdd1", 'href="javascript') if mark in page]


def test_a_sponsor_without_words_is_its_label_alone_and_one_without_a_name_is_not_shown(served: ReadingSite) -> None:
    issue = went_out(served, 1)
    page = edited(served, issue, "", sponsor={"name": "The Ferry Line", "url": "https://ferry.example/"})
    assert '<a href="https://ferry.example/" rel="sponsored">Sponsored by The Ferry Line</a>' in page
    page = edited(served, issue, "", sponsor={"name": " ", "url": "https://ferry.example/", "text": "Half price."})
    assert "ferry.example" not in page and "Half price" not in page
    page = edited(served, issue, "", sponsor={"name": "The Ferry Line", "url": "javascript:alert(1)", "text": "Sail."})
    assert "Sponsored by The Ferry Line" in page and "javascript" not in page


def test_what_an_editor_has_arranged_stays_so(served: ReadingSite) -> None:
    issue = went_out(served, 1, 2, 3)
    with served.site.database.write() as connection:
        # Of a first article like this one the usual order makes no lead.
        suspected = sa.update(tables.articles).where(tables.articles.c.number == 1)
        connection.execute(suspected.values(suspects=["a title in lower case"]))
    ids = [f"urn:uuid:00000000-0000-4000-8000-{number:012}" for number in (1, 2, 3)]
    usual = edited(served, issue, "")
    assert usual.index("number&gt; 2") < usual.index("number&gt; 1")
    arranged = edited(served, issue, "", order=ids)
    assert arranged.index("number&gt; 1") < arranged.index("number&gt; 2") < arranged.index("number&gt; 3")


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
