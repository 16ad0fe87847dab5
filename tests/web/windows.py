"""Windows of a real browser, and what its pages complained of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


class Windows:
    """Opens windows, each in a context of its own: two of them are two people. What a page's own code complains of
    (a script's error, what its policy forbids) is kept in `complaints`; an answer of 4xx to what a test does on purpose
    is none."""

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self._contexts: list[Any] = []
        self.complaints: list[str] = []

    def open(
        self,
        *,
        width: int = 1280,
        height: int = 900,
        scheme: Any = "light",
        scripts: bool = True,
        cookies: tuple[Any, ...] = (),
    ) -> Page:
        """A window without an address. `scheme` is light or dark; `scripts=False` turns JavaScript off."""
        context = self._chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(60_000)
        self._contexts.append(context)
        context.add_cookies(list(cookies))
        context.on("page", self._listen)
        return context.new_page()

    def close(self) -> None:
        """All of them."""
        for context in self._contexts:
            context.close()

    def _listen(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(f"{message.text} ({message.location})")


@contextmanager
def windows(chromium: Browser) -> Iterator[Windows]:
    """They are closed at the end, and none may have complained."""
    opened = Windows(chromium)
    try:
        yield opened
    finally:
        opened.close()
    assert not opened.complaints, "\n".join(opened.complaints)
