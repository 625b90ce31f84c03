"""A real server with four threads, ten visitors, and their requests."""

from __future__ import annotations

import http.client
import re
from http.cookies import SimpleCookie
from typing import Any

THREADS = 4
VISITORS = 10
HANGS = 3.0  # seconds until Bandwidth answers; also the time-out of a call


def request(port: int, method: str, path: str, cookies: dict[str, str], form: str = "") -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
        kind = "application/x-www-form-urlencoded"
        connection.request(method, path, form, {"Cookie": jar, "Content-Type": kind})
        answer = connection.getresponse()
        for header in answer.headers.get_all("Set-Cookie", []):
            cookies |= {name: one.value for name, one in SimpleCookie(header).items()}
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def get(port: int, path: str) -> int:
    return int(request(port, "GET", path, {})[0])


def park(port: int, n: int) -> tuple[dict[str, str], str]:
    """Sign in up to the code page, and return the cookies and the form's token."""
    cookies: dict[str, str] = {}
    _, page = request(port, "GET", "/accounts/login/", cookies)
    login = f"username=visitor{n}&password=correct+horse&csrfmiddlewaretoken={token(page)}"
    assert request(port, "POST", "/accounts/login/", cookies, login)[0] == 302
    _, page = request(port, "GET", "/mfa/verify/", cookies)
    return cookies, token(page)


def token(page: str) -> str:
    match = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert match is not None
    return match[1]
