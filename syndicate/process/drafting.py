"""Draft an issue for its slot, and tell what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syndicate.process.log import Log
from syndicate.process.ticking import draft_at_site

if TYPE_CHECKING:
    from syndicate.site import Site


class Drafter:
    """Drafts, in any thread."""

    def __init__(self, site: Site, log: Log) -> None:
        self._site, self._log = site, log

    def draft(self, newsletter: str, cadence: str) -> None:
        """Drafts the issue of that cadence whose slot is near, unless it is drafted, or no longer in the settings."""
        if newsletter not in {each.name for each in self._site.newsletters}:
            return
        ticked = draft_at_site(self._site, newsletter, cadence)
        for issue in ticked.drafted:
            sentence = f"Issue {issue} is drafted. `syndicate issues show {issue}` shows it."
            self._log.say("drafted", sentence, issue=issue)
        for sentence in ticked.settled:
            self._log.say("slot", sentence)
