"""`/`: what there is to read, by mail, by feed and in the archive."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from syndicate.web.public.page import language_of, show, site_of

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def home(request: Request) -> HTMLResponse:
    """The small home page. Nothing is read from the database for it."""
    site = site_of(request)
    return show(
        request,
        "home",
        language_of(request),
        title=site.publication.title,
        private=False,
        canonical=site.publication.web(""),
        newsletters=site.newsletters,
        feeds=[(each.title, f"feeds/{each.folder}atom.xml") for each in site.feeds],
    )
