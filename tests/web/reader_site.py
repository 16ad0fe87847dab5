"""Readers of a site, as its console meets them."""

from __future__ import annotations

from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.suppress_subscriber import suppress_subscriber
from tests.web.newsroom_site import WebSite

PEOPLE = (("ana.silva@example.org", "Ana Silva"), ("andre@example.org", "André Duarte"), ("zoe@example.net", ""))


def seed(site: WebSite) -> dict[str, str]:
    """Three readers, one of them suppressed: name → the path of their page, and the other pages of Readers."""
    paths = {"readers": "/console/readers", "add": "/console/readers/add", "import": "/console/readers/import"}
    for email, name in PEOPLE:
        person, _ = add_subscriber(
            site.site.database,
            email=email,
            newsletter=site.site.newsletters[0],
            because="asked by phone",
            name=name,
            actor="Ada",
            now=site.now,
        )
        paths[email.partition("@")[0]] = f"/console/readers/{person.id}"
    suppress_subscriber(site.site.database, email=PEOPLE[2][0], because="asked us to", actor="Ada", now=site.now)
    return paths
