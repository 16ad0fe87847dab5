"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from syndicate.errors import BadInput
from syndicate.rendering.html import one_line
from syndicate.sources.feed_item import MOST_ITEMS, FeedDocument, FeedItem, address, plain_to_html


def read_json_feed(text: str, url: str) -> FeedDocument:
    """Raises BadInput when it is no JSON Feed."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput("gave JSON that cannot be read.", cure="Tell its publisher.") from None
    items = found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise BadInput("gave JSON that is no JSON Feed.", cure="Put the address of its feed into `url`.")
    home = address(_string(found, "home_page_url"), url)
    authors, language = _authors(found), _string(found, "language")
    tables = [each for each in items if isinstance(each, dict)]
    read = tuple(
        _item(each, home or url, authors, language)
        for each in (tables if len(tables) <= 2 * MOST_ITEMS else [*tables[:MOST_ITEMS], *tables[-MOST_ITEMS:]])
    )
    return FeedDocument(one_line(_string(found, "title")), home, read, len(tables))


def _item(item: Mapping[str, Any], base: str, authors: tuple[str, ...], language: str) -> FeedItem:
    link = next((each for key in ("url", "external_url") if (each := address(_string(item, key), base))), "")
    number = item.get("id")
    summary = _string(item, "summary")
    body = _string(item, "content_html") or plain_to_html(_string(item, "content_text"))
    return FeedItem(
        # "If an id is presented as a number or other type, a JSON Feed reader must coerce it to a string."
        id=one_line(_string(item, "id") or (str(number) if isinstance(number, int | float) else "")),
        link=link,
        title=one_line(_string(item, "title")),
        body=body or plain_to_html(summary),
        summary=plain_to_html(summary) if body else "",
        base=link or base,
        published=_moment(item, "date_published"),
        updated=_moment(item, "date_modified"),
        authors=_authors(item) or authors,
        tags=tuple(_strings(item.get("tags"))),
        language=_string(item, "language") or language,
        picture=address(_string(item, "image") or _string(item, "banner_image"), base),
    )


def _string(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _strings(values: Any) -> Iterable[str]:
    return (each for each in values if isinstance(each, str)) if isinstance(values, list) else ()


def _authors(table: Mapping[str, Any]) -> tuple[str, ...]:
    authors = table.get("authors")
    tables = authors if isinstance(authors, list) else [table.get("author")]  # version 1.0 had one
    names = (one_line(_string(each, "name")) for each in tables if isinstance(each, dict))
    return tuple(name for name in names if name and "@" not in name)


def _moment(table: Mapping[str, Any], key: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_string(table, key).strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
