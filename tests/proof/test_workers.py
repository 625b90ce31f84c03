"""A real server with four threads, and a Bandwidth that hangs: other pages keep answering."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from .server import HANGS, THREADS, VISITORS, get, park, request


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
