"""Chromium for tests of pages: what they may not do is noticed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None,
    reason="needs Chromium on the PATH, and: pip install playwright",
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser that is installed; needs playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Containers often run as root, where Chromium refuses its sandbox; the page is our own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class WatchedPages:
    """Pages of the site at ``address``; used in a ``with``, whose end wants that none of them had
    an error or a warning, or asked for anything elsewhere."""

    def __init__(self, browser: Any, address: str) -> None:
        self._browser, self._address = browser, address
        self._contexts: list[Any] = []
        self.troubles: list[str] = []

    def __enter__(self) -> WatchedPages:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        for context in self._contexts:
            context.close()
        assert kind is not None or self.troubles == []

    def open(self, place: str = "", **options: Any) -> Any:
        """A page at ``place``, below the address, in a fresh context with ``options``."""
        context = self._browser.new_context(**{"viewport": DESKTOP, **options})
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(180_000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", self._heard)
        page.on("request", self._requested)
        page.goto(f"{self._address}/{place}")
        return page

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(message.text)

    def _requested(self, request: Any) -> None:
        scheme = urlsplit(request.url).scheme
        if scheme not in {"blob", "data"} and not request.url.startswith(self._address):
            self.troubles.append(f"asked for {request.url}")
