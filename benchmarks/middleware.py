"""Measure what the middleware adds to a request, in microseconds of this process.

    python -m benchmarks.middleware [--rounds 60] [--requests 300]

Two chains of Django's own handler answer the same requests: Django's ``AuthenticationMiddleware``
alone, and with this app's middleware behind it.  The two take turns, and the first one in a round
changes, so that a busy machine slows both.  Each request has its session and its user already
loaded, so the chains use no database.

The columns are medians over all rounds: processor time of the bare chain (``bare``), the time that
this app's middleware adds (``added``), half the distance of the quartiles of that (``±``), both
chains' ratio, the added time by the clock (``clock``), and the limit of the added time on a quiet
machine (``most``).

The async chains run in an event loop and a thread, as each request does under an ASGI server.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from dataclasses import dataclass
from statistics import median
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.http import HttpResponse

OURS = "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware"
KEY = "a" * 32


def set_up() -> None:
    """Set up Django for a site with a few pages."""
    import django

    settings.configure(
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF=__name__,
        SESSION_ENGINE="django.contrib.sessions.backends.db",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django_bandwidth_mfa",
        ],
        LOGIN_URL="login",
        BANDWIDTH_MFA={"ACCOUNT_ID": "1", "FROM_NUMBER": "+12025550100"},
    )
    django.setup()


# The site ----------------------------------------------------------------------------------------


def __getattr__(name: str) -> Any:
    """Make ``urlpatterns`` when Django asks for it: views need the settings."""
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.contrib.auth.views import LoginView
    from django.urls import path

    return [
        path("public/", public),
        path("apublic/", apublic),
        path("account/", account),
        path("transfer/", transfer),
        path("aaccount/", aaccount),
        path("login/", LoginView.as_view(), name="login"),
    ]


def public(request: Any) -> Any:
    return HttpResponse("page")


async def apublic(request: Any) -> Any:
    return HttpResponse("page")


def account(request: Any) -> Any:
    if not request.user.is_authenticated:
        raise AssertionError("The user is not signed in.")
    return HttpResponse("page")


def transfer(request: Any) -> Any:
    if not request.mfa.is_verified(max_age=300):
        raise AssertionError("No code passed lately.")
    return HttpResponse("page")


async def aaccount(request: Any) -> Any:
    if not (await request.auser()).is_authenticated:
        raise AssertionError("The user is not signed in.")
    return HttpResponse("page")


# The measurement ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """``most`` is the limit, in microseconds, of what the middleware adds on a quiet machine."""

    name: str
    path: str
    is_signed_in: bool
    is_async: bool
    most: float


CASES = (
    Case("a view that does not look at the user", "/public/", True, False, 5),
    Case("the same, without a session", "/public/", False, False, 5),
    Case("a verified session that is looked at", "/account/", True, False, 20),
    Case("the same, asked for a code of late", "/transfer/", True, False, 20),
    Case("async, a view that does not look", "/apublic/", True, True, 20),
    Case("async, a verified session that is looked at", "/aaccount/", True, True, 20),
)


def make_user() -> Any:
    """Return the user of the requests. The user is not in a database."""
    from django.contrib.auth.models import User

    return User(pk=7, username="ada", password="!")


def make_request(case: Case, user: Any) -> Any:
    """Return a request with a loaded session, which is verified if ``case`` says so."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.db import SessionStore
    from django.test import AsyncRequestFactory, RequestFactory
    from django.utils import timezone

    from django_bandwidth_mfa.internal.login.mark import mark_verified
    from django_bandwidth_mfa.verification import Verification

    factory: Any = AsyncRequestFactory() if case.is_async else RequestFactory()
    request = factory.get(case.path)
    request.session = SessionStore(KEY if case.is_signed_in else None)
    request.session._session_cache = {}
    request._cached_user = request._acached_user = user if case.is_signed_in else AnonymousUser()
    # Our middleware replaces this attribute.
    request.mfa = SimpleNamespace(is_verified=lambda max_age: request.user.is_authenticated)
    if case.is_signed_in:
        request.session[SESSION_KEY] = str(user.pk)
        request.session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        request.session[HASH_SESSION_KEY] = "0" * 64
        by_phone = Verification(user, "sms", verified_at=timezone.now())
        mark_verified(request.session, user, by_phone)
    return request


def make_chain(is_async: bool, *middleware: str) -> Any:
    """Return a function that answers requests one after another, and returns the time they took.

    The function returns seconds of CPU time and of wall time.
    """
    from asgiref.sync import ThreadSensitiveContext, sync_to_async
    from django.core.handlers.base import BaseHandler
    from django.test import override_settings

    handler = BaseHandler()
    bare = "django.contrib.auth.middleware.AuthenticationMiddleware"
    with override_settings(MIDDLEWARE=[bare, *middleware]):
        handler.load_middleware(is_async=is_async)

    def answer_all(requests: list[Any]) -> tuple[float, float]:
        began = time.process_time(), time.perf_counter()
        for request in requests:
            handler.get_response(request)
        return time.process_time() - began[0], time.perf_counter() - began[1]

    async def answer_all_async(requests: list[Any]) -> tuple[float, float]:
        async with ThreadSensitiveContext():
            # Under a server, Django's receivers of `request_started` have made the thread by now.
            await sync_to_async(int)()
            began = time.process_time(), time.perf_counter()
            for request in requests:
                await handler.get_response_async(request)
            return time.process_time() - began[0], time.perf_counter() - began[1]

    if not is_async:
        return answer_all
    return lambda requests: asyncio.run(answer_all_async(requests))


def measure(case: Case, rounds: int, count: int) -> tuple[float, float, float, float]:
    """Return microseconds for one request: the bare chain, and the added time (CPU and wall time).

    The fourth figure is half the distance of the quartiles of the added CPU time.
    """
    user = make_user()
    chains = {"bare": make_chain(case.is_async), "ours": make_chain(case.is_async, OURS)}
    bare, added, clock = [], [], []
    for turn in range(rounds + 3):
        taken = {}
        for name in sorted(chains, reverse=bool(turn % 2)):
            requests = [make_request(case, user) for _ in range(count)]
            gc.collect()
            gc.disable()
            taken[name] = chains[name](requests)
            gc.enable()
        # The first rounds fill caches.
        if turn >= 3:
            bare.append(taken["bare"][0])
            added.append(taken["ours"][0] - taken["bare"][0])
            clock.append(taken["ours"][1] - taken["bare"][1])
    micro = 1e6 / count
    middle = sorted(added)
    spread = (middle[3 * len(middle) // 4] - middle[len(middle) // 4]) / 2
    return median(bare) * micro, median(added) * micro, median(clock) * micro, spread * micro


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.middleware", description="What the middleware adds."
    )
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--requests", type=int, default=300, help="requests in each round")
    chosen = parser.parse_args()

    set_up()
    print(f"{'µs a request':<46}{'bare':>8}{'added':>8}{'±':>6}{'ratio':>7}{'clock':>8}{'most':>6}")
    for case in CASES:
        bare, added, clock, spread = measure(case, chosen.rounds, chosen.requests)
        print(
            f"{case.name:<46}{bare:>8.1f}{added:>8.1f}{spread:>6.1f}{1 + added / bare:>7.2f}"
            f"{clock:>8.1f}{case.most:>6g}"
        )


if __name__ == "__main__":
    main()
