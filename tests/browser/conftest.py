"""A real browser, and the demo that it visits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    sync_playwright,
)

from .demo import Demo

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# All tests use one IP address, so the limit of an address is high.  The limits of a user and of a
# number keep their defaults.
SEND_LIMITS = '{"user": "5/h", "number": "5/h,10/d", "address": "1000/h", "site": "1000/h"}'

# One test signs in the same person many times.
SEND_CEILINGS = '{"user": "", "number": "", "address": "", "country": "", "site": ""}'

# Parts of the addresses to which pages send passwords and codes by fetch.  They may refuse them.
REFUSING = ("/mfa/api/", "/single-page/", "/sign-in/")

OpenPage = Callable[..., Page]


class RunDemo(Protocol):
    def __call__(self, **changes: str) -> Demo:
        """Start a demo whose settings differ by ``changes``. It runs until the last test ends."""


@pytest.fixture(scope="session")
def run_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunDemo]:
    with ExitStack() as running:

        def run_demo(**changes: str) -> Demo:
            changes = {"SEND_LIMITS": SEND_LIMITS, "SEND_CEILINGS": SEND_CEILINGS, **changes}
            variables = {f"BANDWIDTH_MFA_{name}": value for name, value in changes.items()}
            return running.enter_context(Demo(tmp_path_factory.mktemp("demo"), variables))

        yield run_demo


@pytest.fixture(scope="session")
def demo(run_demo: RunDemo) -> Demo:
    return run_demo()


@pytest.fixture(scope="session")
def patient_demo(run_demo: RunDemo) -> Demo:
    """A demo where nobody has to wait for another code."""
    return run_demo(RESEND_COOLDOWN="[0]")


@pytest.fixture(scope="session")
def trusting_demo(run_demo: RunDemo) -> Demo:
    """A demo where nobody has to wait for another code, and where browsers can be trusted."""
    return run_demo(RESEND_COOLDOWN="[0]", TRUST_DAYS="30")


@pytest.fixture(scope="session")
def receipts_demo(run_demo: RunDemo) -> Demo:
    """A demo that gets delivery receipts."""
    return run_demo(RECEIPT_SECRET="a-word-that-only-the-demo-knows")


@pytest.fixture(scope="session")
def unlimited_demo(run_demo: RunDemo) -> Demo:
    """A demo that gets delivery receipts, and that does not limit sends."""
    return run_demo(
        SEND_LIMITS='{"user": "", "number": "", "address": "", "site": ""}',
        RESEND_COOLDOWN="[0]",
        RECEIPT_SECRET="a-word-that-only-the-demo-knows",
    )


@pytest.fixture(scope="session")
def origin_demo(run_demo: RunDemo) -> Demo:
    """A demo whose messages name the site."""
    return run_demo(ORIGIN="bank.example")


def launch(playwright: Playwright) -> Browser:
    """Start the browser of ``CHROMIUM``, or else of the path, or else of Playwright."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Return ``open_page(**options)``, which opens a page in its own browser context.

    Each message on the console fails the test.  The browser reports there violations of the
    Content-Security-Policy and missing files.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A page that says "please wait" answers 429, as it should; the admin names no icon, so
        # the browser guesses where one might be.
        # A page that signs in by fetch shows what the JSON API refuses.
        url = message.location["url"]
        expected = (
            "status of 429" in message.text
            or url.endswith("/favicon.ico")
            or ("status of 4" in message.text and any(part in url for part in REFUSING))
        )
        if message.type in ("error", "warning") and not expected:
            complaints.append(f"{message.type}: {message.text}")

    def open_page(**options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()
