"""Mails to editors: a heading, some sentences, a list and one link to a page where they may act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment

from syndicate.core.issue import Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication
from syndicate.rendering.environment import render

MOST_ITEMS = 40


@dataclass(frozen=True, slots=True)
class Notice:
    """What one such mail says. `link` only shows: nothing happens by following it."""

    subject: str
    sentences: tuple[str, ...]
    items: tuple[str, ...] = ()
    link: str = ""
    link_text: str = ""


def render_notice(environment: Environment, publication: Publication, notice: Notice) -> tuple[str, str]:
    """The HTML and the text. Raises BadInput when a template fails."""
    context = {"publication": publication, "notice": notice}
    return render(environment, "email/notice/body.html", context), render(environment, "email/notice/body.txt", context)


def preview_notice(
    newsletter: Newsletter,
    issue: Issue,
    publication: Publication,
    *,
    subject: str,
    wall_time: str,
    titles: Sequence[str],
) -> Notice:
    """What editors are told of an issue that was drafted for the slot at `wall_time`."""
    readers = f"{issue.expected or 0:,} {'reader' if issue.expected == 1 else 'readers'}"
    unless = {
        "hold": "It goes when somebody has approved it by then; otherwise it is kept.",
        "skip": "It goes when somebody has approved it by then; otherwise its articles go with the next one.",
        "send": "It goes then, approved or not.",
    }[newsletter.if_not_approved]
    if newsletter.approval == "automatic" or issue.is_approved:
        unless = "It goes then by itself."
    shown = titles[:MOST_ITEMS]
    more = [f"and {len(titles) - len(shown)} more"] if len(titles) > len(shown) else []
    return Notice(
        subject=f"{newsletter.title}, {wall_time}: {subject}",
        sentences=(
            f"Issue {issue.id} of {newsletter.title} is ready for {wall_time} ({newsletter.timezone}), for {readers}.",
            unless,
        ),
        items=(*shown, *more),
        link=publication.web(f"console/issues/{issue.id}"),
        link_text=f"Look at issue {issue.id}",
    )
