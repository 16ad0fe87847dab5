"""A mail as a mail program in light or in dark shows it, whatever the browser that previews it is set to."""

from __future__ import annotations

import re
from typing import Literal

Scheme = Literal["light", "dark"]

_STYLES = re.compile(r"<style\b[^>]*>.*?</style\s*>", re.DOTALL | re.IGNORECASE)
_MEDIA = re.compile(r"""\bmedia\s*=\s*(?:"[^"]*"|'[^']*')""", re.IGNORECASE)
_TAGS = re.compile(r"<(?:link|source|meta)\b[^>]*>", re.IGNORECASE)
_ASKED = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)
_DECLARED = re.compile(
    r"""(<meta\b[^>]*\bname\s*=\s*["']?(?:supported-)?color-schemes?["']?[^>]*\bcontent\s*=\s*)("[^"]*"|'[^']*')""",
    re.IGNORECASE,
)
_HOLDS, _FAILS = "(min-width: 0)", "(max-width: 0)"


def in_scheme(html: str, scheme: Scheme) -> str:
    """The mail's HTML with every question for the colour scheme (Media Queries 5 §12.5, `prefers-color-scheme`)
    answered by `scheme`, and as the only one that it declares. Its words stay as they are, also where they speak of
    such a question."""

    def answer(text: str) -> str:
        return _ASKED.sub(lambda asked: _HOLDS if asked[1].lower() == scheme else _FAILS, text)

    html = _STYLES.sub(lambda found: answer(found[0]), html)
    html = _TAGS.sub(lambda tag: _MEDIA.sub(lambda media: answer(media[0]), tag[0]), html)
    return _DECLARED.sub(lambda found: f'{found[1]}"{scheme}"', html)
