"""Taking readers over from a file, or whom a mail API mails no more: upload, a report of what would change, for readers
the basis, and the import itself.

The file stands in the site's folder, for its owner's eyes, from the upload until it is imported or dropped; what is
left of a server that was stopped is removed by the next upload. An import that was interrupted is run again: what is
done is found unchanged.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as File
from typing import IO, Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from starlette.datastructures import FormData, UploadFile

from syndicate.core.vendor_suppressions import VENDORS
from syndicate.errors import BadInput, NotFound, Refused, SyndicateError
from syndicate.services.import_subscribers import Consent, Report, count_lines, import_subscribers
from syndicate.services.import_suppressions import SuppressionReport, import_suppressions
from syndicate.site import Site
from syndicate.web.pages import done, page
from syndicate.web.security.signed_in import Sender

router = APIRouter()

LARGEST = 190_000_000
"""Octets of a file: some three million readers."""
REFRESH_SECONDS = 2

Token = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
What = Literal["readers", "suppressions"]
State = Literal["checking", "checked", "importing", "done", "failed"]


@dataclass
class Job:
    """One file on its way in. Only its own thread and the request that starts that change it."""

    token: str
    name: str
    path: File
    what: What = "readers"
    vendor: str = ""
    """Whose list of suppressions it is, "" to tell by its columns."""
    state: State = "checking"
    lines: int = 0
    done: int = 0
    report: Report | SuppressionReport | None = None
    problem: str = ""
    basis: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


@router.get("/console/readers/import")
def ask_for_file(request: Request, user: Sender) -> Response:
    """The forms."""
    return _ask(request)


def _ask(request: Request, fault: str = "") -> Response:
    return page(
        request,
        "web/console/reader_import.html",
        status=422 if fault else 200,
        largest=LARGEST,
        vendors=[(vendor, vendor) for vendor in VENDORS],
        fault=fault,
    )


async def _form(request: Request, user: Sender) -> FormData:
    """What was sent. Asked for after who sends it: else anybody's file would be received, as large as it may be."""
    return await request.form()


@router.post("/console/readers/import")
def upload(request: Request, user: Sender, form: Annotated[FormData, Depends(_form)]) -> Response:
    """Keeps the file and begins to read it. Nothing is changed by that."""
    file, vendor = form.get("file"), str(form.get("vendor", ""))
    if not isinstance(file, UploadFile) or not file.filename:
        return _ask(request, "Choose a file.")
    if vendor and vendor not in VENDORS:
        return _ask(request, "Choose whose list it is.")
    site: Site = request.app.state.site
    jobs = _jobs(request)
    folder = _clean_folder(site, jobs)
    token = secrets.token_hex(16)
    path = folder / f"{token}.csv"
    try:
        _keep(file.file, path)
    except BadInput as error:
        path.unlink(missing_ok=True)
        return _ask(request, str(error))
    name = File(file.filename.replace("\\", "/")).name[:200] or "readers.csv"
    what: What = "suppressions" if form.get("what") == "suppressions" else "readers"
    job = jobs[token] = Job(token, name, path, what, vendor)
    _begin(job, site, None, request.app.state.clock())
    return done(request, f"/console/readers/import/{token}")


@router.get("/console/readers/import/{token}")
def look(request: Request, user: Sender, token: Token) -> Response:
    """How far it is, and what it would do or did."""
    return _show(request, _job(request, token))


@router.post("/console/readers/import/{token}")
def start(request: Request, user: Sender, token: Token, basis: Annotated[str, Form(max_length=500)] = "") -> Response:
    """Imports it: readers under a basis that is kept as the proof of their consent. Twice is once."""
    job = _job(request, token)
    if job.what == "readers" and not basis.strip():
        fault = "Say why these people may be mailed: it is kept as the proof."
        return _show(request, job, status=422, fault=fault)
    site: Site = request.app.state.site
    with job.lock:
        if job.state == "checked":
            now: datetime = request.app.state.clock()
            site.sync(now)
            job.state, job.done, job.basis = "importing", 0, basis.strip()
            _begin(job, site, user.name, now)
        elif job.state not in ("importing", "done"):
            raise Refused(f"The file is not ready: it is {job.state}.", cure="Upload it again.")
    return done(request, f"/console/readers/import/{token}")


@router.post("/console/readers/import/{token}/drop")
def drop(request: Request, user: Sender, token: Token) -> Response:
    """Removes a file that is not to be imported."""
    job = _job(request, token)
    with job.lock:
        if job.state == "importing":
            raise Refused("It is being imported.", cure="Wait for its end.")
        job.path.unlink(missing_ok=True)
        _jobs(request).pop(token, None)
    return done(request, "/console/readers/import", f"{job.name} is removed. Nothing was changed.")


def _show(request: Request, job: Job, *, status: int = 200, fault: str = "") -> Response:
    # Read once: it moves while the page is made, and the report is there before it says so.
    state = job.state
    response = page(
        request,
        "web/console/reader_import_job.html",
        status=status,
        job=job,
        state=state,
        report=job.report if state in ("checked", "done") else None,
        fault=fault,
    )
    if state in ("checking", "importing"):
        # The page comes again by itself, without any script.
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


def _begin(job: Job, site: Site, actor: str | None, now: datetime) -> None:
    threading.Thread(target=_run, args=(job, site, actor, now), name=f"import-{job.token[:6]}", daemon=True).start()


def _run(job: Job, site: Site, actor: str | None, now: datetime) -> None:
    """Reads the file; with an actor, who wants it, does what it says."""

    def progress(rows: int) -> None:
        job.done = rows

    report: Report | SuppressionReport
    try:
        job.lines = count_lines(job.path)
        if job.what == "suppressions":
            report = import_suppressions(
                site.database,
                path=job.path,
                vendor=job.vendor,
                apply=actor is not None,
                actor=actor or "",
                now=now,
                progress=progress,
                name=job.name,
            )
        else:
            report = import_subscribers(
                site.database,
                path=job.path,
                newsletters=site.newsletters,
                consent=Consent(job.basis, actor) if actor is not None else None,
                now=now,
                progress=progress,
                name=job.name,
            )
    except SyndicateError as error:
        said = str(error).replace(str(job.path), job.name).replace(job.path.name, job.name)
        job.problem, job.state = said, "failed"
    except Exception:
        job.problem, job.state = "It stopped in the middle. What was done is kept; import it again.", "failed"
        raise
    else:
        job.report = report
        job.state = "done" if actor is not None else "checked"
    finally:
        if job.state in ("done", "failed"):
            job.path.unlink(missing_ok=True)


def _keep(stream: IO[bytes], path: File) -> None:
    private = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(private, "wb") as kept:
        shutil.copyfileobj(stream, kept, 1 << 20)
        if kept.tell() > LARGEST:
            raise BadInput(f"The file has more than {LARGEST:,} bytes.", cure="Split it, or import it by command.")


def _clean_folder(site: Site, jobs: dict[str, Job]) -> File:
    """The folder, without what a stopped server left there."""
    folder = site.directory / "imports"
    folder.mkdir(mode=0o700, exist_ok=True)
    for old in folder.glob("*.csv"):
        if old.stem not in jobs:
            old.unlink(missing_ok=True)
    return folder


def _jobs(request: Request) -> dict[str, Job]:
    state = request.app.state
    if not hasattr(state, "imports"):
        state.imports = {}
    jobs: dict[str, Job] = state.imports
    return jobs


def _job(request: Request, token: str) -> Job:
    job = _jobs(request).get(token)
    if job is None:
        raise NotFound(
            "This file is not here any more.",
            cure="Upload it again: what was imported of it already is found unchanged.",
        )
    return job
