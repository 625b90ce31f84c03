"""Threads that do the same thing at the same moment, on a real database."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import MFAError
from django_bandwidth_mfa.models import Challenge, Counter, Phone

from .browsing import give_password, state, wrong
from .conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(threads: int, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work(0)`` … at the same moment; what each returned, or the MFAError's class."""
    start = Barrier(threads)

    def one(number: int) -> Any:
        try:
            start.wait(30)
            return work(number)
        except MFAError as error:
            return type(error)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(threads)))


def test_thirty_threads_with_the_one_right_code_make_one_login(bandwidth: Any) -> None:
    """Fails when neither ``passed_at`` is asked to be None nor the code's use is unique."""
    user = make_user("ada", NUMBER)
    first = Client()
    give_password(first, user)
    first.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    clients = [Client() for _ in range(30)]
    for client in clients:
        give_password(client, user)
    answers = at_once(30, lambda n: clients[n].post("/mfa/verify/", {"code": code}).status_code)
    assert Tally(answers)[302] == 1
    assert set(answers) <= {302, 200, 429}
    assert sorted(state(client) for client in clients).count("verified") == 1


def test_the_same_code_in_five_challenges_passes_once(bandwidth: Any, configure: Any) -> None:
    """Fails when SpentCode is looked up before, instead of being unique."""
    configure(RESEND_COOLDOWN=[0])
    user = make_user("ada", NUMBER)
    challenges = [service.send_code(user) for _ in range(5)]
    code = bandwidth.inbox[0]["code"]
    passed = at_once(5, lambda n: bool(service.verify_code(challenges[n], code)))
    assert passed.count(True) == 1


def test_of_forty_guesses_at_once_at_most_five_reach_bandwidth(bandwidth: Any) -> None:
    """Fails when the try is counted after the request, or read and then written."""
    challenge = service.send_code(make_user("ada", NUMBER))
    guess = wrong(bandwidth.inbox[0]["code"])
    at_once(40, lambda n: bool(service.verify_code(challenge, guess)))
    asked = [request for request in bandwidth.requests if request["path"].endswith("/verify")]
    assert len(asked) == 5
    challenge.refresh_from_db()
    assert challenge.tries == 5


def test_twenty_sends_at_once_send_one(bandwidth: Any) -> None:
    """Fails when the cooldown is read and then written: 21 SMS for one password."""
    user = make_user("ada", NUMBER)
    at_once(20, lambda n: service.send_code(user))
    assert len(bandwidth.inbox) == 1
    assert Challenge.objects.count() == 1


def test_a_number_asked_for_by_many_users_at_once_gets_its_five(bandwidth: Any) -> None:
    users = [make_user(f"user{n}", NUMBER) for n in range(12)]
    at_once(12, lambda n: service.send_code(users[n]))
    assert len(bandwidth.inbox) == 5
    site = Counter.objects.get(key__startswith="send:site")
    assert site.count == 5


def test_two_enrolments_at_once_leave_one_phone(bandwidth: Any, configure: Any) -> None:
    configure(RESEND_COOLDOWN=[0])
    user = make_user("nova")
    tries = []
    for number in (NUMBER, OTHER_NUMBER):
        phone = Phone.objects.create(user=user, number=number)
        challenge = service.send_code(user, purpose="enrol", phone=phone)
        tries.append((challenge, bandwidth.inbox[0]["code"]))
    passed = at_once(2, lambda n: bool(service.verify_code(*tries[n])))
    assert passed.count(True) == 1
    assert Phone.objects.filter(confirmed_at__isnull=False, is_primary=True).count() == 1
