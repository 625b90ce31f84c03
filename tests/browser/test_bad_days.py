"""What people see when the message is refused, the phone is gone, or Bandwidth is down."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from .conftest import OpenPage
from .demo import Demo, Member
from .test_sign_in import (
    code_field,
    expect_signed_in,
    give_password,
    newest_code,
    press,
    sign_in,
    type_code,
)

REFUSED = (
    "We cannot send text messages to the country of this number. "
    "Get the code by phone call instead."
)


@pytest.fixture
def demo_with_faults(receipts_demo: Demo) -> Iterator[Demo]:
    yield receipts_demo
    receipts_demo.fault()


def test_a_refused_message_is_shown_while_the_code_is_being_typed(
    page: Page, demo_with_faults: Demo
) -> None:
    """Fails when the page needs a reload, which would lose the digits typed so far."""
    demo, member = demo_with_faults, demo_with_faults.member()
    demo.fault(on="receipt", error_code=4432, times=1)
    give_password(page, demo, member)
    code_field(page).fill("12")
    expect(page.get_by_text(REFUSED)).to_be_visible()
    expect(code_field(page)).to_have_value("12")
    assert len(demo.messages(member.number)) == 1


# The outline of a page has one line for each part: its tag, its class, its words, whether it is a
# quiet button, and its role.
OUTLINE = """() => {
    const parts = document.querySelectorAll(".bandwidth-mfa :is(h1, p, form, input, button, a)");
    const is_seen = one => one.offsetParent && !one.classList.contains("mfa-hidden");
    return [...parts].filter(is_seen).map(one => [
        one.tagName, one.className, one.tagName === "FORM" ? "" : one.textContent.trim(),
        one.getAttribute("aria-disabled") || "", one.getAttribute("role") || "",
    ].join("|").replace(/[0-9]+:[0-9]+/, "0:00"));
}"""


@pytest.mark.parametrize("field", ["", "12"])
def test_a_page_that_learns_of_a_refusal_looks_as_after_a_reload(
    page: Page, demo_with_faults: Demo, field: str
) -> None:
    """Fails when the page still says until when the code works, or offers the text message first.

    The typed digits and the focus stay.
    """
    demo, member = demo_with_faults, demo_with_faults.member()
    demo.fault(on="receipt", error_code=4432, delay=1, times=1)
    give_password(page, demo, member)
    expect(page.get_by_text("It works until")).to_be_visible()
    expect(code_field(page)).to_have_accessible_description(re.compile("^We sent a 6-digit code"))
    code_field(page).fill(field)
    expect(page.get_by_text(REFUSED)).to_be_visible()
    expect(page.get_by_text("It works until")).to_have_count(0)
    expect(code_field(page)).to_have_value(field)
    expect(code_field(page)).to_be_focused()
    expect(code_field(page)).to_have_accessible_description(REFUSED)
    state = page.locator(".bandwidth-mfa[data-state]")
    expect(state).to_have_attribute("data-state", "refused-by-carrier")
    shown = page.evaluate(OUTLINE)
    page.reload()
    expect(page.get_by_text(REFUSED)).to_be_visible()
    expect(page.locator(".mfa-send button").first).to_have_attribute("aria-disabled", "true")
    assert shown == page.evaluate(OUTLINE)
    assert len(demo.messages(member.number)) == 1


def test_the_buttons_of_a_refusal_work_and_are_quiet_as_long_as_the_others(
    page: Page, demo_with_faults: Demo
) -> None:
    demo, member = demo_with_faults, demo_with_faults.member()
    page.clock.install()
    demo.fault(on="receipt", error_code=4432, delay=1, times=1)
    give_password(page, demo, member)
    page.get_by_role("button", name="Text me a new code").focus()
    expect(page.get_by_text(REFUSED)).to_be_visible()
    call = page.get_by_role("button", name="Call me with a new code")
    text = page.get_by_role("button", name="Text me a new code")
    expect(page.locator(".mfa-send button").first).to_have_text("Call me with a new code")
    expect(text).to_have_count(1)
    expect(text).to_be_focused()
    page.clock.run_for(33_000)
    assert call.get_attribute("aria-disabled") is None
    expect(page.locator(".mfa-send")).to_contain_text("You can get a new code now.")


def test_a_delivered_message_is_shown(page: Page, demo_with_faults: Demo) -> None:
    demo, member = demo_with_faults, demo_with_faults.member()
    give_password(page, demo, member)
    expect(page.get_by_text("Your phone network has the message.")).to_be_visible()
    type_code(page, newest_code(demo, member))
    expect_signed_in(page, demo, member)


def test_polls_for_the_delivery_carry_no_cookie_and_stop_with_the_code(
    page: Page, demo_with_faults: Demo
) -> None:
    """Fails when the poll carries the session's cookie.

    An answer that comes after a right code would then bring the old cookie back.
    """
    demo, member = demo_with_faults, demo_with_faults.member()
    demo.fault(on="receipt", drop=True)
    polls = []
    page.on("request", lambda request: polls.append(request) if "/delivery/" in request.url else 0)
    give_password(page, demo, member)
    with page.expect_response(re.compile("/mfa/delivery/")) as answered:
        pass
    assert answered.value.status == 200
    assert [request.all_headers().get("cookie") for request in polls] == [None]
    assert answered.value.all_headers().get("set-cookie") is None
    type_code(page, newest_code(demo, member))
    expect_signed_in(page, demo, member)


def test_without_javascript_the_next_page_shows_a_refusal(
    open_page: OpenPage, demo_with_faults: Demo
) -> None:
    demo, member = demo_with_faults, demo_with_faults.member()
    demo.fault(on="receipt", error_code=4432, times=1)
    page = open_page(java_script_enabled=False)
    give_password(page, demo, member)
    for _ in range(50):
        page.reload()
        if page.get_by_text(REFUSED).count():
            break
    expect(page.get_by_text(REFUSED)).to_be_visible()


def make_recovery_codes(page: Page, demo: Demo, who: Member) -> list[str]:
    """Sign in, make recovery codes, and return them."""
    sign_in(page, demo, who)
    page.goto(f"{demo.url}/account/")
    page.get_by_role("link", name="Phones and recovery codes").click()
    page.get_by_role("link", name="Make recovery codes").click()
    press(page, "Make recovery codes")
    codes = page.get_by_role("listitem").all_inner_texts()
    assert len(codes) == 10
    page.context.clear_cookies()
    return codes


@pytest.mark.parametrize("javascript", [True, False])
def test_a_recovery_code_lets_in_while_bandwidth_is_down(
    open_page: OpenPage, demo_with_faults: Demo, javascript: bool
) -> None:
    demo, member = demo_with_faults, demo_with_faults.member()
    page = open_page(java_script_enabled=javascript)
    codes = make_recovery_codes(page, demo, member)
    demo.fault(on="all", status=503)
    give_password(page, demo, member)
    expect(page.get_by_role("alert")).to_contain_text("We could not send your code")
    page.get_by_role("link", name="Use a recovery code").click()
    field = page.get_by_label("Recovery code")
    expect(field).to_be_focused()
    field.fill(codes[3][:-1])
    press(page, "Continue")
    expect(page.get_by_role("alert")).to_contain_text("12 letters and digits, like 7KQ2-M9XD-4TBN")
    page.get_by_label("Recovery code").fill("7KQ2-M9XD-4TBN")
    press(page, "Continue")
    expect(page.get_by_role("alert")).to_contain_text(
        "That recovery code is wrong or already used."
    )
    expect(page).to_have_title(re.compile("^Error: "))
    page.get_by_label("Recovery code").fill(codes[3].lower().replace("-", " "))
    press(page, "Continue")
    expect_signed_in(page, demo, member)


def test_the_pages_for_bad_days_fit_a_narrow_screen(
    open_page: OpenPage, demo_with_faults: Demo
) -> None:
    demo, member = demo_with_faults, demo_with_faults.member()
    page = open_page(viewport={"width": 320, "height": 640})
    make_recovery_codes(page, demo, member)
    sign_in(page, demo, member)
    for path in ("/mfa/recovery-codes/", "/mfa/recovery-code/"):
        page.goto(f"{demo.url}{path}")
        if page.get_by_role("button", name="Make new recovery codes").count():
            press(page, "Make new recovery codes")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
