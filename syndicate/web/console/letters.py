"""Letters: the mails to one person that wait, or of which nobody can tell, and what to do with them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from syndicate.services.settle_letter import give_up, send_again
from syndicate.site import Site
from syndicate.storage.letters import MOST, open_letters
from syndicate.web.pages import done, page
from syndicate.web.security.signed_in import Editor, Sender

router = APIRouter()

PATH = "/console/letters"

Number = Annotated[int, Path(ge=1, le=2**62)]


@router.get(PATH)
def letters(request: Request, user: Editor) -> Response:
    """Those that are not settled, the oldest first."""
    with request.app.state.site.database.read() as connection:
        found = open_letters(connection)
    return page(request, "web/console/letters.html", letters=found, most=MOST)


@router.post(PATH + "/{letter}/again")
def again(request: Request, user: Sender, letter: Number) -> Response:
    """It is posted again."""
    state = request.app.state
    site: Site = state.site
    sent = send_again(site.database, letter, directory=site.directory, actor=user.name, now=state.clock())
    return done(request, PATH, f"The letter to {sent.to_email} is posted again.")


@router.post(PATH + "/{letter}/give-up")
def given_up(request: Request, user: Sender, letter: Number) -> Response:
    """It is not posted any more."""
    state = request.app.state
    ended = give_up(state.site.database, letter, actor=user.name, now=state.clock())
    return done(request, PATH, f"The letter to {ended.to_email} is given up.")
