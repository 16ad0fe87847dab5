"""The publication and where Syndicate itself is reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """What `[site]` and `[web]` say. `web_url` has no trailing slash."""

    title: str
    url: str
    language: str
    timezone: str
    web_url: str
    description: str = ""

    def web(self, path: str) -> str:
        """The absolute address of `path` (no leading slash) under `[web] url`."""
        return f"{self.web_url}/{path}"


@dataclass(frozen=True, slots=True)
class Sender:
    """What `[mail]` says of the sender: identity printed in every mail, by law and by good manners."""

    from_name: str
    from_email: str
    reply_to: str
    legal_name: str
    postal_address: str
    privacy_url: str
    test_to: tuple[str, ...] = ()
