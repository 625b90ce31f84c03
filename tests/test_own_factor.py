"""``service.complete_login`` and ``policies.own_factor``: the site's own second factor.

The tests run the blocks of code in docs/policies.md unchanged.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client
from django.urls import clear_url_caches, path

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.exceptions import SessionEnded
from django_bandwidth_mfa.internal.login.parking import PARKED
from django_bandwidth_mfa.internal.staff import missing
from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.policies import any_of, everyone, own_factor
from django_bandwidth_mfa.testing import login_verified
from tests.code_blocks import code

from . import urls
from .browsing import assert_shut, give_password, state
from .conftest import NUMBER, make_user

pytestmark = pytest.mark.django_db

PAGE = "docs/policies.md"
START = 1_800_000_000
ANSWER = "open sesame"

# Functions that the careless page below calls while it asks for its factor.
MEANWHILE: list[Callable[[], Any]] = []


def has_key(user: Any) -> bool:
    return bool(user.get_username() in ("ada", "keyholder"))


def is_right_answer(user: Any, answer: str) -> bool:
    return answer == ANSWER


def complete_as(request: Any) -> HttpResponse:
    """A careless page, which takes the user and the name of the factor from the address."""
    user = request.mfa.pending_user
    if "user" in request.GET:
        user = get_user_model()._default_manager.get(username=request.GET["user"])
    while MEANWHILE:
        MEANWHILE.pop()()
    try:
        where = service.complete_login(request, user, method=request.GET.get("method", "key"))
    except (SessionEnded, ValueError) as error:
        return HttpResponse(type(error).__name__, status=409)
    return HttpResponse(where)


@pytest.fixture
def site(settings: Any, configure: Any, tmp_path: Path, monkeypatch: Any) -> Iterator[None]:
    """The site of docs/policies.md."""
    modules = {name: ModuleType(name) for name in ("shop", "shop.keys", "shop.security")}
    modules["shop.keys"].__dict__.update(has_key=has_key, is_right_answer=is_right_answer)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    # The example project also has a package "bank".
    source = code("bank/security.py", PAGE).replace("bank.keys", "shop.keys")
    exec(source, modules["shop.security"].__dict__)  # noqa: S102
    modules["shop"].__dict__["security"] = modules["shop.security"]
    urlconf = ModuleType("tests.own_factor_urls")
    careless = path("complete/", login_not_required(complete_as))
    urlconf.__dict__["urlpatterns"] = [careless, *urls.urlpatterns]
    source = code("bank/urls.py", PAGE).replace("from bank", "from shop")
    exec(source, urlconf.__dict__)  # noqa: S102
    monkeypatch.setitem(sys.modules, urlconf.__name__, urlconf)
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank/key.html").write_text("<h1>Use your key</h1>")
    settings.TEMPLATES = [
        {**settings.TEMPLATES[0], "DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]}
    ]
    settings.ROOT_URLCONF = urlconf.__name__
    configure(REQUIRED=modules["shop.security"].CODE_POLICY)
    clear_url_caches()
    yield
    clear_url_caches()


@pytest.fixture
def keyholder(db: None) -> Any:
    """A user who has a key and no phone."""
    return make_user("keyholder")


def complete(client: Client, **query: str) -> Any:
    client.raise_request_exception = False
    return client.get("/complete/", query)


# The right use -----------------------------------------------------------------------------------


def test_the_sites_own_factor_finishes_the_login_and_nothing_is_sent(
    site: None, client: Client, user: Any, bandwidth: Any
) -> None:
    """``ada`` also has a phone, and no code is sent to it."""
    methods: list[Any] = []

    def listen(sender: Any, **kwargs: Any) -> None:
        methods.append(kwargs["method"])

    signals.login_completed.connect(listen)
    try:
        answer = give_password(client, user, "/transfer/")
        assert answer["Location"] == "/mfa/verify/"
        answer = client.get("/mfa/verify/")
        assert answer["Location"] == "/mfa/key/"
        assert client.get("/mfa/key/").content == b"<h1>Use your key</h1>"
        assert client.post("/mfa/key/", {"answer": "wrong"}).status_code == 200
        assert_shut(client)
        before = client.session.session_key
        answer = client.post("/mfa/key/", {"answer": ANSWER})
    finally:
        signals.login_completed.disconnect(listen)
    assert answer["Location"] == "/transfer/"
    assert client.session.session_key != before
    assert not client.session.exists(before)
    page = client.get("/whoami/").json()
    assert (page["user"], page["state"], page["method"]) == ("ada", "verified", "security_key")
    # As after a code: a fresh second factor.
    assert client.get("/transfer/").content == b"transfer"
    assert methods == ["security_key"]
    assert bandwidth.inbox == []
    user.refresh_from_db()
    assert user.last_login is not None


def test_the_session_is_like_one_after_a_code(
    site: None, client: Client, user: Any, caplog: Any, configure: Any
) -> None:
    """Only the method and the phone differ from a session that a code has verified."""
    other = Client()
    with time_machine.travel(START, tick=False):
        give_password(client, user)
        with caplog.at_level("INFO", logger="django_bandwidth_mfa"):
            complete(client, method="key")
        login_verified(other, user, method="key")
    assert dict(client.session) == dict(other.session)
    [record] = [one for one in caplog.records if one.event == "own_factor_passed"]
    assert (record.user, record.method) == (user.pk, "key")


def test_a_user_who_has_lost_the_key_can_type_a_code(
    site: None, client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user)
    client.get("/mfa/verify/?phone")
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert client.get("/whoami/").json()["method"] == "sms"


def test_a_user_who_has_a_key_needs_no_phone(configure: Any, keyholder: Any, newcomer: Any) -> None:
    configure(REQUIRED=any_of(own_factor(has_key), everyone))
    assert [one.user for one in missing.find()] == [newcomer]


# Attacks -----------------------------------------------------------------------------------------


@pytest.mark.attack("P53")
def test_it_signs_nobody_in_as_another_user(
    site: None, client: Client, user: Any, keyholder: Any
) -> None:
    """Fails when the user of the page is logged in, although another user typed the password."""
    give_password(client, keyholder)
    assert complete(client, user="ada").status_code == 403
    assert_shut(client)


@pytest.mark.attack("P53")
def test_a_row_of_another_table_with_the_same_key_is_another_user(
    site: None, client: Client, user: Any, rf: Any
) -> None:
    """Fails when only the primary keys are compared."""
    give_password(client, user)
    request = rf.get("/")
    request.session = client.session
    with pytest.raises(PermissionDenied):
        service.complete_login(request, Group(pk=user.pk), method="key")  # type: ignore[arg-type]
    assert PARKED in request.session


@pytest.mark.attack("P53")
def test_it_signs_nobody_in_without_a_password(site: None, client: Client, user: Any) -> None:
    """Fails when ``complete_login`` accepts a user who has no parked login."""
    assert complete(client, user="ada").content == b"SessionEnded"
    assert state(client) == "anonymous"


@pytest.mark.attack("P53")
def test_it_does_not_verify_a_session_that_is_signed_in(
    site: None, client: Client, newcomer: Any
) -> None:
    """Fails when an exempt session, which began with a password, becomes a verified one."""
    client.force_login(newcomer)
    assert complete(client, user="newcomer").content == b"SessionEnded"
    assert state(client) == "exempt"


@pytest.mark.slow
@pytest.mark.attack("P53")
@pytest.mark.parametrize(
    "method",
    ["sms", "voice", "recovery_code", "trusted_browser", "SMS", "sms ", "ѕms", "", "x" * 31, "1"],
)
def test_it_refuses_the_name_of_a_method_of_this_app(
    site: None, client: Client, user: Any, method: str
) -> None:
    """Fails when the name is not checked: "sms" means that Bandwidth has verified a code.  A name
    that looks like ours is refused, too (the fifth letter of the last one is Cyrillic)."""
    give_password(client, user)
    assert complete(client, method=method).content == b"ValueError"
    assert_shut(client)


def deactivate(user: Any) -> None:
    user.is_active = False
    user.save()


def change_password(user: Any) -> None:
    user.set_password("another")
    user.save()


def delete(user: Any) -> None:
    type(user)._default_manager.filter(pk=user.pk).delete()


@pytest.mark.slow
@pytest.mark.attack("P53")
@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("end", [deactivate, change_password, delete, service.end_sessions])
def test_it_finishes_no_login_that_has_ended(
    site: None, client: Client, user: Any, end: Callable[[Any], None], when: str
) -> None:
    """Fails when the app uses the user in the memory of the page, and not the row in the database.
    For "sign out everywhere", it fails when the app does not check the session after the factor."""
    with time_machine.travel(START, tick=False) as clock:
        give_password(client, user)
        clock.shift(10)
        if when == "before":
            end(user)
        else:
            MEANWHILE.append(lambda: end(user))
        assert complete(client).content == b"SessionEnded"
        clock.shift(10)
        assert state(client) == "anonymous"


@pytest.mark.attack("P53")
def test_it_finishes_no_login_that_is_too_old(site: None, client: Client, user: Any) -> None:
    """Fails when ``LOGIN_SECONDS`` is not checked."""
    with time_machine.travel(START, tick=False) as clock:
        give_password(client, user)
        clock.shift(601)
        assert complete(client).content == b"SessionEnded"
        assert state(client) == "anonymous"


@pytest.mark.attack("P53", "P35")
def test_a_planted_session_is_worthless_after_the_login(
    site: None, client: Client, user: Any
) -> None:
    """Fails when the session keeps its key: a thief who has planted or read it would be signed in.
    (The claim deletes the key, and ``login()`` changes it. Each of the two is enough.)"""
    give_password(client, user)
    thief = Client()
    thief.cookies = deepcopy(client.cookies)
    assert complete(client).content == b"/account/"
    assert state(client) == "verified"
    assert state(thief) == "anonymous"
    # The same request again finishes no login.
    assert complete(thief).content == b"SessionEnded"


@pytest.mark.attack("P53")
def test_of_two_requests_at_the_same_time_one_finishes_the_login(
    site: None, client: Client, user: Any
) -> None:
    """A thief's copy of the cookie is used while the owner's request is under way.

    Fails when the session is not claimed: each of the two would get its own session.
    """
    give_password(client, user)
    other = Client()
    other.cookies = deepcopy(client.cookies)
    MEANWHILE.append(lambda: complete(other))
    assert complete(client).content == b"SessionEnded"
    assert [state(other), state(client)] == ["verified", "anonymous"]


@pytest.mark.attack("P51")
def test_a_thief_of_the_password_adds_no_phone_in_place_of_the_key(
    site: None, client: Client, keyholder: Any, bandwidth: Any
) -> None:
    """Fails when such a user can add a first phone on the page or by the API. Other users can do so
    under such a policy."""
    give_password(client, keyholder)
    assert client.post("/mfa/phones/add/", {"number": NUMBER}).status_code == 403
    body = json.dumps({"number": NUMBER})
    answer = client.post("/mfa/api/phones/add", body, content_type="application/json")
    assert answer.json()["error"]["code"] == "sign_in_again"
    assert not Phone.objects.exists()
    assert bandwidth.inbox == []
    assert_shut(client)


@pytest.mark.attack("P53")
def test_a_factor_that_passed_in_one_browser_signs_no_other_browser_in(
    site: None, client: Client, user: Any
) -> None:
    """A thief who has the password waits while the owner uses the key."""
    thief = Client()
    give_password(thief, user)
    give_password(client, user)
    complete(client)
    assert state(client) == "verified"
    assert_shut(thief)
