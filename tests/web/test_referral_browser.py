"""Two agencies in a real Chromium: one refers a case, the other is late and reports back, and supervisors see it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serving import Server, crossing, serving
from tests.web.chromium import sign_in, watched_tab

pytestmark = pytest.mark.browser

BEGIN = datetime(2026, 6, 1, 8, tzinfo=UTC)
POLICE = "analyst:internal_affairs"


@contextmanager
def officer(chromium: Browser, server: Server, key: str, path: str) -> Iterator[Page]:
    """Yield a tab of somebody with a browser of their own, signed in."""
    context = chromium.new_context(locale="en-GB", viewport={"width": 1200, "height": 900})
    with watched_tab(context, refused=("422", "404", "403")) as tab:
        sign_in(tab, server, path, key=key)
        yield tab
    context.close()


def score_at(server: Server, at: datetime) -> str:
    """Score a crossing known at an instant, which is what time it is from then on; return its decision."""
    body = crossing(f"REFER-{uuid4().hex[:8]}", occurred_at=at.isoformat(), known_at=at.isoformat())
    reply = server.score(body)
    assert reply.status == 200, reply.body
    return str(reply.json["decision_id"])


def row_of(page: Page, agency: str) -> list[str]:
    """Return the cells of an agency's row of the page of deadlines."""
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=agency))
    cells = [
        cell.replace("\N{NO-BREAK SPACE}", " ").strip()
        for cell in row.locator("td:not([aria-hidden])").all_inner_texts()
    ]
    return [cells[0], cells[1], cells[2].rpartition(":")[2].strip()]


def refer(page: Page, to: str, reason: str) -> None:
    """Refer the case that is shown."""
    page.get_by_label("Refer to another agency").check()
    page.get_by_label("Agency", exact=True).select_option(to)
    page.get_by_label("Reason (required)").fill(reason)
    page.get_by_role("button", name="Record the review").click()
    expect(page.get_by_role("status")).to_have_text("Your review is recorded.")


def answer(page: Page, button: str, reason: str) -> None:
    """Answer the one referral of the case that is shown."""
    own = page.locator("#referrals article")
    own.get_by_label("Why, or what was done").fill(reason)
    own.get_by_role("button", name=button).click()


def test_a_case_is_referred_accepted_late_and_reported_back(chromium: Browser, home: Path) -> None:
    with serving(home, clock="replay") as server:
        case = f"/cases/{score_at(server, BEGIN)}"
        with (
            officer(chromium, server, "analyst", case) as customs,
            officer(chromium, server, POLICE, case) as police,
            officer(chromium, server, "supervisor", "/agencies") as supervisor,
        ):
            expect(police.get_by_role("heading", level=1)).to_contain_text("not found", ignore_case=True)
            expect(supervisor.get_by_text("No agency was asked by a referral")).to_be_visible()

            # Customs refers: not without an agency, not without a reason.
            expect(customs.get_by_label("Agency", exact=True)).to_be_hidden()
            customs.get_by_label("Refer to another agency").check()
            customs.get_by_role("button", name="Record the review").click()
            for told in ("Choose the agency.", "Say why. A review without a reason is not recorded."):
                expect(customs.get_by_role("alert")).to_contain_text(told)
            expect(customs.locator("#referrals article")).to_have_count(0)
            refer(customs, "internal_affairs", "The plate does not fit the papers")
            asked = customs.locator("#referrals article")
            expect(asked).to_contain_text("Customs asks Internal affairs")
            expect(asked).to_contain_text("The plate does not fit the papers")
            expect(asked.locator(".referral__clock")).to_contain_text("1 h left")
            expect(asked.get_by_role("button")).to_have_count(0)  # who asks does not answer

            # The police finds the case now, and accepts: not without a word.
            police.goto(server.url + case)
            own = police.locator("#referrals article")
            expect(own.locator(".state")).to_contain_text("waits for an answer")
            own.get_by_role("button", name="Accept").click()
            expect(own.get_by_role("alert")).to_contain_text("Say why")
            answer(police, "Accept", "We look at it")
            expect(own.locator(".state")).to_contain_text("accepted")
            expect(own.locator(".referral__clock")).to_contain_text("To be reported back by")
            expect(own).not_to_contain_class("referral--late")
            supervisor.reload()
            assert row_of(supervisor, "Internal affairs") == ["0 %", "0 of 1", "1"]

            # A day and two hours later nobody has reported back.
            score_at(server, BEGIN + timedelta(hours=26))
            for page in (customs, police):
                page.goto(server.url + case)
                late = page.locator("#referrals article")
                expect(late).to_contain_class("referral--late")
                expect(late.locator(".referral__clock")).to_contain_text("Overdue for 2 h")
            supervisor.reload()
            assert row_of(supervisor, "Internal affairs") == ["50 %", "1 of 2", "1"]
            bar = supervisor.locator(".agencies rect")
            assert float(bar.get_attribute("width") or 0) == 50

            # It reports back, and the case is closed for both.
            own.get_by_label("What was found").select_option("confirmed")
            answer(police, "Report back and close", "Plates of another truck")
            expect(own.locator(".state")).to_contain_text("closed")
            customs.reload()
            expect(asked.locator(".state")).to_contain_text("closed")
            expect(asked).not_to_contain_class("referral--late")
            expect(asked.locator(".referral__steps li")).to_have_count(2)
            expect(asked.locator(".referral__steps")).to_contain_text("Plates of another truck")
            expect(own.get_by_role("button")).to_have_count(0)
            supervisor.reload()
            assert row_of(supervisor, "Internal affairs") == ["50 %", "1 of 2", "0"]


def test_an_agency_that_does_not_answer_is_passed_over_and_nobody_else_sees_deadlines(
    chromium: Browser, home: Path
) -> None:
    with serving(home, clock="replay") as server:
        case = f"/cases/{score_at(server, BEGIN)}"
        with officer(chromium, server, "analyst", case) as customs:
            refer(customs, "agriculture", "Fruit under the shirts")
            score_at(server, BEGIN + timedelta(hours=2))
            asked = customs.locator("#referrals article")
            for _ in range(40):  # the clock looks every two seconds
                customs.goto(server.url + case)
                if "re-routed" in asked.inner_text():
                    break
                customs.wait_for_timeout(250)
            expect(asked).to_contain_text("did not answer in time: re-routed")
            expect(asked).to_contain_text("Customs asks Border service")
            customs.goto(f"{server.url}/agencies")
            expect(customs.get_by_role("table")).to_have_count(0)
        with officer(chromium, server, "supervisor", "/agencies") as supervisor:
            assert row_of(supervisor, "Agriculture")[:2] == ["100 %", "1 of 1"]
