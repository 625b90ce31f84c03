"""Threads that send codes at the same time: each send takes from the limit of the whole site."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.worker import Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# There are more places than threads, so that threads wait for the row, and not for a place.
PLACES = 200


def send(
    site: Site, first: int, threads: int, sends: int, begin: float, right: bool, is_limited: bool
) -> Any:
    """Send codes to new users, by the functions that a site's own code calls.

    :param first: the number of the first user.  Processes on one database need users of their own.
    :param begin: seconds since the epoch; several processes begin at the same moment.
    :param right: whether each user types the right code, too, before the next one is sent.
    :param is_limited: whether the site has a limit for all users together.
    :returns: ``{"began": s, "ended": s, "seconds": [of each send], "failed": [texts]}``.
    """
    with limited(is_limited):
        # At its first send, a process connects to the provider and fetches an access token.
        send_to(users(site, first, 1), right, [], [])
        groups = [users(site, first + 1 + n * sends, sends) for n in range(threads)]
        seconds: list[float] = []
        failed: list[str] = []
        gate = threading.Barrier(threads + 1)

        def work(group: list[User]) -> None:
            from django.db import connection

            try:
                connection.ensure_connection()
            finally:
                gate.wait()
            send_to(group, right, seconds, failed)
            connection.close()

        workers = [threading.Thread(target=work, args=(group,)) for group in groups]
        for worker in workers:
            worker.start()
        time.sleep(max(0.0, begin - time.time()))
        gate.wait()
        began = time.time()
        for worker in workers:
            worker.join()
        return {"began": began, "ended": time.time(), "seconds": seconds, "failed": failed}


@contextmanager
def limited(is_limited: bool) -> Iterator[None]:
    """Turn the limit of the whole site on or off. No send is refused."""
    from django.conf import settings
    from django.test import override_settings

    changed = {**settings.BANDWIDTH_MFA, "MAX_CONCURRENT_CALLS": PLACES}
    if not is_limited:
        for limits in ("SEND_LIMITS", "SEND_CEILINGS"):
            if limits in changed:
                changed[limits] = {"site": ""}
    with override_settings(BANDWIDTH_MFA=changed):
        yield


def users(site: Site, first: int, count: int) -> list[User]:
    """Make users, and return them."""
    from django.contrib.auth.models import User

    from benchmarks.sites.making import name

    numbers = range(first, first + count)
    site.people.add(numbers)
    return list(User.objects.filter(username__in=map(name, numbers)))


def send_to(group: list[User], right: bool, seconds: list[float], failed: list[str]) -> None:
    """Send each user a code. Append durations to ``seconds``, and errors to ``failed``."""
    from django_bandwidth_mfa import service

    for user in group:
        started = time.perf_counter()
        try:
            challenge = service.send_code(user)
            if right and not service.verify_code(challenge, "123456"):
                raise RuntimeError("a right code did not pass")
        except Exception as error:
            failed.append(repr(error))
        else:
            seconds.append(time.perf_counter() - started)
