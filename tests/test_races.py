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

# One group, so that no two races run at once: a server that takes a hundred connections, as
# PostgreSQL does by default, refuses the threads of a second one.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("races"),
    pytest.mark.slow,
]

# Each thread gives its connection up now and then, while Bandwidth is asked for instance, and opens
# another one. A busy server may still be closing the old ones: a race can need three times as many
# connections as it has threads.
THREADS = 20

# Microseconds.
HOUR = 3600 * store.SECOND

OPEN_CONNECTIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist",
}


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


@pytest.fixture(autouse=True)
def room_for_connections(db: None) -> None:
    """Wait until the server has closed what the race before has left."""
    query = OPEN_CONNECTIONS.get(connection.vendor)
    for _ in range(200):
        if query is None:
            return
        with connection.cursor() as cursor:
            cursor.execute(query)
            if cursor.fetchone()[0] <= THREADS:
                return
        time.sleep(0.05)  # nothing tells when a server has closed a connection


@pytest.fixture(autouse=True)
def as_many_calls_as_threads(bandwidth: Any, configure: Any) -> None:
    """The races are the counters' to decide, not the limit on concurrent calls."""
    configure(MAX_CONCURRENT_CALLS=THREADS, SEND_LIMITS={"address": ""})


@pytest.fixture
def one_winner(figures: Any) -> Callable[[Callable[[int], Any]], None]:
    """Races ``work`` in all threads, and asserts that for one of them it was true."""

    def race(work: Callable[[int], Any]) -> None:
        winners = [won is True for won in at_once(THREADS, work)].count(True)
        figures.add("threads raced", THREADS)
        figures.add("races", 1)
        figures.add("winners", winners)
        assert winners == 1

    return race


@pytest.mark.attack("G4")
def test_one_code_makes_one_login(bandwidth: Any, one_winner: Any) -> None:
    """Fails when neither ``passed_at`` is asked to be None nor the code's use is unique."""
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
    """Fails when neither ``passed_at`` is asked to be None nor the code's use is unique."""
    configure(TRIES_PER_CHALLENGE=100, FAILURES_BEFORE_WAIT=100)
    challenge = service.send_code(make_user("ada", NUMBER))
    code = bandwidth.inbox[0]["code"]
    one_winner(lambda n: bool(service.verify_code(challenge, code)))


@pytest.mark.attack("G4")
def test_one_code_in_many_challenges_passes_once(
    bandwidth: Any, configure: Any, one_winner: Any
) -> None:
    """Fails without SpentCode: each challenge has its own ``passed_at``."""
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
    """Fails when ``passed_at`` is not asked to be None, and the code is spent as it was typed."""
    configure(TRIES_PER_CHALLENGE=100, FAILURES_BEFORE_WAIT=100)
    challenge = service.send_code(make_user("ada", NUMBER))
    code = bandwidth.inbox[0]["code"]
    ways = [" " * (n % 7) + code[: n % 6] + "-" * (n % 3) + code[n % 6 :] for n in range(THREADS)]
    one_winner(lambda n: bool(service.verify_code(challenge, ways[n])))


@pytest.mark.attack("G5")
def test_one_recovery_code_lets_in_once(one_winner: Any) -> None:
    """Fails when ``used_at`` is read before the transaction in which it is written."""
    user = make_user("ada", NUMBER)
    code = give_recovery_codes(user)[0]
    one_winner(lambda n: bool(service.use_recovery_code(user, code)))
    assert RecoveryCode.objects.left(user) == 9


def test_of_sets_that_are_made_at_once_one_stays(configure: Any) -> None:
    """Fails, on PostgreSQL and MariaDB, without the lock on the row of the second factor: the codes
    of several sets pass, and all but one of the sets are forgotten papers."""
    configure(RECOVERY_CODES=2)
    user = make_user("ada", NUMBER)
    sets = at_once(4, lambda n: service.issue_recovery_codes(user))
    assert RecoveryCode.objects.left(user) == 2
    assert sum(bool(service.use_recovery_code(user, one[0])) for one in sets) == 1


def test_the_first_row_of_a_user_that_is_made_by_many_at_once_breaks_none_off() -> None:
    """Fails, on MariaDB, when the row is made inside of the transaction that locks it: the database
    breaks some of the threads off as a deadlock."""
    user = make_user("ada", NUMBER)
    assert at_once(THREADS, lambda n: service.end_sessions(user)) == [None] * THREADS


def test_one_enrolment_confirms_once(bandwidth: Any, configure: Any, one_winner: Any) -> None:
    """Fails when neither the challenge, nor the code, nor the phone can be used only once."""
    configure(TRIES_PER_CHALLENGE=100, FAILURES_BEFORE_WAIT=100)
    user = make_user("nova")
    phone = Phone.objects.create(user=user, number=NUMBER)
    challenge = service.send_code(user, purpose="enrol", phone=phone)
    code = bandwidth.inbox[0]["code"]
    one_winner(lambda n: bool(service.verify_code(challenge, code)))
    assert [one.number for one in Phone.objects.confirmed().filter(user=user)] == [NUMBER]


@pytest.mark.attack("G7")
def test_of_many_guesses_at_once_at_most_five_reach_bandwidth(bandwidth: Any) -> None:
    """Fails when the try is counted after the request, or read and then written."""
    challenge = service.send_code(make_user("ada", NUMBER))
    guess = wrong(bandwidth.inbox[0]["code"])
    at_once(THREADS, lambda n: bool(service.verify_code(challenge, guess)))
    checks = [request for request in bandwidth.requests if request["path"].endswith("/verify")]
    assert len(checks) == 5
    challenge.refresh_from_db()
    assert challenge.tries == 5


@pytest.mark.attack("S1")
def test_twenty_sends_at_once_send_one(bandwidth: Any) -> None:
    """Fails when the cooldown is read and then written: 21 SMS for one password."""
    user = make_user("ada", NUMBER)
    at_once(20, lambda n: service.send_code(user))
    assert len(bandwidth.inbox) == 1
    assert Challenge.objects.count() == 1


@pytest.mark.attack("S3")
def test_a_number_asked_for_by_many_users_at_once_gets_its_five(bandwidth: Any) -> None:
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
def test_of_more_threads_than_a_limit_has_room_for_exactly_so_many_pass(
    monkeypatch: Any, figures: Any, way: str
) -> None:
    """Fails when the moment is read and then written, and when it is judged by a clock that was
    read before the rows were locked: then one too few pass now and then."""
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
    # What the refusing limit has rolled back, the other one does not count either.
    assert wide.moment - store.now() <= 30 * (HOUR // 1000)


@pytest.mark.parametrize("way", ["in one statement", "in a portable way"])
def test_takes_and_returns_of_many_threads_end_at_the_true_figure(
    monkeypatch: Any, way: str
) -> None:
    """Each thread takes twice and gives one back.  Fails when a return is not one step with what it
    rests on: figures of other threads would be lost."""
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
    time): each thread sees that another phone is left."""
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
    """Each thread has a recovery code of its own, and all have one ticket.  Fails when the ticket's
    id is not used up by one ``INSERT``."""
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
