"""People who visit a site that runs on a separate server, at random times.

They do not wait for each other, so a slow site gets no fewer visitors.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from benchmarks.browser import Answer, Request, token_of
from benchmarks.tasks import FAILED, IN, REFUSED
from benchmarks.worker import Site, is_page_of

# Seconds that a visitor waits for a page.
PATIENCE = 30
# As `busy.js`: a page that could not send a code reloads after this time and up to twice as long.
RELOAD = re.compile(r'data-ask-again="(\d+)"')
RELOADS = 3
ERROR = re.compile(r'class="mfa-error".*?<li>(.*?)</li>', re.DOTALL)


def visit(site: Site, url: str, rate: float, pages: float, seconds: float) -> Any:
    """Let people sign in, and let others ask for pages at the same time.

    :param rate: how many sign-ins begin in a second, on average.
    :param pages: pages in a second, on average: a public one and one for people who are signed in.
    :returns: ``{"sign_ins": [[outcome, why, reloads, seconds, late], ...], "pages": [[outcome,
        seconds, late], ...]}``.
    """
    [reader] = site.add_people(1)
    cookies = site.sign_in(reader)[0].cookies
    arrivals = list(moments(rate, seconds, seed=1))
    numbers = site.add_people(len(arrivals))
    # Pages and sign-ins arrive at separate times, because late sign-ins can delay pages.
    readings = list(moments(pages, seconds, seed=2))
    paths = ["/public/", "/page/"]

    async def everybody() -> dict[str, list[list[Any]]]:
        now = asyncio.get_running_loop().time()
        signing_in = [
            at(now + moment, partial(sign_in, site, url, n))
            for moment, n in zip(arrivals, numbers, strict=True)
        ]
        reading = [
            at(now + moment, partial(read, url, paths[place % 2], cookies))
            for place, moment in enumerate(readings)
        ]
        visits = await asyncio.gather(*signing_in, *reading)
        return {"sign_ins": visits[: len(arrivals)], "pages": visits[len(arrivals) :]}

    return asyncio.run(everybody())


def moments(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Return the arrival times of a Poisson process. The same seed gives the same times."""
    chance, moment = random.Random(seed), 0.0
    while (moment := moment + chance.expovariate(rate)) < seconds:
        yield moment


async def at(moment: float, do: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
    """Call a function at a moment. Add the time since that moment, and the delay of its start."""
    clock = asyncio.get_running_loop()
    await asyncio.sleep(moment - clock.time())
    late = clock.time() - moment
    outcome = await do()
    return [*outcome, clock.time() - moment, late]


async def sign_in(site: Site, url: str, n: int) -> list[Any]:
    """Sign in the n-th user.

    :returns: the outcome, the reason if it is not :data:`IN`, and how often the page had to reload.
    """
    from benchmarks.sites.making import address, name

    # The server reads the last address, as behind a proxy that appends it.
    headers = {"X-Forwarded-For": address(n)}
    steps, token, reloads = site.people.sign_in(n), "", 0
    async with browser(headers=headers) as session:
        step, request = next(steps)
        while True:
            try:
                answer = await ask(session, url, request, token)
            except (aiohttp.ClientError, TimeoutError) as error:
                return [FAILED, f"{step}: {type(error).__name__}", reloads]
            if answer.status >= 500:
                return [FAILED, f"{step}: {answer.status}", reloads]
            if (reload := RELOAD.search(answer.text)) and reloads < RELOADS:
                reloads += 1
                await asyncio.sleep(int(reload[1]) * (1 + random.random()))
                continue
            if message := ERROR.search(answer.text):
                return [REFUSED, f"{step}: {message[1]}", reloads]
            if answer.status >= 400:
                return [REFUSED, f"{step}: {answer.status}", reloads]
            token = token_of(answer.text) or token
            try:
                step, request = steps.send(answer)
            except StopIteration:
                is_in = is_page_of(answer, name(n))
                return (
                    [IN, "", reloads] if is_in else [REFUSED, f"{step}: {answer.status}", reloads]
                )


async def read(url: str, path: str, cookies: dict[str, str]) -> list[Any]:
    """Ask for a page as a signed-in user."""
    async with browser(cookies=cookies) as session:
        try:
            answer = await ask(session, url, Request(path), "")
        except (aiohttp.ClientError, TimeoutError):
            return [FAILED]
    return [IN if answer.status == 200 else FAILED]


def browser(**options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # Each request has a new connection, so that no connection is closed while it is used again.
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.CookieJar(unsafe=True),  # unsafe: for addresses without a name, too
        timeout=aiohttp.ClientTimeout(total=PATIENCE),
        **options,
    )


async def ask(session: aiohttp.ClientSession, url: str, request: Request, token: str) -> Answer:
    method, form = "GET", None
    if request.form is not None:
        method, form = "POST", {"csrfmiddlewaretoken": token, **request.form}
    async with session.request(
        method, url + request.path, data=form, allow_redirects=False
    ) as response:
        text = await response.text()
        location = urlsplit(response.headers.get("Location", ""))
        path = f"{location.path}?{location.query}" if location.query else location.path
        return Answer(response.status, path, text, 0, 0)
