"""What a correction or a retraction does, place by place, in words that are the same before it and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from syndicate.core.issue import State

Action = Literal["correct", "retract"]
What = Literal["draft", "unfrozen", "paused", "composed", "mailed"]
"""draft: it goes back to draft. unfrozen: its freezing is taken back, then it is a draft. paused: it stops, and a new
revision of it awaits approval. composed: it is a draft and composed again anyway. mailed: what went out stays."""


@dataclass(frozen=True, slots=True)
class IssueEffect:
    """What becomes of one issue that carries the article. `was` is its state before; the counts are people of its
    books at that moment."""

    issue_id: int
    newsletter: str
    was: State
    what: What
    planned: int = 0
    accepted: int = 0
    uncertain: int = 0


@dataclass(frozen=True, slots=True)
class Effects:
    """What becomes of everything that shows the article. `feeds` by name, "" is the site's own; `page` when it has a
    page of its own here."""

    article_id: str
    title: str
    action: Action
    feeds: tuple[str, ...] = ()
    page: bool = False
    issues: tuple[IssueEffect, ...] = ()

    @property
    def revised(self) -> tuple[int, ...]:
        """The issues that stop under way and need a new revision, approved again."""
        return tuple(each.issue_id for each in self.issues if each.what == "paused")


def sentences(effects: Effects, *, done: bool) -> list[str]:
    """One sentence for each place, for people; `done` when it has happened."""
    lines = []
    retracted = effects.action == "retract"
    if effects.feeds:
        names = ", ".join(name or "the site's own" for name in effects.feeds)
        verb = _tense("leaves", "has left", done) if retracted else _tense("changes in", "changed in", done)
        marked = ", marked as deleted in Atom" if retracted else ", with a new time of update"
        lines.append(f"Feeds: it {verb} {names}{marked}.")
    else:
        lines.append("Feeds: it is in none.")
    if effects.page:
        becomes = "becomes" if not done else "is now"
        lines.append(
            f"Page: it {becomes} a notice of the retraction, at the same address."
            if retracted
            else f"Page: it {_tense('shows', 'now shows', done)} the correction and what it says."
        )
    lines += [_issue_sentence(each, retracted, done) for each in effects.issues]
    if not effects.issues:
        lines.append("Issues: none carries it.")
    return lines


def _issue_sentence(effect: IssueEffect, retracted: bool, done: bool) -> str:
    name = f"Issue {effect.issue_id} ({effect.newsletter})"
    how_many = f"{effect.accepted:,} of {effect.planned:,} sent"
    if effect.uncertain:
        how_many += f" and {effect.uncertain:,} uncertain"
    without = "without it" if retracted else "with the correction"
    if effect.what in ("draft", "unfrozen"):
        return f"{name}: {_tense('goes', 'went', done)} back to draft; it was {effect.was}."
    if effect.what == "composed":
        return f"{name}: is a draft, and is composed again {without}."
    if effect.what == "paused":
        stops = "stays paused" if effect.was == "paused" else _tense("pauses", "is paused", done)
        return f"{name}: {stops} with {how_many}; a revision {without} awaits approval."
    archive = f"; its page in the archive {'no longer shows it' if retracted else 'shows it corrected'}"
    return f"{name}: what went out stays as it is ({how_many}){archive}."


def _tense(before: str, after: str, done: bool) -> str:
    return after if done else before


def as_rows(effects: Effects) -> Mapping[str, object]:
    """For programs."""
    return {
        "article": effects.article_id,
        "title": effects.title,
        "action": effects.action,
        "feeds": list(effects.feeds),
        "page": effects.page,
        "issues": [
            {
                "id": each.issue_id,
                "newsletter": each.newsletter,
                "was": each.was,
                "effect": each.what,
                "planned": each.planned,
                "accepted": each.accepted,
                "uncertain": each.uncertain,
            }
            for each in effects.issues
        ],
    }
