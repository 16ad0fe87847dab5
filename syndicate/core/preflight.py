"""What is looked at in a mail before people get it: pure checks over a rendered variant or one reader's whole copy,
and over the headers that all copies have.

An error means that the mail must not go out as it is; a warning is for an editor's eye.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from typing import Literal, Protocol
from urllib.parse import urlsplit

from syndicate.core import headers
from syndicate.core.newsletter import Newsletter
from syndicate.core.placeholders import fill, longest_token
from syndicate.core.publication import Publication, Sender
from syndicate.errors import BadInput

HTML_LIMIT = 102_000
"""Octets of HTML from which on Gmail cuts a body off, and with it the way out at its end."""

SUBJECT_SHOWN, SUBJECT_LIMIT = 78, 255
"""Characters: about what a list of mails shows, and what every mail API takes."""

# Noncharacters hold our own places; the rest is how templates and mail APIs write theirs.
_PRIVATE = re.compile(r"[\ufdd0-\ufdef]")
_PLACE = re.compile(r"\{\{[^\n]{0,40}|\{%[^\n]{0,40}|%recipient\.\w{0,40}|\*\|\w{1,40}\|\*")
_MARK = re.compile(r"\bTK\b|(?:TK){2,}|\bNOT FOR PUBLICATION\b|\bEMBARGO(?:ED)?\b")
_SAMPLE = {
    "unsubscribe": "https://reader.example/unsubscribe",
    "preferences": "https://reader.example/preferences",
    "name": "",
}
"""What stands in for a reader's own values while a variant is looked at."""
_CERTAIN_MARKS = ("TKTK", "NOT FOR PUBLICATION")


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on what is off."""

    level: Literal["error", "warning"]
    text: str


class Mail(Protocol):
    """A `RenderedVariant` or a `Message`."""

    @property
    def subject(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def text(self) -> str: ...


class Version(Mail, Protocol):
    """One of the rendered variants of an issue, as it is kept."""

    @property
    def article_ids(self) -> tuple[str, ...]: ...


def look_over(versions: Iterable[Version]) -> tuple[Finding, ...]:
    """Everything that is off in any version of an issue, each once, errors first. A version in which nothing is left is
    that of readers who get no mail."""
    sent = [each for each in versions if each.article_ids or each.html]
    found = dict.fromkeys(finding for each in sent for finding in preflight(each))
    return tuple(sorted(found, key=lambda finding: finding.level))


def errors_among(findings: Iterable[Finding]) -> list[str]:
    """What must not go out, in sentences."""
    return [each.text for each in findings if each.level == "error"]


def look_at_headers(
    publication: Publication, sender: Sender, newsletter: Newsletter, *, date: datetime
) -> tuple[Finding, ...]:
    """What is off in the headers of an issue's mails: those that all copies share, and the longest way out of one."""
    host = headers.mail_host
    way_out = f"<{publication.web('u/')}{'x' * longest_token(newsletter)}>"
    looks: list[Callable[[], object]] = [
        lambda: headers.check_one_line("[mail] from", f"{sender.from_name} <{sender.from_email}>"),
        lambda: headers.check_one_line("[mail] reply_to", sender.reply_to),
        lambda: headers.check_headers([("List-Unsubscribe", way_out)]),
        lambda: headers.common_headers(
            date=date,
            title=newsletter.title,
            newsletter=newsletter.name,
            host=host(publication.web_url),
            issue_id=2**53,
            revision=1_000,
            instance="",
        ),
    ]
    found = []
    for look in looks:
        try:
            look()
        except BadInput as error:
            found.append(_error(str(error)))
    return tuple(found)


def preflight(mail: Mail) -> tuple[Finding, ...]:
    """Everything that is off in this mail, errors first; empty when nothing is."""
    subject, html, text = fill(mail.subject, **_SAMPLE), fill(mail.html, **_SAMPLE), fill(mail.text, **_SAMPLE)
    found = [*_subject(subject), *_left_behind(subject, html, text), *_body(html, text)]
    return tuple(sorted(found, key=lambda finding: finding.level))


def _error(sentence: str) -> Finding:
    return Finding("error", sentence)


def _warning(sentence: str) -> Finding:
    return Finding("warning", sentence)


def _subject(subject: str) -> Iterator[Finding]:
    if not subject.strip():
        yield _error("The subject is empty.")
    if any(character < " " or character == "\x7f" for character in subject):
        yield _error("The subject holds a line end or a control character.")
    if len(subject) > SUBJECT_LIMIT:
        yield _error(f"The subject has {len(subject)} characters; mail APIs take {SUBJECT_LIMIT}.")
    elif len(subject) > SUBJECT_SHOWN:
        yield _warning(f"The subject has {len(subject)} characters; mail programs show some {SUBJECT_SHOWN}.")


def _left_behind(subject: str, html: str, text: str) -> Iterator[Finding]:
    for where, words in (("subject", subject), ("HTML", html), ("text", text)):
        if _PRIVATE.search(words):
            yield _error(f"The {where} holds a placeholder that nothing filled.")
    # The text twin says the same as the HTML, without styles and scripts that may hold braces.
    for where, words in (("subject", subject), ("text", text)):
        if place := _PLACE.search(words):
            yield _warning(f"The {where} holds what looks like an unfilled placeholder: {place[0].strip()!r}.")
        for mark in dict.fromkeys(found[0] for found in _MARK.finditer(words)):
            finding = _error if mark.startswith(_CERTAIN_MARKS) else _warning
            yield finding(f"The {where} still holds the mark {mark!r}.")


def _body(html: str, text: str) -> Iterator[Finding]:
    octets = len(html.encode("utf-8", "surrogatepass"))
    if not html.strip():
        yield _error("The HTML is empty.")
    elif octets >= HTML_LIMIT:
        yield _error(f"The HTML has {octets:,} bytes; Gmail cuts it off at {HTML_LIMIT:,}.")
    elif octets > HTML_LIMIT * 0.8:
        yield _warning(f"The HTML has {octets:,} bytes, more than four fifths of the {HTML_LIMIT:,} that Gmail shows.")
    outline = _Outline()
    outline.feed(html)
    outline.close()
    for address in dict.fromkeys(outline.links + outline.pictures):
        if not _is_absolute(address, or_mail=address not in outline.pictures):
            yield _error(f"{address[:200]!r} is not an absolute http or https address.")
    if outline.pictures_without_alt:
        yield _warning(f"{outline.pictures_without_alt} pictures have no alt text, not even an empty one.")
    if outline.titles != 1 and html.strip():
        yield _warning(f"The HTML has {outline.titles} h1 headings; one is what a screen reader looks for.")
    yield from _twin(text, outline)


def _twin(text: str, outline: _Outline) -> Iterator[Finding]:
    if not text.strip():
        yield _error("There is no text beside the HTML.")
        return
    words = text.split()
    # A sentence may wrap an address in punctuation.
    standing = {*words, *(word.strip("<>()[],.;:") for word in words)}
    for address in dict.fromkeys(outline.links):
        if address not in standing and not address.startswith("mailto:"):
            yield _warning(f"The text does not have the link {address[:200]!r} of the HTML.")


def _is_absolute(address: str, *, or_mail: bool) -> bool:
    try:
        parts = urlsplit(address)
        return (parts.scheme in ("http", "https") and bool(parts.hostname)) or (or_mail and parts.scheme == "mailto")
    except ValueError:
        return False


class _Outline(HTMLParser):
    """The addresses in a document, its main headings and its pictures without a description."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.pictures_without_alt = 0
        self.titles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and "href" in values:
            self.links.append((values["href"] or "").strip())
        elif tag == "img":
            self.pictures.append((values.get("src") or "").strip())
            self.pictures_without_alt += "alt" not in values
        elif tag == "h1":
            self.titles += 1
