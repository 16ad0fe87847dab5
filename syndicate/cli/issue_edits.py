"""What `syndicate issues edit` was asked to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from syndicate.cli.article_names import find_articles
from syndicate.cli.frame import split_values
from syndicate.core.edits import Change, EditorLink, Sponsor
from syndicate.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from syndicate.site import Site


def change_of(site: Site, connection: Connection, given: Mapping[str, Any]) -> Change:
    """The change that the options ask for. Raises UsageError when they ask for none, or contradict each other, and
    NotFound for an article that does not exist."""

    def ids(name: str) -> tuple[str, ...]:
        names = split_values(given[name])
        return tuple(each.id for each in find_articles(site, connection, names)) if names else ()

    for one, other in (("order", "usual_order"), ("links", "no_links"), ("sponsor", "no_sponsor")):
        if given[one] and given[other]:
            raise UsageError(f"--{one.removesuffix('s')} and --{other.replace('_', '-')} contradict each other.")
    change = Change(
        subject=given["subject"],
        preheader=given["preheader"],
        intro=given["intro"],
        order=() if given["usual_order"] else ids("order") or None,
        skip=ids("skip"),
        unskip=ids("unskip"),
        add=ids("add"),
        links=() if given["no_links"] else _links(given["links"]),
        sponsor=_sponsor(given),
    )
    if change == Change():
        raise UsageError("Nothing to change was named.", cure="See `syndicate issues edit --help`.")
    return change


def _links(values: Sequence[str]) -> tuple[EditorLink, ...] | None:
    if not values:
        return None
    parts = [value.partition("=http") for value in values]
    for value, (_, found, _) in zip(values, parts, strict=True):
        if not found:
            raise UsageError(f"--link {value!r} is not TITLE=https://….")
    return tuple(EditorLink(title, f"http{rest}") for title, _, rest in parts)


def _sponsor(given: Mapping[str, Any]) -> Sponsor | None:
    if given["no_sponsor"]:
        return Sponsor("")
    if given["sponsor"] is None:
        if given["sponsor_text"]:
            raise UsageError("--sponsor-text needs --sponsor: readers are told who paid.")
        return None
    name, found, rest = given["sponsor"].partition("=http")
    if not name.strip():
        raise UsageError("--sponsor needs a name: readers are told who paid.")
    return Sponsor(name, f"http{rest}" if found else "", given["sponsor_text"])
