"""Every page that the product shows to people, as somebody comes to it: what the tests look at and the pictures show.

A page is a `Visit`: its address, in which `{sent}` and the like stand for what the filled site has there; who looks;
what they do on it first; and words that only this page shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tests.web.newsroom_day import FIRST, INVITED

if TYPE_CHECKING:
    from playwright.sync_api import Page

Where = Literal["newsroom", "empty", "inbox", "empty inbox"]
Act = Callable[["Page"], None]


@dataclass(frozen=True)
class Visit:
    """One page. `status` is that of the first answer; `act` is done on it, and `shows` is looked for afterwards, at an
    address that begins with `leads_to` if that is another."""

    name: str
    path: str
    shows: str
    where: Where = "newsroom"
    role: Any = ""
    status: int = 200
    act: Act | None = None
    leads_to: str = ""
    is_mail: bool = False


def console(name: str, path: str, shows: str, **more: Any) -> Visit:
    """A page of the console, as an admin sees it unless another role is said."""
    return Visit(name, f"/console/{path}", shows, **{"role": "admin", **more})


def pressed(button: str, **fields: str) -> Act:
    """Fills fields in by their labels, and presses a button."""

    def act(page: Page) -> None:
        for label, text in fields.items():
            page.locator("main").get_by_label(label.replace("_", " ")).first.fill(text)
        page.locator("main").get_by_role("button", name=button, exact=True).first.click()

    return act


def opened(*summaries: str) -> Act:
    """Opens what is closed."""

    def act(page: Page) -> None:
        for each in summaries:
            page.locator("summary").filter(has_text=each).first.click()

    return act


def _forged(page: Page) -> None:
    page.locator("main input[name=csrf]").first.evaluate("field => { field.value = '0'.repeat(64) }")
    page.get_by_role("button", name="Compose it and look").click()


def _too_often(page: Page) -> None:
    for _ in range(12):
        pressed("Sign in", Name="Nobody", Password="not the password")(page)
        if page.get_by_text("Too many").is_visible():
            return


def _added_again(page: Page) -> None:
    page.get_by_label("They asked for it").check()
    fields = {"Address": "eve@harbour-post.example", "Language": "nonsense!", "How they asked": "At the fair"}
    pressed("Add them", **fields)(page)


def _uploaded(page: Page) -> None:
    text = "email,name,newsletters\nzoe@harbour-post.example,Zoe,morning\nnot-an-address,Nobody,morning\n"
    page.get_by_label("A CSV file").set_input_files(
        {"name": "readers.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_role("button", name="Read it").click()
    page.get_by_role("heading", name="Rows that cannot be used").wait_for()


def _listed(page: Page) -> None:
    text = "EmailAddress,SuppressionReason\nyara@harbour-post.example,HardBounce\nnot-an-address,HardBounce\n"
    page.get_by_label("Its list").set_input_files(
        {"name": "suppressions.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_role("button", name="Read the list").click()
    page.get_by_role("heading", name="Rows that cannot be used").wait_for()


def _suppressed(page: Page) -> None:
    _listed(page)
    page.get_by_role("button", name="Suppress 1 address").click()
    page.get_by_role("link", name="To the readers").wait_for()


def _imported(page: Page) -> None:
    _uploaded(page)
    page.get_by_label("Why these people may be mailed").fill("Moved from our old provider")
    page.get_by_role("button", name="Import 1 reader").click()
    page.get_by_role("link", name="To the readers").wait_for()


def _signed_up(page: Page) -> None:
    page.locator("#email").fill("marta@harbour-post.example")
    page.locator("#n-morning").check()
    page.locator("main button").click()


CONSOLE = (
    Visit("sign-in", "/console/sign-in", "Sign in"),
    Visit("sign-in-wrong", "/console/sign-in", "is not right", act=pressed("Sign in", Name="Ada", Password="no")),
    Visit("sign-in-too-often", "/console/sign-in", "Too many", "empty", act=_too_often),
    Visit("signed-out", "/console/issues/1", "Sign in"),
    Visit("welcome-first", f"/console/welcome/{FIRST}", "You are the first here", "empty"),
    Visit("welcome-invited", f"/console/welcome/{INVITED}", "Welcome, Grace"),
    Visit(
        "welcome-fault",
        f"/console/welcome/{INVITED}",
        "not the same",
        act=pressed("Begin", Password="a long password", The_same_again="another long one"),
    ),
    Visit("welcome-spent", "/console/welcome/gone", "link", status=404),
    console("today", "", "What needs you"),
    console("today-menu", "", "Stop all sending", act=opened("Signed in as")),
    console("today-empty", "", "Nothing has come in yet.", where="empty"),
    console("articles", "articles", "The quay wall is sound, say the divers"),
    console("articles-none", "articles?q=zeppelin", "No article fits."),
    console("articles-empty", "articles", "No article yet.", where="empty"),
    console("article", "articles/{released}", "What we publish"),
    console("article-saved", "articles/{saved}", "left out as furniture", act=opened("Bring them back")),
    console("article-corrected", "articles/{corrected}", "Corrected", act=opened("What changed")),
    console("article-held", "articles/{held}", "Who decided it?", act=opened("Release…")),
    console("article-waiting", "articles/{waiting}", "until today 18:00", act=opened("Hold…")),
    console("article-gone", "articles/{gone}", "It was retracted.", act=opened("Publish again…")),
    console("article-published", "articles/{released}/published", "Four divers looked"),
    console("article-correct", "articles/{saved}/correct", "What it does"),
    console(
        "article-correct-fault",
        "articles/{saved}/correct",
        "Say what was corrected.",
        act=pressed("Correct it", What_was_corrected=" "),
    ),
    console("article-retract", "articles/{released}/retract", "Take it back everywhere"),
    console("article-retract-notice", "articles/{gone}/retract", "It is retracted already."),
    console("issues", "issues", "Who buys the bakery?"),
    console("issues-none", "issues?state=freezing", "No issue fits."),
    console("issues-empty", "issues", "No issue fits.", where="empty"),
    console("issue-draft", "issues/{draft}", "It carries what may not go out any more"),
    console("issue-changed", "issues/{changed}", "Changed since it was approved"),
    console(
        "issue-fault",
        "issues/{changed}",
        "is not a title and an address",
        act=pressed("Compose anew", Links_of_your_own="no address here"),
    ),
    console("issue-find", "issues/{changed}?find=the", "Put in"),
    console("issue-find-none", "issues/{changed}?find=zeppelin", "No other released article fits."),
    console("issue-countdown", "issues/{countdown}", "200 readers"),
    console("issue-sending", "issues/{sending}", "of 200"),
    console("issue-paused", "issues/{paused}", "Stopped by Sandy", act=opened("End it…")),
    console(
        "issue-uncertain", "issues/{uncertain}", "Nobody can tell whether 3 got it", act=opened("Send to them again…")
    ),
    console("issue-sent", "issues/{sent}", "it balances"),
    console("issue-cancelled", "issues/{cancelled}", "cancelled"),
    console("issue-of-an-editor", "issues/{changed}", "Somebody who may send", role="editor"),
    console("issue-mail", "issues/{changed}/mail.html", "It will rain at four.", is_mail=True),
    console("send", "send", "Three steps"),
    console("send-article", "send?article=urn:uuid:{released}&newsletter=evening", "Three steps"),
    console(
        "send-found",
        "send?newsletter=evening",
        "The quay wall is sound",
        act=pressed("Find articles", Words_in_title="quay wall"),
    ),
    console("send-empty", "send", "No article is released yet.", where="empty"),
    console("newsletters", "newsletters", "Note du soir", act=opened("Skip…")),
    console("readers", "readers", "ana.silva@harbour-post.example"),
    console("readers-none", "readers?q=zeppelin", "Nobody here has an address"),
    console("readers-empty", "readers", "Nobody yet.", where="empty"),
    console("reader", "readers/{active}", "reader001@example.org"),
    console("reader-added", "readers/{ana}", "At the fair"),
    console("reader-pending", "readers/{pending}", "pending"),
    console("reader-closed", "readers/{closed}", "Asked us by telephone"),
    console("reader-add", "readers/add", "Add"),
    console("reader-add-fault", "readers/add", "language is not a tag", act=_added_again),
    console("import", "readers/import", "Whom a mail API mails no more"),
    console(
        "import-report",
        "readers/import",
        "Rows that cannot be used",
        act=_uploaded,
        leads_to="/console/readers/import/",
    ),
    console(
        "import-list-report", "readers/import", "Would be suppressed", act=_listed, leads_to="/console/readers/import/"
    ),
    console(
        "import-list-done", "readers/import", "It is imported.", act=_suppressed, leads_to="/console/readers/import/"
    ),
    console("import-done", "readers/import", "It is imported.", act=_imported, leads_to="/console/readers/import/"),
    console("sources", "sources", "articles are held"),
    console("feeds", "feeds", "Culture"),
    console("letters", "letters", "the answer was lost", act=opened("Send again…")),
    console("letters-none", "letters", "Every letter is settled.", where="empty"),
    console("log", "log", "issue.approve"),
    console("log-none", "log?actor=nobody", "Nothing fits."),
    console("users", "users", "Let somebody in"),
    console("user-link", "users", "The link for Grace", act=lambda page: _new_link(page)),
    console("users-fault", "users", "There is a user", act=pressed("Make the link", Name="Ada")),
    console("password", "password", "Change it"),
    console("password-fault", "password", "not the same", act=lambda page: _other_passwords(page)),
    console("not-found", "nothing", "There is no such page.", status=404),
    console("not-allowed", "users", "This needs the role admin", role="editor", status=403),
    console("not-possible", "stop-sending", "That address does not take such a request.", status=405),
    console("forged", "send", "does not belong to your present sign-in", act=_forged),
    console("broken", "broken", "through no fault of yours", status=500),
)
PUBLIC = (
    Visit("home", "/", "Morning Briefing"),
    Visit("home-empty", "/", "newsletter", "empty"),
    Visit("subscribe", "/subscribe", "What would you like to get?"),
    Visit("subscribe-one", "/subscribe", "Sign up", "empty"),
    Visit(
        "subscribe-mistake",
        "/subscribe",
        "is not an e-mail address",
        act=pressed("Sign up", **{"Your e-mail address": "ann@nowhere"}),
    ),
    Visit("subscribe-quick", "/subscribe", "That was very quick", act=_signed_up),
    Visit("embed", "/subscribe/embed", "form"),
    Visit("confirm", "/confirm/{confirm}", "confirm"),
    Visit("confirm-broken", "/confirm/nonsense", "This link does not work", status=404),
    Visit("leave", "/u/{leave_active}", "Unsubscribe from Morning Briefing?"),
    Visit("leave-test", "/u/{leave_test}", "This link belongs to a test"),
    Visit("left", "/u/{leave_ana}", "You are unsubscribed from Morning Briefing", act=pressed("Unsubscribe")),
    Visit("left-before", "/u/{leave_pending}", "Morning Briefing"),
    Visit("preferences", "/p/{choose_active}", "Your preferences"),
    Visit("preferences-saved", "/p/{choose_active}", "Saved.", act=pressed("Save")),
    Visit("preferences-mistake", "/p/{choose_active}", "Nothing was saved yet.", act=lambda page: _past_pause(page)),
    Visit("preferences-closed", "/p/{choose_closed}", "This address gets no mail from here"),
    Visit("preferences-broken", "/p/nonsense", "This link does not work", status=404),
    Visit("archive", "/archive/", "Past issues"),
    Visit("archive-bare", "/archive", "Past issues"),
    Visit("archive-empty", "/archive/", "Past issues", "empty"),
    Visit("archive-newsletter", "/archive/morning", "The night ferry comes back"),
    Visit("archive-newsletter-bare", "/archive/morning/", "The night ferry comes back"),
    Visit("archive-french", "/archive/evening", "Note du soir"),
    Visit("archive-issue", "/archive/morning/{sent}", "Sponsored by The Ferry Line"),
    Visit("public-not-found", "/archive/nothing", "There is nothing here", status=404),
    Visit("nowhere", "/nowhere", "There is no such page.", status=404),
    Visit("public-broken", "/broken", "through no fault of yours", status=500),
    Visit("feeds-page", "/feeds/", "Culture"),
    Visit("article-page", "/feeds/articles/{released}.html", "Four divers looked"),
    Visit("article-page-corrected", "/feeds/articles/{corrected}.html", "1961"),
    Visit("article-page-retracted", "/feeds/articles/{gone}.html", "is not the one that was decided"),
)
FRENCH = tuple(
    Visit(f"{each.name}-french", f"{each.path}?lang=fr", shows, each.where, each.role, each.status, act)
    for each, shows, act in (
        (each, *french)
        for each in PUBLIC
        for french in [
            {
                "home": ("S’abonner", None),
                "subscribe": ("S’abonner", None),
                "embed": ("formulaire", None),
                "confirm": ("onfirm", None),
                "leave": ("désabonner", None),
                "preferences": ("préférences", None),
                "archive": ("Numéros", None),
                "nowhere": ("Cette page n’existe pas.", None),
                "public-broken": ("ce n’est pas votre faute", None),
            }.get(each.name)
        ]
        if french
    )
)
INBOX = (
    Visit("inbox", "/", "mails", "inbox"),
    Visit("inbox-none", "/?query=zeppelin", "Nothing was found.", "inbox"),
    Visit("inbox-mail", "/mail/{mail}", "On a telephone", "inbox"),
    Visit("inbox-mail-html", "/mail/{mail}/html", "Morning Briefing", "inbox", is_mail=True),
    Visit("inbox-missing", "/mail/none", "There is no such mail", "inbox", status=404),
    Visit("inbox-empty", "/", "No mail yet.", "empty inbox"),
)
VISITS = (*CONSOLE, *PUBLIC, *FRENCH, *INBOX)
NO_PAGES = {
    "/console": "/console",  # leads to /console/
    "/console/live": "/console/live",
    "/console/figures": "/console/figures",
    "/console/newsletters/live": "/console/newsletters/live",
    "/console/newsletters/figures": "/console/newsletters/figures",
    "/console/issues/{number}/mail.txt": "/console/issues/{sent}/mail.txt",
    "/console/issues/{number}/live": "/console/issues/{sent}/live",
    "/console/issues/{number}/figures": "/console/issues/{sent}/figures",
    "/.well-known/syndicate/{nonce}": "/.well-known/syndicate/nnnnnnnnnnnnnnnnnnnnnnnn",
    "/api/v1/articles/{external_id:path}": "/api/v1/articles/1",
    "/api/v1/openapi.json": "/api/v1/openapi.json",
}
"""Routes that answer a GET with something else than a page, and an address of each."""
NO_INBOX_PAGES = (
    *("/inbox.js", "/mail/{id}/text"),
    *("/api/v1/info", "/api/v1/messages", "/api/v1/search", "/api/v1/message/{id}", "/api/v1/message/{id}/raw"),
)


def _new_link(page: Page) -> None:
    page.get_by_label("New link for Grace").click()
    page.locator("details[open]").get_by_role("button", name="Make a new link").click()


def _other_passwords(page: Page) -> None:
    for name, text in (("present", "what it was"), ("new", "a long password"), ("again", "another long one")):
        page.locator(f"input[name={name}]").fill(text)
    page.locator("main form button").click()


def _past_pause(page: Page) -> None:
    page.locator("#pause-date").check()
    page.get_by_role("button", name="Save", exact=True).click()
