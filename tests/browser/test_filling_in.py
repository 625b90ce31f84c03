"""Codes that the browser reads out of the text message (WebOTP).

The browser of these tests has no phone.  So the tests replace the browser's own API in the page,
and nothing else.
"""

from __future__ import annotations

from playwright.sync_api import Page, expect

from .demo import Demo
from .test_sign_in import code_field, expect_signed_in, give_password, newest_code, press, type_code

# The page waits for a message; `arrive(code)` makes one arrive.
PHONE = """
window.OTPCredential = function OTPCredential() {};
navigator.credentials.get = function (wanted) {
  window.wanted = wanted;
  return new Promise(function (resolve, reject) {
    window.arrive = function (code) { resolve({ code: code }); };
    wanted.signal.addEventListener("abort", function () {
      window.localStorage.setItem("aborted", "yes");
      reject(new DOMException("", "AbortError"));
    });
  });
};
"""


def test_a_code_is_filled_in_and_sent_by_its_user(page: Page, origin_demo: Demo) -> None:
    """Fails when the script sends the form: it would also try the code of another page."""
    page.add_init_script(PHONE)
    member = origin_demo.member()
    give_password(page, origin_demo, member)
    assert page.evaluate("window.wanted.otp") == {"transport": ["sms"]}
    code = newest_code(origin_demo, member)
    page.evaluate("code => window.arrive(code)", code)
    expect(code_field(page)).to_have_value(code)
    assert page.url.startswith(f"{origin_demo.url}/mfa/verify/")
    press(page, "Continue")
    expect_signed_in(page, origin_demo, member)


def test_a_message_does_not_replace_typed_digits(page: Page, origin_demo: Demo) -> None:
    page.add_init_script(PHONE)
    give_password(page, origin_demo, origin_demo.member())
    code_field(page).fill("12")
    page.evaluate("window.arrive('345678')")
    expect(code_field(page)).to_have_value("12")


def test_the_page_stops_waiting_for_a_message_when_a_code_is_sent(
    page: Page, origin_demo: Demo
) -> None:
    """Fails without the abort: the browser may still ask for a message on the next page."""
    page.add_init_script(PHONE)
    member = origin_demo.member()
    give_password(page, origin_demo, member)
    assert page.evaluate("window.localStorage.getItem('aborted')") is None
    type_code(page, newest_code(origin_demo, member))
    assert page.evaluate("window.localStorage.getItem('aborted')") == "yes"


def test_a_browser_without_a_phone_reports_no_error(page: Page, origin_demo: Demo) -> None:
    """The user pastes the whole message.  Each message on the console fails the test."""
    member = origin_demo.member()
    give_password(page, origin_demo, member)
    text = origin_demo.messages(member.number)[0]["text"]
    assert text.endswith(f"\n@bank.example #{newest_code(origin_demo, member)}")
    code_field(page).fill(text)
    press(page, "Continue")
    expect_signed_in(page, origin_demo, member)
