"""Many threads do the same work at the same moment, on a real database."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from django_bandwidth_mfa import service
from django_bandwidth_mfa.conf import Rate
from django_bandwidth_mfa.exceptions import LastPhone, Limited, MFAError, TicketInvalid
from django_bandwidth_mfa.internal.limits import store
from django_bandwidth_mfa.internal.limits.store import Limit
from django_bandwidth_mfa.internal.phones import changes
from django_bandwidth_mfa.models import Challenge, Counter, Phone, RecoveryCode

from .api.calls import TicketClient, ask_ticket, post
from .browsing import give_password, state, wrong
from .conftest import NUMBER, OTHER_NUMBER, give_recovery_codes, make_user
from .databases import statements_are_portable

# One group, so that only one race runs at a time. PostgreSQL accepts a hundred connections by
# default, and would refuse the threads of a second race.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("races"),
    pytest.mark.slow,
]

# A thread sometimes closes its connection, for instance during a call to Bandwidth, and opens
# another one. A busy server may not have closed the old one yet. So a race can need three times as
# many connections as it has threads.
THREADS = 20

# Microseconds.
HOUR = 3600 * store.SECOND

OPEN_CONNECTIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist",
}


def at_once(threads: int, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work(0)`` … at the same moment. Return each result, or the class of its MFAError."""
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


@pytest.fixture(autouse=True)
def room_for_connections(db: None) -> None:
    """Wait until the server has closed the connections of the previous race."""
    query = OPEN_CONNECTIONS.get(connection.vendor)
    for _ in range(200):
        if query is None:
            return
        with connection.cursor() as cursor:
            cursor.execute(query)
            if cursor.fetchone()[0] <= THREADS:
                return
        time.sleep(0.05)  # no event shows that a server has closed a connection


@pytest.fixture(autouse=True)
def as_many_calls_as_threads(bandwidth: Any, configure: Any) -> None:
    """The counters must decide the races, and not the limit on concurrent calls."""
    configure(MAX_CONCURRENT_CALLS=THREADS, SEND_LIMITS={"address": ""})


@pytest.fixture
def one_winner(figures: Any) -> Callable[[Callable[[int], Any]], None]:
    """Return a function that runs ``work`` in all threads. Exactly one thread must succeed."""

    def race(work: Callable[[int], Any]) -> None:
        winners = [won is True for won in at_once(THREADS, work)].count(True)
        figures.add("threads raced", THREADS)
        figures.add("races", 1)
        figures.add("winners", winners)
        assert winners == 1

    return race


@pytest.mark.attack("G4")
def test_one_code_makes_one_login(bandwidth: Any, one_winner: Any) -> None:
    """Fails when neither ``passed_at`` must be None nor the use of the code must be unique."""
    user = make_user("ada", NUMBER)
    first = Client()
    give_password(first, user)
    first.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    clients = [Client() for _ in range(THREADS)]
    for client in clients:
        give_password(client, user)

    def sign_in(n: int) -> bool:
        answer = clients[n].post("/mfa/verify/", {"code": code})
        assert answer.status_code == 302
        return bool(answer["Location"] == "/account/")

    one_winner(sign_in)
    assert [state(client) for client in clients].count("verified") == 1


@pytest.mark.attack("G4")
def test_one_challenge_passes_once(bandwidth: Any, configure: Any, one_winner: Any) -> None:
    """Fails when ``passed_at`` need not be None, and the use of the code need not be unique."""
    configure(TRIES_PER_CHALLENGE=100, FAILURES_BEFORE_WAIT=100)
    challenge = service.send_code(make_user("ada", NUMBER))
    code = bandwidth.inbox[0]["code"]
    one_winner(lambda n: bool(service.verify_code(challenge, code)))


@pytest.mark.attack("G4")
def test_one_code_in_many_challenges_passes_once(
    bandwidth: Any, configure: Any, one_winner: Any
) -> None:
    """Fails without SpentCode, because each challenge has its own ``passed_at``."""
    configure(
        RESEND_COOLDOWN=[0],
        FAILURES_BEFORE_WAIT=100,
        SEND_LIMITS={"user": "", "number": "", "address": ""},
    )
    user = make_user("ada", NUMBER)
    challenges = [service.send_code(user) for _ in range(THREADS)]
    code = bandwidth.inbox[0]["code"]
    one_winner(lambda n: bool(service.verify_code(challenges[n], code)))


def test_one_code_typed_in_many_ways_passes_once(
    bandwidth: Any, configure: Any, one_winner: Any
) -> None:
    """Fails when ``passed_at`` need not be None, and the typed text is stored as the spent code."""
    configure(TRIES_PER_CHALLENGE=100, FAILURES_BEFORE_WAIT=100)
    challenge = service.send_code(make_user("ada", NUMBER))
    code = bandwidth.inbox[0]["code"]
    ways = [" " * (n % 7) + code[: n % 6] + "-" * (n % 3) + code[n % 6 :] for n in range(THREADS)]
    one_winner(lambda n: bool(service.verify_code(challenge, ways[n])))


@pytest.mark.attack("G5")
def test_one_recovery_code_signs_in_once(one_winner: Any) -> None:
    """Fails when ``used_at`` is read before the transaction in which it is written."""
    user = make_user("ada", NUMBER)
    code = give_recovery_codes(user)[0]
    one_winner(lambda n: bool(service.use_recovery_code(user, code)))
    assert RecoveryCode.objects.left(user) == 9


def test_of_sets_of_recovery_codes_that_are_made_at_once_one_stays(configure: Any) -> None:
    """Fails on PostgreSQL and MariaDB without the lock on the row of the second factor: the codes
    of several sets pass, but the user knows of only one set."""
    configure(RECOVERY_CODES=2)
    user = make_user("ada", NUMBER)
    sets = at_once(4, lambda n: service.issue_recovery_codes(user))
    assert RecoveryCode.objects.left(user) == 2
    assert sum(bool(service.use_recovery_code(user, one[0])) for one in sets) == 1


def test_threads_that_make_the_first_row_of_a_user_at_once_all_succeed() -> None:
    """Fails on MariaDB when the row is made inside of the transaction that locks it: the database
    stops some of the threads because of a deadlock."""
    user = make_user("ada", NUMBER)
    assert at_once(THREADS, lambda n: service.end_sessions(user)) == [None] * THREADS


def test_one_enrolment_confirms_a_phone_once(
    bandwidth: Any, configure: Any, one_winner: Any
) -> None:
    """Fails when the challenge, the code and the phone can all be used more than once."""
    configure(TRIES_PER_CHALLENGE=100, FAILURES_BEFORE_WAIT=100)
    user = make_user("nova")
    phone = Phone.objects.create(user=user, number=NUMBER)
    challenge = service.send_code(user, purpose="enrol", phone=phone)
    code = bandwidth.inbox[0]["code"]
    one_winner(lambda n: bool(service.verify_code(challenge, code)))
    assert [one.number for one in Phone.objects.confirmed().filter(user=user)] == [NUMBER]


@pytest.mark.attack("G7")
def test_of_many_guesses_at_once_at_most_five_reach_bandwidth(bandwidth: Any) -> None:
    """Fails when the try is counted after the request, or when a count is read and then written."""
    challenge = service.send_code(make_user("ada", NUMBER))
    guess = wrong(bandwidth.inbox[0]["code"])
    at_once(THREADS, lambda n: bool(service.verify_code(challenge, guess)))
    checks = [request for request in bandwidth.requests if request["path"].endswith("/verify")]
    assert len(checks) == 5
    challenge.refresh_from_db()
    assert challenge.tries == 5


@pytest.mark.attack("S1")
def test_twenty_sends_at_once_send_one(bandwidth: Any) -> None:
    """Fails when the cooldown is read and then written: one password caused 21 text messages."""
    user = make_user("ada", NUMBER)
    at_once(20, lambda n: service.send_code(user))
    assert len(bandwidth.inbox) == 1
    assert Challenge.objects.count() == 1


@pytest.mark.attack("S3")
def test_a_number_that_many_users_request_at_once_gets_five_codes(bandwidth: Any) -> None:
    users = [make_user(f"user{n}", NUMBER) for n in range(12)]
    at_once(12, lambda n: service.send_code(users[n]))
    assert len(bandwidth.inbox) == 5
    sites = Challenge.objects.order_by("sent_at").values_list("taken", flat=True)
    amounts = [amount for taken in sites for key, amount, _moment in taken if "site" in key]
    assert amounts == [HOUR // 1000] * 5
    first = Challenge.objects.earliest("sent_at")
    site = Counter.objects.get(key__contains=":site-limit:")
    assert site.moment >= store.microseconds(first.sent_at) + sum(amounts)


@pytest.mark.parametrize("way", ["in one statement", "in a portable way"])
def test_exactly_as_many_threads_pass_as_the_limit_allows(
    monkeypatch: Any, figures: Any, way: str
) -> None:
    """Fails when the moment is read and then written. Fails sometimes, with one thread too few,
    when the clock is read before the rows are locked."""
    if way == "in a portable way":
        statements_are_portable(monkeypatch)
    hot = [Limit("6:hot", "site", Rate(30, 3600)), Limit("1:wide", "user", Rate(1000, 3600))]

    def take(n: int) -> int:
        passed = 0
        for _ in range(4):
            with suppress(Limited):
                store.counting(lambda: store.take(hot))
                passed += 1
        return passed

    passed = sum(at_once(16, take))
    figures.add("takes raced", 64)
    assert passed == 30
    wide = Counter.objects.get(key="1:wide")
    # If one limit refuses, the other one does not count either.
    assert wide.moment - store.now() <= 30 * (HOUR // 1000)


@pytest.mark.parametrize("way", ["in one statement", "in a portable way"])
def test_the_count_is_right_after_many_threads_have_taken_and_given_back(
    monkeypatch: Any, way: str
) -> None:
    """Each thread takes twice and gives one back.  Fails when giving back reads and writes in two
    steps: changes of other threads would be lost."""
    if way == "in a portable way":
        statements_are_portable(monkeypatch)
    limits = [Limit(f"{n}:key", "site", Rate(1000, 24 * 3600)) for n in range(5)]
    amount = limits[0].amount

    def work(n: int) -> None:
        first = store.counting(lambda: store.take(limits))
        store.counting(lambda: store.take(limits))
        takes = [(one.limit.key, one.limit.amount, one.moment) for one in first]
        store.counting(lambda: store.give_back(takes))

    began = store.now()
    at_once(16, work)
    for row in Counter.objects.all():
        assert 16 * amount <= row.moment - began < 17 * amount


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


@pytest.mark.attack("P15")
def test_phones_removed_at_the_same_moment_leave_one(configure: Any) -> None:
    """Fails without ``select_for_update`` (on PostgreSQL and MariaDB; SQLite has one writer at a
    time): each thread sees another phone that remains."""
    count = 8
    user = make_user("ada", *(f"+1202555{n:04}" for n in range(100, 100 + count)))
    phones = list(Phone.objects.filter(user=user))

    def remove(n: int) -> bool:
        changes.remove(phones[n], must_stay=lambda: True)
        return True

    results = at_once(count, remove)
    assert sorted(map(str, results)) == sorted(["True"] * (count - 1) + [str(LastPhone)])
    assert Phone.objects.get(user=user).is_primary


# Logins without cookies -------------------------------------------------------------------------


@pytest.mark.attack("P42", "G4")
def test_one_ticket_makes_one_completion(bandwidth: Any, configure: Any, one_winner: Any) -> None:
    """Each thread has its own recovery code, and all use one ticket.  Fails when the id of the
    ticket is not used up by one ``INSERT``."""
    configure(RECOVERY_CODES=THREADS, FAILURES_BEFORE_WAIT=100)
    user = make_user("ada", NUMBER)
    codes = service.issue_recovery_codes(user)
    app = TicketClient(ask_ticket(user).json()["ticket"])

    def complete(n: int) -> bool:
        mine = TicketClient(app.ticket)
        answer = post(mine, "recovery-code", recovery_code=codes[n])
        assert answer.status_code in (200, 401), answer.content
        return bool(answer.status_code == 200 and answer.json()["completion"])

    one_winner(complete)


@pytest.mark.attack("P44", "G4")
def test_one_completion_is_exchanged_once(bandwidth: Any, one_winner: Any) -> None:
    """Fails when its id is not used up by one ``INSERT``."""
    completion = ask_ticket(make_user("newcomer")).json()["completion"]

    def exchange(n: int) -> bool:
        try:
            return bool(service.redeem_completion(completion))
        except TicketInvalid:
            return False

    one_winner(exchange)
