"""Parking, marking, judging again: each login door is shut until the code."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from django_bandwidth_mfa import signals
from django_bandwidth_mfa.internal.login.first_factor import settle_login
from django_bandwidth_mfa.internal.login.mark import MARK, outlive, read_mark
from django_bandwidth_mfa.internal.login.parking import AUTH_KEYS, PARKED, park
from django_bandwidth_mfa.internal.login.recheck import is_settled, recheck
from django_bandwidth_mfa.models import Phone, SecondFactor
from django_bandwidth_mfa.request import RequestMFA
from django_bandwidth_mfa.verification import Verification

from .browsing import assert_shut, give_password, sign_in, state
from .conftest import NUMBER, PASSWORD, make_user

REMOTE_USER = [
    *django_settings.MIDDLEWARE[:4],
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    *django_settings.MIDDLEWARE[4:],
]
REMOTE_USER_LATE = [
    *django_settings.MIDDLEWARE,
    "django.contrib.auth.middleware.RemoteUserMiddleware",
]
REMOTE_BACKEND = ["django.contrib.auth.backends.RemoteUserBackend"]


# The doors -----------------------------------------------------------------------------------


@pytest.mark.attack("P1")
def test_the_stock_login_page_leads_to_the_code_and_then_to_next(
    client: Client, user: Any, bandwidth: Any
) -> None:
    answer = give_password(client, user, "/account/?tab=1")
    assert (answer.status_code, answer["Location"]) == (302, "/mfa/verify/")
    assert_shut(client)
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert (answer.status_code, answer["Location"]) == (302, "/account/?tab=1")
    assert client.get("/account/").content == b"account of ada"
    assert client.get("/whoami/").json()["method"] == "sms"


@pytest.mark.attack("P2")
def test_the_admins_login_is_shut_until_the_code(client: Client, bandwidth: Any, db: None) -> None:
    make_user("root", NUMBER, is_staff=True, is_superuser=True)
    answer = client.post(
        "/admin/login/?next=/admin/", {"username": "root", "password": PASSWORD, "next": "/admin/"}
    )
    assert answer["Location"] == "/mfa/verify/"
    assert_shut(client)
    # The admin sends the visitor to its login page; that leads on to the code.
    answer = client.get("/admin/auth/user/", follow=True)
    assert answer.redirect_chain[-1][0] == "/mfa/verify/"
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/admin/auth/user/"
    assert client.get("/admin/").status_code == 200


@pytest.mark.attack("P3")
def test_a_password_reset_that_logs_in_is_shut_until_the_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    link = f"/reset/{uid}/{default_token_generator.make_token(user)}/"
    form = client.get(link, follow=True).redirect_chain[-1][0]
    answer = client.post(form, {"new_password1": "n3w-horse-x", "new_password2": "n3w-horse-x"})
    assert answer["Location"] == "/mfa/verify/"
    assert_shut(client)
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/account/"
    assert state(client) == "verified"


@pytest.mark.attack("P4")
def test_allauths_login_is_shut_until_the_code(client: Client, user: Any, bandwidth: Any) -> None:
    answer = client.post("/allauth/login/", {"login": "ada", "password": PASSWORD})
    assert answer["Location"] == "/mfa/verify/"
    assert_shut(client)
    client.get("/mfa/verify/")
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert client.get("/account/").status_code == 200


@pytest.mark.attack("P5")
@pytest.mark.parametrize("middleware", [REMOTE_USER, REMOTE_USER_LATE], ids=["before", "after"])
def test_remote_user_is_shut_on_every_request_until_the_code(
    user: Any, bandwidth: Any, settings: Any, middleware: list[str]
) -> None:
    settings.MIDDLEWARE = middleware
    settings.AUTHENTICATION_BACKENDS = REMOTE_BACKEND
    client = Client(REMOTE_USER="ada")
    for _ in range(3):
        answer = client.get("/account/")
        assert answer.status_code == 302
        assert answer["Location"] == "/accounts/login/?next=/account/"
        assert client.get("/").status_code == 200
        assert client.get("/whoami/").json()["state"] == "parked"
    assert bandwidth.inbox == []
    answer = client.get("/account/", follow=True)
    assert answer.redirect_chain[-1][0] == "/mfa/verify/"
    assert len(bandwidth.inbox) == 1
    client.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/account/"
    assert client.get("/account/").status_code == 200
    assert client.get("/account/").status_code == 200
    # Another browser, at the same time, is shut as well.
    assert Client(REMOTE_USER="ada").get("/account/").status_code == 302


def test_login_required_middleware_lets_the_code_page_and_nothing_else_be_seen(
    client: Client, user: Any, bandwidth: Any, settings: Any
) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    give_password(client, user)
    assert_shut(client)
    assert client.get("/mfa/verify/").status_code == 200
    assert client.get("/verified/").status_code == 302
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert client.get("/account/").status_code == 200


def test_force_login_is_a_first_factor_only(client: Client, user: Any) -> None:
    client.force_login(user)
    assert_shut(client)


def test_login_without_backend_works_while_ours_is_not_listed(
    client: Client, newcomer: Any
) -> None:
    client.force_login(newcomer)
    assert state(client) == "exempt"


def test_a_listed_backend_authenticates_by_challenge_and_token(
    user: Any, bandwidth: Any, settings: Any, transactional_db: None
) -> None:
    from django.contrib.auth import authenticate

    from django_bandwidth_mfa.service import send_code

    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "django_bandwidth_mfa.backends.BandwidthMFABackend",
    ]
    user = make_user("listed", NUMBER)
    challenge = send_code(user)
    found = authenticate(None, challenge=challenge, token=bandwidth.inbox[0]["code"])
    assert found == user
    assert authenticate(None, username="listed", password="no") is None


async def _login_async(user: Any) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(user)
    return client


@pytest.mark.attack("P6")
def test_an_async_login_is_parked_and_async_views_see_nobody(user: Any) -> None:
    from asgiref.sync import async_to_sync

    async def visit() -> Any:
        client = await _login_async(user)
        return (await client.get("/awhoami/")).json(), (await client.get("/atransfer/")).status_code

    who, status = async_to_sync(visit)()
    assert who == {"user": "AnonymousUser", "state": "parked"}
    assert status == 302


# What a parked session holds -----------------------------------------------------------------


@pytest.mark.attack("T13")
def test_a_parked_session_holds_no_password_no_code_and_no_number(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user)
    client.get("/mfa/verify/")
    client.post("/mfa/verify/", {"code": "12345"})
    held = json.dumps(dict(client.session))
    for secret in (PASSWORD, bandwidth.inbox[0]["code"], NUMBER, NUMBER[2:]):
        assert secret not in held


@pytest.mark.attack("P34", "P35")
def test_the_session_key_changes_at_the_password_and_at_the_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the session is marked as verified without ``login`` or ``cycle_key``."""
    session = client.session
    session["basket"] = "planted"
    session.save()
    client.cookies["sessionid"] = planted = session.session_key
    give_password(client, user)
    client.get("/mfa/verify/")
    parked = client.session.session_key
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"
    assert len({planted, parked, client.session.session_key}) == 3
    old = Client()
    old.cookies["sessionid"] = parked
    assert state(old) == "anonymous"


@pytest.mark.attack("P29")
def test_a_second_user_over_the_firsts_parked_login_starts_empty(
    client: Client, user: Any, newcomer: Any, bandwidth: Any
) -> None:
    """Fails when the session is not flushed: the basket of the first reaches the second."""
    session = client.session
    give_password(client, user, "/account/?of=ada")
    session = client.session
    session["basket"] = "ada's"
    session.save()
    give_password(client, newcomer)
    assert client.get("/whoami/").json()["user"] == "newcomer"
    assert "basket" not in client.session
    assert PARKED not in client.session


@pytest.mark.attack("P29")
def test_a_second_parked_user_takes_nothing_over(client: Client, user: Any, bandwidth: Any) -> None:
    bob = make_user("bob", "+12025550188")
    give_password(client, user, "/account/?of=ada")
    give_password(client, bob)
    assert client.get("/whoami/").json()["pending"] == "bob"
    client.get("/mfa/verify/")
    assert [message["to"] for message in bandwidth.inbox] == ["+12025550188"]


@pytest.mark.attack("S2")
def test_another_right_password_sends_nothing_again(
    client: Client, user: Any, bandwidth: Any
) -> None:
    for _ in range(4):
        give_password(client, user)
        client.get("/mfa/verify/")
        client.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1


def test_a_login_in_another_browser_adopts_the_code_that_just_came(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user)
    client.get("/mfa/verify/")
    other = Client()
    give_password(other, user)
    other.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1
    answer = other.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer.status_code == 302
    assert state(other) == "verified"


# The end of a parked login --------------------------------------------------------------------


@pytest.mark.attack("P30")
def test_a_parked_login_ends_after_login_seconds(client: Client, user: Any, bandwidth: Any) -> None:
    """Fails when the age of a parked login (``at``) is not looked at."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        client.get("/mfa/verify/")
        clock.shift(601)
        answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        assert answer["Location"].startswith("/accounts/login/")
        assert state(client) == "anonymous"


@pytest.mark.attack("P31")
@pytest.mark.parametrize("change", ["password", "inactive", "removed"])
def test_what_happens_to_the_user_ends_the_parked_login(
    client: Client, user: Any, bandwidth: Any, change: str
) -> None:
    """Fails when no session hash is compared, so that the old password still counts."""
    give_password(client, user)
    client.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    if change == "password":
        user.set_password("another")
        user.save()
    elif change == "inactive":
        user.is_active = False
        user.save()
    else:
        user.delete()
    client.post("/mfa/verify/", {"code": code})
    assert client.get("/whoami/").json()["user"] == "AnonymousUser"
    assert state(client) == "anonymous"
    assert PARKED not in client.session


@pytest.mark.parametrize("backend_user", ["the parked one", "another"])
def test_a_user_whom_a_middleware_set_is_nobody_only_while_that_user_is_parked(
    client: Client, user: Any, bandwidth: Any, backend_user: str
) -> None:
    """Fails when the two users are not compared: either would be let in, or both be shut out."""
    give_password(client, user)
    session = client.session
    someone = user if backend_user == "the parked one" else make_user("bob", "+12025550188")
    judged = recheck(session, someone, None)
    assert judged.is_anonymous is (someone is user)


def test_an_exempt_session_that_is_asked_each_time_is_not_written_each_time(
    client: Client, newcomer: Any, configure: Any
) -> None:
    configure(RECHECK_SECONDS=0)
    give_password(client, newcomer)
    before = dict(client.session.items())
    assert state(client) == "exempt"
    assert dict(client.session.items()) == before
    configure(RECHECK_SECONDS=300)
    with time_machine.travel(before[MARK]["checked"] + 1000, tick=False):
        assert state(client) == "exempt"
        assert client.session[MARK]["checked"] > before[MARK]["checked"]


def test_a_parked_login_ends_to_the_second(client: Client, user: Any, bandwidth: Any) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        clock.shift(599)
        assert state(client) == "parked"
        clock.shift(1)
        assert state(client) == "anonymous"


def test_a_parked_login_from_the_future_is_none(client: Client, user: Any, bandwidth: Any) -> None:
    """Fails when only its end is looked at: a clock that was set back would keep it for ever."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        clock.shift(-1)
        assert state(client) == "anonymous"


@pytest.mark.parametrize("first", ["ada", "bob"])
def test_whoever_comes_second_gets_nothing_of_the_first(
    client: Client, user: Any, bandwidth: Any, first: str
) -> None:
    """In both orders of their keys."""
    both = {"ada": user, "bob": make_user("bob", "+12025550188")}
    second = next(name for name in both if name != first)
    give_password(client, both[first])
    session = client.session
    session["basket"] = first
    session.save()
    give_password(client, both[second])
    assert client.get("/whoami/").json()["pending"] == second
    assert "basket" not in client.session


def test_cancel_forgets_the_parked_login(client: Client, user: Any, bandwidth: Any) -> None:
    give_password(client, user)
    assert client.get("/mfa/cancel/").status_code == 405
    assert client.post("/mfa/cancel/")["Location"] == "/accounts/login/"
    assert client.get("/accounts/login/").status_code == 200
    assert PARKED not in client.session


# The mark -------------------------------------------------------------------------------------


@pytest.mark.attack("P29")
def test_the_mark_is_void_for_another_user(client: Client, user: Any, bandwidth: Any) -> None:
    """Fails when the user of the mark is not compared."""
    sign_in(client, user, bandwidth)
    bob = make_user("bob", "+12025550188")
    session = client.session
    session["_auth_user_id"] = str(bob.pk)
    session["_auth_user_hash"] = bob.get_session_auth_hash()
    session.save()
    assert client.get("/account/").status_code == 302
    assert state(client) == "parked"


def test_the_mark_survives_the_users_own_password_change(
    client: Client, user: Any, bandwidth: Any, rf: Any
) -> None:
    from django.contrib.auth import update_session_auth_hash

    sign_in(client, user, bandwidth)
    user.set_password("another")
    user.save()
    request = rf.get("/")
    request.session, request.user = client.session, user
    update_session_auth_hash(request, user)
    request.session.save()
    client.cookies["sessionid"] = request.session.session_key
    assert state(client) == "verified"


@pytest.mark.attack("P7")
def test_a_session_from_before_the_app_is_judged_when_the_user_is_looked_at(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in(client, user, bandwidth)
    session = client.session
    del session[MARK]
    session.save()
    assert client.get("/").status_code == 200
    assert "_auth_user_id" in client.session
    assert client.get("/account/").status_code == 302
    assert_shut(client)
    answer = client.get("/account/", follow=True)
    assert answer.redirect_chain[-1][0] == "/mfa/verify/"


def test_an_exempt_session_is_asked_again_after_recheck_seconds(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, newcomer)
        Phone.objects.create(
            user=newcomer, number=NUMBER, is_primary=True, confirmed_at="2026-01-01T00:00:00Z"
        )
        clock.shift(299)
        assert client.get("/account/").status_code == 200
        clock.shift(2)
        assert client.get("/account/").status_code == 302
        assert state(client) == "parked"


@pytest.mark.attack("P32")
def test_removing_the_phone_ends_the_verified_state_within_recheck_seconds(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="all")
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        sign_in(client, user, bandwidth)
        Phone.objects.all().delete()
        assert state(client) == "verified"
        clock.shift(301)
        assert state(client) == "parked"


def test_recheck_seconds_of_zero_asks_each_time(
    client: Client, newcomer: Any, configure: Any, bandwidth: Any
) -> None:
    configure(RECHECK_SECONDS=0)
    give_password(client, newcomer)
    assert client.get("/account/").status_code == 200
    Phone.objects.create(
        user=newcomer, number=NUMBER, is_primary=True, confirmed_at="2026-01-01T00:00:00Z"
    )
    assert client.get("/account/").status_code == 302


# Who owes a code ------------------------------------------------------------------------------


def only_ada(request: HttpRequest, user: Any) -> bool:
    # A site's policy may look at request.user; it must not recurse.
    if hasattr(request, "user"):
        assert request.user == user
    return bool(user.get_username() == "ada")


@pytest.mark.parametrize(
    ("required", "enrolled", "plain", "staff"),
    [
        ("enrolled", "parked", "exempt", "exempt"),
        ("staff", "parked", "exempt", "parked"),
        ("all", "parked", "parked", "parked"),
        ("never", "exempt", "exempt", "exempt"),
        ("tests.test_sessions.only_ada", "parked", "exempt", "exempt"),
    ],
)
def test_required_says_who_owes_a_code(
    required: str,
    enrolled: str,
    plain: str,
    staff: str,
    configure: Any,
    user: Any,
    newcomer: Any,
    bandwidth: Any,
) -> None:
    configure(REQUIRED=required)
    clerk = make_user("clerk", is_staff=True)
    for someone, expected in ((user, enrolled), (newcomer, plain), (clerk, staff)):
        client = Client()
        client.force_login(someone)
        assert state(client) == expected, someone


def numbers_of(user: Any) -> list[str]:
    return [NUMBER] if user.get_username() == "newcomer" else []


def test_get_phones_takes_the_place_of_the_apps_own_table(
    client: Client, newcomer: Any, configure: Any, bandwidth: Any
) -> None:
    configure(GET_PHONES="tests.test_sessions.numbers_of")
    assert sign_in(client, newcomer, bandwidth).status_code == 302
    assert state(client) == "verified"
    assert NUMBER[2:] not in json.dumps(dict(client.session))


def test_where_the_site_keeps_the_numbers_and_has_none_the_page_says_whom_to_ask(
    client: Client, user: Any, configure: Any, bandwidth: Any
) -> None:
    configure(GET_PHONES="tests.test_sessions.numbers_of", REQUIRED="all")
    give_password(client, user)
    answer = client.get("/mfa/verify/", follow=True)
    assert answer.status_code == 403
    assert b"ask the people who run this site" in answer.content
    assert b"Use a different account" in answer.content
    assert client.post("/mfa/phones/add/", {"number": NUMBER}).status_code == 403
    assert state(client) == "parked"


# What it costs --------------------------------------------------------------------------------


def test_a_verified_request_costs_no_query_more_than_session_and_user(
    client: Client, user: Any, bandwidth: Any, django_assert_num_queries: Any
) -> None:
    sign_in(client, user, bandwidth)
    in_database = django_settings.SESSION_ENGINE == "django.contrib.sessions.backends.db"
    session_and_user = 2 if in_database else 1
    with django_assert_num_queries(session_and_user):
        assert client.get("/account/").status_code == 200
    with django_assert_num_queries(session_and_user):
        assert client.get("/transfer/").status_code == 200
    with django_assert_num_queries(0):
        assert client.get("/").status_code == 200


def test_login_completed_is_sent_once_per_login(
    client: Client, user: Any, newcomer: Any, bandwidth: Any
) -> None:
    from django_bandwidth_mfa.signals import login_completed

    heard: list[tuple[str, str | None]] = []

    def hear(user: Any, method: str | None, **kwargs: Any) -> None:
        heard.append((user.get_username(), method))

    login_completed.connect(hear)
    try:
        sign_in(client, user, bandwidth)
        give_password(Client(), newcomer)
    finally:
        login_completed.disconnect(hear)
    assert heard == [("ada", "sms"), ("newcomer", None)]


def test_a_login_that_wrote_no_session_is_left_alone(user: Any, rf: Any) -> None:
    from django.contrib.auth.signals import user_logged_in

    request = rf.get("/")
    user_logged_in.send(type(user), request=request, user=user)
    user_logged_in.send(type(user), request=None, user=user)
    assert not hasattr(request, "session")


@pytest.mark.attack("P8")
def test_an_answer_that_is_no_redirect_passes_through(user: Any, rf: Any, client: Client) -> None:
    from django.contrib.auth import login

    from django_bandwidth_mfa.middleware import BandwidthMFAMiddleware

    def view(request: HttpRequest) -> HttpResponse:
        login(request, user)
        assert request.user == user
        return HttpResponse("welcome")

    request = rf.post("/api/login/")
    request.session, request.user, request.auser = client.session, AnonymousUser(), None
    answer = BandwidthMFAMiddleware(view)(request)
    assert answer.content == b"welcome"  # type: ignore[union-attr]
    assert not request.user.is_authenticated
    assert not set(AUTH_KEYS) & set(request.session.keys())


def test_the_user_model_is_the_sites(user: Any) -> None:
    assert isinstance(user, get_user_model())


# What a session says, to the second and for nobody else ----------------------------------------


def session_of(user: Any, mark: dict[str, Any] | None = None) -> Any:
    """A logged-in session, unsaved: verified but for what ``mark`` says, or without a mark."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    if mark is not None:
        now = time.time()
        session[MARK] = {"user": str(user.pk), "at": now, "checked": now, "state": "verified"}
        session[MARK] |= {"method": None, "phone": None} | mark
    return session


def request_with(rf: Any, session: Any, user: Any) -> Any:
    request = rf.get("/")
    request.session, request.user = session, user
    request.mfa = RequestMFA(request)
    return request


@pytest.fixture
def three(db: None) -> list[Any]:
    """Users whose keys are in this order as numbers and as texts."""
    return [make_user(name, f"+1202555016{n}") for n, name in enumerate(("ada", "bob", "eve"))]


@pytest.mark.parametrize("whose", [0, 1, 2])
def test_a_mark_is_its_own_users_only(three: list[Any], whose: int) -> None:
    session = session_of(three[1], {"user": str(three[whose].pk)})
    assert (read_mark(session, three[1]) is not None) is (whose == 1)


@pytest.mark.parametrize("whose", [0, 1, 2])
def test_a_parked_session_makes_nobody_of_its_own_user_only(three: list[Any], whose: int) -> None:
    session = session_of(three[1])
    park(session)
    judged = recheck(session, three[whose], None)
    assert judged.is_anonymous is (whose == 1)


@pytest.mark.parametrize("whose", [0, 1, 2])
def test_a_verification_lets_in_its_own_user_only(three: list[Any], rf: Any, whose: int) -> None:
    """Fails when a login does not look at whose verification it is."""
    user = three[1]
    user.mfa_verification = Verification(three[whose], "sms", verified_at=timezone.now())
    session = session_of(user)
    request = request_with(rf, session, user)
    settle_login(None, request, user)
    assert (MARK in session) is (whose == 1)
    assert (PARKED in session) is (whose != 1)


@pytest.mark.parametrize("method", ["sms", "voice", "recovery_code", "trusted_browser"])
def test_max_age_takes_every_method_but_a_trusted_browser(user: Any, rf: Any, method: str) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        mfa = request_with(rf, session_of(user, {"method": method}), user).mfa
        assert mfa.is_verified()
        assert mfa.is_verified(60) is (method != "trusted_browser")
        clock.shift(59)
        assert mfa.is_verified(60) is (method != "trusted_browser")
        clock.shift(1)
        assert not mfa.is_verified(60)
        clock.shift(-61)
        assert not mfa.is_verified(60)
        assert mfa.is_verified()


@pytest.mark.parametrize("state", ["verified", "exempt"])
def test_a_mark_is_asked_about_again_when_its_seconds_are_over(user: Any, state: str) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        session = session_of(user, {"state": state})
        assert is_settled(session, user)
        clock.shift(299)
        assert is_settled(session, user)
        clock.shift(1)
        assert not is_settled(session, user)
        clock.shift(-301)
        assert not is_settled(session, user)


def test_asked_each_time_a_verified_session_is_not_written_each_time(
    user: Any, configure: Any
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        session = session_of(user, {})
        before = dict(session[MARK])
        clock.shift(1000)
        configure(RECHECK_SECONDS=0)
        assert recheck(session, user, None) is user
        assert session[MARK] == before
        configure(RECHECK_SECONDS=300)
        assert recheck(session, user, None) is user
        assert session[MARK].items() >= (before | {"checked": time.time()}).items()


def test_a_password_given_again_in_a_verified_session_asks_for_no_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in(client, user, bandwidth)
    give_password(client, user)
    assert state(client) == "verified"
    assert len(bandwidth.inbox) == 1


def test_a_password_given_again_in_an_exempt_session_asks_anew(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    give_password(client, newcomer)
    assert state(client) == "exempt"
    Phone.objects.create(user=newcomer, number=NUMBER, confirmed_at=timezone.now())
    give_password(client, newcomer)
    assert state(client) == "parked"


def test_a_view_that_asks_for_any_code_opens_once_one_passed(
    client: Client, user: Any, bandwidth: Any
) -> None:
    assert client.get("/verified/").status_code == 302
    sign_in(client, user, bandwidth)
    assert client.get("/verified/").content == b"verified"


@pytest.mark.parametrize("changed", [False, True])
def test_the_password_again_owes_no_second_send_unless_it_is_another_password(
    client: Client, user: Any, bandwidth: Any, configure: Any, changed: bool
) -> None:
    """Fails when a parked login that is parked again begins anew: a login would send each time."""
    configure(RESEND_COOLDOWN=[0])
    bandwidth.fault(on="messaging", status=500)
    give_password(client, user)
    client.get("/mfa/verify/")
    asked = len(bandwidth.requests)
    if changed:
        user.password = make_password(PASSWORD)
        user.save()
    give_password(client, user)
    client.get("/mfa/verify/")
    assert len(bandwidth.requests) == asked + changed


def test_a_deactivated_user_is_refused_whatever_the_backend_says(
    client: Client, user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when only the backend looks at ``is_active``: this one does not."""
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    give_password(client, user)
    client.get("/mfa/verify/")
    user.is_active = False
    user.save()
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "anonymous"


def test_a_password_changed_while_bandwidth_answers_lets_nobody_in(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the user as loaded before the request to Bandwidth is trusted after it."""

    def change(challenge: Any, **kwargs: Any) -> None:
        user.set_password("another")
        user.save()

    give_password(client, user)
    client.get("/mfa/verify/")
    signals.code_verified.connect(change)
    try:
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    finally:
        signals.code_verified.disconnect(change)
    assert state(client) == "anonymous"


@pytest.mark.parametrize("record", [{"user": "x"}, {"user": ""}, {"backend": "no.Such"}, {"at": 0}])
def test_a_parked_record_that_makes_no_sense_is_none(
    client: Client, user: Any, bandwidth: Any, record: dict[str, Any]
) -> None:
    give_password(client, user)
    session = client.session
    session[PARKED] |= record
    session.save()
    assert client.get("/mfa/verify/").status_code == 302
    assert state(client) == "anonymous"


@pytest.mark.parametrize("moment", ["verified_since", "signed_in_since"])
def test_a_session_that_was_ended_does_not_outlive_another_end(user: Any, moment: str) -> None:
    """Fails when a session is kept without a look at what held before: two sessions that end each
    other at the same moment would both stay."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        session = session_of(user, {})
        clock.shift(1)
        before = dict(session[MARK])
        outlive(session, user, SecondFactor(**{moment: timezone.now()}))
        assert session[MARK] == before
        outlive(session, user, SecondFactor())
        assert session[MARK]["kept"] == time.time()
