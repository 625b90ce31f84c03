"""Staff who act on behalf of a user: the user gets no code, and staff keep their own login."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model, login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient, Client
from django.urls import path, reverse
from django.utils import timezone

from django_bandwidth_mfa import service
from django_bandwidth_mfa.internal.login.mark import MARK
from django_bandwidth_mfa.internal.login.on_behalf import ON_BEHALF
from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.request import login_on_behalf
from tests import urls
from tests.browsing import give_password, let_in, sign_in, state
from tests.conftest import PASSWORD, make_user

pytestmark = pytest.mark.urls(__name__)

BACKEND = "django.contrib.auth.backends.ModelBackend"
HERE = __name__


def act(request: HttpRequest, name: str) -> HttpResponse:
    with login_on_behalf(request):
        login(request, get_user_model().objects.get(username=name), backend=BACKEND)
    return HttpResponse("done")


def act_twice(request: HttpRequest, name: str) -> HttpResponse:
    with login_on_behalf(request):
        with login_on_behalf(request):
            pass
        login(request, get_user_model().objects.get(username=name), backend=BACKEND)
    return HttpResponse("done")


def try_to_act(request: HttpRequest, name: str) -> HttpResponse:
    try:
        act(request, name)
    except PermissionDenied:
        return HttpResponse(str(request.user))
    return HttpResponse("acts")


def who(request: Any) -> HttpResponse:
    user, mfa = str(request.user), request.mfa
    return JsonResponse({"user": user, "state": mfa.state, "is_on_behalf": mfa.is_on_behalf})


urlpatterns = [
    *urls.urlpatterns,
    path("act/<name>/", act),
    path("act-twice/<name>/", act_twice),
    path("try-to-act/<name>/", try_to_act),
    path("who/", who),
]


class SwapUser:
    """Changes the user of the request, as impersonation packages do that do not change the
    session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        name = request.headers.get("Swap")
        if name and request.user.is_authenticated:
            request.user = get_user_model().objects.get(username=name)
        return self.get_response(request)


@pytest.fixture
def staff(db: None) -> Any:
    return make_user("staff", "+12025550188")


@pytest.fixture
def seat(client: Client, staff: Any, bandwidth: Any) -> Client:
    """A browser in which ``staff`` is verified; no code was sent."""
    let_in(client, staff)
    return client


def state_of(client: Client, **headers: str) -> tuple[str, str, bool]:
    answer = client.get("/who/", headers=headers).json()
    return answer["user"], answer["state"], answer["is_on_behalf"]


@pytest.mark.attack("P39")
def test_the_user_is_sent_no_code_and_the_actor_comes_back_verified(
    client: Client, staff: Any, user: Any, bandwidth: Any
) -> None:
    """Fails when the receiver does not check whether the login is on behalf of a user: the session
    would be parked, and the user would get a code."""
    sign_in(client, staff, bandwidth)
    assert client.get("/act/ada/").content == b"done"
    assert state_of(client) == ("ada", "exempt", True)
    user.refresh_from_db()
    assert user.last_login is None
    assert client.get("/act/staff/").content == b"done"
    assert state_of(client) == ("staff", "verified", False)
    assert len(bandwidth.inbox) == 1


def test_from_one_user_to_the_next_the_way_back_is_the_same(
    seat: Client, user: Any, bandwidth: Any
) -> None:
    make_user("eve", "+12025550199")
    for name in ("ada", "eve", "ada"):
        seat.get(f"/act/{name}/")
        assert state_of(seat) == (name, "exempt", True)
    seat.get("/act/staff/")
    assert state_of(seat) == ("staff", "verified", False)
    assert bandwidth.inbox == []


PAGES = ("verify", "recovery_code", "phones", "phone_add", "phone_confirm", "recovery_codes")
BUTTONS = (
    *("verify", "send", "cancel", "phone_add"),
    *("recovery_codes", "recovery_codes_saved", "browsers", "sign_out_others"),
)


@pytest.mark.slow
@pytest.mark.attack("P39")
@pytest.mark.parametrize(
    ("method", "name"), [*(("get", name) for name in PAGES), *(("post", name) for name in BUTTONS)]
)
def test_the_pages_of_the_app_stay_shut(
    seat: Client, user: Any, bandwidth: Any, method: str, name: str
) -> None:
    """Fails when the pages do not check who acts: staff could add their own phone to the user's
    account."""
    seat.get("/act/ada/")
    answer = getattr(seat, method)(reverse(f"bandwidth_mfa:{name}"), {"number": "+12025550111"})
    assert answer.status_code == 403
    assert b"account of ada" in answer.content
    assert bandwidth.inbox == []
    assert Phone.objects.filter(user=user).count() == 1


@pytest.mark.attack("P39")
@pytest.mark.parametrize("page", ["verified", "transfer", "atransfer", "class-transfer"])
def test_a_view_that_asks_for_a_code_is_refused_and_sends_none(
    seat: Client, user: Any, bandwidth: Any, page: str
) -> None:
    """Fails when the decorator accepts the second factor of staff as the user's second factor."""
    seat.get("/act/ada/")
    answer = seat.get(f"/{page}/")
    assert (answer.status_code, b"We sent them no code." in answer.content) == (403, True)
    assert bandwidth.inbox == []


def test_nobody_is_offered_a_phone_on_the_account_of_somebody_else(
    seat: Client, newcomer: Any
) -> None:
    seat.get("/act/newcomer/")
    assert seat.get("/suggesting/").content == b"suggesting"


def deactivate(staff: Any) -> None:
    type(staff).objects.filter(pk=staff.pk).update(is_active=False)


def change_password(staff: Any) -> None:
    staff.set_password("another one")
    staff.save()


def change_phone(staff: Any) -> None:
    Phone.objects.filter(user=staff).delete()
    now = timezone.now()
    Phone.objects.create(user=staff, number="+12025550155", is_primary=True, confirmed_at=now)


ENDINGS = [deactivate, change_password, change_phone, service.end_sessions]


@pytest.mark.attack("P39")
@pytest.mark.parametrize("end", [*ENDINGS, service.require_new_code])
def test_a_login_on_behalf_ends_with_the_actors_own(
    seat: Client, user: Any, staff: Any, end: Callable[[Any], None]
) -> None:
    """Fails when only the user's own rows are checked: a dismissed member of staff could
    continue."""
    with time_machine.travel(time.time() + 60, tick=False) as clock:
        seat.get("/act/ada/")
        end(staff)
        clock.shift(299)
        assert state_of(seat) == ("ada", "exempt", True)
        clock.shift(1)
        assert state_of(seat) == ("AnonymousUser", "anonymous", False)


@pytest.mark.attack("P39")
@pytest.mark.parametrize("end", ENDINGS)
def test_a_member_of_staff_whose_session_is_over_cannot_begin_to_act(
    seat: Client, user: Any, staff: Any, bandwidth: Any, end: Callable[[Any], None]
) -> None:
    """Fails when the only check is that the mark is younger than RECHECK_SECONDS."""
    assert state_of(seat) == ("staff", "verified", False)
    end(staff)
    assert seat.get("/act/ada/").status_code != 200
    assert state_of(seat)[0] == "AnonymousUser"
    assert bandwidth.inbox == []


def test_there_is_no_way_back_to_a_login_that_is_over(seat: Client, user: Any, staff: Any) -> None:
    seat.get("/act/ada/")
    change_phone(staff)
    assert seat.get("/act/staff/").status_code == 403
    assert state_of(seat) == ("AnonymousUser", "anonymous", False)


@pytest.mark.attack("P39")
def test_a_view_that_goes_on_after_the_refusal_finds_nobody(
    seat: Client, user: Any, staff: Any
) -> None:
    """Fails when the refusal does not change ``request.user``: the session of staff has ended."""
    end_before = state_of(seat)
    service.end_sessions(staff)
    answer = seat.get("/try-to-act/ada/")
    assert (end_before[0], answer.content) == ("staff", b"AnonymousUser")


def moody(request: HttpRequest | None, user: Any) -> bool:
    """Use a policy that raises an error after staff have signed in."""
    if user.get_username() == "newstaff" and user.last_name:
        raise Http404
    return False


@pytest.mark.attack("P39")
def test_a_policy_that_raises_lets_nobody_act(
    client: Client, newcomer: Any, configure: Any
) -> None:
    """Fails when Django's keys stay in the session after the error: the error response saves the
    session."""
    staff = make_user("newstaff")
    configure(REQUIRED=moody)
    give_password(client, staff)
    assert state_of(client)[0] == "newstaff"
    type(staff).objects.filter(pk=staff.pk).update(last_name="broken")
    assert client.get("/act/newcomer/").status_code == 404
    assert state_of(client)[0] != "newcomer"


@pytest.mark.attack("P39")
def test_a_record_that_cannot_be_read_opens_nothing(seat: Client, newcomer: Any) -> None:
    """Fails when such a session counts as the user's own. During a deployment, an old worker may be
    unable to read a record that a new worker wrote."""
    seat.get("/act/newcomer/")
    session = seat.session
    session[ON_BEHALF] |= {"a field of another release": 1}
    session.save()
    client = AsyncClient()
    client.cookies["sessionid"] = session.session_key
    answer = async_to_sync(client.get)("/awhoami/")
    assert answer.json() == {"user": "AnonymousUser", "state": "anonymous"}
    session.save(must_create=True)
    assert seat.get("/mfa/phones/add/").status_code == 302
    assert state_of(seat) == ("AnonymousUser", "anonymous", False)


def test_a_block_within_a_block_leaves_the_outer_one_as_it_was(
    seat: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the end of the inner block forgets who acts: the user would get a code."""
    assert seat.get("/act-twice/ada/").content == b"done"
    assert state_of(seat) == ("ada", "exempt", True)
    seat.get("/mfa/verify/")
    assert bandwidth.inbox == []


def test_the_user_ends_a_login_on_their_behalf_and_not_one_that_begins_later(
    seat: Client, user: Any
) -> None:
    with time_machine.travel(time.time() + 60, tick=False) as clock:
        service.end_sessions(user)
        clock.shift(10)
        seat.get("/act/ada/")
        clock.shift(300)
        assert state_of(seat) == ("ada", "exempt", True)
        service.end_sessions(user)
        clock.shift(300)
        assert state_of(seat) == ("AnonymousUser", "anonymous", False)


@pytest.mark.attack("P39")
def test_the_users_password_typed_in_that_session_owes_a_code(
    seat: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the record of the actor stays in the session after a login that is not on behalf
    of a user."""
    seat.get("/act/ada/")
    give_password(seat, user)
    assert state(seat) == "parked"
    seat.get("/mfa/verify/")
    seat.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state_of(seat) == ("ada", "verified", False)


@pytest.mark.attack("P39")
@pytest.mark.parametrize("is_parked", [True, False])
def test_nobody_acts_without_a_login_of_their_own(
    client: Client, user: Any, staff: Any, is_parked: bool
) -> None:
    """Fails when a parked login may act: the password of one member of staff would open every
    account."""
    if is_parked:
        give_password(client, staff)
    assert client.get("/act/ada/").status_code == 403
    assert state_of(client)[0] == "AnonymousUser"


def test_the_log_says_who_acts_for_whom(seat: Client, user: Any, staff: Any, caplog: Any) -> None:
    with caplog.at_level("INFO", "django_bandwidth_mfa"):
        seat.get("/act/ada/")
    records = [record for record in caplog.records if record.event == "login_on_behalf"]
    assert [(record.user, record.actor) for record in records] == [(user.pk, str(staff.pk))]


OURS = "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware"


@pytest.fixture(params=["before ours", "after ours"])
def swapping(request: Any, settings: Any) -> str:
    """Add a middleware that changes the user of the request, before or after ours."""
    middleware = list(settings.MIDDLEWARE)
    place = middleware.index(OURS) + (request.param == "after ours")
    settings.MIDDLEWARE = [*middleware[:place], f"{HERE}.SwapUser", *middleware[place:]]
    return str(request.param)


@pytest.mark.attack("P39")
def test_a_user_put_into_the_request_is_sent_no_code_and_staff_stay_signed_in(
    swapping: str, seat: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the session is checked as the login of ``request.user``: the session would be
    parked."""
    configure(RECHECK_SECONDS=0)
    assert state_of(seat, Swap="ada") == ("ada", "exempt", True)
    for page in ("verified", "atransfer", "mfa/verify", "mfa/phones", "mfa/phones/add"):
        assert seat.get(f"/{page}/", headers={"Swap": "ada"}).status_code == 403
    assert state_of(seat) == ("staff", "verified", False)
    assert bandwidth.inbox == []


@pytest.mark.attack("P39")
@pytest.mark.parametrize("end", ENDINGS)
def test_a_user_put_into_the_request_goes_with_the_login_of_the_session(
    swapping: str, seat: Client, user: Any, staff: Any, end: Callable[[Any], None]
) -> None:
    """Fails when such a user needs no check: a session from before the app, or an ended session,
    would need no code."""
    session = seat.session
    session[MARK] |= {"checked": 0}
    session.save()
    end(staff)
    assert state_of(seat, Swap="ada")[0] == "AnonymousUser"


def test_a_visitor_who_types_a_password_acts_for_nobody(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in(client, user, bandwidth)
    assert state_of(client) == ("ada", "verified", False)
    assert PASSWORD not in str(dict(client.session))


@pytest.mark.attack("P39")
def test_an_async_view_sees_the_user_who_was_put_into_the_request(
    swapping: str, seat: Client, user: Any
) -> None:
    """Fails when only ``auser`` is read. It returns the session's user, whose second factor would
    then open an async view to the other user."""
    assert seat.get("/awhoami/", headers={"Swap": "ada"}).json() == {
        "user": "ada",
        "state": "exempt",
    }
    assert seat.get("/awhoami/").json() == {"user": "staff", "state": "verified"}
