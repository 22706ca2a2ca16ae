"""Make the README's pictures, ``queue.png`` and ``case.png`` beside this file, from seeded demo data.

A small border is simulated, a model trained on it and promoted, a real server started, the border's last crossings
scored with made-up plates, and Chromium sent to look. Run it from the root of the project, with its environment:

    python docs/images/make_screenshots.py

It needs Debian's ``chromium``, writes nothing but the two pictures, and takes about a minute.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from chekara.data.bodies import request_bodies  # noqa: E402  # the root must be on the path first
from chekara.data.sources import load_history  # noqa: E402
from tests.serving import Server, make_trained_home, serving  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
SWITCHES = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars")
CROSSINGS = 240
SIZE = {"width": 1200, "height": 1000}


def main() -> None:
    """Make both pictures."""
    folder = Path(__file__).parent
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        make_trained_home(home)
        with serving(home) as server, sync_playwright() as playwright:
            answers = [server.score(body).json for body in crossings(home)]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
            page = browser.new_page(locale="en-GB", viewport=SIZE)
            sign_in(page, server)
            page.screenshot(path=folder / "queue.png")
            page.goto(f"{server.url}/cases/{strictest(answers)['decision_id']}")
            page.evaluate("document.fonts.ready")
            page.screenshot(path=folder / "case.png", full_page=True, clip=down_to_the_declaration(page))
            browser.close()


def crossings(home: Path) -> Iterator[dict[str, Any]]:
    """Yield the newest crossings of the simulated border as if lodged in the last hours, with made-up labels."""
    history = load_history(home / "history")
    bodies = list(request_bodies(history.crossings))[-CROSSINGS:]
    now = datetime.now(UTC)
    for number, body in enumerate(bodies):
        at = (now - timedelta(minutes=len(bodies) - number)).isoformat()
        labels = {"plate": f"01KG {100 + number} DEM", "declaration_number": f"41700/241126/{number:07d}"}
        yield {**body, "occurred_at": at, "known_at": at, "labels": labels}


def strictest(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the answer with the strictest lane; of those, the highest risk."""
    lanes = ("green", "blue", "yellow", "red")
    scored = [answer for answer in answers if answer["domains"]]
    return max(scored, key=lambda answer: (lanes.index(answer["lane"]), answer["domains"][0]["risk"]))


def sign_in(page: Page, server: Server) -> None:
    """Sign in as the analyst, which leads to the queue."""
    page.goto(server.url)
    page.get_by_label("Personal key").fill(server.keys["analyst"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Crossings to review").wait_for()
    page.evaluate("document.fonts.ready")


def down_to_the_declaration(page: Page) -> dict[str, float]:
    """Return the part of the case that a reader of the README needs: verdict, reasons, waterfall, form."""
    top = page.locator(".declaration").bounding_box()
    assert top is not None, "every case has its declaration"  # noqa: S101  # a script for us
    return {"x": 0, "y": 0, "width": SIZE["width"], "height": top["y"]}


if __name__ == "__main__":
    main()
