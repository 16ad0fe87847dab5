"""What all pages for readers share: language, words, headers, forms and the proof of what somebody did."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from syndicate.core.reader_steps import Circumstances
from syndicate.core.sign_up import WORDING
from syndicate.errors import BadInput
from syndicate.rendering.environment import render
from syndicate.rendering.reader_words import LANGUAGES, has_words, reader_words
from syndicate.rendering.text import web_address
from syndicate.rendering.words import direction, language_tag, long_date
from syndicate.web.security.forms import holds_nul

if TYPE_CHECKING:
    from syndicate.site import Site

LARGEST_FORM = 100_000
"""Octets of a form that are read."""

_FIELDS = 500
_RANGE = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*")


def site_of(request: Request) -> Site:
    """The site that is served."""
    site: Site = request.app.state.site
    return site


def now_of(request: Request) -> datetime:
    """The moment of the request, by the application's clock."""
    now: datetime = request.app.state.clock()
    return now


def proof_of(request: Request, origin: str) -> Circumstances:
    """What is kept of an act on a page: where, from which address, with which browser, by which words."""
    ip = request.client.host if request.client is not None else ""
    return Circumstances(origin, ip, request.headers.get("user-agent", ""), WORDING)


async def read_form(request: Request) -> FormData:
    """The fields of a form, urlencoded or multipart, without files; none for any other body. A dependency.

    Raises HTTPException for a form that is too large or broken."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "The form is too large.")

    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    form = await Request(request.scope, whole).form(max_files=0, max_fields=_FIELDS)
    if holds_nul(form):
        raise HTTPException(400, "The form holds NUL.")
    return form


def text_of(form: FormData, name: str) -> str:
    """The field's text, "" when it is not there."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def texts_of(form: FormData, name: str) -> list[str]:
    """All texts of a field that may stand several times."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def language_of(request: Request, person_language: str = "") -> str:
    """The page's language: as asked for by `?lang=`, the person's own, the browser's (RFC 9110 section 12.5.4), else
    the publication's, English when there are no words in that."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    own = site_of(request).publication.language
    for language in (person_language, *_accepted(request.headers.get("accept-language", "")), own):
        if language and has_words(language):
            return reader_words(language).language
    return "en"


def _accepted(header: str) -> list[str]:
    found: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:500].split(",")):
        match = _RANGE.fullmatch(part)
        if match and match[1] != "*" and (quality := float(match[2] or 1)) > 0:
            found.append((-quality, place, match[1]))
    return [language for _, _, language in sorted(found)]


def masked(email: str) -> str:
    """The address as its owner knows it and nobody else learns it: links in mails are passed on."""
    local, _, domain = email.rpartition("@")
    # A word joiner: no line ends between the two.
    return f"{local[:1]}…\u2060@{domain}" if local else ""


def day_of(site: Site, moment: datetime, language: str) -> str:
    """The day of a moment in the publication's zone, as people of that language write it."""
    return long_date(moment.astimezone(ZoneInfo(site.publication.timezone)).date(), language)


def minutes(wait: timedelta) -> int:
    """Whole minutes to wait, at least one."""
    return max(1, -int(-wait.total_seconds() // 60))


def show(
    request: Request,
    template: str,
    language: str,
    /,
    *,
    title: str,
    status: int = 200,
    private: bool = True,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """The template `web/public/TEMPLATE.html` in that language. A private page is kept by no cache, found by no search
    engine, and its address, which holds a token, goes to no other site."""
    site = site_of(request)
    publication = site.publication
    words = reader_words(language)
    prefix = urlsplit(publication.web_url).path.rstrip("/")
    nonce = secrets.token_urlsafe(16)
    other = next(each for each in LANGUAGES if each != words.language)
    everything = {
        "publication": publication,
        "sender": site.sender,
        "privacy": web_address(site.sender.privacy_url),
        "language": language_tag(language) or words.language,
        "direction": direction(language),
        "words": words,
        "words_language": words.language if not has_words(language) else "",
        "publication_language": publication.language if not _same(publication.language, language) else "",
        "other": (other, str(request.url.include_query_params(lang=other).query)),
        "asked_language": request.query_params.get("lang", ""),
        "prefix": prefix,
        "nonce": nonce,
        "title": title,
        "private": private,
        **context,
    }
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; img-src http: https:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    own = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Content-Language": str(everything["language"]),
        "Vary": "Accept-Language",
    }
    if private:
        own |= {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
    else:
        own |= {"Cache-Control": "max-age=60", "Referrer-Policy": "strict-origin-when-cross-origin"}
    html = render(site.templates, f"web/public/{template}.html", everything)
    return HTMLResponse(html, status, {**own, **(headers or {})})


def broken_link(request: Request) -> HTMLResponse:
    """The page for a token that is not ours, or not whole."""
    language = language_of(request)
    words = reader_words(language)
    return show(request, "message", language, title=words.link_broken, status=404, paragraphs=[words.link_broken_text])


def nothing_here(request: Request, language: str = "") -> HTMLResponse:
    """The page for what is not there, or not any more."""
    language = language or language_of(request)
    words = reader_words(language)
    return show(request, "message", language, title=words.not_found, status=404, paragraphs=[words.not_found_text])


def read_token(request: Request, purpose: str, token: str) -> tuple[int, str, str] | None:
    """Subscriber, newsletter and issue of a personal link; None when it is not ours."""
    try:
        parts = site_of(request).signer().read(purpose, token)
    except BadInput:
        return None
    if len(parts) != 3 or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) <= 18):
        return None
    return int(parts[0]), parts[1], parts[2]


def _same(one: str, other: str) -> bool:
    return one.partition("-")[0].lower() == other.partition("-")[0].lower()
