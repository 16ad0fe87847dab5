"""Cells of a CSV file that a spreadsheet must show and never run (OWASP, "CSV Injection").

A spreadsheet takes a cell for a formula when it begins with one of a few characters, and a name or an address may. The
apostrophe before it makes it text there; reading takes it off again, so that what was written comes back as it was.
"""

from __future__ import annotations

import re

# A semicolon inside of a cell begins another one where the list separator is the semicolon (Excel in much of Europe),
# and there the doubled quotes that follow it are an empty string. The wide forms count in Japanese editions.
_RUN = r"(?=[=+\-@\t\r\n＝＋－＠])"
_OPEN = re.compile(rf'(^|;"*)(\'*){_RUN}')
_GUARDED = re.compile(rf'(^|;"*)\'(\'*){_RUN}')


def to_cell(text: str) -> str:
    """The text with an apostrophe wherever a formula would begin."""
    return _OPEN.sub(r"\1'\2", text)


def from_cell(cell: str) -> str:
    """The text that `to_cell` made this of; any other stays as it is."""
    return _GUARDED.sub(r"\1\2", cell)
