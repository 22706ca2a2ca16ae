"""Fixtures of tests that drive a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.web.chromium import CHROMIUM, SWITCHES, watched_tab


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Yield Debian's Chromium. Its absence fails where CI is set, and skips with a reason elsewhere."""
    if not CHROMIUM.exists():
        message = f"no {CHROMIUM}: install Debian's package chromium (make test does)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """Yield a fresh browser profile in English."""
    opened = chromium.new_context(locale="en-GB", viewport={"width": 1200, "height": 900})
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Yield a tab in which every error of the browser, a refused resource among them, fails the test."""
    with watched_tab(context) as tab:
        yield tab
