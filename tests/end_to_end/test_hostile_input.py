"""Whatever the world puts before it: one clear error that names the place and the cure, and everything else goes on.

One site holds every hostile article at once, beside good ones, and real commands take it to feeds, pages and mailboxes.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from lxml import html as lxml_html

from tests.end_to_end.site import SiteFolder, make_site
from tests.rendering.feed_documents import require_atom, require_json, require_rss

SCRIPT = "<script>alert(1)</script>"
PRODUCT = "7006652"
"""What 1234 * 5678 is: it stands nowhere unless somebody computed it."""
TEMPLATE = "{{ 1234*5678 }} {% include '/etc/passwd' %} {{ ''.__class__ }} {# gone? #}"
XML_BREAKER = "]]></title></channel></rss> <x a='&\"'> &amp; &nbsp; &#x1; <!-- --> <?php ?>"
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
YAML_BOMB = "a: &a [x, x, x, x]\n" + "".join(
    f"{c}: &{c} [{f'*{p}, ' * 9}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)
)
ENTITIES = '<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {c} "{f"&{p};" * 10}">' for p, c in zip("abcdefg", "bcdefgh", strict=True)
)


def markdown(front_matter: dict[str, Any], body: str) -> str:
    """JSON is YAML, so every value arrives as it was meant."""
    keys = "".join(f"{key}: {json.dumps(value)}\n" for key, value in front_matter.items())
    return f"---\n{keys}---\n{body}\n"


TAKEN: dict[str, str | bytes] = {
    "good-1.md": "# The ferry is back\n\nIt sails at noon.\n",
    "good-2.txt": f"The bridge opens\n\n{'A plain story, saved by hand, with a long lead. ' * 3}\n",
    "script-everywhere.md": markdown(
        {
            **{
                key: f"{key} {SCRIPT}"
                for key in ("title", "summary", "section", "translated_by", "translated_from", "rights")
            },
            "tags": [f"tag {SCRIPT}"],
            "authors": [f"Harbour desk {SCRIPT}"],
            "image": {"src": "https://pictures.example/a.jpg", "alt": f"alt {SCRIPT}", "credit": f"credit {SCRIPT}"},
        },
        f"Words {SCRIPT} <img src=x onerror=alert(2)> [a](javascript:alert(3)) <svg onload=alert(4)></svg> "
        "<a href='jAva&#x09;script:alert(5)'>b</a> <a href='data:text/html,x'>c</a> "
        "<iframe src=//evil.example></iframe> "
        "<style>@import url(//evil.example)</style> <form action=//evil.example><input></form> "
        "<base href=//evil.example>",
    ),
    "line-ends.md": markdown(
        {
            "title": "Quiet night\r\nBcc: victim@example.org\r\n\r\nInjected body",
            "summary": "a\r\n.\r\nQUIT\r\nRCPT TO:<victim@example.org>",
            "authors": ["Night desk\r\nX-Evil: yes"],
            "section": "a\r\nb",
            "tags": ["c\r\nd"],
        },
        "Nothing happened.",
    ),
    "controls.md": markdown(
        {"title": "Red \x1b[31m\x00\x07 alert\x7f\x9b \ufffe"}, "Body \x01\x02\x1b[2J &#0; &#x1b; &#xFFFE; end."
    ),
    "bidi.md": markdown({"title": f"Pay {BIDI}gnp.exe", "section": f"world{BIDI}"}, "All is well."),
    "breaks-xml.md": markdown(
        {"title": XML_BREAKER, "summary": XML_BREAKER, "tags": [XML_BREAKER]}, f"Text {XML_BREAKER}"
    ),
    "template.md": markdown({"title": TEMPLATE, "summary": TEMPLATE, "tags": ["{{ 1234*5678 }}"]}, f"Body {TEMPLATE}"),
    "template.html": f"<html><head><title>H {TEMPLATE}</title></head><body><p>{TEMPLATE}</p></body></html>",
    "pixels.html": "<html><head><title>Pixels</title></head><body><p>Before.</p>"
    '<img src="https://tracker.example/p.gif" width="1" height="1"><img src="data:image/png;base64,AAAA">'
    '<img src="https://tracker.example/q" style="width:1px;height:1px">'
    '<p>After <a href="vbscript:x">v</a> <a href="file:///etc/passwd">f</a>.</p></body></html>',
    "cp1252.txt": b"Caf\xe9 \x93title\x94\n\nThe body of the story.\n",
    "id.md": markdown({"id": "../../etc/passwd\r\n", "title": "An id of its own"}, "Text."),
    "a b%2f..%2f&?#'\".md": "# An odd name\n\nText of it.\n",
    "entity-bomb.html": f"<!DOCTYPE x [{ENTITIES}]><html><head><title>Bomb &h;</title></head><body>&h;</body></html>",
    "entity-file.html": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    "<html><head><title>File &e;</title></head><body>Text &e;</body></html>",
    "story.md/inside.md": "# In a folder named like a file\n\nText.\n",
    "<script>/hostile-folder.md": "# In a hostile folder\n\nText.\n",
}
"""Hostile, and yet articles: what is wrong with them is taken off or shown as the text that it is."""

BROKEN: dict[str, tuple[str | bytes, str]] = {
    "title-10-mb.md": (b"---\ntitle: " + b"A" * 10_000_000 + b"\n---\nbody\n", r"10\.0 MB and may have 5 MB\. Split"),
    "title-3-mb.txt": (
        b"A" * 3_000_000 + b"\n\nbody\n",
        r"title has 3,000,000 characters and may have 500\. Write a title",
    ),
    "not-utf8.md": (b"# Caf\xe9\n\nbody\n", r"not UTF-8 \(byte 0xE9 in line 1\)\. Save it as UTF-8"),
    "surrogate.md": (b"# Sur\xed\xa0\x80rogate\n\nbody\n", r"not UTF-8 .*Save it as UTF-8"),
    "odd-utf16.txt": (b"\xff\xfeA", r"not UTF-16.*Save it as UTF-8"),
    "nul.md": (b"# Nul\n\nbody\x00x\n", r"NUL characters.*Save it as plain text"),
    "yaml-bomb.md": (f"---\n{YAML_BOMB}---\nbody\n", r"an anchor or alias .* in line 2\. Write it out"),
    "yaml-object.md": (
        "---\ntitle: !!python/object/apply:os.system ['touch pwned']\n---\nbody\n",
        r"`title` .* should be a text",
    ),
    "yaml-deep.md": (
        "---\ntags: " + "[" * 20_000 + "]" * 20_000 + "\n---\nbody\n",
        r"nested too deep in line 2\. Write it flat",
    ),
    "yaml-open.md": ("---\ntitle: Never closed\n\nbody\n", r"not closed\. Add a line ---"),
    "deep.html": ("<title>Deep</title>" + "<div>" * 10_000 + "deep", r"nested [\d,]+ deep .*Close the elements"),
    "many-tags.md": (
        markdown({"title": "Tags", "tags": [f"t{n}" for n in range(5_000)]}, "b"),
        r"`tags` .* 5,000 values and may have 50: shorten",
    ),
    "script-url.md": (
        markdown({"title": "U", "url": "javascript:alert(1)"}, "b"),
        r"`url` .* whole address such as https",
    ),
    "data-image.md": (
        markdown({"title": "I", "image": "data:image/png;base64,AAAA"}, "b"),
        r"`image` .* whole address",
    ),
    "bad-date.md": (markdown({"title": "D", "date": "9999-99-99"}, "b"), r"`date` .* no date: write 2026-01-31"),
    "bad-language.md": (
        markdown({"title": "L", "language": 'en" onload="x'}, "b"),
        r"`language` .* language tag such as en",
    ),
    "long-paragraph.md": ("# Long\n\n" + "[a](b) " * 30_000, r"one paragraph has 210,000 characters .*Add blank lines"),
    "two\nlines.md": ("# Name\n\nbody\n", r"name of this file .*Rename it"),
    "\x1b[31mred.md": ("# Name\n\nbody\n", r"name of this file .*Rename it"),
    "name\u202edm.md": ("# Name\n\nbody\n", r"name of this file .*Rename it"),
    os.fsdecode(b"b\xe9.md"): ("# Name\n\nbody\n", r"name of this file .*Rename it"),
}
"""What cannot be used, and what is said of it: the fault and the cure."""

LINKS = {"outside.md": "/etc/passwd", "etc": "/etc", "endless.md": "/dev/zero", "up": ".."}
IGNORED = ("circle.md", "nowhere.md", "pipe.md", ".hidden.md", "~$lock.md", "empty.md")

PEOPLE = """email,name,newsletters,status
quotes@example.com,"Ann ""<b>"" , ; \\",morning,active
template@example.com,"{{ 1234*5678 }} {% include x %}",morning,active
script@example.com,<script>alert(1)</script>,morning,active
formula@example.com,"=HYPERLINK(""https://evil.example"";""x"")",morning,active
world@example.com,Żółć 名前,morning,active
broken@example.com,"Evil\r\nBcc: victim@example.org",morning,active
turned@example.com,"Ann \u202egnp.exe",morning,active
=cmd()@example.com,Formula,morning,active
"one@example.com,two@example.com",Both,morning,active
"header@example.com\r\nBcc: victim@example.org",Both,morning,active
"""
ADDRESSES = {f"{each}@example.com" for each in ("quotes", "template", "script", "formula", "world")}


@dataclass
class Newsroom:
    """The site after everything was collected, published and sent, and what each command said."""

    site: SiteFolder
    collected: dict[str, Any]
    said: str
    published: subprocess.CompletedProcess[str]
    imported: subprocess.CompletedProcess[str]
    sent: subprocess.CompletedProcess[str]
    articles: list[dict[str, Any]]

    @property
    def feeds(self) -> Path:
        return self.site.folder / "feeds"

    def mails(self) -> list[EmailMessage]:
        found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in self.site.mails]
        assert all(isinstance(each, EmailMessage) for each in found)
        return found


def lay_out(folder: Path) -> None:
    """Every article file, settled, and everything that only looks like one."""
    contents = {**TAKEN, **{name: content for name, (content, _) in BROKEN.items()}}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    for name, target in LINKS.items():
        (folder / name).symlink_to(target)
    (folder / "circle.md").symlink_to("circle.md")
    (folder / "nowhere.md").symlink_to("gone")
    os.mkfifo(folder / "pipe.md")
    for name in (".hidden.md", "~$lock.md"):
        (folder / name).write_text("# Not an article\n\nbody\n")
    (folder / "empty.md").touch()
    moment = time.time() - 60
    for path in folder.rglob("*"):
        os.utime(path, (moment, moment), follow_symlinks=False)


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Newsroom:
    site = make_site(tmp_path_factory.mktemp("hostile") / "site", at_hand=True)
    lay_out(site.folder / "articles")
    [collected] = site.json("collect")
    said = site.run("collect")
    assert said.returncode == 0, said.stderr
    published = site.run("publish")
    (site.folder / "people.csv").write_text(PEOPLE, encoding="utf-8", newline="")
    imported = site.run("subscribers", "import", "people.csv", "--yes", "--basis", "Test readers")
    sent = site.run("send", "morning", "--yes", "--json")
    articles = site.json("articles", "list", "--limit", "100")
    return Newsroom(site, collected, said.stdout + said.stderr, published, imported, sent, articles)


def shown_name(name: str) -> str:
    """A file's name as it is told: what would garble a terminal is written out."""
    bad = re.compile("[\x00-\x1f\u202e\ud800-\udfff]")
    return bad.sub(lambda each: each.group().encode("unicode_escape", "backslashreplace").decode(), name)


# --- collect ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_used_is_named_once_with_its_cure(newsroom: Newsroom, name: str) -> None:
    found = [each for each in newsroom.collected["broken"] if each["path"] == f"desk/{shown_name(name)}"]
    assert len(found) == 1, newsroom.collected["broken"]
    assert re.search(BROKEN[name][1], found[0]["note"]), found[0]["note"]
    assert "\n" not in found[0]["note"]
    assert len(found[0]["note"]) < 300


@pytest.mark.parametrize("name", LINKS)
def test_a_link_that_leads_out_is_not_followed(newsroom: Newsroom, name: str) -> None:
    [found] = [each for each in newsroom.collected["broken"] if each["path"] == f"desk/{name}"]
    assert re.search(r"a link that leads out of the folder\. Put a copy here", found["note"])


def test_nothing_else_is_lost_and_nothing_else_is_found(newsroom: Newsroom) -> None:
    assert {each["path"] for each in newsroom.articles} == {f"desk/{name}" for name in TAKEN}
    assert {each["status"] for each in newsroom.articles} == {"released"}
    told = [each["path"] for each in newsroom.collected["broken"]]
    assert sorted(told) == sorted(f"desk/{shown_name(name)}" for name in (*BROKEN, *LINKS))
    assert not any(name in json.dumps(newsroom.collected) for name in IGNORED)


def test_no_object_was_made_from_yaml(newsroom: Newsroom) -> None:
    assert not (newsroom.site.folder / "pwned").exists()


def test_a_terminal_is_never_garbled(newsroom: Newsroom) -> None:
    """Also not by the file names, titles and notes of a hostile folder (the second collect names what is broken)."""
    said = newsroom.said + newsroom.site.ok("articles", "list")
    assert "desk/nul.md" in said
    assert "desk/pixels.html" in said
    for each in "\x00\x07\x1b\x7f\x9b" + BIDI:
        assert each not in said, repr(each)


def test_a_title_is_one_line_without_controls(newsroom: Newsroom) -> None:
    titles = {each["path"]: each["title"] for each in newsroom.articles}
    assert titles["desk/line-ends.md"] == "Quiet night Bcc: victim@example.org Injected body"
    assert titles["desk/bidi.md"] == "Pay gnp.exe"
    assert titles["desk/breaks-xml.md"] == XML_BREAKER
    assert titles["desk/template.md"] == TEMPLATE
    assert all(title.isprintable() for title in titles.values())


# --- feeds and pages -------------------------------------------------------------------------------------------------


def test_publishing_all_of_it_succeeds(newsroom: Newsroom) -> None:
    assert newsroom.published.returncode == 0, newsroom.published.stderr
    assert newsroom.published.stderr == ""


def test_the_feeds_are_valid_and_tell_the_same(newsroom: Newsroom) -> None:
    atom_bytes, rss_bytes, json_bytes = (
        (newsroom.feeds / name).read_bytes() for name in ("atom.xml", "rss.xml", "feed.json")
    )
    require_atom(atom_bytes)
    require_rss(rss_bytes)
    require_json(json_bytes)
    atom = "{http://www.w3.org/2005/Atom}"
    in_atom = {
        each.findtext(f"{atom}id"): each.findtext(f"{atom}title")
        for each in etree.fromstring(atom_bytes).iter(f"{atom}entry")
    }
    in_rss = {each.findtext("guid"): each.findtext("title") for each in etree.fromstring(rss_bytes).iter("item")}
    in_json = {each["id"]: each["title"] for each in json.loads(json_bytes)["items"]}
    assert in_atom == in_rss == in_json
    assert in_json == {each["id"]: each["title"] for each in newsroom.articles}


def test_each_page_carries_its_title_as_text(newsroom: Newsroom) -> None:
    for each in newsroom.articles:
        page = newsroom.feeds / "articles" / f"{each['id'].removeprefix('urn:uuid:')}.html"
        tree = lxml_html.fromstring(page.read_text("utf-8"))
        assert ["".join(map(str, h1.itertext())).strip() for h1 in tree.iter("h1")] == [each["title"]]


def every_markup(newsroom: Newsroom) -> dict[str, str]:
    """All HTML that leaves the site, by where it stands."""
    found = {f"page {path.name}": path.read_text("utf-8") for path in newsroom.feeds.rglob("*.html")}
    for item in json.loads((newsroom.feeds / "feed.json").read_bytes())["items"]:
        found[f"feed entry {item['title']}"] = f"<div>{item.get('content_html', '')}</div>"
    for mail in newsroom.mails():
        part = mail.get_body(("html",))
        assert part is not None
        found[f"mail to {mail['To']}"] = part.get_content()
    return found


def test_nothing_that_runs_or_tracks_is_in_any_markup(newsroom: Newsroom) -> None:
    markup = every_markup(newsroom)
    assert len(markup) > 2 * len(TAKEN)
    for place, text in markup.items():
        body = lxml_html.fromstring(text)
        for element in body.iter(etree.Element):
            assert element.tag not in {"script", "iframe", "object", "embed", "form", "input", "base", "svg"}, place
            assert element.tag != "style" or "evil" not in "".join(map(str, element.itertext())), place
            for name, value in ((str(name), str(value)) for name, value in element.attrib.items()):
                assert not name.startswith("on"), (place, name)
                bare = re.sub(r"[\s\x00-\x1f]", "", value).lower()
                assert not bare.startswith(("javascript:", "vbscript:", "data:", "file:")), (place, value)
                assert "evil.example" not in value, (place, name, value)
                assert "tracker.example" not in value, (place, name, value)


def everything(newsroom: Newsroom) -> dict[str, str]:
    """Every text that leaves the site."""
    files = [path for path in newsroom.feeds.rglob("*") if path.is_file() and path.suffix != ".gz"]
    found = {path.name: path.read_text("utf-8") for path in files}
    for mail in newsroom.mails():
        found[f"mail to {mail['To']}"] = "".join(part.get_content() for part in mail.walk() if not part.is_multipart())
    return found


def test_template_syntax_in_an_article_is_only_text(newsroom: Newsroom) -> None:
    texts = everything(newsroom)
    assert sum("1234*5678" in text for text in texts.values()) > len(ADDRESSES)
    for place, text in texts.items():
        assert PRODUCT not in text, place
        assert "root:x:0" not in text, place
        assert "<class" not in text, place
        assert "&lt;class" not in text, place


# --- people and mail -------------------------------------------------------------------------------------------------


def test_bad_rows_are_named_and_the_good_ones_imported(newsroom: Newsroom) -> None:
    assert newsroom.imported.returncode == 1
    assert "5 of 10 rows were left out. Mend them" in newsroom.imported.stderr
    for line, reason in (
        (7, "name holds a line break or a control character"),
        (9, "name holds a character that turns the direction of text"),
        (10, "is not an e-mail address"),
        (11, "is not an e-mail address"),
        (12, "email holds a line break"),
    ):
        assert re.search(rf"line {line}: .*{reason}", newsroom.imported.stderr), newsroom.imported.stderr
    assert {each["address"] for each in newsroom.site.json("subscribers", "list")} == ADDRESSES


def test_each_reader_gets_one_mail_with_our_headers_only(newsroom: Newsroom) -> None:
    assert newsroom.sent.returncode == 0, newsroom.sent.stderr
    assert json.loads(newsroom.sent.stdout)["books"]["accepted"] == len(ADDRESSES)
    mails = newsroom.mails()
    got = Counter(address.addr_spec for mail in mails for address in mail["To"].addresses)
    assert got == dict.fromkeys(ADDRESSES, 1)
    ours = {
        *("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Id", "Feedback-ID"),
        *("Auto-Submitted", "Precedence", "List-Unsubscribe-Post", "MIME-Version", "Content-Type"),
    }
    for mail in mails:
        assert sorted(mail.keys()) == sorted(ours)
        assert mail.defects == []
        assert "\n" not in mail["Subject"]
    names = {address.addr_spec: address.display_name for mail in mails for address in mail["To"].addresses}
    assert names["quotes@example.com"] == 'Ann "<b>" , ; \\'
    assert names["template@example.com"] == "{{ 1234*5678 }} {% include x %}"
    assert names["world@example.com"] == "Żółć 名前"


def test_fields_that_look_like_headers_are_one_line_each(newsroom: Newsroom) -> None:
    shown = newsroom.site.json("articles", "show", "line-ends.md")
    assert shown["authors"] == ["Night desk X-Evil: yes"]
    assert shown["summary"] == "a . QUIT RCPT TO:<victim@example.org>"
    assert shown["section"] == "a b"
    assert shown["tags"] == ["c d"]


# --- files of people that are none -----------------------------------------------------------------------------------

FILES: dict[str, tuple[bytes, int, str]] = {
    "wide.csv": (
        b",".join(b"c%d" % n for n in range(200_000)),
        1,
        r"first line must name the columns.*Columns: email,name",
    ),
    "wide-row.csv": (
        b"email,name\na@example.com" + b"," * 200_000 + b"\nb@example.com,B\n",
        0,
        r"line 2: 200001 cells, but",
    ),
    "nul.csv": (b"email,name\na@example.com,\0\n", 1, r"nul\.csv is not a text file\. Save it as CSV"),
    "no-header.csv": (b"a@example.com,A\nb@example.com,B\n", 1, r"it is a row, not the names of the columns"),
    "unknown.csv": (b"email,naem\na@example.com,A\n", 1, r"a column 'naem'.*did you mean 'name'"),
    "twice.csv": (b"email,email\na@example.com,b\n", 1, r"names a column twice"),
    "empty.csv": (b"", 1, r"empty\.csv is empty"),
    "json.csv": (b'[{"email": "a@example.com"}]', 1, r"first line must name the columns"),
    "binary.csv": (bytes(range(256)) * 100, 1, r"not a text file"),
    "quote.csv": (b'email,name\n"a@example.com,A\n' + b"b@example.com,B\n" * 3, 0, r"line 2: .*is a quote missing\?"),
    "huge-cell.csv": (
        b"email,name\na@example.com," + b"x" * 1_000_000 + b"\nb@example.com,B\n",
        0,
        r"line 2: .*larger than",
    ),
    "cp1252.csv": ("email,name\na@example.com,José\n".encode("cp1252"), 0, r"was read as Windows-1252"),
    "odd-utf16.csv": (b"\xff\xfee\0m\0a\0i\0l\0\n", 1, r"first line must name the columns"),
    "gone.csv": (b"", 1, r"gone\.csv cannot be read: No such file"),
}


@pytest.fixture(scope="module")
def imports(newsroom: Newsroom) -> dict[str, tuple[int, str]]:
    """Status and words of a trial of each file."""
    found = {}
    for name, (content, _, _) in FILES.items():
        if name != "gone.csv":
            (newsroom.site.folder / name).write_bytes(content)
        done = newsroom.site.call("subscribers", "import", name)
        found[name] = done.returncode, done.stdout + done.stderr
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_wrong_shape_is_told_so_in_one_sentence(imports: dict[str, tuple[int, str]], name: str) -> None:
    status, said = imports[name]
    _, expected, sentence = FILES[name]
    assert status == expected, said
    assert re.search(sentence, said), said
    assert "Traceback" not in said
    assert len(said) < 800


# --- settings --------------------------------------------------------------------------------------------------------

MISTAKES = """
[site]
title = "Evil\\r\\nBcc: victim@example.org"
url = "javascript:alert(1)"
language = "xx-!!"
timezone = "Mars/Phobos"
colour = "red"
[web]
url = "ftp://x"
[mail]
api = "postmrk"
api_key = "top-secret-key"
from = "no address"
reply_to = 7
legal_name = ""
postal_address = "1 Quay Street\\u202e"
privacy_url = "https://post.example/privacy"
[database]
url = "mysql://desk:top-secret-password@host/news"
[[sources]]
name = "Desk !"
kind = "foldr"
path = "articles"
defaults = { secton = "x", tags = 3 }
[[feeds]]
name = "../up"
where = { sektion = "world" }
limit = -3
[[newsletters]]
name = "morning"
title = "Evil\\nSubject: x"
cadences = { daily = "moon-fri 25:99" }
max_articles = 0
approval = "nobody"
templates = "../../etc"
[newsleters]
a = 1
"""


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory) -> SiteFolder:
    """Another site, to be spoilt and mended by each test; it has published one article."""
    site = make_site(tmp_path_factory.mktemp("spare") / "site", at_hand=True)
    site.story(1)
    site.ok("collect")
    site.ok("publish")
    return site


def one_sentence(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """What a command that failed said: a line or two for people, never a traceback."""
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert 1 <= len(done.stderr.strip().splitlines()) <= 2, done.stderr
    return done.stderr


def test_every_mistake_in_the_settings_is_told_at_once_and_no_secret(spare: SiteFolder) -> None:
    path = spare.folder / "syndicate.toml"
    good = path.read_text()
    path.write_text(MISTAKES)
    try:
        done = spare.call("collect", "--json")
    finally:
        path.write_text(good)
    assert done.returncode == 2
    assert done.stdout == ""
    told = re.findall(r"^  syndicate\.toml:(\d+): (.+)$", done.stderr, re.MULTILINE)
    lines = MISTAKES.splitlines()
    innocent = ("[site]", "[web]", "[mail]", "privacy_url", "[database]", "[[", "path =", 'name = "morning"', "a = 1")
    for number, line in enumerate(lines, 1):
        if line and not line.startswith(innocent):
            assert str(number) in {each for each, _ in told}, f"{line}\n{done.stderr}"
    for hint in (
        "did you mean 'folder'",
        "did you mean 'section'",
        "did you mean 'newsletters'",
        "SYNDICATE_MAIL__API_KEY",
    ):
        assert hint in done.stderr
    assert "top-secret" not in done.stderr
    assert not re.search(r"[\x1b\u202e]", done.stderr)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[site\ntitle=", r"not valid TOML: .*line 1.*Mend that line"),
        (b"\xff\xfe\x00", r"not UTF-8.*Save it as UTF-8"),
        (b"a = " + b"[" * 100_000, r"nested too deeply"),
        (b"# " + b"x" * 1_100_000, r"larger than 1,000,000 bytes"),
        (None, r"cannot be read: Is a directory"),
    ],
    ids=["syntax", "bytes", "depth", "size", "folder"],
)
def test_settings_that_cannot_be_read_are_one_sentence(spare: SiteFolder, content: bytes | None, sentence: str) -> None:
    path = spare.folder / "syndicate.toml"
    good = path.read_bytes()
    path.unlink()
    try:
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
        said = one_sentence(spare.call("articles", "list"), status=2)
    finally:
        if content is None:
            path.rmdir()
        path.write_bytes(good)
    assert re.search(sentence, said)


# --- templates -------------------------------------------------------------------------------------------------------


def test_a_broken_page_template_is_named_and_the_feeds_go_on(spare: SiteFolder) -> None:
    template = spare.folder / "templates/web/public/article.html"
    template.parent.mkdir(parents=True)
    template.write_text("<p>\n{% if %}")
    spare.story(2)
    assert spare.call("collect").returncode == 0
    done = spare.call("publish")
    assert re.search(r"article\.html, line 2: .*Correct the template", one_sentence(done))
    for name in ("rss.xml", "atom.xml", "feed.json"):
        assert b"Story number 2" in (spare.folder / "feeds" / name).read_bytes()
    template.unlink()
    assert "1 written" in spare.call("publish").stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<p>{{ nothing.at.all }}", r"line 1: 'nothing' is undefined\. Correct the template"),
        ("{{ ''.__class__.__mro__ }}", r"line 1: .*unsafe\. Correct the template"),
        ("{% for a in range(10 ** 9) %}x{% endfor %}", r"line 1: Range too big.*Correct the template"),
        ("{% include '../../../../etc/passwd' %}", r"line 1: there is no template"),
        ("<p>No way out</p>", r"no way out for the reader\. Print links\.unsubscribe"),
    ],
    ids=["undefined", "unsafe", "endless", "outside", "no-unsubscribe"],
)
def test_a_broken_mail_template_stops_the_issue_only(spare: SiteFolder, text: str, sentence: str) -> None:
    template = spare.folder / "templates/email/digest/body.html"
    template.parent.mkdir(parents=True, exist_ok=True)
    template.write_text(text)
    try:
        said = one_sentence(spare.call("issues", "draft", "morning"))
    finally:
        template.unlink()
    assert re.search(sentence, said)
    assert "digest/body.html" in said


def test_a_subject_of_several_lines_is_one_line(spare: SiteFolder) -> None:
    template = spare.folder / "templates/email/digest/subject.txt"
    template.parent.mkdir(parents=True, exist_ok=True)
    template.write_text('Sub\nBcc: victim@example.org {{ "a\\r\\nX-Evil: b" }}')
    try:
        drafted = json.loads(spare.call("issues", "draft", "morning", "--json").stdout)
    finally:
        template.unlink()
    assert drafted["subject"] == "Sub Bcc: victim@example.org a X-Evil: b"


# --- the disk and the database ---------------------------------------------------------------------------------------


def test_what_stands_in_the_way_of_a_feed_is_named_and_the_rest_goes_on(spare: SiteFolder) -> None:
    rss = spare.folder / "feeds/rss.xml"
    rss.unlink()
    rss.mkdir()
    spare.story(3)
    assert spare.call("collect").returncode == 0
    said = spare.call("publish")
    rss.rmdir()
    assert said.returncode == 1
    assert re.search(r"feeds/rss\.xml cannot be written: Is a directory\. Free space or correct", said.stderr)
    assert "Traceback" not in said.stderr
    assert spare.call("publish").returncode == 0
    for name in ("rss.xml", "atom.xml", "feed.json"):
        assert b"Story number 3" in (spare.folder / "feeds" / name).read_bytes()


def test_a_folder_that_may_not_be_written_and_a_file_that_may_not_be_read_are_named(spare: SiteFolder) -> None:
    secret = spare.story(5)
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        secret.unlink()
        pytest.skip("Whoever runs this may read everything.")
    spare.story(4)
    feeds = spare.folder / "feeds"
    before = (feeds / "rss.xml").read_bytes()
    feeds.chmod(0o555)
    try:
        collected = json.loads(spare.call("collect", "--json").stdout)
        said = one_sentence(spare.call("publish"))
    finally:
        feeds.chmod(0o755)
        secret.chmod(0o644)
    [broken] = collected[0]["broken"]
    assert broken["path"] == "desk/world/story-5.md"
    assert re.search(r"cannot be read \(Permission denied\)\. Make it readable", broken["note"])
    assert [each["title"] for each in collected[0]["new"]] == ["Story number 4"]
    assert re.search(r"feeds\S* cannot be written: Permission denied", said)
    assert (feeds / "rss.xml").read_bytes() == before
    assert spare.call("collect").returncode == 0
    assert spare.call("publish").returncode == 0


def test_a_disk_that_takes_no_more_keeps_the_last_good_feed(spare: SiteFolder) -> None:
    """A limit on the size of files stands for a full disk: what cannot be written fails in the same places."""
    before = {path.name: path.read_bytes() for path in (spare.folder / "feeds").glob("*.*")}
    spare.story(6)
    assert spare.call("collect").returncode == 0
    words = " ".join(SiteFolder.command("publish"))
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 1; exec {words}"],
        env=SiteFolder.environment(),
        cwd=spare.folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = one_sentence(done)
    assert re.search(
        r"(cannot be written|cannot be read or written|disk is full).*(start|publish) again", said, re.I
    ), said
    for name in ("rss.xml", "atom.xml", "feed.json"):
        assert (spare.folder / "feeds" / name).read_bytes() == before[name]
    assert spare.call("publish").returncode == 0
    assert b"Story number 6" in (spare.folder / "feeds/rss.xml").read_bytes()
    assert list((spare.folder / "feeds").glob(".*.part")) == []


def test_an_article_that_vanishes_while_it_is_looked_at_is_no_failure(spare: SiteFolder) -> None:
    leaving = spare.folder / "articles" / "leaving.md"
    leaving.write_text("# Going\n\nText.\n")  # young, so that it is waited for
    running = spare.start("collect", "--json")
    time.sleep(0.8)
    leaving.unlink()
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert json.loads(out)[0]["broken"] == []
    assert spare.call("collect").returncode == 0


def test_a_database_that_another_program_has_locked_is_waited_for(spare: SiteFolder) -> None:
    spare.story(7)
    holder = sqlite3.connect(spare.folder / "syndicate.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    running = spare.start("collect", "--json")
    time.sleep(2)
    assert running.poll() is None
    holder.execute("ROLLBACK")
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert [each["title"] for each in json.loads(out)[0]["new"]] == ["Story number 7"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("letter", r"is no SQLite database .*Put a backup in its place"),
        ("torn", r"is damaged .*Put a backup in its place"),
        ("newer", r"revision 9999, which this program does not know.*use that one"),
        ("gone", r'no database at .*"syndicate db upgrade"'),
        ("tables", r'no tables yet.*"syndicate db upgrade"'),
        ("folder", r"cannot be opened .*Make the file and its folder"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_and_left_alone(spare: SiteFolder, spoil: str, sentence: str) -> None:
    path = spare.folder / "syndicate.db"
    good = sqlite_copy(path)
    for each in spare.folder.glob("syndicate.db*"):
        each.unlink()
    if spoil == "letter":
        path.write_text("A letter to the editor. " * 100)
    elif spoil == "torn":
        path.write_bytes(good[:4096])
    elif spoil == "newer":
        path.write_bytes(good)
        with sqlite3.connect(path) as changed:
            changed.execute("UPDATE alembic_version SET version_num = '9999'")
        changed.close()
    elif spoil == "tables":
        path.touch()
    elif spoil == "folder":
        path.mkdir()
    before = path.read_bytes() if path.is_file() else None
    try:
        said = one_sentence(spare.call("collect"))
        if spoil in ("letter", "torn"):
            assert path.read_bytes() == before
    finally:
        if path.is_dir():
            path.rmdir()
        for each in spare.folder.glob("syndicate.db*"):
            each.unlink()
        path.write_bytes(good)
    assert re.search(sentence, said), said
    assert spare.call("db", "check").returncode == 0


def sqlite_copy(path: Path) -> bytes:
    """The whole database, with what its log still holds."""
    with sqlite3.connect(path) as database:
        content = database.serialize()
    database.close()
    return content
