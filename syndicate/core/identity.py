"""Who an article is: its id, minted once, and the page that stands for it when it has no URL of its own."""

from __future__ import annotations

from uuid import UUID, uuid5

PREFIX = "urn:uuid:"

# Never changes: ids already minted are derived from it.
_NAMESPACE = UUID("5b2f6f0e-3d1c-5c7e-9a40-7a1d0c6f2b11")


def mint(source: str, key: str, occurrence: int = 0) -> str:
    """The id of the article first seen under `key` in `source`, as `urn:uuid:…` (RFC 9562, version 5).

    Derived and not random, so that two collectors that meet the same new file mint the same id. `occurrence` counts the
    articles that had this key before: a path used again after its file was deleted names another article."""
    return PREFIX + str(uuid5(_NAMESPACE, f"{source}\n{key}\n{occurrence}"))


def page_path(article_id: str) -> str:
    """Where the article's own page is, inside `feeds/`: `articles/UUID.html`."""
    return f"articles/{article_id.removeprefix(PREFIX)}.html"


def page_url(article_id: str, web_url: str) -> str:
    """The address of that page for ever. `web_url` has no trailing slash."""
    return f"{web_url}/feeds/{page_path(article_id)}"
