"""What axe finds wrong with a page for people who see, hear or move differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LANDMARKS = ("landmark-one-main", "region")
RUN = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false})"
EVERYTHING = {"type": "tag", "values": RULES}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules that look at colours (axe's `cat.color`, without what is asked for at level AAA)."""


def faults(page: Page, *, is_mail: bool = False, colours_alone: bool = False) -> list[str]:
    """One line for each fault: the rule, and the first element that breaks it. A mail stands inside a page of the mail
    program, whose landmarks are what counts. `colours_alone` is for a page that was looked at and changed its colours
    since."""
    from axe_playwright_python.base import AXE_SCRIPT

    # Not by a <script> in the page: its policy forbids that, and is part of what is tested.
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"() => {{ {AXE_SCRIPT} }}")
    found: dict[str, Any] = page.evaluate(RUN, COLOURS if colours_alone else EVERYTHING)
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0].get('failureSummary', '')}"
        for each in found["violations"]
        if not (is_mail and each["id"] in LANDMARKS)
    ]
