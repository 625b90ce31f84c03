"""People sign in on the demo in a browser, with its real pages and codes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import OpenPage
from .demo import PASSWORD, Demo, Member


def give_password(page: Page, demo: Demo, who: Member, next_: str = "") -> None:
    """Fill in the login page, and open the page to which the password leads."""
    page.goto(f"{demo.url}/accounts/login/{f'?next={next_}' if next_ else ''}")
    page.get_by_label("Username").fill(who.username)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Continue")


def press(page: Page, button: str) -> None:
    """Press a button, and wait for the next page.  By then the site has sent its message."""
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


def newest_code(demo: Demo, who: Member) -> str:
    code: str = demo.messages(who.number)[0]["code"]
    return code


def type_code(page: Page, code: str) -> None:
    """Type the code in groups of three digits, as people do, and send the form."""
    code_field(page).fill(f"{code[:3]} {code[3:]}")
    press(page, "Continue")


def code_field(page: Page) -> Locator:
    return page.get_by_label("Code", exact=True)


def wrong(code: str) -> str:
    """Return a code that differs from ``code`` in its last digit, so it is no other sent code."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def sign_in(page: Page, demo: Demo, who: Member, next_: str = "") -> None:
    give_password(page, demo, who, next_)
    type_code(page, newest_code(demo, who))


def expect_path(page: Page, demo: Demo, path: str) -> None:
    expect(page).to_have_url(re.compile(re.escape(demo.url + path) + r"(\?.*)?"))


def expect_signed_in(page: Page, demo: Demo, who: Member) -> None:
    page.goto(f"{demo.url}/account/")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Ahoy, {who.username}")


def expect_shut_out(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/account/")
    expect(page).not_to_have_url(f"{demo.url}/account/")
    expect(page.get_by_text("Ahoy")).to_have_count(0)


# Signing in ----------------------------------------------------------------------------------


def test_password_and_code_lead_to_where_the_visitor_was_going(page: Page, demo: Demo) -> None:
    member = demo.member()
    give_password(page, demo, member, "/account/transfer/")
    expect_path(page, demo, "/mfa/verify/")
    sent = f"We sent a 6-digit code to your phone ending in {member.number[-2:]}."
    expect(page.get_by_text(sent)).to_be_visible()
    type_code(page, newest_code(demo, member))
    expect_path(page, demo, "/account/transfer/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Send money")
    expect_signed_in(page, demo, member)


@pytest.mark.parametrize("javascript", [True, False])
def test_the_whole_message_can_be_pasted(open_page: OpenPage, demo: Demo, javascript: bool) -> None:
    page = open_page(java_script_enabled=javascript)
    member = demo.member()
    give_password(page, demo, member)
    code_field(page).fill(demo.messages(member.number)[0]["text"])
    press(page, "Continue")
    expect_signed_in(page, demo, member)


@pytest.mark.attack("P1")
def test_password_alone_opens_nothing(page: Page, demo: Demo) -> None:
    give_password(page, demo, demo.member())
    expect_path(page, demo, "/mfa/verify/")
    expect_shut_out(page, demo)


def test_a_wrong_code_shows_an_error_and_signs_nobody_in(page: Page, demo: Demo) -> None:
    member = demo.member()
    give_password(page, demo, member)
    code = newest_code(demo, member)
    type_code(page, wrong(code))
    expect(page.get_by_role("alert")).to_have_text(
        "That is not the code we sent. Check it and try again."
    )
    expect(page).to_have_title(re.compile("^Error: "))
    expect(code_field(page)).to_have_value("")
    expect(code_field(page)).to_be_focused()
    assert len(demo.messages(member.number)) == 1
    expect_shut_out(page, demo)

    page.goto(f"{demo.url}/mfa/verify/")
    type_code(page, code)
    expect_signed_in(page, demo, member)


def test_a_double_tap_signs_in_and_sends_one_code(page: Page, patient_demo: Demo) -> None:
    """Fails without ``once.js``: the browser shows the answer to the second request."""
    newcomer = patient_demo.newcomer()
    give_password(page, patient_demo, newcomer)
    page.get_by_label("Phone number").fill(newcomer.number)
    with page.expect_navigation():
        page.get_by_role("button", name="Send me a code").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm your phone")
    assert len(patient_demo.messages(newcomer.number)) == 1
    code_field(page).fill(newest_code(patient_demo, newcomer))
    with page.expect_navigation():
        page.get_by_role("button", name="Continue").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    page.context.clear_cookies()
    give_password(page, patient_demo, newcomer)
    code_field(page).fill(newest_code(patient_demo, newcomer))
    with page.expect_navigation():
        page.get_by_role("button", name="Continue").dblclick()
    expect_path(page, patient_demo, "/account/")
    expect_signed_in(page, patient_demo, newcomer)


def test_a_reload_sends_nothing(page: Page, patient_demo: Demo) -> None:
    """Fails when every GET of the code page sends a code.  The demo has no cooldown to hide it."""
    member = patient_demo.member()
    give_password(page, patient_demo, member)
    sent = patient_demo.messages(member.number)
    assert len(sent) == 1
    page.reload()
    page.goto(f"{patient_demo.url}/mfa/verify/")
    expect(code_field(page)).to_be_visible()
    assert patient_demo.messages(member.number) == sent


def test_leaving_goes_back_to_the_login_page(page: Page, demo: Demo) -> None:
    give_password(page, demo, demo.member())
    press(page, "Use a different account")
    expect_path(page, demo, "/accounts/login/")
    page.goto(f"{demo.url}/mfa/verify/")
    expect_path(page, demo, "/accounts/login/")


def test_everything_works_without_javascript(open_page: OpenPage, demo: Demo) -> None:
    page, member = open_page(java_script_enabled=False), demo.member()
    give_password(page, demo, member, "/account/transfer/")
    code = newest_code(demo, member)
    type_code(page, wrong(code))
    expect(page.get_by_role("alert")).to_contain_text("That is not the code we sent.")
    press(page, "Text me a new code")
    expect(page.get_by_role("alert")).to_contain_text(
        re.compile(r"Wait \d+ seconds before you get a new code\.")
    )
    type_code(page, code)
    expect_path(page, demo, "/account/transfer/")
    expect_signed_in(page, demo, member)


def test_the_keyboard_is_enough(page: Page, demo: Demo) -> None:
    member, keys = demo.member(), page.keyboard
    page.goto(f"{demo.url}/accounts/login/?next=/account/")
    expect(page.get_by_label("Username")).to_be_focused()
    keys.type(member.username)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")

    expect(code_field(page)).to_be_focused()
    for name in (
        "Continue",
        "Text me a new code",
        "Call me with a new code",
        "Use a different account",
    ):
        keys.press("Tab")
        button = page.get_by_role("button", name=name)
        expect(button).to_be_focused()
        assert button.evaluate("e => getComputedStyle(e).outlineStyle") == "solid", name
    for _ in range(4):
        keys.press("Shift+Tab")
    keys.type(newest_code(demo, member))
    keys.press("Tab")
    keys.press("Enter")
    expect_path(page, demo, "/account/")


# Another code --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Text me a new code", "Call me with a new code"])
def test_another_code_needs_a_wait(page: Page, demo: Demo, name: str) -> None:
    """The button is quiet during the wait, and a press sends no form."""
    member = demo.member()
    give_password(page, demo, member)
    button = page.get_by_role("button", name=name)
    expect(button).to_have_attribute("aria-disabled", "true")
    countdown = re.compile(r"You can get a new code in 0:[0-3]\d\.")
    expect(page.locator(".mfa-send")).to_contain_text(countdown)
    posts = []
    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    button.click(force=True)
    expect(page.get_by_role("status")).to_have_text(countdown)
    assert posts == []
    assert len(demo.messages(member.number)) == 1
    type_code(page, newest_code(demo, member))
    expect_signed_in(page, demo, member)


def test_another_code_signs_in(page: Page, patient_demo: Demo) -> None:
    member = patient_demo.member()
    give_password(page, patient_demo, member, "/account/transfer/")
    press(page, "Text me a new code")
    expect(page.get_by_text("We sent a 6-digit code")).to_be_visible()
    assert [message["channel"] for message in patient_demo.messages(member.number)] == ["sms"] * 2
    type_code(page, newest_code(patient_demo, member))
    expect_path(page, patient_demo, "/account/transfer/")


def test_a_phone_call_signs_in(page: Page, patient_demo: Demo) -> None:
    member = patient_demo.member()
    give_password(page, patient_demo, member)
    press(page, "Call me with a new code")
    expect(page.get_by_text("We called your phone")).to_be_visible()
    expect(page.get_by_role("button", name="Call me with a new code")).to_be_visible()
    expect(page.get_by_role("button", name="Text me a new code")).to_be_visible()
    call = patient_demo.messages(member.number)[0]
    assert call["channel"] == "voice"
    type_code(page, call["code"])
    expect_signed_in(page, patient_demo, member)
    expect(page.get_by_text("with a code by phone call")).to_be_visible()


# Other reasons for a code --------------------------------------------------------------------


def test_sending_money_takes_a_fresh_code(page: Page, demo: Demo) -> None:
    member = demo.member()
    sign_in(page, demo, member)
    expect_path(page, demo, "/account/")
    key = next(one["value"] for one in page.context.cookies() if one["name"] == "sessionid")
    demo.age_session(key, seconds=61)

    page.goto(f"{demo.url}/account/transfer/")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Confirm it\N{RIGHT SINGLE QUOTATION MARK}s you"
    )
    assert len(demo.messages(member.number)) == 1, "a link must not send a code"
    press(page, "Text me the code")
    assert len(demo.messages(member.number)) == 2
    type_code(page, newest_code(demo, member))
    expect_path(page, demo, "/account/transfer/")
    page.get_by_label("Amount in dollars").fill("12.50")
    press(page, "Send")
    expect(page.get_by_role("status")).to_contain_text("$12.50 is on its way")


def test_a_newcomer_adds_a_phone_and_is_signed_in(page: Page, demo: Demo) -> None:
    newcomer = demo.newcomer()
    give_password(page, demo, newcomer, "/account/transfer/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Add your phone")
    page.get_by_label("Phone number").fill("12")
    press(page, "Send me a code")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Phone number").fill(newcomer.number)
    press(page, "Send me a code")

    expect_path(page, demo, "/mfa/phones/confirm/")
    code = newest_code(demo, newcomer)
    type_code(page, wrong(code))
    expect(page.get_by_role("alert")).to_contain_text("That is not the code we sent.")
    expect_shut_out(page, demo)
    page.goto(f"{demo.url}/mfa/phones/confirm/")
    type_code(page, code)
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    # The code leads to the page that the browser requested last.
    page.get_by_label("I have saved these codes").check()
    press(page, "Continue")
    expect_path(page, demo, "/account/")
    expect_signed_in(page, demo, newcomer)


# How the pages are made ----------------------------------------------------------------------


def test_the_code_field_is_known_to_screen_readers_and_to_the_keyboard(
    page: Page, demo: Demo
) -> None:
    member = demo.member()
    give_password(page, demo, member)
    field = page.get_by_role("textbox", name="Code", exact=True)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("autocomplete", "one-time-code")
    expect(field).to_have_attribute("inputmode", "numeric")
    type_code(page, "12")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(
        "Enter the 6 digits of the code, like 123456. "
        f"We sent a 6-digit code to your phone ending in {member.number[-2:]}."
    )


def visit_every_page(page: Page, demo: Demo) -> Iterator[str]:
    """Open each page of the site, yield its path, and sign in on the way."""
    newcomer, member = demo.newcomer(), demo.member()
    for path in ("/", "/accounts/login/", "/admin/login/"):
        page.goto(f"{demo.url}{path}")
        yield path
    give_password(page, demo, newcomer)
    yield "phone_add"
    page.get_by_label("Phone number").fill(newcomer.number)
    press(page, "Send me a code")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm your phone")
    yield "phone_confirm"
    press(page, "Use a different account")
    give_password(page, demo, member)
    expect(page.get_by_role("heading", level=1)).to_have_text("Enter your code")
    yield "verify"
    code = newest_code(demo, member)
    type_code(page, wrong(code))
    expect(page.get_by_role("alert")).to_be_visible()
    yield "verify, with an error"
    type_code(page, code)
    pages = ("phones/", "phones/add/", "browsers/", "recovery-codes/", "suggestion/")
    for path in ("/account/", "/account/transfer/", *(f"/mfa/{one}" for one in pages)):
        page.goto(f"{demo.url}{path}")
        expect_path(page, demo, path)
        yield path


def test_no_page_breaks_the_strict_content_security_policy(open_page: OpenPage, demo: Demo) -> None:
    """Fails when a template has a ``style`` attribute or an inline script.

    The browser reports it on the console, and ``open_page`` fails on each message there.
    """
    page, policies = open_page(), []
    page.on(
        "response",
        lambda answer: (
            policies.append(answer.headers.get("content-security-policy", ""))
            if answer.request.is_navigation_request() and answer.status == 200
            else None
        ),
    )
    paths = list(visit_every_page(page, demo))
    assert len(policies) >= len(paths)
    for policy in policies:
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_no_page_scrolls_sideways_on_a_narrow_screen(open_page: OpenPage, demo: Demo) -> None:
    page = open_page(viewport={"width": 320, "height": 640})
    for where in visit_every_page(page, demo):
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, f"{where} is {width} px wide"
