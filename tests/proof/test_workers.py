"""A real server with four threads, and a Bandwidth that does not answer: other pages still
answer."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from .server import HANGS, THREADS, VISITORS, get, park, request

# The call hung, there was no place for it, and it was answered.
TEXTS = ("could not check your code", "The site is busy", "That is not the code we sent")


def test_while_bandwidth_hangs_other_pages_answer_and_codes_fail_fast(
    bandwidth: Any, site: int, figures: Any
) -> None:
    """Fails without MAX_CONCURRENT_CALLS: all four threads would wait for Bandwidth. Here two calls
    hang, one call waits for a place, and one thread is free. The site must set the limit to less
    than its number of threads, as the reference says."""
    visitors = [park(site, n) for n in range(VISITORS)]
    bandwidth.fault(on="verify", delay=HANGS + 1, times=THREADS - 2)

    def type_code(n: int) -> tuple[int, str]:
        cookies, csrf = visitors[n]
        form = f"code=123456&csrfmiddlewaretoken={csrf}"
        assert request(site, "POST", "/mfa/verify/", cookies, form)[0] == 302
        status, page = request(site, "GET", "/mfa/verify/", cookies)
        return int(status), str(page)

    requests_before = len(bandwidth.requests)
    with ThreadPoolExecutor(VISITORS) as pool:
        hanging = [pool.submit(type_code, n) for n in range(VISITORS)]
        while len(bandwidth.requests) < requests_before + THREADS - 2:
            time.sleep(0.01)
        answered = [get(site, "/") for _ in range(20)]
        still_hanging = sum(not one.done() for one in hanging)
        assert answered == [200] * 20
        assert still_hanging == THREADS - 1
        wait(hanging)
    pages = [one.result()[1] for one in hanging]
    text_counts = Counter(
        next(text for text in TEXTS if text in page)  # what each visitor reads
        for page in pages
    )
    assert text_counts == dict(zip(TEXTS, (THREADS - 2, VISITORS - THREADS + 1, 1), strict=True))
    assert len(bandwidth.requests) == requests_before + THREADS - 1
    figures.add("faults injected", THREADS - 2)


@pytest.mark.attack("P21")
@pytest.mark.parametrize("engine", ["db", "cached_db", "cache"])
def test_no_session_comes_back_that_was_left_while_bandwidth_was_asked(
    bandwidth: Any, site: int, figures: Any
) -> None:
    """Fails when the login uses the session data that the waiting request has in memory: every
    session that the user left would be signed in."""
    visitors = [park(site, n) for n in range(VISITORS)]
    codes = {message["to"]: message["code"] for message in bandwidth.inbox}
    bandwidth.fault(on="verify", delay=0.2)

    def type_code(n: int) -> int:
        """Enter the right code. The user chooses "use a different account" while the server waits
        for Bandwidth."""
        cookies, csrf = visitors[n]
        form = f"code={codes[f'+12025550{n:03}']}&csrfmiddlewaretoken={csrf}"
        requests_before = len(bandwidth.requests)
        with ThreadPoolExecutor(1) as pool:
            typed = pool.submit(request, site, "POST", "/mfa/verify/", cookies, form)
            while len(bandwidth.requests) == requests_before:
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
