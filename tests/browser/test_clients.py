"""The example's own clients of the JSON API: a page that signs in by fetch, and a command line."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .demo import PASSWORD, Demo, Member
from .test_sign_in import code_field, expect_shut_out, expect_signed_in, newest_code, wrong

CLIENT = Path(__file__).resolve().parents[2] / "example_project/ticket_client.py"


# A page that signs in by fetch -------------------------------------------------------------------


def open_page_of(page: Page, demo: Demo) -> list[str]:
    """Open the page of the example; return a list to which each later page address is added."""
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))
    page.goto(f"{demo.url}/single-page/")
    return visited


def give_password(page: Page, who: Member, password: str = PASSWORD) -> None:
    page.get_by_label("Username").fill(who.username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Continue").click()


def type_code(page: Page, code: str) -> None:
    code_field(page).fill(f"{code[:3]} {code[3:]}")
    page.get_by_role("button", name="Continue").click()


def test_a_page_signs_in_by_fetch_alone(page: Page, demo: Demo) -> None:
    """Fails when a step leaves the page, or when the page sends more than one code."""
    member = demo.member()
    visited = open_page_of(page, demo)
    give_password(page, member, "not the password")
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    give_password(page, member)
    expect(page.get_by_text(f"We sent a code to your phone ••{member.number[-2:]}")).to_be_visible()
    expect(code_field(page)).to_be_focused()
    code = newest_code(demo, member)
    type_code(page, wrong(code))
    expect(page.get_by_role("alert")).to_contain_text("That is not the code we sent.")
    expect(code_field(page)).to_have_value("")
    type_code(page, code)
    expect(page.get_by_text("You are signed in.")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_text([f"••{member.number[-2:]}"])
    expect(page.get_by_role("alert")).to_be_hidden()
    assert visited == [f"{demo.url}/single-page/"]
    assert len(demo.messages(member.number)) == 1
    expect_signed_in(page, demo, member)


def test_a_reload_goes_on_where_the_login_was(page: Page, demo: Demo) -> None:
    """Fails when only the page holds the state of the login.

    A reload would then ask for the password again, or send another code.
    """
    member = demo.member()
    open_page_of(page, demo)
    give_password(page, member)
    expect(code_field(page)).to_be_visible()
    page.reload()
    expect(code_field(page)).to_be_visible()
    assert len(demo.messages(member.number)) == 1
    type_code(page, newest_code(demo, member))
    expect(page.get_by_text("You are signed in.")).to_be_visible()


def test_the_button_for_another_code_says_how_long_to_wait(page: Page, demo: Demo) -> None:
    member = demo.member()
    open_page_of(page, demo)
    give_password(page, member)
    page.get_by_role("button", name="Send another code").click()
    expect(page.get_by_role("alert")).to_have_text(
        re.compile(r"You can get another code in \d+ seconds?\.")
    )
    page.get_by_role("button", name="Use a different account").click()
    expect(page.get_by_label("Username")).to_be_visible()
    expect_shut_out(page, demo)


def test_a_newcomer_adds_a_phone_and_gets_recovery_codes_by_fetch(page: Page, demo: Demo) -> None:
    newcomer = demo.newcomer()
    open_page_of(page, demo)
    give_password(page, newcomer)
    page.get_by_label("Phone number").fill("12")
    page.get_by_role("button", name="Send a code").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Phone number").fill(newcomer.number)
    page.get_by_role("button", name="Send a code").click()
    expect(
        page.get_by_text(f"We sent a code to your phone ••{newcomer.number[-2:]}")
    ).to_be_visible()
    type_code(page, newest_code(demo, newcomer))
    page.get_by_role("button", name="Make recovery codes").click()
    codes = page.locator("[data-list=codes] li")
    expect(codes).to_have_count(10)
    first = codes.first.inner_text()
    expect(page.get_by_role("button", name="Make recovery codes")).to_be_hidden()
    page.context.clear_cookies()
    page.reload()
    give_password(page, newcomer)
    page.get_by_label("Recovery code").fill(first)
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("You are signed in.")).to_be_visible()


# A command line that signs in with a ticket -------------------------------------------------------


@pytest.fixture
def run() -> Callable[[Demo, Member], subprocess.Popen[str]]:
    """Return ``run(demo, member)``, which starts the client with pipes for input and output."""

    def run(demo: Demo, who: Member) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(CLIENT), who.username, "--site", demo.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def wait_for_code(demo: Demo, who: Member) -> str:
    for _ in range(150):
        if demo.messages(who.number):
            return newest_code(demo, who)
        time.sleep(0.1)  # another process sends it
    raise AssertionError("no code came")


def test_a_command_line_signs_in_with_a_ticket(
    demo: Demo, run: Callable[[Demo, Member], subprocess.Popen[str]]
) -> None:
    """Fails when a step needs a cookie: the client stores no cookies."""
    member = demo.member()
    client = run(demo, member)
    assert client.stdin is not None
    client.stdin.write(f"{PASSWORD}\n")
    client.stdin.flush()
    code = wait_for_code(demo, member)
    output, _ = client.communicate(f"{wrong(code)}\n{code}\n", timeout=30)
    assert client.returncode == 0, output
    assert f"••{member.number[-2:]}" in output
    assert "That is not the code we sent." in output
    assert f"{member.username} has $4812.60." in output
    assert len(demo.messages(member.number)) == 1


def test_a_command_line_with_a_wrong_password_shows_an_error(
    demo: Demo, run: Callable[[Demo, Member], subprocess.Popen[str]]
) -> None:
    member = demo.member()
    output, _ = run(demo, member).communicate("wrong\n", timeout=30)
    assert "do not match" in output
    assert demo.messages(member.number) == []
