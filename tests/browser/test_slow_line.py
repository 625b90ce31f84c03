"""People with a slow line stay signed in: a late answer does not end their new session."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

from tests.figures import Figures

from .conftest import OpenPage
from .demo import Demo, Member
from .slow_line import SlowLine
from .test_sign_in import code_field, give_password, newest_code

VISITORS = 5
ROUNDS = 50
DELAY = 0.25  # seconds, each way
POLL_EVERY = 3000  # milliseconds, as in delivery.js


@dataclass
class Visitor:
    """A member with a browser and a slow line of their own."""

    demo: Demo
    who: Member
    page: Page
    line: SlowLine

    def ask_for_code_page(self) -> None:
        """Give the password on the fast line, and open the code page on the slow line.

        Cookies do not depend on the port, so the browser has the same session on both lines.
        """
        give_password(self.page, self.demo, self.who)
        self.page.evaluate("url => { location.href = url }", f"{self.line.url}/mfa/verify/")

    def fill_in_code(self) -> None:
        self.page.wait_for_url(f"{self.line.url}/mfa/verify/")
        code_field(self.page).fill(newest_code(self.demo, self.who))

    def let_poll_come_due(self, *, left: int = 0) -> None:
        """Move the page's clock forward, so that the page polls in ``left`` milliseconds."""
        self.page.clock.fast_forward(POLL_EVERY - left)

    def submit_code(self) -> None:
        self.page.get_by_role("button", name="Continue").click(no_wait_after=True)

    def leave_code_page(self) -> None:
        """Wait for the page after a right code, or for the login page."""
        self.page.wait_for_url(re.compile("/accounts?/"))

    def is_signed_in(self) -> bool:
        self.page.goto(f"{self.demo.url}/account/")
        return self.page.get_by_text(f"Ahoy, {self.who.username}").count() == 1


AddVisitor = Callable[[], Visitor]


@pytest.fixture
def add_visitor(open_page: OpenPage, unlimited_demo: Demo) -> Iterator[AddVisitor]:
    """Return ``add_visitor()``.  It returns a visitor without receipts, whose code page polls."""
    unlimited_demo.fault(on="receipt", drop=True)
    with ExitStack() as lines:

        def add_visitor() -> Visitor:
            page, line = open_page(), lines.enter_context(SlowLine(unlimited_demo.url, DELAY))
            # The test moves the page's clock, so that it does not wait three seconds for a poll.
            page.clock.install()
            return Visitor(unlimited_demo, unlimited_demo.member(), page, line)

        yield add_visitor
    unlimited_demo.fault()


@pytest.mark.attack("T18")
def test_a_poll_that_is_answered_after_the_code_signs_nobody_out(
    add_visitor: AddVisitor, figures: Figures
) -> None:
    """In each round a poll is under way when the code is sent, and is answered after it.

    Fails when the poll is sent with the session's cookie (``credentials: "same-origin"``) and its
    view looks at ``request.user``: 50 sign-outs in 50 rounds.
    """
    visitors = [add_visitor() for _ in range(VISITORS)]
    sign_outs = 0
    for _ in range(ROUNDS // VISITORS):
        for visitor in visitors:
            visitor.ask_for_code_page()
        for visitor in visitors:
            visitor.fill_in_code()
            visitor.let_poll_come_due()
            visitor.line.wait_for_poll()
            visitor.submit_code()
        for visitor in visitors:
            visitor.leave_code_page()
            visitor.line.wait_for_answers()
            sign_outs += not visitor.is_signed_in()
            visitor.page.context.clear_cookies()
    figures.add("rounds behind a slow proxy", ROUNDS)
    figures.add("sign-outs", sign_outs)
    for counted in ("polls", "codes", "polls_overtaken"):
        assert sum(getattr(visitor.line, counted) for visitor in visitors) == ROUNDS, counted
    assert sign_outs == 0


def test_a_page_stops_polling_when_it_has_sent_the_code(add_visitor: AddVisitor) -> None:
    """The next poll comes due while the code is under way.

    Fails when ``delivery.js`` does not listen for ``submit``.
    """
    visitor = add_visitor()
    visitor.ask_for_code_page()
    visitor.fill_in_code()
    visitor.let_poll_come_due(left=1000)
    visitor.submit_code()
    visitor.leave_code_page()
    assert visitor.is_signed_in()
    assert visitor.line.codes == 1
    polls_after_the_code = visitor.line.polls - visitor.line.polls_overtaken
    assert polls_after_the_code == 0
