"""What changed in an issue since it was approved: the difference alone, word by word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Literal

from syndicate.core.article import Content

CONTEXT = 6
"""Words shown on either side of a change."""
MOST_WORDS = 3_000
"""A text with more is told as a whole: comparing takes the square of it."""

_PARTS = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class Span:
    """Words that stayed, went or came."""

    kind: Literal["same", "gone", "new"]
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `where` is the article's title, or "" for the issue itself; `what` names the thing: "title",
    "summary", …, or "put in", "taken out", "place", "role" for an article as a whole (`spans` are then its title, or
    where it stood and stands)."""

    where: str
    what: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What an issue says: its own texts by name, and its articles in order, as (id, role, texts by name)."""

    texts: Mapping[str, str] = field(default_factory=dict)
    articles: tuple[tuple[str, str, Mapping[str, str]], ...] = ()


def mail_texts(content: Content) -> dict[str, str]:
    """What a digest may say of an article, by name. What is not here (the article's own body) changes no mail."""
    image = content.image
    return {
        "title": content.title,
        "summary": content.summary,
        "section": content.section,
        "authors": ", ".join(content.authors),
        "date": content.date.isoformat() if content.date else "",
        "link": content.url or "",
        "language": content.language,
        "picture": f"{image.src} {image.alt} {image.credit} {image.use}".strip() if image else "",
        "translator": content.translated_by,
        "origin": f"{content.origin} {content.origin_url} {'' if content.rights == 'ours' else content.rights}".strip(),
    }


def differences(before: Shown, after: Shown) -> list[Change]:
    """Every difference between two states of an issue, its own texts first, then article by article."""
    found = [
        Change("", name, spans(before.texts.get(name, ""), after.texts.get(name, "")))
        for name in dict.fromkeys((*before.texts, *after.texts))
        if before.texts.get(name, "") != after.texts.get(name, "")
    ]
    old = {article_id: (role, texts) for article_id, role, texts in before.articles}
    new = {article_id: (role, texts) for article_id, role, texts in after.articles}
    for article_id, (_, texts) in old.items():
        if article_id not in new:
            found.append(Change(texts["title"], "taken out", (Span("gone", texts["title"]),)))
    for article_id, (role, texts) in new.items():
        if article_id not in old:
            found.append(Change(texts["title"], "put in", (Span("new", texts["title"]),)))
            continue
        was_role, was = old[article_id]
        found += [
            Change(texts["title"], name, spans(was.get(name, ""), text))
            for name, text in texts.items()
            if was.get(name, "") != text
        ]
        if was_role != role:
            found.append(Change(texts["title"], "role", (Span("gone", was_role), Span("new", role))))
    return [*found, *_moves([each for each in old if each in new], [each for each in new if each in old], new)]


def _moves(
    before: Sequence[str], after: Sequence[str], texts: Mapping[str, tuple[str, Mapping[str, str]]]
) -> list[Change]:
    """The fewest articles that moved among those that stayed."""
    matcher = SequenceMatcher(None, list(before), list(after), autojunk=False)
    kept = {before[block.a + step] for block in matcher.get_matching_blocks() for step in range(block.size)}
    return [
        Change(
            texts[each][1]["title"],
            "place",
            (Span("gone", str(before.index(each) + 1)), Span("new", str(after.index(each) + 1))),
        )
        for each in after
        if each not in kept
    ]


def spans(before: str, after: str) -> tuple[Span, ...]:
    """The words that stayed, went and came, in order; joined, "same" and "new" give `after`, "same" and "gone" give
    `before`. Long stretches that stayed are kept whole: see `around`."""
    old, new = _PARTS.findall(before), _PARTS.findall(after)
    if len(old) + len(new) > 2 * MOST_WORDS:
        return tuple(each for each in (Span("gone", before), Span("new", after)) if each.text)
    found: list[Span] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(Span("same", "".join(old[a:b])))
            continue
        if b > a:
            found.append(Span("gone", "".join(old[a:b])))
        if d > c:
            found.append(Span("new", "".join(new[c:d])))
    return tuple(found)


def around(spans_: Sequence[Span], words: int = CONTEXT) -> tuple[Span, ...]:
    """The same with stretches that stayed cut to `words` on either side of a change, for reading."""
    found = []
    for place, span in enumerate(spans_):
        parts = _PARTS.findall(span.text)
        most = 2 * words
        if span.kind == "same" and len(parts) > 2 * most:
            start = "" if place == 0 else "".join(parts[:most]).rstrip() + " "
            end = "" if place == len(spans_) - 1 else " " + "".join(parts[-most:]).lstrip()
            found.append(Span("same", f"{start}…{end}"))
        else:
            found.append(span)
    return tuple(found)
