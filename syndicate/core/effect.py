"""What is done to an article does to everything that shows it, place by place, in words that are the same before it
and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from syndicate.core.issue import State

Action = Literal["correct", "retract", "hold", "release"]
What = Literal["draft", "unfrozen", "paused", "composed", "mailed", "goes on"]
"""draft: it goes back to draft. unfrozen: its freezing is taken back, then it is a draft. paused: it stops, and a new
revision of it awaits approval. composed: it is a draft and composed again anyway. mailed: what went out stays. goes on:
it is under way and nothing becomes of it."""


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
    page of its own here; `newsletters` by title, those whose next issues bring it."""

    article_id: str
    title: str
    action: Action
    feeds: tuple[str, ...] = ()
    page: bool = False
    issues: tuple[IssueEffect, ...] = ()
    newsletters: tuple[str, ...] = ()

    @property
    def revised(self) -> tuple[int, ...]:
        """The issues that stop under way and need a new revision, approved again."""
        return tuple(each.issue_id for each in self.issues if each.what == "paused")


def sentences(effects: Effects, *, done: bool) -> list[str]:
    """One sentence for each place, for people; `done` when it has happened."""
    lines = [_feeds_sentence(effects, done)]
    if effects.page:
        lines.append(_page_sentence(effects.action, done))
    if effects.action == "release":
        next_of = " and ".join(effects.newsletters)
        lines.append(f"Issues: the next of {next_of} brings it." if next_of else "Issues: no next one brings it.")
    elif not effects.issues:
        lines.append("Issues: none carries it.")
    return [*lines, *(line for each in effects.issues if (line := _issue_sentence(each, effects.action, done)))]


def _feeds_sentence(effects: Effects, done: bool) -> str:
    names = ", ".join(name or "the site's own" for name in effects.feeds)
    if effects.action == "release":
        return f"Feeds: it {_tense('goes', 'went', done)} into {names}." if names else "Feeds: none selects it."
    if not names:
        return "Feeds: it is in none."
    leaves, changes = _tense("leaves", "has left", done), _tense("changes in", "changed in", done)
    return {
        "retract": f"Feeds: it {leaves} {names}, marked as deleted in Atom.",
        "correct": f"Feeds: it {changes} {names}, with a new time of update.",
        "hold": f"Feeds: it {leaves} {names}, until it is released.",
    }[effects.action]


def _page_sentence(action: Action, done: bool) -> str:
    return {
        "retract": f"Page: it {_tense('becomes', 'is now', done)} a notice of the retraction, at the same address.",
        "correct": f"Page: it {_tense('shows', 'now shows', done)} the correction and what it says.",
        "hold": "Page: at its address, to which mails that went out lead, there is nothing until it is released.",
        "release": f"Page: it {_tense('stands', 'stands again', done)} at its address.",
    }[action]


def _issue_sentence(effect: IssueEffect, action: Action, done: bool) -> str:
    """Empty when nothing becomes of it."""
    name = f"Issue {effect.issue_id} ({effect.newsletter})"
    how_many = f"{effect.accepted:,} of {effect.planned:,} sent"
    if effect.uncertain:
        how_many += f" and {effect.uncertain:,} uncertain"
    if action == "release":
        return f"{name}: its page in the archive shows it{_tense('', ' again', done)}." if effect.was == "sent" else ""
    without = "with the correction" if action == "correct" else "without it"
    if effect.what in ("draft", "unfrozen"):
        return f"{name}: {_tense('goes', 'went', done)} back to draft; it was {effect.was}."
    if effect.what == "composed":
        return f"{name}: is a draft, and is composed again {without}."
    if effect.what == "paused":
        stops = "stays paused" if effect.was == "paused" else _tense("pauses", "is paused", done)
        return f"{name}: {stops} with {how_many}; a revision {without} awaits approval."
    if effect.what == "goes on":
        return f"{name}: is {effect.was} and keeps it: to stop it, pause the issue or retract the article."
    archive = {
        "retract": "no longer shows it",
        "correct": "shows it corrected",
        "hold": "leaves it out until it is released",
    }[action]
    return f"{name}: what went out stays as it is ({how_many}); its page in the archive {archive}."


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
        "newsletters": list(effects.newsletters),
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
