"""The console's cookies. Over https they carry the prefix `__Host-`, which no other host or path can set."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from syndicate.core.user import LASTS
from syndicate.web.security.hosts import is_loopback, split_host

SESSION = "syndicate"
FORM = "syndicate-form"
"""What ties the sign-in form to a browser that has no session yet."""
NOTICE = "syndicate-notice"
"""One sentence for the next page: what has just been done."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """The cookies of one request."""

    request: Request

    @property
    def secure(self) -> bool:
        """Whether people come by https. On this machine itself they need not, whatever `[web] url` says."""
        if self.request.url.scheme == "https":
            return True
        web_url: str = self.request.app.state.site.publication.web_url
        return web_url.startswith("https:") and not is_loopback(split_host(self.request.headers.get("host", "")))

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name

    def get(self, name: str) -> str:
        """The cookie's value, "" without one."""
        value = self.request.cookies.get(self._name(name), "")
        return value if len(value) <= 4000 else ""

    def put(self, response: Response, name: str, value: str, *, seconds: int = int(LASTS.total_seconds())) -> None:
        """Sets it: for the server alone, and not with requests that other sites begin."""
        response.set_cookie(
            self._name(name), value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def drop(self, response: Response, name: str) -> None:
        """Takes it back."""
        response.delete_cookie(self._name(name), path="/", secure=self.secure, httponly=True, samesite="lax")
