"""Pages of the console: a template with what every page knows, and the sentence that tells what was just done.

return page(request, "web/console/sources.html", sources=rows)          # a page, or a fragment for htmx
return done(request, "/console/sources", "The source desk is paused.")  # after every POST (303)
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup, escape

from syndicate.core.user import form_token, is_form_token
from syndicate.rendering.environment import render
from syndicate.storage.banners import Banners, banners
from syndicate.web.security.cookies import NOTICE, Cookies
from syndicate.web.security.forms import FIELD
from syndicate.web.security.signed_in import SignedIn, who_is
from syndicate.web.static_files import shipped_files

if TYPE_CHECKING:
    from syndicate.site import Site

SECTIONS = (
    ("today", "Today", "/console/"),
    ("articles", "Articles", "/console/articles"),
    ("issues", "Issues", "/console/issues"),
    ("newsletters", "Newsletters", "/console/newsletters"),
    ("readers", "Readers", "/console/readers"),
    ("sources", "Sources", "/console/sources"),
    ("feeds", "Feeds", "/console/feeds"),
    ("log", "Log", "/console/log"),
)
"""The parts of the console: key, name, address."""
_NOTICE_SECONDS = 60
_WORD = re.compile(r"[a-z]+([.:]?(\s|$)|[,;])")  # not the beginning of an address or a name


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page of the console. Besides `context` every template knows `publication`, `user` (None before the sign-in),
    `now`, `static(name)`, `csrf_field()`, `form_token`, `banners`, `notice`, and how times, days and numbers read:
    `when`, `day`, `clock_time`, `ago`, `iso`, `wall`, `number`, `many(2, "reader")`; `words(text)` and
    `sentence(text)` show what a terminal shows too; `with_query(path, key=…)` and `quoted(text)` make addresses."""
    signed_in = who_is(request)
    cookies = Cookies(request)
    notice = _read_notice(cookies.get(NOTICE), signed_in)
    response = HTMLResponse(
        render(
            request.app.state.site.templates, template, {**_shared(request, signed_in), "notice": notice, **context}
        ),
        status,
    )
    if notice:
        cookies.drop(response, NOTICE)
    return response


def done(request: Request, path: str, sentence: str = "") -> Response:
    """After a POST: to the page at `path` (of ours), which shows the sentence once. Going back or reloading sends
    nothing again."""
    response = RedirectResponse(path, 303)
    signed_in = who_is(request)
    if sentence and signed_in:
        text = urlsafe_b64encode(sentence.encode()[:2000]).decode("ascii")
        value = f"{form_token(signed_in.secret + text)}.{text}"
        Cookies(request).put(response, NOTICE, value, seconds=_NOTICE_SECONDS)
    return response


def with_query(path: str, **query: object) -> str:
    """An address with a query; what is None or "" is left out."""
    kept = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path


def wall(wall_time: str) -> str:
    """A slot's own time, in its newsletter's zone: `Mon 23 Nov 07:00`."""
    moment = datetime.fromisoformat(wall_time)
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def _shared(request: Request, signed_in: SignedIn | None) -> dict[str, Any]:
    state = request.app.state
    site: Site = state.site
    now: datetime = state.clock()
    times = Times(now, ZoneInfo(site.publication.timezone))
    # A form before the sign-in is tied to its own cookie, also where the browser is signed in as somebody.
    secret = getattr(request.state, "form_secret", "") or (signed_in.secret if signed_in else "")
    standing = Banners()
    if signed_in:
        with site.database.read() as connection:
            standing = banners(connection)
    return {
        "publication": site.publication,
        "user": signed_in.user if signed_in else None,
        "sections": SECTIONS,
        "here": request.url.path,
        "now": now,
        "static": shipped_files().address,
        "form_token": form_token(secret) if secret else "",
        "csrf_field": lambda: _form_field(secret),
        "banners": standing,
        "when": times.when,
        "day": times.day,
        "clock_time": times.clock_time,
        "ago": times.ago,
        "iso": times.iso,
        "wall": wall,
        "number": "{:,}".format,
        "many": many,
        "words": words,
        "sentence": sentence,
        "with_query": with_query,
        "quoted": lambda text: quote(str(text), safe=""),
    }


def _form_field(secret: str) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, form_token(secret) if secret else "")


def _read_notice(cookie: str, signed_in: SignedIn | None) -> str:
    mark, _, text = cookie.partition(".")
    if not text or signed_in is None or not is_form_token(signed_in.secret + text, mark):
        return ""
    try:
        return urlsafe_b64decode(text).decode("utf-8", "replace")
    except ValueError:
        return ""


def many(count: int, noun: str) -> str:
    """`1 reader`, `2,000 readers`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def words(text: str) -> Markup:
    """What stands between backquotes is a command to be typed."""
    parts = [text] if isinstance(text, Markup) else text.split("`")
    if len(parts) % 2 == 0:  # one of them is none of ours
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def sentence(text: str) -> Markup:
    """The same, beginning as a sentence does: for what follows a colon in a terminal."""
    return words(text[:1].upper() + text[1:] if _WORD.match(text) else text)


class Times:
    """How instants read in the console: in the publication's zone, near ones by their distance."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        self._now = now
        self._zone = zone

    def iso(self, moment: datetime) -> str:
        """For machines."""
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def clock_time(self, moment: datetime) -> str:
        """`07:00`."""
        return f"{moment.astimezone(self._zone):%H:%M}"

    def day(self, moment: datetime) -> str:
        """`today`, `yesterday`, `tomorrow`, `Mon 23 Nov` or, in another year, `23 Nov 2024`."""
        then, today = self._date(moment), self._date(self._now)
        near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((then - today).days)
        if near:
            return near
        return f"{then:%a} {then.day} {then:%b}" if then.year == today.year else f"{then.day} {then:%b %Y}"

    def when(self, moment: datetime) -> str:
        """`today 07:00`."""
        return f"{self.day(moment)} {self.clock_time(moment)}"

    def ago(self, moment: datetime) -> str:
        """`just now`, `12 min ago`, `3 h ago`, else the day and time; the same ahead: `in 12 min`."""
        seconds = (self._now - moment).total_seconds()
        distance = abs(seconds)
        if distance < 45:
            return "just now" if seconds >= 0 else "in a moment"
        if distance < 5400:
            text = f"{max(1, round(distance / 60))} min"
        elif distance < 79_200:
            text = f"{round(distance / 3600)} h"
        else:
            return self.when(moment)
        return f"{text} ago" if seconds >= 0 else f"in {text}"

    def _date(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()
