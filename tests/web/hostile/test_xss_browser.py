"""The same pages in a real browser: nothing asks, complains, is loaded from elsewhere or stands in them that we did not
write."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from syndicate.sandbox.start import running_sandbox
from tests.web.hostile.site import HostileSite, routes
from tests.web.hostile.words import PRODUCT
from tests.web.newsroom_site import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FOUND = """() => {
  const wrong = [];
  for (const each of document.querySelectorAll("*")) {
    if (each.localName.includes("xss") || ["object", "embed", "svg", "math"].includes(each.localName)
        || each.matches("base[href]"))
      wrong.push(each.outerHTML.slice(0, 200));
    if (each.localName === "script" && !new URL(each.src, "x:").href.startsWith(location.origin))
      wrong.push(each.outerHTML.slice(0, 200));
    for (const { name, value } of each.attributes) {
      const scheme = /^[\\u0000-\\u0020]*([a-z][a-z0-9+.-]*):/i.exec(value.replace(/[\\t\\r\\n]/g, ""));
      const leads = ["href", "src", "action", "formaction", "data", "xlink:href"].includes(name) && scheme;
      if (name.includes("xss") || name.startsWith("on") || name === "srcdoc"
          || (leads && !["http", "https", "mailto"].includes(scheme[1].toLowerCase())))
        wrong.push(`${each.localName} ${name}=${value}`);
    }
  }
  if (document.body && document.body.innerText.includes("PRODUCT")) wrong.push("a template was made of a text");
  return wrong;
}""".replace("PRODUCT", PRODUCT)


class Watched:
    """A page that remembers what went on in it. `elsewhere` are the hosts of other sites that it asked."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.complaints: list[str] = []
        self.elsewhere: set[str] = set()
        page.on("dialog", self._dialog)
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.route("**/*", self._route)

    def open(self, path: str) -> list[str]:
        """What is wrong in the page at that path, and in the frames that are in it."""
        self.page.goto(self.origin + path, wait_until="load")
        return self.complaints + [wrong for frame in self.page.frames for wrong in frame.evaluate(FOUND)]

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _heard(self, kind: str, text: str) -> None:
        # A picture of another site that was kept from it here is not the page's fault.
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(f"{kind}: {text}")

    def _route(self, route: Any) -> None:
        host = urlsplit(route.request.url).netloc
        if host == urlsplit(self.origin).netloc:
            route.continue_()
        else:
            self.elsewhere.add(host)
            route.abort()


@pytest.fixture
def opened(hostile: HostileSite, chromium: Any) -> Iterator[Any]:
    contexts = []

    def watched(origin: str = hostile.url, *, admin: bool = False) -> Watched:
        context = chromium.new_context()
        contexts.append(context)
        if admin:
            session = hostile.web.client("admin").cookies[COOKIE]
            context.add_cookies([{"name": COOKIE, "value": session, "url": hostile.url, "httpOnly": True}])
        return Watched(context.new_page(), origin)

    yield watched
    for each in contexts:
        each.close()


def test_the_browser_finds_nothing_of_theirs_on_any_page(hostile: HostileSite, opened: Any) -> None:
    shown = [path for _, path in routes("GET") if not path.endswith("/live") and not path.startswith("/api/")]
    paths = [*map(hostile.path, shown)]
    for key in ("retracted.md", "page.html"):
        paths += [f"/console/articles/{hostile.article(key)}", f"/feeds/articles/{hostile.article(key)}.html"]
    paths += [f"/console/issues/{hostile.issues['sent']}", f"/feeds/articles/{hostile.article('first.md')}.html"]
    paths += ["/console/log?actor=%22%3E%3Cxss%3E", "/console/articles?q=%3Cscript%3Exss()%3C/script%3E", "/feeds/"]
    admin, stranger = opened(admin=True), opened()
    for path in dict.fromkeys(paths):
        watched = admin if path.startswith("/console") else stranger
        assert watched.open(path) == [], path
    for path in ("/console/sign-in?next=javascript:xss()", "/%3Cxss%3E", f"/archive/morning/{'9' * 17}"):
        assert stranger.open(path) == [], path
    # Pictures of articles are of other hosts; nothing else is.
    assert admin.elsewhere | stranger.elsewhere <= {"ok.example"}


def test_the_browser_finds_nothing_of_theirs_in_the_inbox(hostile: HostileSite, opened: Any) -> None:
    with running_sandbox(hostile.web.site.outbox) as sandbox:
        watched = opened(sandbox.url)
        assert watched.open("/") == []
        assert watched.open("/?query=%22%3E%3Cxss%3E") == []
        watched.open("/")
        mails = watched.page.locator("a[href^='/mail/']").evaluate_all("all => all.map(each => each.pathname)")
        assert len(mails) == len(hostile.mails)
        for mail in mails[:1]:
            for path in (mail, f"{mail}/html", f"{mail}/text"):
                assert watched.open(path) == [], path


def test_the_browser_reads_mails_and_entries_as_we_do(hostile: HostileSite, opened: Any) -> None:
    """Without any policy of ours: in a mail program or a feed reader there is none."""
    texts = []
    for raw in hostile.mails[:1]:
        part = email.message_from_bytes(raw, policy=email.policy.default).get_body(("html",))
        assert part is not None
        texts.append(part.get_content())
    feed = json.loads(hostile.web.stranger().get("/feeds/feed.json").content)
    texts += [entry["content_html"] for entry in feed["items"] if "content_html" in entry]
    assert len(texts) > 4
    watched = opened()
    for text in texts:
        watched.page.set_content(text)
        assert watched.page.evaluate(FOUND) == [] and watched.complaints == [], text[:200]
    assert watched.elsewhere <= {"ok.example"}


def test_what_is_looked_for_would_be_found(opened: Any) -> None:
    watched = opened()
    for wrong in (
        "<p>a</p><xss>b</xss>",
        "<img src=x: onerror=alert(1)>",
        "<a href='java\tscript:alert(1)'>a</a>",
        "<iframe srcdoc='x'></iframe>",
        "<script src='https://evil.example/x.js'></script>",
        f"<p>{PRODUCT}</p>",
    ):
        watched.page.set_content(wrong)
        assert watched.page.evaluate(FOUND), wrong
    assert watched.elsewhere == {"evil.example"}
    watched.page.set_content("<script>alert(1)</script>")
    assert watched.complaints.count("dialog: 1") == 2
