"""Writes the files of a new site: its settings, its articles' folder and its own templates' folder."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from syndicate.core import sample
from syndicate.errors import Refused

SETTINGS_NAME = "syndicate.toml"
FOLDERS = ("articles", "templates")
PACKAGE_FOLDERS = ("syndicate", "templates", "tests", "feeds", ".git")

NEW_SETTINGS = f'''\
# The settings of one site. `syndicate check` reads them and names every mistake with its line.
# Paths are relative to this file. What stands for a real value here is a sample: put yours.

[site]                                      # the publication
title = "{sample.TITLE}"
url = "https://www.example.com"
language = "en"                             # en, fr, fr-CA, …
timezone = "Europe/Lisbon"                  # newsletters leave at this place's wall time

[web]                                       # where the feeds, and later unsubscribe pages, are reached
url = "https://news.example.com"

[mail]
api = "sandbox"                             # built in; mails go to outbox/ and to nobody else
from = "{sample.TITLE} <news@example.com>"
reply_to = "desk@example.com"
legal_name = "{sample.LEGAL_NAME}"             # printed in every mail, as the law asks
postal_address = "{sample.POSTAL_ADDRESS}"
privacy_url = "https://www.example.com/privacy"
test_to = ["desk@example.com"]              # who gets test sends
# The key of a mail API never stands here: put it into SYNDICATE_MAIL__API_KEY, or name a file that holds it in
# SYNDICATE_MAIL__API_KEY_FILE. Any other setting can be given in the same way.

# proxy = "http://proxy.example:3128"        # the way out to the mail API; with a password: SYNDICATE_MAIL__PROXY
# certificates = "own-authority.pem"        # whom to trust in place of the world's authorities

# [database]
# url = "postgresql://syndicate@localhost/syndicate"    # default: sqlite:///syndicate.db

[[sources]]                                 # where articles come from
name = "desk"
kind = "folder"                             # Markdown, HTML and plain text; a subfolder is a section
path = "articles"
# defaults = {{ section = "world" }}          # for articles that do not say it themselves
# quiet_after = "3d"                        # how long it may bring nothing; else told by its own rhythm
# tripwire = {{ at_least = 20, times = 5, old = 5 }}  # when far more than usual looks new at once, all of it is held

# Another kind reads a feed of others: only summaries are shown, with their origin.
# [[sources]]
# name = "wire"
# kind = "feed"
# url = "https://wire.example/feed.xml"
# every = "15m"

# The feed of the whole site is always there: feeds/rss.xml, feeds/atom.xml and feeds/feed.json.
# Each of these makes another one, in feeds/NAME/:
# [[feeds]]
# name = "world"
# title = "{sample.TITLE}: World"
# where = {{ section = "world" }}             # also tag, author, language, source, text, since, until

[[newsletters]]
name = "morning"
title = "Morning Briefing"
cadences = {{ daily = "mon-fri 07:00" }}      # a second one: weekly = "sat 09:00"
min_articles = 1                            # fewer: nothing goes out, and they wait for the next time
max_articles = 12                           # more: the rest appear as links
approval = "editor"                         # or "automatic"
# where = {{ section = ["world", "business"] }}   # without it: everything

# Who is told of what should have happened and did not, such as an issue that did not go at its time:
# [alerts]
# email = ["desk@example.com"]
# webhook = "https://chat.example/hook"      # gets a JSON document for each
# heartbeat_url = "https://watch.example/me" # asked for once a minute as long as all runs

# How long what tells of people stays; suppressions, consents and the counts of the books stay for ever:
# [keep]
# unconfirmed_days = 7                      # sign-ups never confirmed
# mails_days = 30                           # confirmations, previews, alerts
# events_days = 90                          # what the mail API reported
# ledger_months = 13                        # who was sent which issue
'''


def write_site(directory: Path, settings_text: str = NEW_SETTINGS) -> None:
    """Makes the folder with its settings and empty folders. Raises Refused when the folder is not fit."""
    require_fit(directory)
    try:
        for folder in FOLDERS:
            (directory / folder).mkdir(parents=True, exist_ok=True)
        # Last, and whole or not at all: a folder is a site once it has settings.
        waiting = directory / f".{SETTINGS_NAME}.{os.getpid()}"
        waiting.write_text(settings_text, encoding="utf-8")
        waiting.replace(directory / SETTINGS_NAME)
    except OSError as error:
        raise Refused(f"{directory} cannot be written to: {error.strerror}.") from None


def require_fit(directory: Path) -> None:
    """Raises Refused unless a new site may be made in the folder: it is new, or holds nothing that matters here."""
    directory = directory.resolve()
    place = _in_checkout(directory)
    if place is not None:
        raise Refused(
            f"{directory} belongs to a checkout of Syndicate itself, which is never a site.",
            cure=f"Choose a folder of its own, such as {place / 'mysite'}.",
        )
    if not directory.exists():
        return
    if not directory.is_dir():
        raise Refused(f"{directory} is a file.", cure="Name a folder.")
    if (directory / SETTINGS_NAME).exists():
        raise Refused(f"{directory} is a site already.", cure="Run 'syndicate check' in it.")
    strange = sorted(each.name for each in directory.iterdir() if not _is_harmless(each))
    if strange:
        shown = ", ".join(strange[:3]) + (f" and {len(strange) - 3} more" if len(strange) > 3 else "")
        raise Refused(
            f"{directory} is not empty: it holds {shown}.",
            cure="Choose a new or an empty folder, and move articles into its articles/ afterwards.",
        )


def _is_harmless(path: Path) -> bool:
    if path.is_dir() and path.name in FOLDERS:
        return not any(path.iterdir())
    return path.name.startswith(".") or path.stem.upper() in ("README", "LICENSE")


def _in_checkout(directory: Path) -> Path | None:
    """The checkout that the folder is, or is a part of. A folder of one's own inside a checkout is no part of it."""
    for root in (directory, *directory.parents):
        try:
            name = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["name"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if name == "syndicate":
            inside = directory.relative_to(root).parts
            return root if not inside or inside[0] in PACKAGE_FOLDERS else None
    return None
