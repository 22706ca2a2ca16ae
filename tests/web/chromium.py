"""A real Chromium: tabs that complain, and people who sign in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.serving import Server

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def watched_tab(context: BrowserContext, *, refused: tuple[str, ...] = ("422",)) -> Iterator[Page]:
    """Open a tab in which every error of the browser, a refused resource among them, fails the test.

    Parameters
    ----------
    context : BrowserContext
    refused : tuple of str
        Status codes of pages that may come: the console tells them as a failed load.
    """
    complaints: list[str] = []
    tab = context.new_page()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    tab.on("requestfailed", lambda request: complaints.append(f"{request.failure}: {request.url}"))
    yield tab
    allowed = (*refused, "ERR_ABORTED")  # leaving a page ends what it still loads
    assert [line for line in complaints if not any(one in line for one in allowed)] == []


def sign_in(page: Page, server: Server, path: str = "/queue", *, key: str = "analyst") -> None:
    """Sign in with one of the server's keys and go on to a page."""
    page.goto(f"{server.url}{path}")
    page.get_by_label("Personal key").fill(server.keys[key])
    page.get_by_role("button", name="Sign in").click()
