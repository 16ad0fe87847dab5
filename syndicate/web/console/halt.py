"""Stop all sending everywhere, and go on with it: from any page of the console."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from syndicate.services.stop_sending import resume_sending, stop_sending
from syndicate.web.pages import done
from syndicate.web.security.signed_in import Sender

router = APIRouter()


@router.post("/console/stop-sending")
def stop(request: Request, user: Sender) -> Response:
    """From here on nothing new is claimed, by any process."""
    state = request.app.state
    stopped = stop_sending(state.site.database, actor=user.name, now=state.clock())
    return done(
        request,
        "/console/",
        "All sending is stopped. Requests under way come to their end; nothing new begins."
        if stopped
        else "All sending was stopped already.",
    )


@router.post("/console/resume-sending")
def resume(request: Request, user: Sender) -> Response:
    """Every process goes on where it was."""
    state = request.app.state
    went_on = resume_sending(state.site.database, actor=user.name, now=state.clock())
    return done(
        request, "/console/", "Sending goes on; a paused issue stays paused." if went_on else "Nothing was stopped."
    )
