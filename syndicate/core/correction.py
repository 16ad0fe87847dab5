"""An editor's own words in place of a file's, and how long they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from syndicate.core.article import Content

FIELDS = ("title", "summary")
"""What an editor may correct here; the text itself is corrected in its file."""

Overrides = Mapping[str, tuple[str, str]]
"""Field → (what the file said when it was corrected, what stands instead)."""


def corrected(content: Content, overrides: Overrides) -> tuple[Content, Overrides]:
    """The content as the file has it with the corrections that still stand, and those. A correction stands until the
    file itself says something else: then somebody has worked on the file since."""
    standing = {name: (said, stands) for name, (said, stands) in overrides.items() if getattr(content, name) == said}
    changes: dict[str, Any] = {name: stands for name, (_, stands) in standing.items()}
    return replace(content, **changes), standing


def override(content: Content, overrides: Overrides, changes: Mapping[str, str]) -> Overrides:
    """The corrections with `changes` (field → text) made to what the file says in `content`. To correct a field to what
    the file says takes the earlier correction back."""
    _, standing = corrected(content, overrides)
    wanted = {**standing, **{name: (getattr(content, name), text) for name, text in changes.items()}}
    return {name: (said, stands) for name, (said, stands) in wanted.items() if said != stands}
