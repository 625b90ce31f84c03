"""The code page of a login whose code could not be sent because the site was busy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .conftest import OpenPage, RunDemo
from .demo import PASSWORD, Demo
from .test_sign_in import code_field, expect_signed_in, give_password, newest_code, type_code

BUSY = "The site is busy at this moment, so no code was sent. Try again in a few seconds."


@pytest.fixture
def busy_demo(run_demo: RunDemo) -> Demo:
    """A demo that makes one call to Bandwidth at a time, and in which no call waits.

    Each test has its own.  A slow send that a test leaves behind would take the only place from the
    next test.
    """
    return run_demo(MAX_CONCURRENT_CALLS="1", MAX_WAITING_CALLS="0")


def take_the_only_place(page: Page, demo: Demo, seconds: float) -> None:
    """Begin a login whose send takes ``seconds``, and do not wait for its page."""
    demo.fault(on="messaging", delay=seconds, times=1)
    page.goto(f"{demo.url}/accounts/login/")
    page.get_by_label("Username").fill(demo.member().username)
    page.get_by_label("Password").fill(PASSWORD)
    with page.expect_request("**/mfa/verify/"):
        page.get_by_role("button", name="Continue").click(no_wait_after=True)


def test_the_code_comes_without_a_press_when_the_site_is_no_longer_busy(
    open_page: OpenPage, busy_demo: Demo
) -> None:
    """Fails without ``busy.js``: the page says that the site is busy until a button is pressed."""
    take_the_only_place(open_page(), busy_demo, seconds=5)
    page, member = open_page(), busy_demo.member()
    give_password(page, busy_demo, member)
    expect(page.get_by_text(BUSY)).to_be_visible()
    expect(code_field(page)).to_be_visible(timeout=30_000)
    assert len(busy_demo.messages(member.number)) == 1
    type_code(page, newest_code(busy_demo, member))
    expect_signed_in(page, busy_demo, member)


def test_a_page_that_is_used_does_not_reload(open_page: OpenPage, busy_demo: Demo) -> None:
    """Fails when a reload takes the focus from a button that the user is about to press."""
    take_the_only_place(open_page(), busy_demo, seconds=5)
    page, member = open_page(), busy_demo.member()
    give_password(page, busy_demo, member)
    page.get_by_role("button", name="Text me the code").focus()
    page.wait_for_timeout(6000)  # longer than the longest time before a reload
    expect(page.get_by_text(BUSY)).to_be_visible()
    assert busy_demo.messages(member.number) == []


def test_a_page_reloads_three_times_at_most(open_page: OpenPage, busy_demo: Demo) -> None:
    """Fails when the script does not count: an open page would ask a busy site for ever."""
    take_the_only_place(open_page(), busy_demo, seconds=10)
    page, member = open_page(), busy_demo.member()
    loads: list[str] = []
    page.on("load", lambda loaded: loads.append(loaded.url))
    # The test moves the clock of the page, so that it does not wait for the reloads.
    page.clock.install()
    give_password(page, busy_demo, member)
    before = len(loads)
    for _ in range(6):
        page.clock.fast_forward(4500)
        page.wait_for_load_state()
        page.wait_for_timeout(200)
    assert len(loads) - before == 3
    expect(page.get_by_text(BUSY)).to_be_visible()
