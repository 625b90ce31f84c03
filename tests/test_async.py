"""Calls to Bandwidth in an event loop: they block nothing, and a cancelled call stays counted."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import responses
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth import aauthenticate, get_user_model
from django.core.asgi import get_asgi_application
from django.db import connection, transaction
from django.test import AsyncClient
from django.utils import timezone, translation

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import Busy, Limited, ProviderUnavailable
from django_bandwidth_mfa.internal.codes import provider
from django_bandwidth_mfa.models import Challenge, SecondFactor

from .api.calls import API, ask_ticket
from .conftest import give_recovery_codes, make_user

CODE = "735190"
# Seconds after which a test gives up.  A test that passes never waits so long.
PATIENCE = 10


class HeldBandwidth:
    """A Bandwidth that answers only after ``released`` is set, and accepts every code.

    ``seen`` has the result of ``look`` in each call, which runs in the thread of the call.
    """

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()
        self.look: Callable[[], Any] = lambda: None
        self.seen: list[Any] = []
        self.gave_up = False

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        self.seen.append(self.look())
        self.entered.set()
        self.gave_up |= not self.released.wait(PATIENCE)
        return 200, {}, json.dumps({"messageId": "m", "valid": True})

    async def until_entered(self) -> None:
        """Wait until a call has begun."""
        in_thread = asyncio.get_running_loop().run_in_executor
        assert await in_thread(None, self.entered.wait, PATIENCE)


@pytest.fixture
def held(settings: Any) -> Iterator[HeldBandwidth]:
    held = HeldBandwidth()
    settings.BANDWIDTH_MFA = {
        **settings.BANDWIDTH_MFA,
        "CLIENT_ID": None,
        "CLIENT_SECRET": None,
        "USERNAME": "api-user",
        "PASSWORD": "made-up",
    }
    with responses.RequestsMock(assert_all_requests_are_fired=False) as bandwidth:
        bandwidth.add_callback("POST", re.compile(r"https://mfa\..*/code/"), held.answer)
        yield held
        held.released.set()


async def while_held(
    held: HeldBandwidth, work: Awaitable[Any], meanwhile: Callable[[], Any]
) -> Any:
    """Run ``work``, and ``meanwhile`` during its call to Bandwidth. Return the result of ``work``.

    Bandwidth answers only after ``meanwhile`` is done.  If ``meanwhile`` waits for that answer, the
    call gives up, and the test fails.
    """
    task = asyncio.ensure_future(work)
    await held.until_entered()
    await meanwhile()
    held.released.set()
    result = await task
    assert not held.gave_up
    return result


async def count_users() -> int:
    """Make a query in the thread in which Django uses the database."""
    count: int = await get_user_model().objects.acount()
    return count


# The event loop ----------------------------------------------------------------------------------


def test_the_loop_and_the_database_thread_are_free_while_a_code_is_sent(
    user: Any, held: Any
) -> None:
    """Fails when ``asend_code`` calls ``send_code``, and when it does so in ``sync_to_async``."""
    challenge = async_to_sync(while_held)(held, service.asend_code(user), count_users)
    assert challenge.provider_id == "m"
    assert Challenge.objects.get().sent_at == challenge.sent_at


def test_the_loop_and_the_database_thread_are_free_while_a_code_is_verified(
    user: Any, held: Any
) -> None:
    """Fails when ``averify_code`` calls ``verify_code``, in ``sync_to_async`` or not."""
    challenge = a_challenge(user, held)
    verify = service.averify_code(challenge, CODE)
    assert async_to_sync(while_held)(held, verify, count_users).passed
    assert Challenge.objects.get().passed_at is not None


def test_the_backend_authenticates_in_an_event_loop(user: Any, held: Any, settings: Any) -> None:
    """Fails when the backend has no own ``aauthenticate``: Django's default finds no user name."""
    settings.AUTHENTICATION_BACKENDS = ["django_bandwidth_mfa.backends.BandwidthMFABackend"]
    challenge = a_challenge(user, held)
    authenticate = aauthenticate(None, challenge=challenge, token=CODE)
    assert async_to_sync(while_held)(held, authenticate, count_users) == user


@pytest.mark.parametrize("address", ["send", "verify"])
def test_the_api_does_not_block_other_requests(user: Any, held: Any, address: str) -> None:
    """Fails when the views of the API are not coroutines: each of them would block the thread that
    all thread-sensitive code of a process shares."""
    body = {}
    if address == "verify":
        a_challenge(user, held)
        body = {"code": CODE}
    headers = {"Authorization": f"MFA-Ticket {ask_ticket(user).json()['ticket']}"}
    client = AsyncClient()
    asking = client.post(API + address, body, content_type="application/json", headers=headers)

    async def another() -> None:
        assert (await AsyncClient().get("/accounts/login/")).status_code == 200

    assert async_to_sync(while_held)(held, asking, another).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_send_stays_counted_after_its_client_has_disconnected(
    user: Any, held: Any, configure: Any
) -> None:
    """The event loop is not blocked, and the sent code stays counted."""
    configure(SEND_LIMITS={"user": "1/h"})
    ticket = ask_ticket(user).json()["ticket"]

    async def leave() -> None:
        scope = {
            "type": "http",
            "method": "POST",
            "path": API + "send",
            "query_string": b"",
            "headers": [
                (b"content-type", b"application/json"),
                (b"authorization", f"MFA-Ticket {ticket}".encode()),
                (b"host", b"testserver"),
            ],
        }
        browser = ApplicationCommunicator(get_asgi_application(), scope)
        await browser.send_input({"type": "http.request", "body": b"{}"})
        await held.until_entered()
        await browser.send_input({"type": "http.disconnect"})
        for _ in range(100):
            await asyncio.sleep(0)
        assert not held.gave_up
        held.released.set()
        await browser.wait(PATIENCE)

    async_to_sync(leave)()
    assert not held.gave_up
    assert Challenge.objects.get().failure == ""
    with pytest.raises(Limited):
        service.send_code(user)


# Inside the call ---------------------------------------------------------------------------------


def test_the_call_has_the_language_and_the_time_zone_of_its_caller(user: Any, held: Any) -> None:
    """Fails when the pool runs the call without the context of its caller."""
    held.look = lambda: (translation.get_language(), timezone.get_current_timezone_name())
    held.released.set()

    async def send() -> None:
        with translation.override("de"), timezone.override("Asia/Tokyo"):
            await service.asend_code(user)
            assert translation.get_language() == "de"

    async_to_sync(send)()
    assert held.seen == [("de", "Asia/Tokyo")]


def test_no_transaction_is_open_and_the_call_has_no_connection(user: Any, held: Any) -> None:
    """Fails when the call is made in the thread of the database."""
    main = connection
    held.look = lambda: connection.connection
    in_blocks: list[bool] = []

    async def look() -> None:
        in_blocks.append(await sync_to_async(lambda: bool(main.savepoint_ids))())

    async_to_sync(while_held)(held, service.asend_code(user), look)
    assert in_blocks == [False]
    assert held.seen == [None]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_of_the_caller_is_refused(user: Any, held: Any) -> None:
    async def send() -> None:
        await service.asend_code(user)

    with transaction.atomic(), pytest.raises(RuntimeError):
        async_to_sync(send)()
    assert not held.entered.is_set()


def test_calls_without_a_free_place_are_refused_and_not_counted(
    user: Any, held: Any, configure: Any
) -> None:
    """Fails when calls can wait for a thread of the pool for ever."""
    configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=0, SEND_LIMITS={"user": "1/h"})
    bob = make_user("bob", "+12025550143")

    async def two() -> None:
        async def bobs() -> None:
            with pytest.raises(Busy):
                await service.asend_code(bob)

        await while_held(held, service.asend_code(user), bobs)
        await service.asend_code(bob)  # not Limited

    async_to_sync(two)()


def test_a_call_that_checks_a_code_goes_before_a_send_that_waits(
    user: Any, held: Any, configure: Any
) -> None:
    """Fails when the pool refuses a call before the queue can start it first."""
    configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=1, WAIT_SECONDS=PATIENCE)
    challenge = a_challenge(user, held)
    bob, eve = make_user("bob", "+12025550143"), make_user("eve", "+12025550144")

    async def check_while_a_send_waits() -> Any:
        sends: list[asyncio.Task[Any]] = []
        checks: list[asyncio.Task[Any]] = []

        async def fill_the_queue() -> None:
            sends.append(asyncio.ensure_future(service.asend_code(eve)))
            guard = provider.breaker()._state.get()
            while not guard.waiting:
                await asyncio.sleep(0.01)
            checks.append(asyncio.ensure_future(service.averify_code(challenge, CODE)))
            with pytest.raises(Busy):
                await sends[0]

        await while_held(held, service.asend_code(bob), fill_the_queue)
        return await checks[0]

    assert async_to_sync(check_while_a_send_waits)().passed


def test_an_error_of_bandwidth_reaches_the_caller(user: Any, bandwidth: Any) -> None:
    bandwidth.fault(on="messaging", status=500, times=1)
    with pytest.raises(ProviderUnavailable):
        async_to_sync(service.asend_code)(user)
    async_to_sync(service.asend_code)(user)


# Cancelling --------------------------------------------------------------------------------------


def test_a_call_that_has_begun_stays_counted_after_its_caller_is_cancelled(
    user: Any, held: Any, configure: Any
) -> None:
    """Fails when a cancelled send is not counted: a script that disconnects in time could send
    codes without limit."""
    configure(SEND_LIMITS={"user": "1/h"})

    async def go() -> None:
        task = asyncio.ensure_future(service.asend_code(user))
        await held.until_entered()
        task.cancel()
        await count_users()
        assert not task.done()  # the code waits for the answer
        held.released.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(go)()
    assert Challenge.objects.get().failure == ""
    with pytest.raises(Limited):
        service.send_code(user)


def test_a_cancelled_call_that_has_not_begun_is_not_made_and_not_counted(
    user: Any, held: Any, configure: Any
) -> None:
    """Fails when the call is made anyway, and when it stays counted."""
    configure(SEND_LIMITS={"user": "1/h"})
    async_to_sync(cancel_at)("INSERT INTO", Challenge, service.asend_code(user))
    assert not held.entered.is_set()
    assert Challenge.objects.get().failure == "CancelledError"
    held.released.set()
    service.send_code(user)  # not Limited


def test_a_try_that_was_not_made_is_not_counted(user: Any, held: Any) -> None:
    """Fails when a cancelled try stays counted."""
    challenge = a_challenge(user, held)
    async_to_sync(cancel_at)("UPDATE", Challenge, service.averify_code(challenge, CODE))
    assert not held.entered.is_set()
    assert Challenge.objects.get().tries == 0
    assert SecondFactor.objects.get().failures == 0


def test_a_right_code_is_used_up_although_its_caller_is_cancelled(user: Any, held: Any) -> None:
    challenge = a_challenge(user, held)

    async def go() -> None:
        task = asyncio.ensure_future(service.averify_code(challenge, CODE))
        await held.until_entered()
        task.cancel()
        held.released.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(go)()
    assert Challenge.objects.get().passed_at is not None


# The other functions -----------------------------------------------------------------------------


def test_the_other_async_functions_do_the_same_as_the_sync_ones(user: Any, bandwidth: Any) -> None:
    async def all_of_them() -> None:
        assert await service.ahas_phone(user)
        [code, *_others] = await sync_to_async(give_recovery_codes)(user, 2)
        assert (await service.ause_recovery_code(user, code)).method == "recovery_code"
        assert not (await service.ause_recovery_code(user, code)).passed
        assert await service.aissue_recovery_codes(user)
        await service.arequire_new_code(user)
        await service.aend_sessions(user)

    async_to_sync(all_of_them)()
    row = SecondFactor.objects.get()
    assert row.verified_since is not None
    assert row.signed_in_since is not None


def a_challenge(user: Any, held: Any) -> Challenge:
    """Return the challenge of a sent code. Bandwidth holds the next call."""
    held.released.set()
    challenge = service.send_code(user)
    held.released.clear()
    held.entered.clear()
    return challenge


async def cancel_at(verb: str, model: Any, work: Awaitable[Any]) -> None:
    """Run ``work``, and cancel it during a statement on the table of ``model``."""
    loop = asyncio.get_running_loop()

    async def cancel() -> None:
        task.cancel()
        for _ in range(10):  # until each inner coroutine is cancelled
            await asyncio.sleep(0)

    def execute(run: Any, sql: str, *args: Any) -> Any:
        if sql.startswith(verb) and model._meta.db_table in sql and not task.cancelling():
            asyncio.run_coroutine_threadsafe(cancel(), loop).result(PATIENCE)
        return run(sql, *args)

    # Each thread has its own connection. So this reads it in that thread, before the work begins.
    wrappers = await sync_to_async(lambda: connection.execute_wrappers)()
    wrappers.append(execute)
    task = asyncio.ensure_future(work)
    try:
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        wrappers.remove(execute)
