"""Old cookies on a real server, with the sessions in Redis: ``nox -s redis`` runs this."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from .server import THREADS, VISITORS, park, request, token


@pytest.mark.attack("P40")
@pytest.mark.parametrize("extra_environment", [{"TEST_SAVE_EVERY_REQUEST": "1"}])
@pytest.mark.parametrize("engine", ["db", "cached_db", "cache"])
def test_an_old_cookie_sent_again_and_again_does_not_outlive_logout_or_a_step_up(
    bandwidth: Any, site: int, figures: Any
) -> None:
    """Fails without the notes of ended keys: Django's store writes a session that it read just
    before another request deleted it."""
    visitors = [park(site, n) for n in range(VISITORS)]
    codes = {message["to"]: message["code"] for message in bandwidth.inbox}

    def leave(n: int) -> bool:
        """Sign in, then log out or step up while the old cookie is sent. Return whether the old
        cookie's session is still active."""
        cookies, csrf = visitors[n]
        form = f"code={codes[f'+12025550{n:03}']}&csrfmiddlewaretoken={csrf}"
        assert request(site, "POST", "/mfa/verify/", cookies, form)[0] == 302
        old, page = dict(cookies), request(site, "GET", "/account/", cookies)[1]
        if n % 2:
            path, form = "/accounts/logout/", f"csrfmiddlewaretoken={token(page)}"
        else:
            page = request(site, "GET", "/mfa/verify/?next=/account/", cookies)[1]
            form = f"csrfmiddlewaretoken={token(page)}"
            assert request(site, "POST", "/mfa/send/", cookies, form)[0] == 302
            path, form = "/mfa/verify/", f"code={bandwidth.inbox[0]['code']}&{form}"
        done = Event()

        def hammer() -> None:
            while not done.is_set():
                request(site, "GET", "/account/", dict(old))

        with ThreadPoolExecutor(THREADS - 1) as pool:
            for _ in range(THREADS - 1):
                pool.submit(hammer)
            status = request(site, "POST", path, cookies, form)[0]
            time.sleep(0.05)  # a request that began before the end may write after it
            done.set()
        assert status == 302
        return bool(request(site, "GET", "/account/", dict(old))[0] == 200)

    alive = [leave(n) for n in range(VISITORS)].count(True)
    figures.add("old cookies sent again and again", VISITORS)
    figures.add("old cookies that stayed alive", alive)
    assert alive == 0
