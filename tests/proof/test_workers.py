"""A real server with four threads, and a Bandwidth that hangs: other pages keep answering."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from ..browser.demo import free_ports

ROOT = Path(__file__).resolve().parents[2]
THREADS = 4
VISITORS = 10
HANGS = 3.0  # seconds that Bandwidth takes, and that a call waits for it

ADD_VISITORS = """
from django.contrib.auth.models import User
from django.utils import timezone
from django_bandwidth_mfa.models import Phone

for n in range({many}):
    user = User.objects.create_user(f"visitor{{n}}", password="correct horse")
    Phone.objects.create(
        user=user, number=f"+12025550{{n:03}}", is_primary=True, confirmed_at=timezone.now()
    )
"""


@pytest.fixture
def engine() -> str:
    """The session store of the site."""
    return "db"


@pytest.fixture
def site(bandwidth: Any, tmp_path: Path, engine: str) -> Iterator[int]:
    """The example site under gunicorn; its port."""
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite3",
        "BANDWIDTH_SIMULATOR_URL": bandwidth.url,
        "BANDWIDTH_MFA_READ_TIMEOUT": str(HANGS),
        "BANDWIDTH_MFA_MAX_CONCURRENT_CALLS": str(THREADS - 1),
        "BANDWIDTH_MFA_SEND_LIMITS": '{"address": ""}',
        "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}",
        "DJANGO_SETTINGS_MODULE": "tests.proof.worker_settings",
        "TEST_SESSION_ENGINE": engine,
    }
    for command in (["migrate", "-v", "0"], ["shell", "-c", ADD_VISITORS.format(many=VISITORS)]):
        subprocess.run(
            [sys.executable, "-m", "django", *command],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "example.wsgi"),
            *("--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", str(THREADS)),
            *("--log-level", "error"),
        ],
        env=environment,
    )
    try:
        for _ in range(200):
            try:
                get(port, "/")
                break
            except OSError:
                time.sleep(0.05)  # the one way to learn that a port is listened on
        yield port
    finally:
        server.terminate()
        server.wait(30)


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
    """Come as far as the code page; the cookies, and the form's token."""
    cookies: dict[str, str] = {}
    _, page = request(port, "GET", "/accounts/login/", cookies)
    login = f"username=visitor{n}&password=correct+horse&csrfmiddlewaretoken={token(page)}"
    assert request(port, "POST", "/accounts/login/", cookies, login)[0] == 302
    _, page = request(port, "GET", "/mfa/verify/", cookies)
    return cookies, token(page)


def token(page: str) -> str:
    found = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_while_bandwidth_hangs_other_pages_answer_and_codes_fail_fast(
    bandwidth: Any, site: int, figures: Any
) -> None:
    """Fails without MAX_CONCURRENT_CALLS: all four threads would wait for Bandwidth.

    The bound of one thread less than there are is the example's to set, as the reference says.
    """
    visitors = [park(site, n) for n in range(VISITORS)]
    bandwidth.fault(on="verify", delay=HANGS + 1)

    def type_code(n: int) -> tuple[int, str]:
        cookies, csrf = visitors[n]
        form = f"code=123456&csrfmiddlewaretoken={csrf}"
        status, page = request(site, "POST", "/mfa/verify/", cookies, form)
        return int(status), str(page)

    asked = len(bandwidth.requests)
    with ThreadPoolExecutor(VISITORS) as pool:
        hanging = [pool.submit(type_code, n) for n in range(VISITORS)]
        while len(bandwidth.requests) < asked + THREADS - 1:
            time.sleep(0.01)
        answered = [get(site, "/") for _ in range(20)]
        still_hanging = sum(not one.done() for one in hanging)
        assert answered == [200] * 20
        assert still_hanging == THREADS - 1
        wait(hanging)
    pages = [one.result() for one in hanging]
    assert {status for status, _ in pages} == {200}
    assert all("does not answer" in page for _, page in pages)
    assert len(bandwidth.requests) == asked + THREADS - 1
    figures.add("faults injected", VISITORS)


@pytest.mark.attack("P21")
@pytest.mark.parametrize("engine", ["db", "cached_db", "cache"])
def test_no_session_comes_back_that_was_left_while_bandwidth_was_asked(
    bandwidth: Any, site: int, figures: Any
) -> None:
    """Fails when the login is made from what the waiting request has in memory: all came back."""
    visitors = [park(site, n) for n in range(VISITORS)]
    codes = {message["to"]: message["code"] for message in bandwidth.inbox}
    bandwidth.fault(on="verify", delay=0.2)

    def type_code(n: int) -> int:
        """Type the right code; "use a different account" is pressed while Bandwidth is asked."""
        cookies, csrf = visitors[n]
        form = f"code={codes[f'+12025550{n:03}']}&csrfmiddlewaretoken={csrf}"
        asked = len(bandwidth.requests)
        with ThreadPoolExecutor(1) as pool:
            typed = pool.submit(request, site, "POST", "/mfa/verify/", cookies, form)
            while len(bandwidth.requests) == asked:
                time.sleep(0.005)
            left = f"csrfmiddlewaretoken={csrf}"
            assert request(site, "POST", "/mfa/cancel/", dict(cookies), left)[0] == 302
            assert typed.result()[0] == 302
        return int(request(site, "GET", "/account/", cookies)[0])

    answers = [type_code(n) for n in range(VISITORS)]
    came_back = sum(status == 200 for status in answers)
    figures.add("sessions left while Bandwidth was asked", VISITORS)
    figures.add("sessions that came back", came_back)
    assert came_back == 0
