"""What every answer tells the browser not to do."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from starlette.responses import HTMLResponse

CONSOLE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""No script or style but our own files; nothing inline."""
PUBLIC_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' https: data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""Pages for readers run no script at all; their style stands in the page, which so needs one request."""
UNTRUSTED_POLICY = (
    "sandbox; default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'"
)

Headers = list[tuple[bytes, bytes]]

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    # Not "no-referrer": with it browsers send "Origin: null" with forms, which then look foreign.
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)


def untrusted_html(html: str) -> HTMLResponse:
    """HTML that somebody else wrote (a mail's body, an article as collected), for an `<iframe sandbox>` of the console:
    it runs no script, sends no form, and is of no origin."""
    return HTMLResponse(
        html,
        headers={
            "Content-Security-Policy": UNTRUSTED_POLICY,
            "X-Frame-Options": "SAMEORIGIN",
            "Referrer-Policy": "no-referrer",
        },
    )


def add_headers(path: str, given: Iterable[tuple[bytes, bytes]], *, https_for_good: bool) -> Headers:
    """The headers of an answer with ours added; what the answer says itself stays."""
    headers = list(given)
    said = {name.lower() for name, _ in headers}
    ours = _ours(path == "/console" or path.startswith("/console/"), https_for_good)
    return headers + [each for each in ours if each[0] not in said]


@cache
def _ours(of_the_console: bool, https_for_good: bool) -> Headers:
    policy = CONSOLE_POLICY if of_the_console else PUBLIC_POLICY
    ours = [*_ALWAYS, (b"content-security-policy", policy.encode())]
    return [*ours, (b"strict-transport-security", b"max-age=31536000")] if https_for_good else ours
