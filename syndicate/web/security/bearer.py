"""Programs show a token: `Authorization: Bearer …` (RFC 6750)."""

from __future__ import annotations

from math import ceil
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from syndicate.services.check_token import PER_TOKEN, Checked, check_token
from syndicate.storage.api_tokens import ApiToken
from syndicate.web.api.answers import ApiError

_scheme = HTTPBearer(auto_error=False, description="A token that `syndicate token create` made.")


def _pushing(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]
) -> ApiToken:
    state = request.app.state
    checked = check_token(
        state.site.database,
        credentials.credentials if credentials is not None else "",
        address=request.client.host if request.client is not None else "",
        secret=state.site.address_key,
        now=state.clock(),
    )
    token = checked.token
    if token is not None:
        request.state.headers = _told(checked)
    if checked.wait:
        seconds = max(1, ceil(checked.wait.total_seconds()))
        raise ApiError(
            429,
            "Too many requests with this token." if token else "Too many requests without a good token.",
            cure=f"Wait {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )
    if credentials is None:
        raise ApiError(
            401,
            "A token is needed.",
            cure="Send the header 'Authorization: Bearer TOKEN'; `syndicate token create NAME` makes one.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if token is None:
        raise ApiError(
            401,
            "The token is unknown or was revoked.",
            cure="`syndicate token list` shows which are good.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    if token.scope != "push":
        raise ApiError(
            403,
            f"The token {token.name!r} is not for pushing articles.",
            headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
        )
    return token


def _told(checked: Checked) -> dict[str, str]:
    """What is left to the token (draft-ietf-httpapi-ratelimit-headers-10): the fields are lists of RFC 9651."""
    window = round((PER_TOKEN.every * PER_TOKEN.burst).total_seconds())
    return {
        "RateLimit-Policy": f'"token";q={PER_TOKEN.burst};w={window}',
        "RateLimit": f'"token";r={checked.room};t={ceil(checked.full_in.total_seconds())}',
    }


PushToken = Annotated[ApiToken, Depends(_pushing)]
"""The token of a program that may push articles; without one the request ends with 401 or 403, too soon with 429."""
