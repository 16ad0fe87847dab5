"""What an editor puts around the articles of an issue, for the mail and for the archive alike: links of their own, and
a place that somebody paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syndicate.core.edits import EditorLink
from syndicate.core.edits import Sponsor as EditorSponsor
from syndicate.rendering.text import one_line, web_address
from syndicate.rendering.words import words_for
from syndicate.rendering.written import Written, write


@dataclass(frozen=True, slots=True)
class Sponsor:
    """A paid place, labelled as such: `label` names who paid, in the issue's language."""

    label: str
    url: str
    words: Written


def tell_sponsor(sponsor: EditorSponsor | None, language: str) -> Sponsor | None:
    """None where nobody is named: a place without a label is not shown."""
    if sponsor is None or not (name := one_line(sponsor.name)):
        return None
    return Sponsor(words_for(language).sponsored_by(name), web_address(sponsor.url), write(sponsor.text))


def tell_links(links: Sequence[EditorLink]) -> list[EditorLink]:
    """Those that can be followed, each title on one line."""
    return [
        EditorLink(title, url)
        for each in links
        if (title := one_line(each.title)) and (url := web_address(each.url))
    ]
