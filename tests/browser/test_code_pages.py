"""The code page in a browser: each state, waiting, two tabs, reload and back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from .conftest import OpenPage
from .demo import Demo, Member
from .test_sign_in import (
    code_field,
    expect_path,
    expect_signed_in,
    give_password,
    newest_code,
    press,
    type_code,
    wrong,
)


@pytest.fixture
def bad_demo(unlimited_demo: Demo) -> Iterator[Demo]:
    """A demo without limits, whose faults end with the test."""
    yield unlimited_demo
    unlimited_demo.fault()


def page_state(page: Page) -> str:
    return page.locator(".bandwidth-mfa[data-state]").get_attribute("data-state") or ""


# The change in the database before the page is loaded, for each state.
DATABASE = {
    "sent": "",
    "expired": "sent.update(expires_at=F('sent_at') + timedelta(milliseconds=1))",
    "used-up": "sent.update(tries=5)",
    "delivered": "sent.update(delivery='delivered')",
    "refused-by-carrier": "sent.update(delivery='failed', delivery_error=4432)",
    "locked": "SecondFactor.objects.filter(user=user).update(failures=100)",
    "waiting": "after = int(now.timestamp() + 600) * 1000000\n"
    "SecondFactor.objects.filter(user=user).update(failures=6, try_after=after)",
}
FIELDS = {"sent", "delivered", "refused-by-carrier", "wrong", "maybe-sent", "provider-down"}


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("state", DATABASE)
def test_a_state_that_the_database_knows(
    open_page: OpenPage, bad_demo: Demo, state: str, javascript: bool
) -> None:
    """The page shows a state of the database, also after a reload."""
    bad_demo.fault(on="receipt", drop=True)
    page, member = open_page(java_script_enabled=javascript), bad_demo.member()
    give_password(page, bad_demo, member)
    if DATABASE[state]:
        bad_demo.change(member, DATABASE[state])
    for _ in range(2):
        page.reload()
        assert page_state(page) == state
        expect(code_field(page)).to_have_count(int(state in FIELDS))
        expect(page.locator(".mfa-send")).to_have_count(int(state != "locked"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert len(bad_demo.messages(member.number)) == 1


def test_states_of_what_was_just_done(page: Page, bad_demo: Demo) -> None:
    member = bad_demo.member()
    bad_demo.fault(on="messaging", status=503)
    give_password(page, bad_demo, member)
    assert page_state(page) == "provider-down"
    bad_demo.fault()
    bad_demo.fault(on="messaging", drop=True, times=1)
    press(page, "Text me the code")
    assert page_state(page) == "maybe-sent"
    expect(code_field(page)).to_be_visible()
    type_code(page, wrong(newest_code(bad_demo, member)))
    assert page_state(page) == "wrong"
    expect(code_field(page)).to_be_focused()
    bad_demo.fault(on="verify", status=503)
    type_code(page, newest_code(bad_demo, member))
    assert page_state(page) == "provider-down"
    bad_demo.fault()
    type_code(page, newest_code(bad_demo, member))
    expect_signed_in(page, bad_demo, member)


# Reload, back, two tabs --------------------------------------------------------------------------


def test_reload_and_back_try_nothing_and_send_nothing(page: Page, bad_demo: Demo) -> None:
    """Fails when a form is answered without a redirect: the browser would post it again."""
    member = bad_demo.member()
    give_password(page, bad_demo, member)
    posts: list[str] = []
    page.on("request", lambda one: posts.append(one.url) if one.method == "POST" else None)
    type_code(page, wrong(newest_code(bad_demo, member)))
    press(page, "Text me a new code")
    assert len(posts) == 2
    page.reload()
    page.go_back()
    page.go_forward()
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert len(posts) == 2
    assert len(bad_demo.messages(member.number)) == 2
    type_code(page, newest_code(bad_demo, member))
    expect_signed_in(page, bad_demo, member)


def test_the_form_of_a_new_phone_is_not_sent_again_by_a_reload(page: Page, bad_demo: Demo) -> None:
    newcomer = bad_demo.newcomer()
    give_password(page, bad_demo, newcomer)
    bad_demo.fault(on="messaging", status=503, times=1)
    page.get_by_label("Phone number").fill(newcomer.number)
    press(page, "Send me a code")
    expect(page.get_by_role("alert")).to_contain_text("We could not send your code.")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent again.")
    expect(page.get_by_label("Phone number")).to_have_value(newcomer.number)
    assert bad_demo.messages(newcomer.number) == []
    press(page, "Send me a code")
    assert len(bad_demo.messages(newcomer.number)) == 1


def test_a_second_tab_that_signed_in_meanwhile(page: Page, bad_demo: Demo) -> None:
    """A login in a second tab changes the CSRF token.  Fails when the first tab then gets a 403."""
    member = bad_demo.member()
    give_password(page, bad_demo, member)
    second = page.context.new_page()
    second.goto(f"{bad_demo.url}/mfa/verify/")
    press(second, "Use a different account")
    give_password(second, bad_demo, member)
    code = newest_code(bad_demo, member)
    type_code(page, code)
    expect(page.get_by_role("alert")).to_contain_text("This page was out of date")
    expect_path(page, bad_demo, "/mfa/verify/")
    assert len(bad_demo.messages(member.number)) == 1
    type_code(page, code)
    expect_signed_in(page, bad_demo, member)


# Waiting -----------------------------------------------------------------------------------------


def test_the_countdown_is_announced_twice_and_ends_when_the_button_works(
    page: Page, demo: Demo
) -> None:
    page.clock.install()
    member = demo.member()
    give_password(page, demo, member)
    page.evaluate(
        """() => {
            window.texts = [];
            const speaker = document.querySelector('[role=status]');
            new MutationObserver(() => window.texts.push(speaker.textContent))
                .observe(speaker, { childList: true });
        }"""
    )
    button = page.get_by_role("button", name="Text me a new code")
    expect(button).to_have_attribute("aria-disabled", "true")
    page.clock.run_for(10_000)
    expect(page.locator(".mfa-send")).to_contain_text(re.compile("in 0:2[0-3]"))
    expect(button).to_have_attribute("aria-disabled", "true")
    page.clock.run_for(23_000)
    expect(page.locator(".mfa-send")).to_contain_text("You can get a new code now.")
    assert button.get_attribute("aria-disabled") is None
    texts = page.evaluate("window.texts")
    assert len(texts) == 2, texts
    assert texts[1] == "You can get a new code now."


def test_times_are_those_of_the_visitors_own_device(open_page: OpenPage, demo: Demo) -> None:
    """Fails when the page shows times in the server's time zone."""
    times = []
    for zone in ("Asia/Tokyo", "America/Bogota"):
        page = open_page(timezone_id=zone)
        give_password(page, demo, demo.member())
        line = page.locator("[data-clock]")
        expect(line).to_have_text(re.compile(r"It works until \d+:\d\d.(AM|PM)\."))
        times.append(line.inner_text())
    assert times[0] != times[1]


def test_a_code_that_expires_while_the_page_is_open(page: Page, demo: Demo) -> None:
    page.clock.install()
    give_password(page, demo, demo.member())
    page.clock.run_for(181_000)
    expect(page.locator("[data-clock]")).to_have_text(
        "The time for this code is over. Get a new one."
    )


def test_without_javascript_the_page_shows_a_fixed_time(open_page: OpenPage, demo: Demo) -> None:
    page = open_page(java_script_enabled=False)
    give_password(page, demo, demo.member())
    expect(page.get_by_text("It works for 3 minutes after we sent it.")).to_be_visible()
    wait = page.get_by_text(re.compile(r"Wait \d\d seconds before you get a new code\."))
    expect(wait).to_be_visible()
    button = page.get_by_role("button", name="Text me a new code")
    assert button.get_attribute("aria-disabled") is None


def test_a_button_says_that_it_is_at_work_and_comes_back(page: Page, bad_demo: Demo) -> None:
    member = bad_demo.member()
    give_password(page, bad_demo, member)
    # The request for the form does not end while the test looks at the button.
    page.evaluate("document.addEventListener('submit', event => event.preventDefault())")
    code_field(page).fill(wrong(newest_code(bad_demo, member)))
    page.get_by_role("button", name="Continue").click()
    busy = page.get_by_role("button", name="Checking…")
    expect(busy).to_have_attribute("aria-busy", "true")
    # The browser shows the page from its back/forward cache.
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    expect(page.get_by_role("button", name="Continue")).to_be_visible()


def test_a_locked_user_is_led_to_a_recovery_code_only_with_one(page: Page, bad_demo: Demo) -> None:
    member: Member = bad_demo.member()
    bad_demo.change(member, "SecondFactor.objects.create(user=user, failures=100)")
    give_password(page, bad_demo, member)
    expect(page.get_by_role("heading", level=1)).to_have_text("Codes by phone are switched off")
    expect(page.get_by_role("link", name="Use a recovery code")).to_have_count(0)
    expect(page.get_by_text("Contact support")).to_be_visible()
    assert bad_demo.messages(member.number) == []
