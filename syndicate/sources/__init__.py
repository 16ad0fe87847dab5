"""Sources: a registry of kinds to adapters, loaded when asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from syndicate.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from syndicate.sources.base import Holdings, Source, SourceSettings

KINDS = {
    "folder": "syndicate.sources.folder:Folder",
    "feed": "syndicate.sources.web_feed:WebFeed",
    "push": "syndicate.sources.push:Push",
}
HOLDING = {"push"}
"""Kinds whose articles are brought to them and kept here: their adapters take `Holdings` too."""


def open_source(
    settings: SourceSettings, site_directory: Path, holdings: Callable[[str], Holdings] | None = None
) -> Source:
    """The adapter for that source; `holdings` gives what was brought to the source of that name. Raises SettingsError
    for an unknown kind."""
    if settings.kind not in KINDS:
        raise SettingsError(f"No source is of kind {settings.kind!r}.", cure=f"Known: {', '.join(sorted(KINDS))}.")
    module, _, attribute = KINDS[settings.kind].partition(":")
    kind = getattr(import_module(module), attribute)
    if settings.kind not in HOLDING:
        adapter: Source = kind(settings, site_directory)
    elif holdings is None:
        raise ValueError(f"a source of kind {settings.kind} needs what it holds")
    else:
        adapter = kind(settings, site_directory, holdings(settings.name))
    return adapter
