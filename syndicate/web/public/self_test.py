"""`/.well-known/syndicate/NONCE`: proves to the site itself that its public address leads to it."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from syndicate.services.guard_live import PURPOSE
from syndicate.web.public.page import site_of

router = APIRouter()
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


@router.get("/.well-known/syndicate/{nonce}", response_class=PlainTextResponse)
def prove(request: Request, nonce: str) -> PlainTextResponse:
    """The nonce, signed for this purpose alone."""
    if not _NONCE.fullmatch(nonce):
        raise HTTPException(404)
    signed = site_of(request).signer().sign(PURPOSE, nonce)
    return PlainTextResponse(signed, headers={"Cache-Control": "no-store"})
