"""A browser that sends requests to a site in the same process, through all of its middleware.

It keeps cookies and the token of the last form, and does not follow redirects. It reports the cost
of each request for the site; the work of the browser itself is not counted.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

Application = Callable[..., Any]


@dataclass(frozen=True)
class Request:
    path: str
    form: dict[str, str] | None = None  # None: a GET


@dataclass
class Answer:
    status: int
    location: str
    text: str
    cpu: int  # nanoseconds of this process
    wall: int  # nanoseconds


SignIn = Generator[tuple[str, Request], Answer, None]
"""A generator of steps: it yields a step's name and request, and receives the answer."""


def get(path: str) -> Request:
    """Return the request for a page."""
    return Request(path)


def post(path: str, **form: str) -> Request:
    """Return the request that posts a form, whose token the browser adds."""
    # "__" stands for a hyphen in the name of a field.
    return Request(path, {field.replace("__", "-"): value for field, value in form.items()})


def token_of(text: str) -> str:
    """Return the token of the form on a page, or an empty text if the page has none."""
    match = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', text)
    return match[1] if match else ""


class Browser:
    """``address`` is the client address that the site sees."""

    def __init__(self, application: Application, address: str = "10.0.0.1") -> None:
        self._application = application
        self._address = address
        self.cookies: dict[str, str] = {}
        self._token = ""

    def ask(self, request: Request) -> Answer:
        """Return the answer of the site to ``request``."""
        environ = self._environ(request)
        caught: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            caught.update(status=int(status[:3]), headers=headers)

        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        response = self._application(environ, start_response)
        body = b"".join(response)
        # Ends the request: Django closes old connections to the database here.
        response.close()
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        return self._keep(caught["status"], caught["headers"], body.decode(), cpu, wall)

    def _environ(self, request: Request) -> dict[str, Any]:
        path, _, query = request.path.partition("?")
        form = request.form
        body = b"" if form is None else urlencode({"csrfmiddlewaretoken": self._token, **form})
        body = body if isinstance(body, bytes) else body.encode()
        return {
            "REQUEST_METHOD": "GET" if form is None else "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": "" if form is None else "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_COOKIE": "; ".join(f"{key}={value}" for key, value in self.cookies.items()),
            "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
            "HTTP_ACCEPT": "text/html",
            "REMOTE_ADDR": self._address,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }

    def _keep(
        self, status: int, headers: list[tuple[str, str]], text: str, cpu: int, wall: int
    ) -> Answer:
        location = ""
        for header, value in headers:
            if header == "Set-Cookie":
                for key, morsel in SimpleCookie(value).items():
                    self.cookies[key] = morsel.value
            elif header == "Location":
                parts = urlsplit(value)
                location = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._token = token_of(text) or self._token
        return Answer(status, location, text, cpu, wall)
