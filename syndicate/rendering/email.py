"""A digest becomes the body of a mail: subject, HTML and its text twin, with placeholders for each recipient."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal
from zoneinfo import ZoneInfo

import css_inline
import jinja2

from syndicate.core import placeholders
from syndicate.core.article import Article
from syndicate.core.edits import LONGEST_INTRO, EditorLink
from syndicate.core.edits import Sponsor as EditorSponsor
from syndicate.core.lead import choose_lead, lead_first
from syndicate.core.newsletter import Newsletter
from syndicate.core.preflight import HTML_LIMIT
from syndicate.core.publication import Publication, Sender
from syndicate.errors import BadInput
from syndicate.rendering.additions import tell_links, tell_sponsor
from syndicate.rendering.environment import render
from syndicate.rendering.story import Story, tell
from syndicate.rendering.text import fold, one_line, shorten, web_address
from syndicate.rendering.words import direction, language_tag, long_date, words_for
from syndicate.rendering.written import write

SUBJECT_LENGTH = 78
PREHEADER_LENGTH = 130

_SUMMARY_STEPS = (1_000, 400, 240, 120)
_MOST_STORIES, _MOST_TITLES = 120, 400
"""More do not fit whatever they say: a day of ten thousand articles is not rendered to find that out."""

_Page = tuple[dict[str, Any], str]
"""What the templates were told, and the HTML that came of it."""

# One inliner for all: it keeps no state. Never fetches: a stylesheet's address could be anyone's.
_INLINER = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=False, load_remote_stylesheets=False)


@dataclass(frozen=True, slots=True)
class Digest:
    """What one variant of an issue says. `day` is the day printed, aware, shown in the newsletter's zone; `subject`,
    `preheader` and `intro` are an editor's own, "" for automatic. `arranged`: an editor chose the order, so the first
    article leads whatever is suspected of it. `test` marks it and makes its way out inert."""

    publication: Publication
    sender: Sender
    newsletter: Newsletter
    issue_id: int
    language: str
    day: datetime
    subject: str
    preheader: str
    intro: str
    articles: tuple[tuple[Article, Literal["full", "title"]], ...]
    arranged: bool = False
    links: tuple[EditorLink, ...] = ()
    sponsor: EditorSponsor | None = None
    test: bool = False


@dataclass(frozen=True, slots=True)
class RenderedVariant:
    """Subject, HTML and text with the placeholders of `core.placeholders` in them."""

    subject: str
    html: str
    text: str

    @property
    def sha256(self) -> str:
        """Of all three, in hexadecimal."""
        octets = [part.encode() for part in (self.subject, self.html, self.text)]
        return sha256(b"".join(b"%d:%b" % (len(each), each) for each in octets)).hexdigest()


@dataclass(frozen=True, slots=True)
class Links:
    """Where a mail's own links lead; the personal ones are placeholders."""

    site: str
    view: str
    unsubscribe: str
    preferences: str
    privacy: str


@dataclass(frozen=True, slots=True)
class Reader:
    """What a template may say of the recipient."""

    name: str = placeholders.NAME


def render_digest(environment: jinja2.Environment, digest: Digest) -> RenderedVariant:
    """The digest through the newsletter's templates, its HTML under 102,000 octets for every recipient: longer
    days get shorter summaries, then more articles by title only, then `and 12 more on the web`.

    Raises BadInput, naming the template, the line and the cure, when a template cannot be used.
    """
    if len(digest.intro) > LONGEST_INTRO:
        raise BadInput(
            f"The introduction of issue {digest.issue_id} has {len(digest.intro)} characters.",
            cure=f"Shorten it to {LONGEST_INTRO} at most.",
        )
    return _Rendering(environment, digest).fitting()


class _Rendering:
    """One digest on its way through the templates, tried with less and less until it fits."""

    def __init__(self, environment: jinja2.Environment, digest: Digest) -> None:
        self.environment = environment
        self.digest = digest = _cleaned(digest)
        self.told: dict[tuple[str, int], Story] = {}
        given = [article for article, role in digest.articles if role == "full"]
        full = tuple(given) if digest.arranged else lead_first(given)
        titles = [article for article, role in digest.articles if role == "title"]
        self.stories = full[:_MOST_STORIES]
        self.titles = (*full[_MOST_STORIES:], *titles)
        self.namesake = given[0] if digest.arranged and given else choose_lead(full) or choose_lead(titles)
        self.intro = write(digest.intro)
        self.links = tell_links(digest.links)
        self.sponsor = tell_sponsor(digest.sponsor, digest.language)
        self.today = digest.day.astimezone(ZoneInfo(digest.newsletter.timezone)).date()
        self.view = digest.publication.web(f"archive/{digest.newsletter.name}/{digest.issue_id}")

    def fitting(self) -> RenderedVariant:
        context, html = self.longest_that_fits()
        return RenderedVariant(context["subject"], html, self.text(context))

    def longest_that_fits(self) -> _Page:
        everything = len(self.stories)
        for step in _SUMMARY_STEPS:
            if fits := self.within_limit(step, everything, _MOST_TITLES):
                return fits
        shortest = _SUMMARY_STEPS[-1]
        found = _most(everything, lambda count: self.within_limit(shortest, count, _MOST_TITLES))
        if found is None:
            found = _most(_MOST_TITLES, lambda count: self.within_limit(shortest, min(1, everything), count))
        if found is None:
            found = self.within_limit(shortest, 0, 0)
        if found is None:
            raise BadInput(
                f"{self.name('body.html')}: the mail is over {HTML_LIMIT:,} bytes even without any article.",
                cure="Make the template smaller.",
            )
        return found

    def within_limit(self, summary_limit: int, full: int, titles: int) -> _Page | None:
        context = self.context(summary_limit, full, titles)
        html = self.html(context)
        octets = placeholders.longest_octets(html, self.digest.publication, self.digest.newsletter)
        return None if octets >= HTML_LIMIT else (context, html)

    def name(self, file: str) -> str:
        return f"email/{self.digest.newsletter.template}/{file}"

    def names(self, file: str) -> list[str]:
        # A template of one's own may be body.html alone: the digest's subject and text say the same articles.
        return [self.name(file), f"email/digest/{file}"]

    def html(self, context: dict[str, Any]) -> str:
        name = self.name("body.html")
        html = render(self.environment, name, context)
        try:
            html = _INLINER.inline(html)
        except css_inline.InlineError as error:
            raise BadInput(f"{name}: its style cannot be inlined: {error}.", cure="Correct the template.") from error
        return self.checked(name, html)

    def text(self, context: dict[str, Any]) -> str:
        name = self.name("body.txt")
        lines = (line.rstrip(" ") for line in render(self.environment, self.names("body.txt"), context).splitlines())
        return self.checked(name, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n")

    def checked(self, name: str, body: str) -> str:
        if placeholders.is_torn(body):
            raise BadInput(
                f"{name}: a filter changes a value that each recipient's own takes the place of.",
                cure="Print links.unsubscribe, links.preferences and reader.name as they are.",
            )
        if placeholders.UNSUBSCRIBE not in body:
            raise BadInput(f"{name}: there is no way out for the reader.", cure="Print links.unsubscribe as a link.")
        return body

    @cached_property
    def subject(self) -> str:
        digest = self.digest
        own = one_line(digest.subject)
        if not own:
            automatic = one_line(self.namesake.content.title, SUBJECT_LENGTH) if self.namesake else ""
            own = automatic or shorten(f"{digest.newsletter.title}, {self.day()}", SUBJECT_LENGTH)
        return own

    def day(self, *, weekday: bool = False) -> str:
        return long_date(self.today, self.digest.language, weekday=weekday)

    def context(self, summary_limit: int, full: int, titles: int) -> dict[str, Any]:
        digest, words = self.digest, words_for(self.digest.language)
        publication = digest.publication

        stories = [self.story(article, summary_limit) for article in self.stories[:full]]
        rest = (*self.stories[full:], *self.titles)
        # A title link shows no summary; the shortest is told once for all attempts.
        more = [self.story(article, _SUMMARY_STEPS[-1]) for article in rest[:titles]]
        way = direction(digest.language)
        context: dict[str, Any] = {
            "publication": publication,
            "sender": digest.sender,
            "newsletter": digest.newsletter,
            "issue_id": digest.issue_id,
            "language": language_tag(digest.language) or "en",
            "direction": way,
            "start": "right" if way == "rtl" else "left",
            "words": words,
            # A reader program must not pronounce English words as another language.
            "words_language": words.language
            if words_for(digest.language).language != _primary(digest.language)
            else "",
            "day": self.day(weekday=True),
            "preheader": self.preheader(stories, more),
            "intro": self.intro.text,
            "intro_html": self.intro.html,
            "editor_links": self.links,
            "sponsor": self.sponsor,
            "lead": stories[0] if stories else None,
            "stories": stories[1:],
            "more": more,
            "and_more": words.and_more(len(rest) - len(more)) if len(rest) > len(more) else "",
            "reason": words.reason(digest.newsletter.title, publication.title),
            "address": [line for part in digest.sender.postal_address.splitlines() if (line := one_line(part))],
            "address_language": language_tag(publication.language) or "en",
            "address_direction": direction(publication.language),
            "links": Links(
                site=web_address(publication.url) or publication.web_url,
                view=self.view,
                unsubscribe=placeholders.UNSUBSCRIBE,
                preferences=placeholders.PREFERENCES,
                privacy=web_address(digest.sender.privacy_url),
            ),
            "reader": Reader(),
            "test": digest.test,
            "subject": self.subject,
        }
        subject = fold(render(self.environment, self.names("subject.txt"), context))
        if placeholders.is_torn(subject):
            raise BadInput(f"{self.name('subject.txt')}: a filter changes reader.name.", cure="Print it as it is.")
        context["subject"] = f"{words.test_mark} {subject}" if digest.test else subject
        return context

    def story(self, article: Article, summary_limit: int) -> Story:
        known = (article.id, summary_limit)
        if known not in self.told:
            self.told[known] = tell(
                article,
                language=self.digest.language,
                timezone=self.digest.newsletter.timezone,
                today=self.today,
                summary_limit=summary_limit,
                fallback_link=self.view,
            )
        return self.told[known]

    def preheader(self, stories: list[Story], more: list[Story]) -> str:
        own = one_line(self.digest.preheader)
        if own:
            return own
        if stories and stories[0].summary:
            return shorten(stories[0].summary, PREHEADER_LENGTH)
        return shorten(" · ".join(story.title for story in (stories[1:4] or more[:3])), PREHEADER_LENGTH)


def _cleaned(digest: Digest) -> Digest:
    """The same with names from the settings on one line; what articles say is cleaned where it is told."""
    publication, sender, newsletter = digest.publication, digest.sender, digest.newsletter
    return replace(
        digest,
        publication=replace(publication, title=one_line(publication.title)),
        sender=replace(sender, from_name=one_line(sender.from_name), legal_name=one_line(sender.legal_name)),
        newsletter=replace(newsletter, title=one_line(newsletter.title)),
    )


def _primary(language: str) -> str:
    return language_tag(language).partition("-")[0].lower()


def _most(highest: int, attempt: Callable[[int], _Page | None]) -> _Page | None:
    """The attempt with the highest count in 1…highest that fits, found by halving; None when not even 1 does."""
    best, low = None, 1
    while low <= highest:
        middle = (low + highest) // 2
        fits = attempt(middle)
        if fits is None:
            highest = middle - 1
        else:
            best, low = fits, middle + 1
    return best
