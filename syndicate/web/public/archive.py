"""`/archive/`: what went out, to read again. Told anew for the web from the issue's articles: without anybody's links,
without what was taken back, and whole where the mail had to be short; with its intro, its editor's own links and its
labelled sponsor as they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from syndicate.core.article import Article
from syndicate.core.lead import lead_first
from syndicate.core.newsletter import Newsletter
from syndicate.rendering.additions import tell_links, tell_sponsor
from syndicate.rendering.email import Digest
from syndicate.rendering.issue import digest_of
from syndicate.rendering.reader_words import reader_words
from syndicate.rendering.story import Story, tell
from syndicate.rendering.text import one_line
from syndicate.rendering.words import long_date, words_for
from syndicate.rendering.written import write
from syndicate.storage.archive import PastIssue, find_past_issue, neighbours, past_issues, shown_articles
from syndicate.web.public.page import day_of, language_of, nothing_here, show, site_of

if TYPE_CHECKING:
    from syndicate.site import Site

router = APIRouter()

PAGE = 50
LONGEST_SUMMARY = 1_000


@router.get("/archive", response_class=HTMLResponse)
@router.get("/archive/", response_class=HTMLResponse)
def everything(request: Request) -> HTMLResponse:
    """Every newsletter, with its latest issues."""
    site = site_of(request)
    language = language_of(request)
    words = reader_words(language)
    with site.database.read() as connection:
        latest = {each.name: past_issues(connection, each.name, limit=3) for each in site.newsletters}
    return show(
        request,
        "archive",
        language,
        title=words.archive_title,
        private=False,
        canonical=site.publication.web("archive/"),
        newsletters=[(each, [_line(site, past, language) for past in latest[each.name]]) for each in site.newsletters],
    )


@router.get("/archive/{newsletter}", response_class=HTMLResponse)
@router.get("/archive/{newsletter}/", response_class=HTMLResponse)
def of_newsletter(request: Request, newsletter: str, below: int | None = None) -> HTMLResponse:
    """All issues of a newsletter, newest first, by pages."""
    site = site_of(request)
    known = _declared(site, newsletter)
    if known is None or (below is not None and not 0 < below < 2**62):
        return nothing_here(request)
    language = known.language
    with site.database.read() as connection:
        found = past_issues(connection, newsletter, below=below, limit=PAGE + 1)
    return show(
        request,
        "issues",
        language,
        title=reader_words(language).archive_of.format(newsletter=known.title),
        private=False,
        canonical=site.publication.web(f"archive/{newsletter}"),
        newsletter=known,
        issues=[_line(site, past, language) for past in found[:PAGE]],
        older=found[PAGE - 1].id if len(found) > PAGE else None,
        newest=below is None,
    )


@router.get("/archive/{newsletter}/{issue}", response_class=HTMLResponse)
def of_issue(request: Request, newsletter: str, issue: str) -> HTMLResponse:
    """One issue. Its address is good for ever, whatever its newsletter is called now."""
    site = site_of(request)
    if not issue.isascii() or not issue.isdigit() or len(issue) > 18:
        return nothing_here(request)
    with site.database.read() as connection:
        found = find_past_issue(connection, newsletter, int(issue))
        known = _declared(site, newsletter if found is None else found[0].newsletter)
        if found is None or known is None:
            return nothing_here(request, known.language if known is not None else "")
        articles, missing = shown_articles(connection, found[0].id, site.publication.web_url)
        before, after = neighbours(connection, known.name, found[0].id)
    past, subject = found
    listed = past.audience.to is None
    day = past.sealed_at or past.drafted_at
    digest = digest_of(past, known, site.publication, site.sender, articles, day=day)
    stories, titles = _stories(site, digest)
    return show(
        request,
        "issue",
        known.language,
        title=subject,
        private=False,
        headers={} if listed else {"X-Robots-Tag": "noindex"},
        canonical=site.publication.web(f"archive/{known.name}/{past.id}"),
        newsletter=known,
        day=long_date(day.astimezone(ZoneInfo(known.timezone)).date(), known.language, weekday=True),
        moment=day.isoformat(),
        intro=write(digest.intro),
        sponsor=tell_sponsor(digest.sponsor, known.language),
        editor_links=tell_links(digest.links),
        links_heading=words_for(known.language).links_heading,
        stories=stories,
        titles=titles,
        missing=missing,
        before=before,
        after=after,
        description=one_line(digest.preheader, 300) or (stories[0].summary[:300] if stories else ""),
    )


def _declared(site: Site, name: str) -> Newsletter | None:
    return next((each for each in site.newsletters if each.name == name), None)


def _stories(site: Site, digest: Digest) -> tuple[list[Story], list[Story]]:
    newsletter = digest.newsletter
    full = [article for article, role in digest.articles if role == "full"]
    titles = [article for article, role in digest.articles if role == "title"]
    today = digest.day.astimezone(ZoneInfo(newsletter.timezone)).date()
    here = site.publication.web(f"archive/{newsletter.name}/{digest.issue_id}")

    def told(article: Article) -> Story:
        return tell(
            article,
            language=newsletter.language,
            timezone=newsletter.timezone,
            today=today,
            summary_limit=LONGEST_SUMMARY,
            fallback_link=here,
        )

    # As in the mail: what an editor has arranged stays so.
    leading = full if digest.arranged else lead_first(full)
    return [told(each) for each in leading], [told(each) for each in titles]


def _line(site: Site, past: PastIssue, language: str) -> tuple[PastIssue, str]:
    return past, day_of(site, past.at, language)
