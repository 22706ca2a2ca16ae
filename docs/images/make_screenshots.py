"""Make the README's pictures, ``queue.png`` and ``case.png`` beside this file, from what ``make demo`` leaves running.

The demo is walked in a home of its own: a border is simulated, every domain trained on it and promoted, profiles
loaded, the newest crossings scored by a real server; then Chromium is sent to look as an analyst of customs. Run it
from the root of the project, with its environment:

    python docs/images/make_screenshots.py

It needs Debian's ``chromium``, writes nothing but the two pictures, and takes about as long as the demo. Figures that
hang on today's date (the demo's border ends today) differ from run to run.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

DEMO = Path(__file__).resolve().parents[2] / "scripts" / "demo.py"
CHROMIUM = "/usr/bin/chromium"
SWITCHES = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars")
SIZE = {"width": 1200, "height": 1000}


def main() -> None:
    """Walk the demo, look, and end it."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("CHEKARA_", "MLFLOW_"))
        }
        environment["CHEKARA_HOME"] = home
        subprocess.run([sys.executable, str(DEMO), "start", "--port", "0"], env=environment, check=True)
        try:
            take(json.loads((Path(home) / "demo.json").read_text(encoding="utf-8")), Path(__file__).parent)
        finally:
            subprocess.run([sys.executable, str(DEMO), "stop"], env=environment, check=True)


def take(demo: dict[str, Any], folder: Path) -> None:
    """Make both pictures of a running demo."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = browser.new_page(locale="en-GB", viewport=SIZE)
        sign_in(page, demo["url"], demo["keys"]["analyst"])
        page.screenshot(path=folder / "queue.png")
        page.goto(f"{demo['url']}/cases/{riskiest(demo['url'], demo['keys']['analyst'])}")
        page.evaluate("document.fonts.ready")
        page.screenshot(path=folder / "case.png", full_page=True, clip=down_to_the_second_risk(page))
        browser.close()


def riskiest(url: str, key: str) -> str:
    """Return the red decision with the highest risk that customs leads."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/v1/decisions?lane=red&limit=100", headers={"Authorization": f"Bearer {key}"})
    decisions = json.loads(connection.getresponse().read())["decisions"]
    connection.close()
    own = [one for one in decisions if one["domains"] and one["domains"][0]["domain"] == "revenue_fraud"] or decisions
    return str(max(own, key=lambda one: one["domains"][0]["margin"])["decision_id"])


def sign_in(page: Page, url: str, key: str) -> None:
    """Sign in as the analyst, which leads to the queue."""
    page.goto(url)
    page.get_by_label("Personal key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Crossings to review").wait_for()
    page.evaluate("document.fonts.ready")


def down_to_the_second_risk(page: Page) -> dict[str, float]:
    """Return the part of the case that a reader of the README needs: verdict, tasks, the first risk whole, the form."""
    risks = page.locator(".panel")
    after = risks.nth(1) if risks.count() > 1 else page.locator(".declaration")
    top = after.bounding_box()
    assert top is not None, "every case has its declaration"  # noqa: S101  # a script for us
    return {"x": 0, "y": 0, "width": SIZE["width"], "height": top["y"]}


if __name__ == "__main__":
    main()
