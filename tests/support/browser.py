"""Chromium for tests of pages: what they may not do is noticed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser that is installed; needs playwright."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - skipped without

    with sync_playwright() as playwright:
        # Containers often run as root, where Chromium refuses its sandbox; the page is our own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class WatchedPages:
    """Pages of one site: ``troubles`` are errors, warnings, and requests elsewhere."""

    def __init__(self, browser: Any, address: str) -> None:
        self._browser, self._address = browser, address
        self._contexts: list[Any] = []
        self.troubles: list[str] = []

    def open(self, place: str = "", **options: Any) -> Any:
        """A page at ``place``, below the address, in a fresh context with ``options``."""
        context = self._browser.new_context(**{"viewport": DESKTOP, **options})
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", self._heard)
        page.on("request", self._requested)
        page.goto(self._address + place)
        return page

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(message.text)

    def _requested(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"blob", "data"} and not request.url.startswith(self._address):
            self.troubles.append(f"asked for {request.url}")
