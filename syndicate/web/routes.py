"""Every group of pages, one line each. The first that knows a path answers it."""

from __future__ import annotations

from importlib import import_module

ROUTERS = (
    "public.home",
    "public.signing_up",
    "public.confirming",
    "public.leaving",
    "public.choosing",
    "public.archive",
    "public.self_test",
    "api.articles",
    "console.sign_in",
    "console.welcome",
    "console.today",
    "console.sources",
    "console.feeds",
    "console.letters",
    "console.log",
    "console.users",
    "console.halt",
    "console.live",
    "console.issue_acts",
    "console.issue_tests",
    "console.issues",
    "console.send",
    "console.newsletters",
    "console.articles",
    "console.article_acts",
    "console.reader_import",
    "console.reader_acts",
    "console.readers",
)
"""Modules below `syndicate.web`, each with a `router`."""


def routers() -> list[object]:
    """The routers themselves, in order."""
    return [import_module(f"syndicate.web.{name}").router for name in ROUTERS]
