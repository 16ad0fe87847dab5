"""A mail to one reader, outside of any issue: it asks them to confirm, or shows them the way to their preferences."""

from __future__ import annotations

import re
from dataclasses import dataclass

import css_inline

from syndicate.errors import BadInput
from syndicate.rendering.environment import render
from syndicate.rendering.issue import House
from syndicate.rendering.reader_words import reader_words
from syndicate.rendering.text import fold, one_line, web_address
from syndicate.rendering.words import direction

_INLINER = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=False, load_remote_stylesheets=False)
_LONGEST_SUBJECT = 150


@dataclass(frozen=True, slots=True)
class ReaderMail:
    """What the mail says: plain texts, escaped by the templates. `button` is (words, address) of the one thing to do,
    `items` a list of names, `small` what stands below, `why` why the person gets it."""

    subject: str
    title: str
    paragraphs: tuple[str, ...]
    items: tuple[str, ...] = ()
    button: tuple[str, str] | None = None
    small: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """Subject, HTML and text of one mail."""

    subject: str
    html: str
    text: str


def render_reader_mail(house: House, mail: ReaderMail, *, language: str) -> RenderedMail:
    """The mail through `email/confirmation/`, in that language. Raises BadInput when a template cannot be used."""
    publication, sender = house.publication, house.sender
    words = reader_words(language)
    # The words' own: what is said in English is not read aloud as another language.
    way = direction(words.language)
    said = [one_line(each) for each in mail.paragraphs]
    context = {
        "publication": publication,
        "sender": sender,
        "language": words.language,
        "direction": way,
        "start": "right" if way == "rtl" else "left",
        "words": words,
        "home": web_address(publication.url) or publication.web(""),
        "privacy": web_address(sender.privacy_url),
        "address": [line for part in sender.postal_address.splitlines() if (line := one_line(part))],
        "subject": one_line(mail.subject, _LONGEST_SUBJECT),
        "preheader": one_line(" ".join((*said, *mail.items)), 130),
        "title": one_line(mail.title),
        "paragraphs": said,
        "items": [one_line(each, 300) for each in mail.items],
        "button": mail.button,
        "small": [one_line(each) for each in mail.small],
        "why": one_line(mail.why),
    }
    name = "email/confirmation/body.html"
    try:
        html = _INLINER.inline(render(house.environment, name, context))
    except css_inline.InlineError as error:
        raise BadInput(f"{name}: its style cannot be inlined: {error}.", cure="Correct the template.") from error
    text = render(house.environment, "email/confirmation/body.txt", context)
    lines = "\n".join(line.rstrip(" ") for line in text.splitlines())
    subject = fold(render(house.environment, "email/confirmation/subject.txt", context))
    return RenderedMail(subject, html, re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n")
