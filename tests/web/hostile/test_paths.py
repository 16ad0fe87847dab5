"""Paths and names that are to lead out of where they belong."""

from __future__ import annotations

import itertools
import os
import stat
import time
from pathlib import Path

import pytest

from syndicate.errors import SettingsError
from syndicate.services.write_site import NEW_SETTINGS
from syndicate.site import open_site
from tests.end_to_end.site import SiteFolder
from tests.web.desk_site import open_desk
from tests.web.hostile import raw
from tests.web.hostile.site import HostileSite, files
from tests.web.newsroom_site import COOKIE, WebSite, running_site

SECRET = "nobody outside is to read this"
UP = (
    *("..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%25%32%65%25%32%65", "..;", "..%00", "%2e%2e%20", "..."),
    # Overlong and otherwise wrong UTF-8 (RFC 3629 section 10), other dots, and the way of one server long ago.
    *("%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae%f0%80%80%ae", "%ef%bc%8e%ef%bc%8e", "%u002e%u002e"),
)
STROKES = (
    *("/", "%2f", "%2F", "%5c", "\\", "%252f", "%255c", "%c0%af", "%e0%80%af", "%ef%bc%8f", "//", "/./", "%00/", ";/"),
)


def spellings(start: str, *targets: str) -> list[str]:
    """Every way up, by every stroke, from there to each of the targets."""
    found = []
    for up, stroke, target in itertools.product(UP, STROKES, targets):
        found += [f"{start}{up}{stroke}{target}", f"{start}x{stroke}{up}{stroke}{up}{stroke}{target}"]
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> WebSite:  # type: ignore[misc]
    with running_site(tmp_path_factory.mktemp("paths") / "site") as running:
        open_desk(running)
        folder = running.site.directory
        feeds = running.site.feeds_folder
        outside = folder.parent / "outside"
        outside.mkdir()
        for path in (
            *(outside / "secret.txt", outside / "secret.xml", outside / "index.html", folder / "secret.txt"),
            *(feeds / ".hidden", feeds / ".rss.xml.tmp", feeds / ".1-1.part", feeds / "world.tmp", folder / ".env"),
        ):
            path.parent.mkdir(exist_ok=True)
            path.write_text(SECRET)
        (feeds / ".git").mkdir()
        (feeds / ".git" / "config").write_text(SECRET)
        (folder / "feeds-old").mkdir()
        (folder / "feeds-old" / "secret.txt").write_text(SECRET)
        for name, target in {
            "link": outside,
            "link.xml": outside / "secret.xml",
            "near": folder / "feeds-old",
            "settings": folder / "syndicate.toml",
            "database.xml": folder / "syndicate.db",
            "rel": Path("../../outside"),
            "endless": Path("endless"),
        }.items():
            (feeds / name).symlink_to(target)
        os.link(outside / "secret.xml", outside / "again.xml")
        with (folder / "syndicate.toml").open("a") as settings:
            settings.write(f"# {SECRET}\n")
        yield running


def test_no_spelling_leads_out_of_the_published_files(site: WebSite) -> None:
    """Over one connection, as they stand on the request line."""
    paths = spellings("/feeds/", "syndicate.toml", "secret.txt", "outside/secret.txt")
    below = (
        *(".hidden", ".rss.xml.tmp", ".1-1.part", "%2ehidden", ".git/config", ".git/", "rel/secret.txt", "endless"),
        *("link/secret.xml", "link.xml", "near/secret.txt", "settings", "database.xml", "endless/x", "link", "link/"),
    )
    paths += [f"/feeds/{each}" for each in (*below, "rel/index.html")]
    paths += ["/feeds//" + str(site.site.directory) + "/syndicate.toml", "/feeds/%2f" + str(site.site.directory)]
    paths += ["/feeds", "/feeds/", "/feeds/rss.xml", "/feeds/rss.xml%00", "/feeds/rss.xml::$DATA", "/feeds/RSS~1.XML"]
    statuses = _ask(site, paths)
    assert statuses["/feeds/rss.xml"] == 200 and statuses["/feeds/"] == 200
    assert not [path for path in statuses if path.startswith("/feeds/.") and statuses[path] == 200]


def test_no_spelling_leads_out_of_anything_else(site: WebSite) -> None:
    starts = ("/static/", "/static/0123456789abcdef/", "/archive/", "/", "/console/articles/", "/api/v1/", "/up/")
    paths = [path for start in starts for path in spellings(start, "syndicate.toml")[:: len(starts)]]
    paths += ["/static/console.css", "/static/../app.py", "/static//etc/passwd", "/static/%2e%2e/web/app.py"]
    paths += [f"/static/{'0' * 16}/console.css", "/static/", "/static", "/static/0/../../server.py"]
    _ask(site, paths)


def _ask(site: WebSite, paths: list[str]) -> dict[str, int]:
    """The status of each; none of them says what nobody is to read, nor fails."""
    cookie = f"Cookie: {COOKIE}={site.client('admin').cookies[COOKIE]}\r\n"
    statuses = {}
    for part in (paths[at : at + 40] for at in range(0, len(paths), 40)):
        requests_ = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n".encode() for path in part]
        last = b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = raw.exchange(site.url, b"".join(requests_) + last)
        for path in part:
            reply = raw.read(answer)
            assert reply.status in (200, 301, 303, 400, 401, 404, 405, 410, 422), (path, reply)
            assert SECRET.encode() not in reply.body and b"[mail]" not in reply.body, path
            assert not reply.body.startswith(b"SQLite"), path
            statuses[path] = reply.status
            answer = reply.rest
            if not answer:
                # A path that is none ends the connection; what followed is asked once more.
                rest = part[part.index(path) + 1 :]
                return statuses | (_ask(site, rest + paths[paths.index(part[-1]) + 1 :]) if rest else {})
    return statuses


NO_NAMES = (
    *("../x", "a/b", "a\\\\b", ".", "..", "", "A", "é", "-a", "a-", "a b", "a.b", "a%2fb", "a\\u0000b", "a\\n", "~"),
    "x" * 81,
)


@pytest.mark.parametrize("table", ["feeds", "newsletters", "sources"])
def test_no_name_leads_anywhere(tmp_path: Path, table: str) -> None:
    for name in NO_NAMES + (("articles", "archive", "index") if table == "feeds" else ()):
        more = {"sources": 'path = "x"', "newsletters": "", "feeds": ""}[table]
        text = f'{NEW_SETTINGS}\n[[{table}]]\nname = "{name}"\n{more}\n'
        (tmp_path / "syndicate.toml").write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError, match=r"name|found"):
            open_site(tmp_path, {})
    assert sorted(each.name for each in tmp_path.iterdir()) == ["syndicate.toml"]


UPLOADS = (
    *("../../evil.csv", "/etc/cron.d/evil", "..\\..\\evil.csv", "C:\\evil.csv", ".htaccess", "a/b/../../../evil.csv"),
    *("\u202evsc.live", "x" * 5_000, "a\0.csv", " ", ".", "..", "'\"><xss>.csv", "%2e%2e%2fevil.csv"),
)


@pytest.mark.parametrize("name", UPLOADS, ids=range(len(UPLOADS)))
def test_an_uploaded_file_keeps_nothing_of_its_name(site: WebSite, name: str) -> None:
    before = set(files(site))
    admin = site.client("admin")
    folder = site.site.directory
    # Written by hand: a library would mend the name.
    boundary = "b0undary"
    token = admin.form_token("/console/password")
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{token}\r\n',
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: text/csv\r\n\r\nemail\na@example.org\n\r\n--{boundary}--\r\n",
    ]
    answer = admin.post(
        "/console/readers/import",
        data="".join(parts).encode("utf-8"),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    assert answer.status_code in (200, 400, 422), answer.text
    if answer.status_code == 400 and "\0" in name:
        # Refused as a whole: nothing is kept.
        assert set(files(site)) == before
        return
    assert stat.S_IMODE((folder / "imports").stat().st_mode) == 0o700
    new = {each for each in files(site) if each not in before}
    for each in new:
        assert each.startswith("imports/") and len(each) == len("imports/") + 32 + len(".csv"), each
        assert stat.S_IMODE((folder / each).stat().st_mode) == 0o600
    assert not (folder.parent / "evil.csv").exists() and not (folder / "evil.csv").exists()
    if answer.status_code == 200:
        shown = answer.url
        for _ in range(200):
            if "is being" not in admin.get(shown).text:
                break
            time.sleep(0.02)
        admin.submit(shown.removeprefix(site.url), f"{shown.removeprefix(site.url)}/drop")
    assert set(files(site)) == before


def test_what_was_pushed_under_a_path_is_in_a_file_of_our_own_name(hostile: HostileSite) -> None:
    """Articles' pages are called by their ids, whatever the pushed id or the file is called."""
    pages = [each for each in files(hostile.web) if each.startswith("feeds/articles/")]
    assert len(pages) > 4
    assert all(len(Path(each).name) in (41, 44) and "xss" not in each for each in pages), pages


def test_what_is_no_backup_is_not_put_in_its_place(tmp_path: Path) -> None:
    with running_site(tmp_path / "site") as running:
        site = running.site
        running.client("admin")
    folder = SiteFolder(site.directory)
    database = site.directory / "syndicate.db"
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "text.db").write_text("SQLite format 3\0 but not really")
    (tmp_path / "empty.db").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    before = database.read_bytes()
    for name in ("nothing.db", "zero", "pipe", "text.db", "empty.db", "/dev/null", "/etc/passwd", ".", "x" * 300):
        done = folder.call("db", "restore", str(tmp_path / name), "--yes")
        assert done.returncode in (1, 2), (name, done)
        assert "Traceback" not in done.stderr
    # Nor does a backup write over anything, through a link either.
    (tmp_path / "link.db").symlink_to(database)
    for name in ("text.db", "link.db", "pipe", "."):
        done = folder.call("db", "backup", str(tmp_path / name))
        assert done.returncode in (1, 2), (name, done)
    assert database.read_bytes() == before
    assert not list(site.directory.glob("*.staged*"))
