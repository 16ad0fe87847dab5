"""What follows a correction or a retraction at once, whoever asked for it: the stopped issues are composed anew, and
the files are written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syndicate.errors import SyndicateError
from syndicate.services.publish_feeds import publish
from syndicate.services.revise_issues import revise_issues

if TYPE_CHECKING:
    from syndicate.site import Site


@dataclass(frozen=True, slots=True)
class Finished:
    """`files` counts what was written or removed; `problems` say what is left for the next run."""

    files: int
    problems: tuple[str, ...]


def finish(site: Site, *, actor: str, now: datetime) -> Finished:
    """Both, as far as they go: what fails here is done by whoever works next, and said."""
    problems: list[str] = []
    files = 0
    try:
        revise_issues(site.database, site.newsletter, site.house, now=now, actor=actor)
    except SyndicateError as error:
        problems.append(f"The stopped issues are not composed anew yet: {error}")
    try:
        done = publish(site.database, site.feeds, site.publication, site.target, site.templates, now)
        files = sum(len(each.changed) for each in done.feeds) + done.pages_written + done.pages_removed
        problems += done.problems
    except SyndicateError as error:
        problems.append(f"The files are not written yet: {error}")
    return Finished(files, tuple(problems))
