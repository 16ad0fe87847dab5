"""A test of an issue: to the addresses of the settings, and to whoever asks for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from syndicate.errors import BadInput
from syndicate.services.send_test_copy import queue_test
from syndicate.services.users import keep_address
from syndicate.site import Site
from syndicate.storage.issues import get_issue
from syndicate.web.console.issues import Number
from syndicate.web.pages import done
from syndicate.web.security.signed_in import Editor

router = APIRouter()


@router.post("/console/issues/{number}/test")
def send_test(
    request: Request,
    user: Editor,
    number: Number,
    once: Annotated[str, Form(alias="request", pattern="^[0-9a-f]{16}$")],
    to: Annotated[list[str] | None, Form()] = None,
    me: Annotated[str, Form(max_length=3)] = "",
    address: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """To those of `[mail] test_to` that were ticked, and to the user's own address. The same form twice is one test."""
    site: Site = request.app.state.site
    now = request.app.state.clock()
    if strangers := [each for each in to or () if each not in site.sender.test_to]:
        raise BadInput(f"{strangers[0][:80]!r} is not in test_to any more.", cure="Open the page again.")
    chosen = list(to or ())
    if me:
        if not address.strip():
            raise BadInput("Your address is missing.", cure="Say where your tests go, or leave yourself out.")
        chosen.append(keep_address(site.database, user, address, now=now))
    if not chosen:
        raise BadInput("Nobody is ticked.", cure="Tick at least one address.")
    with site.database.read() as connection:
        newsletter = site.newsletter(get_issue(connection, number).newsletter)
    queued = queue_test(
        site.database,
        number,
        newsletter,
        site.house,
        to=list(dict.fromkeys(chosen)),
        signer=site.signer(),
        instance=site.instance,
        request=once,
        now=now,
        actor=user.name,
    )
    sentence = f"A test is on its way to {', '.join(queued)}." if queued else "That test was sent already."
    return done(request, f"/console/issues/{number}#test", sentence)
