"""The log: who did what, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from syndicate.core.identity import PREFIX
from syndicate.storage.audit_search import Entry, log_entries
from syndicate.web.pages import page, with_query
from syndicate.web.security.signed_in import Editor

router = APIRouter()

PAGE = 50
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
Text = Annotated[str, Query(max_length=200)]


@router.get("/console/log")
def log(
    request: Request,
    user: Editor,
    actor: Text = "",
    action: Text = "",
    subject: Text = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> Response:
    """Newest first, a page at a time."""
    given = {"actor": actor.strip(), "action": action.strip(), "subject": subject.strip()}
    with request.app.state.site.database.read() as connection:
        found = log_entries(connection, before=before, limit=PAGE + 1, **given)
    more = len(found) > PAGE
    return page(
        request,
        "web/console/log.html",
        entries=[(each, _leads_to(each), _said(each.detail)) for each in found[:PAGE]],
        given=given,
        narrowed=any(given.values()),
        newer=with_query("/console/log", **given) if before is not None else "",
        older=with_query("/console/log", before=found[PAGE - 1].id, **given) if more else "",
    )


def _leads_to(entry: Entry) -> tuple[str, str]:
    """The address of what it was done to, or "", and how that is called here."""
    if entry.action.startswith("issue.") and entry.subject.isdigit():
        return f"/console/issues/{entry.subject}", f"issue {entry.subject}"
    if entry.subject.startswith(PREFIX):
        return f"/console/articles/{entry.subject.removeprefix(PREFIX)}", f"article {entry.subject[len(PREFIX) :][:8]}"
    return "", _HASH.sub(r"\1…", entry.subject)


def _said(detail: Mapping[str, Any]) -> str:
    """What says something of it, in one line."""
    told = ((key.replace("_", " "), _value(value)) for key, value in detail.items())
    return "; ".join(f"{key}: {value}" for key, value in told if value)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    if isinstance(value, Mapping):
        return _said(value)
    if value in (None, "", False):
        return ""
    return _HASH.sub(r"\1…", str(value)).replace(PREFIX, "")
