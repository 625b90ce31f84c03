"""The costs of the middleware, and the requests that it does not change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.conf import settings as django_settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth import (
    get_user_model,
)
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import include, path, resolve
from django.utils import translation
from django.utils.functional import SimpleLazyObject, lazystr

from django_bandwidth_mfa.internal.login.mark import MARK
from django_bandwidth_mfa.internal.login.parking import AUTH_KEYS
from django_bandwidth_mfa.middleware import BandwidthMFAMiddleware
from tests import urls
from tests.browsing import give_password, queries_for_session_and_user, sign_in


def state_first(request: Any) -> HttpResponse:
    """A view that reads the state before it reads the user."""
    mfa = request.mfa
    return HttpResponse(f"{mfa.state} {mfa.state} {mfa.pending_user}")


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("page")


# Nothing in its class shows that it is a login page. Only its address does.
def entry(request: HttpRequest) -> HttpResponse:
    return HttpResponse("type your password")


class Site:
    """More URLs than the test site has, with the login page at another address."""

    urlpatterns = (
        path("state-first/", state_first),
        path("page/", page),
        path("entry/", entry, name="login"),
        path("mfa/", include("django_bandwidth_mfa.urls")),
    )


class SiteInLanguages:
    """A site whose addresses begin with the language."""

    urlpatterns = (
        *i18n_patterns(path("entry/", entry, name="login")),
        path("mfa/", include("django_bandwidth_mfa.urls")),
    )


class OtherSite:
    """A site with another URLconf, which has no page with the name "login"."""

    urlpatterns = (
        path("page/", page),
        path("entry/", entry),
        path("mfa/", include("django_bandwidth_mfa.urls")),
    )


def choose_site(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """A middleware that selects another site for requests with a header."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "Site" in request.headers:
            request.urlconf = OtherSite  # type: ignore[assignment]
        return get_response(request)

    return middleware


class OwnMiddleware(BandwidthMFAMiddleware):
    """A site's own class, which overrides a method of ours."""

    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponse | None:
        if request.path == "/account/":
            return HttpResponse("closed today")
        return super().process_view(request, *args)


def answer_to(client: Any, address: str, **headers: str) -> tuple[int, str]:
    """Return the status of the answer, and its address or its text.  For both kinds of client."""
    get = async_to_sync(client.get) if isinstance(client, AsyncClient) else client.get
    answer = get(address, headers=headers)
    return answer.status_code, answer.headers.get("Location") or answer.content.decode()


def test_a_verified_request_needs_no_query_except_session_and_user(
    client: Client, user: Any, bandwidth: Any, django_assert_num_queries: Any
) -> None:
    sign_in(client, user, bandwidth)
    with django_assert_num_queries(queries_for_session_and_user()):
        assert client.get("/account/").status_code == 200
    with django_assert_num_queries(queries_for_session_and_user()):
        assert client.get("/transfer/").status_code == 200
    with django_assert_num_queries(0):
        assert client.get("/").status_code == 200


def test_login_completed_is_sent_once_per_login(
    client: Client, user: Any, newcomer: Any, bandwidth: Any
) -> None:
    from django_bandwidth_mfa.signals import login_completed

    logins: list[tuple[str, str | None]] = []

    def hear(user: Any, method: str | None, **kwargs: Any) -> None:
        logins.append((user.get_username(), method))

    login_completed.connect(hear)
    try:
        sign_in(client, user, bandwidth)
        give_password(Client(), newcomer)
    finally:
        login_completed.disconnect(hear)
    assert logins == [("ada", "sms"), ("newcomer", None)]


def test_a_login_that_wrote_no_session_is_not_changed(user: Any, rf: Any) -> None:
    from django.contrib.auth.signals import user_logged_in

    request = rf.get("/")
    user_logged_in.send(type(user), request=request, user=user)
    user_logged_in.send(type(user), request=None, user=user)
    assert not hasattr(request, "session")


@pytest.mark.attack("P8")
def test_an_answer_that_is_not_a_redirect_passes_through(
    user: Any, rf: Any, client: Client
) -> None:
    from django.contrib.auth import login

    def view(request: HttpRequest) -> HttpResponse:
        login(request, user)
        assert request.user == user
        return HttpResponse("welcome")

    request = rf.post("/api/login/")
    request.resolver_match = resolve("/")  # the login happens inside a view
    request.session, request.user, request.auser = client.session, AnonymousUser(), None
    answer = BandwidthMFAMiddleware(view)(request)
    assert answer.content == b"welcome"  # type: ignore[union-attr]
    assert not request.user.is_authenticated
    assert not set(AUTH_KEYS) & set(request.session.keys())


def test_the_tests_use_the_user_model_of_the_site(user: Any) -> None:
    assert isinstance(user, get_user_model())


@pytest.fixture(params=[Client, AsyncClient])
def parked_client(request: Any, user: Any) -> Any:
    """Django's test client, sync or async, whose login owes a code."""
    browser = Client()
    give_password(browser, user)
    client = request.param()
    client.cookies = browser.cookies
    return client


LED_ON = (302, "/mfa/verify/")
SHOWN = (200, "type your password")


@pytest.mark.django_db(transaction=True)
def test_the_login_page_of_the_setting_redirects_a_parked_login(parked_client: Any) -> None:
    with override_settings(ROOT_URLCONF=Site, LOGIN_URL="login"):
        assert answer_to(parked_client, "/entry/") == LED_ON
        assert answer_to(parked_client, "/page/") == (200, "page")
    with override_settings(ROOT_URLCONF=Site, LOGIN_URL="/page/"):
        assert answer_to(parked_client, "/entry/") == SHOWN
        assert answer_to(parked_client, "/page/") == LED_ON


@pytest.mark.django_db(transaction=True)
def test_a_lazy_login_url_can_query_the_database(parked_client: Any) -> None:
    """Fails when a lazy setting is read in the event loop."""

    class Stored:
        def __str__(self) -> str:
            return "/entry/" if get_user_model()._default_manager.exists() else "/nowhere/"

    with override_settings(ROOT_URLCONF=Site, LOGIN_URL=lazystr(Stored())):
        assert answer_to(parked_client, "/entry/") == LED_ON
        assert answer_to(parked_client, "/page/") == (200, "page")


@pytest.mark.django_db(transaction=True)
def test_the_login_page_in_the_language_of_the_request_redirects_a_parked_login(
    parked_client: Any,
) -> None:
    """Fails when the address in one language is used for another language."""
    middleware = ["django.middleware.locale.LocaleMiddleware", *django_settings.MIDDLEWARE]
    # The middleware does not reset the language, and other tests must not see it.
    with (
        translation.override("en"),
        override_settings(ROOT_URLCONF=SiteInLanguages, MIDDLEWARE=middleware),
    ):
        with override_settings(LOGIN_URL="login"):
            for language in ("en", "es", "en"):
                assert answer_to(parked_client, f"/{language}/entry/") == LED_ON
        with override_settings(LOGIN_URL="/es/entry/"):
            assert answer_to(parked_client, "/en/entry/") == SHOWN
            assert answer_to(parked_client, "/es/entry/") == LED_ON


@pytest.mark.django_db(transaction=True)
def test_the_login_page_in_the_urlconf_of_the_request_redirects_a_parked_login(
    parked_client: Any,
) -> None:
    """Fails when the address in one URLconf is used for another URLconf."""
    middleware = [f"{__name__}.choose_site", *django_settings.MIDDLEWARE]
    with override_settings(ROOT_URLCONF=Site, LOGIN_URL="login", MIDDLEWARE=middleware):
        for _ in range(2):
            assert answer_to(parked_client, "/entry/") == LED_ON
            assert answer_to(parked_client, "/entry/", site="other") == SHOWN
            assert answer_to(parked_client, "/page/", site="other") == (200, "page")


@pytest.mark.django_db(transaction=True)
def test_a_login_view_at_any_address_redirects_a_parked_login(parked_client: Any) -> None:
    with override_settings(LOGIN_URL="/somewhere/"):
        assert answer_to(parked_client, "/accounts/login/?next=/account/") == LED_ON
        assert answer_to(parked_client, "/admin/login/") == LED_ON
        assert answer_to(parked_client, "/")[0] == 200


def process_view_of(cls: type[BandwidthMFAMiddleware], *, is_async: bool) -> Any:
    def get_response(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    async def aget_response(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    made: Awaitable[Any] | Any = cls(aget_response if is_async else get_response)
    return made.process_view


def test_in_an_event_loop_a_view_starts_without_a_thread(rf: Any) -> None:
    """Fails when ``process_view`` is a sync method there, or awaits anything: Django runs a sync
    method in a thread."""
    assert not iscoroutinefunction(process_view_of(BandwidthMFAMiddleware, is_async=False))
    process_view = process_view_of(BandwidthMFAMiddleware, is_async=True)
    assert iscoroutinefunction(process_view)
    for request in (rf.get("/account/"), rf.post("/accounts/login/")):
        request.resolver_match = resolve(request.path)
        coroutine = process_view(request, None, (), {})
        with pytest.raises(StopIteration) as done:
            coroutine.send(None)
        assert done.value.value is None


@pytest.mark.parametrize("client", [Client(), AsyncClient()])
def test_a_sites_own_process_view_is_called_sync_and_async(client: Any) -> None:
    """Fails when our method replaces the method of a site's own class."""
    ours = "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware"
    middleware = [
        f"{__name__}.OwnMiddleware" if one == ours else one for one in django_settings.MIDDLEWARE
    ]
    with override_settings(MIDDLEWARE=middleware):
        assert answer_to(client, "/account/") == (200, "closed today")
        assert answer_to(client, "/") == (200, "public")


def test_the_user_of_a_request_is_lazy_and_then_the_object_itself(
    client: Client, user: Any, bandwidth: Any
) -> None:
    results: list[Any] = []

    def look(request: HttpRequest) -> HttpResponse:
        first = request.user
        results.append(isinstance(first, SimpleLazyObject))
        results.append(first == user and first.get_username() == "ada")
        results.append(type(request.user) is type(user) and request.user == first)
        return HttpResponse()

    sign_in(client, user, bandwidth)

    class Looking:
        urlpatterns = (path("look/", look),)

    with override_settings(ROOT_URLCONF=Looking):
        client.get("/look/")
    assert results == [True, True, True]


def test_the_state_is_the_same_before_and_after_the_user_is_read(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """A session from before the installation is parked when its user is read.

    Fails when ``state`` looks for a parked login before it reads the user: the first state of such
    a request was "anonymous", and the second "parked".
    """
    sign_in(client, user, bandwidth)
    session = client.session
    del session[MARK]
    session.save()
    with override_settings(ROOT_URLCONF=Site):
        assert client.get("/state-first/").content == b"parked parked ada"


def put_name(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """A middleware after ours that sets an attribute of the user, as django-otp's does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        user = request.user

        def named() -> Any:
            user.name = "somebody"  # type: ignore[union-attr]
            return user

        request.user = SimpleLazyObject(named)  # type: ignore[assignment]
        return get_response(request)

    return middleware


def names(request: Any) -> HttpResponse:
    """A view that reads the user twice, as a view and its template do."""
    return HttpResponse(f"{request.user.name} {request.user.name}")


class Names:
    urlpatterns = (path("names/", names), *urls.urlpatterns)


@pytest.mark.parametrize("is_parked", [True, False])
def test_an_attribute_that_another_middleware_sets_on_an_anonymous_user_stays(
    client: Client, user: Any, is_parked: bool
) -> None:
    """Fails when the first read of the user puts another anonymous object into the request: the
    second read was an error."""
    middleware = [*django_settings.MIDDLEWARE, f"{__name__}.put_name"]
    with override_settings(MIDDLEWARE=middleware, ROOT_URLCONF=Names):
        if is_parked:
            give_password(client, user)
        assert client.get("/names/").content == b"somebody somebody"
