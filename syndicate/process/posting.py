"""The mail API of a site, with the sandbox running while it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syndicate.mail.base import MailAPI
    from syndicate.site import Site


@contextmanager
def posting(site: Site, *, hurry: bool = False) -> Iterator[MailAPI]:
    """The site's mail API, ready to post. For the sandbox: the one that runs for this site, or one started here, which
    takes the time that the settings say unless in a `hurry`."""
    if not site.mail.is_sandbox or site.mail.url:
        yield site.mail_api()
        return
    from syndicate.sandbox.start import running_sandbox

    with running_sandbox(site.outbox, seconds=0.0 if hurry else site.mail.sandbox_seconds) as sandbox:
        yield site.mail_api(sandbox.url)
