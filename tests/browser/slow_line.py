"""A slow line between a browser and the demo: a proxy that delays what passes through it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

POLL = "/mfa/delivery/"
CODE = "/mfa/verify/"
STATIC = "/static/"
# The longest time, in seconds, for which a poll waits for a code.
LONGEST = 20
# These headers belong to one connection, so the proxy does not pass them on.
PER_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


class SlowLine:
    """A proxy in front of ``site``, for one visitor.  As a context manager, it answers at ``url``.

    Each request takes ``delay`` seconds to the site, and each answer takes ``delay`` seconds to the
    browser.  Static files, which browsers cache, have no delay.

    A poll for the delivery takes longer, as after a lost packet.  It reaches the site only when the
    site has answered the code, although the browser sent the code after the poll.  So the answer
    with the new cookie arrives just before the answer to the poll.  Only this order could sign the
    user out.
    """

    def __init__(self, site: str, delay: float) -> None:
        self.site = urlsplit(site).netloc
        self.delay = delay
        self.polls = 0
        """Polls that have come from the browser."""
        self.codes = 0
        """Codes that have come from the browser."""
        self.polls_overtaken = 0
        """Polls that were not answered yet when a code came."""
        self._open_polls = 0
        self._answered_codes = 0
        self._changed = threading.Condition()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> SlowLine:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for_poll(self) -> None:
        """Wait until a poll is under way.  Raises TimeoutError."""
        self._wait(lambda: self._open_polls > 0, "No poll came.")

    def wait_for_answers(self) -> None:
        """Wait until each poll has been answered.  Raises TimeoutError."""
        self._wait(lambda: self._open_polls == 0, "A poll was not answered.")

    def _wait(self, condition: Callable[[], bool], failure: str) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, LONGEST):
                raise TimeoutError(failure)

    def begin_poll(self) -> None:
        """Note a poll, and hold it until the site has answered the next code."""
        with self._changed:
            self.polls += 1
            self._open_polls += 1
            before = self._answered_codes
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered_codes > before, LONGEST)

    def end_poll(self) -> None:
        with self._changed:
            self._open_polls -= 1
            self._changed.notify_all()

    def begin_code(self) -> None:
        with self._changed:
            self.codes += 1
            self.polls_overtaken += self._open_polls

    def end_code(self) -> None:
        """Note that the site has answered the code; the browser has not got the answer yet."""
        with self._changed:
            self._answered_codes += 1
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, line: SlowLine) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.line = line

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a browser that opens another page closes its connections."""


class _Passage(BaseHTTPRequestHandler):
    """A request on its way to the site, and the answer on its way back."""

    server: _Server

    def do_GET(self) -> None:
        if not self.path.startswith(POLL):
            self._pass_time()
            self._answer(*self._ask_site())
            return
        self.server.line.begin_poll()
        try:
            self._answer(*self._ask_site())
        finally:
            self.server.line.end_poll()

    def do_POST(self) -> None:
        is_code = self.path.startswith(CODE)
        if is_code:
            self.server.line.begin_code()
        self._pass_time()
        answered = self._ask_site()
        if is_code:
            self.server.line.end_code()
        self._answer(*answered)

    def _pass_time(self) -> None:
        if not self.path.startswith(STATIC):
            time.sleep(self.server.line.delay)

    def _ask_site(self) -> tuple[HTTPResponse, bytes]:
        site = HTTPConnection(self.server.line.site, timeout=LONGEST)
        site.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        # The browser's own Host among them: the site compares it with Origin.
        for name, value in self.headers.items():
            if name.lower() not in PER_CONNECTION:
                site.putheader(name, value)
        site.putheader("Connection", "close")
        site.endheaders(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        answer = site.getresponse()
        body = answer.read()
        site.close()
        return answer, body

    def _answer(self, answer: HTTPResponse, body: bytes) -> None:
        self._pass_time()
        self.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in PER_CONNECTION:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
