"""Looks at everything a site needs before it matters, and sends and changes nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import jinja2

from syndicate.core.live_mail import samples
from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication, Sender
from syndicate.errors import StorageError
from syndicate.storage.alerts import list_alerts
from syndicate.storage.audience import MOST_SAMPLES, count_samples
from syndicate.storage.database import Database
from syndicate.storage.definition_states import lost_readers
from syndicate.storage.halt import stopped_by
from syndicate.storage.instance import quarantined_why
from syndicate.storage.workers import live_workers

CONNECT_SECONDS = 3
TEMPLATE_PARTS = ("subject.txt", "body.txt", "body.html")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `area` is settings, templates, database, worker, sending, alerts, feeds, mail API,
    live mail or samples. `key` tells an alert from others, `since` when it began."""

    area: str
    level: Literal["ok", "warning", "error"]
    text: str
    key: str = ""
    since: datetime | None = None


def check_templates(
    environment: jinja2.Environment, folder: Path, newsletters: Sequence[Newsletter]
) -> Iterator[Finding]:
    """Compiles every template of the site's own folder, and looks for those that newsletters name."""
    own = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and _is_template(path)
    )
    wrong = False
    for name in own:
        try:
            environment.get_template(name)
        except jinja2.TemplateSyntaxError as error:
            wrong = True
            yield Finding(
                "templates", "error", f"templates/{error.name or name}, line {error.lineno}: {error.message}."
            )
        except (jinja2.TemplateError, UnicodeDecodeError) as error:
            wrong = True
            yield Finding("templates", "error", f"templates/{name}: {error}.")
    for newsletter in newsletters:
        if newsletter.template == "digest":
            continue
        parts = [part for part in TEMPLATE_PARTS if f"email/{newsletter.template}/{part}" in own]
        if not parts:
            wrong = True
            yield Finding(
                "templates",
                "error",
                f"{newsletter.name} asks for the template {newsletter.template!r}, but templates/email/"
                f"{newsletter.template}/ has none of {', '.join(TEMPLATE_PARTS)}.",
            )
    if not wrong:
        yield Finding("templates", "ok", f"{len(own)} of the site's own, the shipped ones for the rest.")


def check_database(database: Database, newsletters: Sequence[Newsletter]) -> Iterator[Finding]:
    """Whether it can be opened, is at this program's revision, and knows nobody whom no cadence reaches any more."""
    try:
        database.require_current()
    except StorageError as error:
        yield Finding("database", "error", str(error))
        return
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    yield Finding("database", "ok", f"{kind}, at this program's revision.")
    declared = {(each.name, cadence) for each in newsletters for cadence in each.cadences}
    with database.read() as connection:
        for (newsletter, cadence), readers in lost_readers(connection, declared).items():
            yield Finding(
                "database",
                "warning",
                f"{readers:,} active readers of {newsletter} are on the cadence {cadence!r}, which is no longer in"
                " syndicate.toml: they get nothing.",
            )


def check_sending(database: Database) -> Iterator[Finding]:
    """Whether somebody stopped all sending, whether the database is in quarantine, and every alert that is open."""
    with database.read() as connection:
        by = stopped_by(connection)
        why = quarantined_why(connection)
        alerts = list_alerts(connection)
    if by is not None:
        yield Finding("sending", "warning", f"All sending is stopped, by {by}. `syndicate resume` goes on.")
    if why is not None:
        text = f"The database is in quarantine: {why} Nothing is sent until `syndicate confirm-live`."
        yield Finding("sending", "error", text)
    for alert in alerts:
        yield Finding("alerts", "warning", alert.sentence, alert.key, alert.began_at)


def check_worker(database: Database, directory: Path) -> Finding:
    """Whether a process works for the site: collects, publishes and sends by itself."""
    staying = [each for each in live_workers(database, directory) if each.startswith(("work-", "worker-"))]
    if staying:
        text = "A worker is up." if len(staying) == 1 else f"{len(staying)} workers are up."
        return Finding("worker", "ok", text)
    return Finding("worker", "warning", "No worker is up: nothing goes on by itself. `syndicate run` starts one.")


def check_folder(folder: Path) -> Finding:
    """Whether feeds can be written."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding("feeds", "ok", f"{folder} can be written.")
    return Finding("feeds", "error", f"{folder} cannot be written: {existing} does not let this user.")


def check_mail_api(name: str, url: str) -> Finding:
    """Whether somebody listens at the mail API's address. Nothing is posted."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return Finding("mail API", "error", f"{name} at {url} does not answer: {error.strerror or error}.")
    return Finding("mail API", "ok", f"{name} at {url} answers.")


def check_samples(publication: Publication, sender: Sender) -> Iterator[Finding]:
    """Values that stand for the real ones: fine for trying, never for live mail."""
    found = samples(publication, sender)
    if found:
        yield Finding(
            "samples", "warning", f"These are samples still, and nothing live is sent with them: {', '.join(found)}."
        )


def check_sample_readers(database: Database) -> Iterator[Finding]:
    """Readers for whose sake an issue is refused when mail is live."""
    with database.read() as connection:
        count = count_samples(connection)
    if count:
        more = " or more" if count == MOST_SAMPLES else ""
        told = f"{count:,}{more} active readers are samples" if count > 1 else "1 active reader is a sample"
        cure = "An issue that would go to one is refused: erase or suppress them."
        yield Finding("samples", "error", f"{told}, such as under example.com. {cure}")


def _is_template(path: Path) -> bool:
    return path.suffix in (".html", ".txt", ".xml") and not path.name.startswith(".")
