"""Sign in to the running demo as a person does, over plain HTTP. Fail if this is not possible."""

import re
import sys
import time
import urllib.parse
from typing import Any

import requests

site, simulator = sys.argv[1:]


def wait_for(url: str) -> None:
    for _ in range(240):
        try:
            requests.get(url, timeout=2).raise_for_status()
            return
        except requests.RequestException:
            time.sleep(0.25)
    sys.exit(f"{url} does not answer")


def post(browser: requests.Session, path: str, **data: str) -> requests.Response:
    page = browser.get(site + path, timeout=10).text
    [token, *_] = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    return browser.post(
        site + path,
        data={"csrfmiddlewaretoken": token, **data},
        allow_redirects=False,
        timeout=10,
    )


def give_password(browser: requests.Session) -> None:
    path = "/accounts/login/?" + urllib.parse.urlencode({"next": "/account/"})
    answer = post(browser, path, username="demo", password="demo-password")
    expect(answer.headers.get("Location") == "/mfa/verify/", "the password leads to the code")


def inbox() -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = requests.get(f"{simulator}/inbox.json", timeout=10).json()
    return messages


def is_in(browser: requests.Session) -> bool:
    return browser.get(f"{site}/account/", timeout=10, allow_redirects=False).status_code == 200


def expect(true: bool, what: str) -> None:
    print("ok  " if true else "FAIL", what)
    if not true:
        sys.exit(1)


wait_for(f"{site}/")
wait_for(f"{simulator}/inbox.json")
browser, second = requests.Session(), requests.Session()
give_password(browser)
expect(not is_in(browser), "before the code the account page redirects")
browser.get(f"{site}/mfa/verify/", timeout=10)
expect(len(inbox()) == 1, "one code was sent")
code = inbox()[0]["code"]
wrong = f"{(int(code) + 1) % 10**6:06}"
answer = post(browser, "/mfa/verify/", code=wrong)
expect(answer.headers.get("Location") == "/mfa/verify/", "a wrong code leads back to the page")
page = browser.get(f"{site}/mfa/verify/", timeout=10).text
expect("That is not the code we sent." in page, "the page says so")
expect(not is_in(browser), "a wrong code stays out")
expect(len(inbox()) == 1, "a wrong code sends nothing")
key = browser.cookies["sessionid"]
answer = post(browser, "/mfa/verify/", code=f"{code[:3]} {code[3:]}")
expect(answer.headers.get("Location") == "/account/", "the right code, with a space, leads to next")
expect(browser.cookies["sessionid"] != key, "the session has a new key")
expect(is_in(browser), "and is in")
give_password(second)
second.get(f"{site}/mfa/verify/", timeout=10)
answer = post(second, "/mfa/verify/", code=code)
expect(answer.headers.get("Location") == "/mfa/verify/", "the same code again is refused")
expect(not is_in(second), "a second login with the same code stays out")
