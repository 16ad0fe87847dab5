"""Whether somebody works for a site: the processes of its roles that hold their lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syndicate.storage.workers import live_workers

if TYPE_CHECKING:
    from syndicate.site import Site

WORKERS = ("work-", "worker-")
"""How the ids of workers that stay, and that send, begin; a command that sends calls itself otherwise."""


def living_roles(site: Site) -> frozenset[str]:
    """The roles of the processes that hold their lock for this site, here or elsewhere."""
    return frozenset(each.rpartition("-")[0] for each in live_workers(site.database, site.directory))


def worker_is_up(site: Site) -> bool:
    """Whether a process that sends by itself runs for this site, here or elsewhere."""
    return any(each.startswith(WORKERS) for each in live_workers(site.database, site.directory))
