"""What people do with their phones, codes and browsers: each page, with and without JavaScript."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import OpenPage
from .demo import Demo, Member
from .test_sign_in import (
    code_field,
    expect_path,
    expect_shut_out,
    expect_signed_in,
    give_password,
    newest_code,
    press,
    sign_in,
    type_code,
)

CODE = re.compile(r"(?:[0-9A-Z]{4}-){2}[0-9A-Z]{4}")


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def page(open_page: OpenPage, request: Any) -> Page:
    return open_page(java_script_enabled=request.param)


@pytest.fixture
def demo(trusting_demo: Demo) -> Demo:
    return trusting_demo


def go(page: Page, link: str) -> None:
    with page.expect_navigation():
        page.get_by_role("link", name=link).first.click()


def open_phones(page: Page, demo: Demo, who: Member) -> None:
    sign_in(page, demo, who)
    page.goto(f"{demo.url}/account/")
    go(page, "Phones and recovery codes")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your phones")


def add_phone(page: Page, demo: Demo, number: str) -> None:
    page.get_by_label("Phone number").fill(number)
    press(page, "Send me a code")
    type_code(page, demo.messages(number)[0]["code"])


def name_phone(page: Page, name: str) -> None:
    """Give the last phone of the list a name."""
    item = page.locator(".mfa-list > li").last
    item.get_by_text("Add a name").click()
    item.get_by_label("Name of this phone").fill(name)
    with page.expect_navigation():
        item.get_by_role("button", name="Save").click()


def test_the_page_opens_at_an_error_far_down(open_page: OpenPage, demo: Demo) -> None:
    """Fails when the page opens at its top: the error stands below the screen."""
    page = open_page(viewport={"width": 320, "height": 480})
    member, second = demo.member(), demo.member()
    open_phones(page, demo, member)
    go(page, "Add another phone")
    add_phone(page, demo, second.number)
    name_phone(page, "1234567")
    expect(page.get_by_text("Please do not put the number into the name.")).to_be_in_viewport()
    expect(page.get_by_label("Name of this phone").last).to_be_focused()


def test_a_phone_is_added_named_used_first_and_removed(page: Page, demo: Demo) -> None:
    member, second = demo.member(), demo.member()
    open_phones(page, demo, member)
    go(page, "Add another phone")
    add_phone(page, demo, second.number)
    expect_path(page, demo, "/mfa/phones/")
    items = page.locator(".mfa-list > li")
    expect(items).to_have_count(2)

    name_phone(page, "work")
    expect(items.nth(1)).to_contain_text("work")

    go(page, "Make default")
    press(page, "Make default")
    expect(page.get_by_role("status").first).to_contain_text(
        "We now send your codes to the phone “work” (ending in"
    )
    expect(items.nth(0)).to_contain_text("Default")
    expect(items.nth(0)).to_contain_text("work")

    with page.expect_navigation():
        items.nth(1).get_by_role("link", name="Remove").click()
    press(page, "Remove this phone")
    expect(items).to_have_count(1)
    expect(page.get_by_text("sign out on all other devices now")).to_be_visible()
    # The bank asks everyone for a code, so the last phone stays.
    expect(page.get_by_role("link", name="Remove")).to_have_count(0)


def test_a_phone_is_changed(page: Page, demo: Demo) -> None:
    member, new = demo.member(), demo.member()
    open_phones(page, demo, member)
    go(page, "Change")
    expect(page.get_by_text("takes the place of")).to_be_visible()
    add_phone(page, demo, new.number)
    expect_path(page, demo, "/mfa/phones/")
    expect(page.locator(".mfa-list > li")).to_have_count(1)
    expect(page.locator(".mfa-list > li")).to_contain_text(f"••{new.number[-2:]}")
    page.context.clear_cookies()
    give_password(page, demo, member)
    assert len(demo.messages(member.number)) == 1
    type_code(page, newest_code(demo, new))
    expect_signed_in(page, demo, member)


def test_the_first_phone_brings_recovery_codes(page: Page, demo: Demo) -> None:
    newcomer = demo.newcomer()
    give_password(page, demo, newcomer)
    add_phone(page, demo, newcomer.number)
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    codes = page.get_by_role("listitem").all_inner_texts()
    assert len(codes) == 10
    assert all(CODE.fullmatch(code) for code in codes)
    title = page.get_by_text(f"Recovery codes for the account {newcomer.username} at 127.0.0.1")
    expect(title).to_be_visible()
    # Without a tick the browser sends nothing, whether scripts run or not.
    page.get_by_role("button", name="Continue").click()
    saved = page.get_by_label("I have saved these codes")
    assert saved.evaluate("box => box.matches(':invalid')")
    expect(page.get_by_text(codes[0])).to_be_visible()
    saved.check()
    press(page, "Continue")
    expect_signed_in(page, demo, newcomer)
    page.context.clear_cookies()
    give_password(page, demo, newcomer)
    go(page, "Use a recovery code")
    page.get_by_label("Recovery code").fill(codes[0])
    press(page, "Continue")
    expect(page.get_by_role("alert").first).to_contain_text("You have 9 recovery codes left.")
    expect_signed_in(page, demo, newcomer)


def test_a_trusted_browser_needs_no_code_until_the_trust_ends(page: Page, demo: Demo) -> None:
    member = demo.member()
    give_password(page, demo, member)
    page.get_by_label("ask for a code in this browser").check()
    type_code(page, newest_code(demo, member))
    press(page, "Sign out")
    give_password(page, demo, member)
    expect_signed_in(page, demo, member)
    expect(page.get_by_text("in a browser that you trust")).to_be_visible()
    assert len(demo.messages(member.number)) == 1
    page.goto(f"{demo.url}/account/transfer/")
    expect_path(page, demo, "/mfa/verify/")

    page.goto(f"{demo.url}/mfa/phones/")
    go(page, "See which browsers you trust")
    expect(page.get_by_text("Chrome on Linux")).to_have_count(2)  # and for screen readers
    expect(page.get_by_text("This browser")).to_be_visible()
    press(page, "Stop trusting")
    expect(page.get_by_text("You trust no browser")).to_be_visible()
    press(page, "Sign out")
    give_password(page, demo, member)
    expect_path(page, demo, "/mfa/verify/")
    expect_shut_out(page, demo)


def test_signing_out_everywhere_else_stays_here(page: Page, demo: Demo) -> None:
    member = demo.member()
    open_phones(page, demo, member)
    press(page, "Sign out on all other devices")
    expect(page.get_by_role("status").first).to_contain_text("up to 5 minutes")
    expect_signed_in(page, demo, member)


def test_a_suggestion_can_be_followed_or_refused(page: Page, demo: Demo) -> None:
    member = demo.member()
    sign_in(page, demo, member)
    page.goto(f"{demo.url}/mfa/suggestion/?next=/account/")
    press(page, "Not now")
    expect_path(page, demo, "/account/")
    page.goto(f"{demo.url}/mfa/suggestion/?next=/account/")
    go(page, "Add my phone")
    expect(page.get_by_role("heading", level=1)).to_have_text("Add another phone")


# What the script adds ---------------------------------------------------------------------------


@pytest.fixture
def codes_page(open_page: OpenPage, demo: Demo) -> Page:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    sign_in(page, demo, demo.member())
    page.goto(f"{demo.url}/mfa/recovery-codes/")
    press(page, "Make recovery codes")
    return page


def test_recovery_codes_can_be_copied_saved_and_printed(codes_page: Page) -> None:
    page = codes_page
    codes = page.get_by_role("listitem").all_inner_texts()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    title, empty, *copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert re.fullmatch(
        r"Recovery codes for the account member\d+ at 127\.0\.0\.1:\d+, made on .* \d{4}", title
    )
    assert (empty, copied) == ("", codes)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "recovery-codes.txt"
    assert Path(download.value.path()).read_text().splitlines() == [title, "", *codes]
    page.evaluate("window.print = () => { document.title = 'printed' }")
    page.get_by_role("button", name="Print").click()
    expect(page).to_have_title("printed")
    page.emulate_media(media="print")
    expect(page.get_by_text(title)).to_be_visible()
    expect(page.get_by_text(codes[0])).to_be_visible()
    for name in ("Copy", "Continue"):
        expect(page.get_by_role("button", name=name)).to_be_hidden()


def test_without_a_script_there_are_no_buttons_that_do_nothing(
    open_page: OpenPage, demo: Demo
) -> None:
    page = open_page(java_script_enabled=False)
    sign_in(page, demo, demo.member())
    page.goto(f"{demo.url}/mfa/recovery-codes/")
    press(page, "Make recovery codes")
    expect(page.get_by_role("listitem")).to_have_count(10)
    for name in ("Copy", "Download", "Print"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_the_pages_fit_a_narrow_screen_and_name_each_link(open_page: OpenPage, demo: Demo) -> None:
    member, second = demo.member(), demo.member()
    page = open_page(viewport={"width": 320, "height": 640})
    open_phones(page, demo, member)
    go(page, "Add another phone")
    add_phone(page, demo, second.number)
    # Without a space, the name is as wide as a name can be.
    name_phone(page, "W" * 40)
    remove = page.get_by_role("link", name="Remove").last.get_attribute("href")
    paths = ("phones/", "browsers/", "suggestion/", "recovery-codes/")
    for path in (*(f"/mfa/{path}" for path in paths), remove):
        page.goto(f"{demo.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    page.goto(f"{demo.url}/mfa/phones/")
    names = page.get_by_role("link").evaluate_all("all => all.map(one => one.textContent.trim())")
    assert len(names) == len(set(names)), names
    for link in ("Change", "Remove"):
        box = page.get_by_role("link", name=link).first.bounding_box()
        assert box
        assert box["height"] >= 44, link
    code = code_field(page)
    expect(code).to_have_count(0)


# Staff ------------------------------------------------------------------------------------------


def test_staff_reset_a_user_in_the_admin(page: Page, demo: Demo) -> None:
    """Staff sign in as the demo's administrator, whose password is on the demo's login page."""
    member = demo.member()
    page.goto(f"{demo.url}/admin/login/?next=/admin/auth/user/%3Fq={member.username}")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("demo-password")
    press(page, "Log in")
    type_code(page, demo.messages("+12025550187")[0]["code"])
    expect_path(page, demo, "/admin/auth/user/")
    expect(page.get_by_role("link", name="Without a second factor")).to_have_count(1)
    go(page, member.username)
    expect(page.get_by_text(f"••{member.number[-2:]}")).to_be_visible()
    go(page, "Reset the second factor")
    expect(page.get_by_text("First make sure you are talking to")).to_be_visible()
    page.get_by_label("Start again.").check()
    press(page, "Reset")
    expect(page.get_by_text("The second factor of 1 user is reset.")).to_be_visible()
    expect(page.get_by_text("No phone.")).to_be_visible()
    go(page, "History")
    expect(page.get_by_text("Phones and recovery codes were removed")).to_be_visible()
    page.context.clear_cookies()
    give_password(page, demo, member)
    expect(page.get_by_role("heading", level=1)).to_have_text("Add your phone")
