"""What fills in for an article that does not say, from the settings of its source."""

from __future__ import annotations

from difflib import get_close_matches
from zoneinfo import ZoneInfo

from syndicate.errors import BadInput, SettingsError
from syndicate.sources.article_file import House
from syndicate.sources.base import SourceSettings
from syndicate.sources.declared import declared

OPTIONS = ("timezone", "base_url", "language")
DEFAULTS = ("section", "language", "authors", "tags", "rights")


def house_of(settings: SourceSettings) -> House:
    """From options and defaults. Raises SettingsError for one that is unknown or makes no sense."""
    place = f"sources.{settings.name}"
    for table, names, known in (("options", settings.options, OPTIONS), ("defaults", settings.defaults, DEFAULTS)):
        for name in names:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                cure = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
                raise SettingsError(f"{place}.{table}: unknown key {name!r}.", cure=cure)
    zone_name = str(settings.options.get("timezone", "UTC"))
    try:
        zone = ZoneInfo(zone_name)
    except (ValueError, OSError, KeyError):
        raise SettingsError(
            f"{place}.options.timezone: {zone_name!r} is no time zone.", cure='Write one such as "Europe/Lisbon".'
        ) from None
    base_url = str(settings.options.get("base_url", ""))
    try:
        defaults = declared(settings.defaults, zone=zone, place="defaults")
    except BadInput as error:
        raise SettingsError(f"{place}: {error.message}", cure=error.cure) from None
    language = str(settings.options.get("language", "en"))
    return House(zone, base_url, language, settings.rights, defaults)
