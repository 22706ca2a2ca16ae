"""An analyst's way in a real Chromium: sign in, queue, case, waterfall, review without and with a reason."""

from __future__ import annotations

from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.serving import Server, crossing
from tests.web.chromium import sign_in

pytestmark = pytest.mark.browser

WHY = "Weighed again: packing explains the difference"
SCRIPT = "<script>document.title='owned'</script>"


def test_an_analyst_reviews_a_crossing(page: Page, server: Server) -> None:
    item = {"item_no": 1, "hs_code": "610910", "origin_country": "CN", "declared_value": 20.0, "net_mass_kg": 900.0}
    body = crossing(f"BROWSER-{uuid4().hex[:8]}", items=[{**item, "goods_description": f"T-shirts {SCRIPT}"}])
    answer = server.score(body).json

    sign_in(page, server, f"/queue?lane={answer['lane']}")
    expect(page.get_by_role("heading", name="Crossings to review")).to_be_visible()
    link = page.get_by_role("link", name=body["crossing_id"])
    while not link.count():
        page.get_by_role("link", name="Next page").click()
    link.click()

    expect(page).to_have_url(f"{server.url}/cases/{answer['decision_id']}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(answer["lane"].capitalize())
    waterfall = page.get_by_role("table", name="How the score adds up")
    expect(waterfall).to_be_visible()
    amounts = [_number(cell) for cell in waterfall.locator("tbody .waterfall__amount").all_inner_texts()]
    assert sum(amounts[:-1]) == amounts[-1], "in hundredths, as printed"
    widths = waterfall.locator("rect").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().width)")
    assert len(widths) == len(amounts)
    assert all(width > 0 for width in widths)
    assert page.title().startswith("Crossing BROWSER-"), "the script in the goods description did not run"

    expect(page.get_by_label("Lane", exact=True)).to_be_hidden()
    page.get_by_label("Choose another lane").check()
    page.get_by_label("Lane", exact=True).select_option("yellow")
    page.get_by_role("button", name="Record the review").click()
    expect(page.get_by_role("alert")).to_contain_text("Say why.")
    expect(page.get_by_label("Lane", exact=True)).to_have_value("yellow")
    expect(page.get_by_text("Nobody has reviewed this crossing yet.")).to_be_visible()

    page.get_by_label("Reason (required)").fill(WHY)
    page.get_by_role("button", name="Record the review").click()
    expect(page.get_by_role("status")).to_have_text("Your review is recorded.")
    expect(page.get_by_role("article").filter(has_text=WHY)).to_contain_text("Chose the lane: Yellow")

    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{server.url}/queue")
    expect(page.get_by_label("Personal key")).to_be_visible()


def test_a_form_on_another_site_changes_nothing(context: BrowserContext, server: Server) -> None:
    answer = server.score(crossing(f"BROWSER-{uuid4().hex[:8]}")).json
    page = context.new_page()
    sign_in(page, server, f"/cases/{answer['decision_id']}")
    expect(page.get_by_text("Nobody has reviewed")).to_be_visible()
    target = f"{server.url}/cases/{answer['decision_id']}/review"
    fields = '<input name="action" value="follow"><input name="reason" value="forged">'
    attack = f'<form method="post" action="{target}">{fields}<button>go</button></form>'
    context.route("http://evil.example/", lambda route: route.fulfill(body=attack, content_type="text/html"))
    evil = context.new_page()
    evil.goto("http://evil.example/")
    with evil.expect_response(target) as refused:
        evil.get_by_role("button", name="go").click()
    assert refused.value.status == 403
    page.reload()
    expect(page.get_by_text("Nobody has reviewed")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ru", "ky"])
@pytest.mark.parametrize("width", [390, 1200])
def test_no_page_is_wider_than_its_screen_and_our_font_is_used(
    page: Page, server: Server, language: str, width: int
) -> None:
    answer = server.score(crossing(f"BROWSER-{uuid4().hex[:8]}")).json
    sign_in(page, server)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{server.url}/language/{language}?next=/queue")
    for path in ("/queue?lane=green", f"/cases/{answer['decision_id']}"):
        page.goto(server.url + path)
        page.evaluate("document.fonts.ready")
        assert page.locator("html").get_attribute("lang") == language
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.fonts.check('16px \"Noto Sans\"', document.body.innerText)")


def _number(text: str) -> int:
    return round(float(text.replace("−", "-").replace("+", "")) * 100)
