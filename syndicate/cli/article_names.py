"""Articles as people name them on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from syndicate.errors import NotFound

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from syndicate.core.article import Article
    from syndicate.site import Site


def find_articles(site: Site, connection: Connection, names: Iterable[str]) -> list[Article]:
    """The articles named, each once: by urn, the start of one, or the path of the file, inside its source or as seen
    from here or from the site's folder. Raises NotFound."""
    found: dict[str, Article] = {}
    for name in names:
        article = _find(site, connection, name)
        found.setdefault(article.id, article)
    return list(found.values())


def _find(site: Site, connection: Connection, name: str) -> Article:
    from syndicate.storage.articles import find_article

    web_url = site.publication.web_url
    for place in _places(site, name):
        try:
            return find_article(connection, place, web_url)
        except NotFound:
            pass  # a path of the file system may also be the start of an id, or a path inside the source
    return find_article(connection, name, web_url)


def _places(site: Site, name: str) -> Iterator[str]:
    """`source/key` of a path of the file system that lies in a source's folder."""
    for base in (Path.cwd(), site.directory):
        path = (base / name).resolve()
        for source in site.sources:
            folder = (site.directory / source.path).resolve()
            if source.path and path != folder and path.is_relative_to(folder):
                yield f"{source.name}/{path.relative_to(folder).as_posix()}"
