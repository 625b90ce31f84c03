"""The base classes of all API views: access rules, request bodies and error responses."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import cached_property
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth.decorators import login_not_required
from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError, connections, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from ..exceptions import MFAError
from ..internal import forgery
from ..internal.codes.steps import Steps, arun, run
from ..internal.databases import is_connection_lost
from ..internal.error_reports import NoVariablesFilter
from ..internal.flows.gate import (
    Obstacle,
    obstacle_to_fresh,
    obstacle_to_signed_in,
    obstacle_to_visitors,
)
from ..internal.login import tickets
from ..internal.login.parking import save_despite_error
from ..internal.login.tickets import Ticket
from ..internal.notify import events
from ..internal.phones.source import phone_source
from ..request import visitor
from ..types import User
from .bodies import Fields, check_content_type, read_body
from .errors import TICKET_SCHEME, APIError, answer_to, error_of

# The value of Retry-After, in seconds, when the database is not available.
DATABASE_RETRY = 10

# non_atomic_requests: with ATOMIC_REQUESTS a later error would roll the counts back.  csrf_exempt:
# the view does the same check itself, and answers a refusal as JSON.
PROTECTION: list[Any] = [
    login_not_required,
    transaction.non_atomic_requests,
    never_cache,
    csrf_exempt,
]


class CsrfCheck(CsrfViewMiddleware):
    """Django's CSRF check, for requests with cookies.  A refusal is JSON."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        forgery.log(request, reason)
        return answer_to(APIError("csrf_failed"))


def _unused(request: HttpRequest) -> HttpResponse:
    """Stand in for ``get_response``, which the CSRF middleware requires but never calls here."""
    raise NotImplementedError


@method_decorator(PROTECTION, name="dispatch")
class APIView(View):
    """An API view that requires at least a password.

    GET reads, POST changes.  ``fields`` are the fields in the body of a POST.
    """

    http_method_names = ["get", "post", "head", "options"]  # noqa: RUF012  Django's own form
    fields: ClassVar[Fields] = {}

    is_checked_for_forgery = True
    ticket: Ticket | None = None
    ticket_user: User | None = None

    @cached_property
    def csrf(self) -> CsrfCheck:
        """The CSRF check, with the present settings."""
        return CsrfCheck(_unused)

    def dispatch(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return run(self.answer_steps(request, **kwargs))

    def answer_steps(self, request: HttpRequest, **kwargs: Any) -> Steps[HttpResponse]:
        """Return the response to a request, also for errors."""
        request.exception_reporter_filter = NoVariablesFilter()
        try:
            answer = yield from self.check_and_answer(request, **kwargs)
        except APIError as error:
            answer = self.refuse(error)
        except MFAError as error:
            answer = self.refuse(error_of(error))
        except (OperationalError, InterfaceError) as error:
            # A missing table or a wrong setting must not look like an outage, or nobody would
            # repair it.
            if django_settings.DEBUG or not is_connection_lost(error):
                raise
            events.database_unavailable()
            return answer_to(APIError("unavailable", retry_after=DATABASE_RETRY))
        # Set the CSRF cookie, if the site's middleware does not.
        self.csrf.process_response(request, answer)
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        return answer

    def check_and_answer(self, request: HttpRequest, **kwargs: Any) -> Steps[HttpResponse]:
        """Check a request, and return the response.

        :raises APIError: a check has failed.
        """
        name = str(request.method).lower()
        handler = getattr(self, name, None) if name in self.http_method_names else None
        if handler is None:
            raise APIError("method_not_allowed")
        if name == "options":
            return HttpResponse(headers={"Allow": self.allowed_methods, "Content-Length": "0"})
        if name == "post":
            # Before the CSRF check, which would read a form body.
            check_content_type(request)
        self.read_ticket(request)
        if self.ticket is None and self.is_checked_for_forgery:
            self.csrf.process_request(request)
            rejected = self.csrf.process_view(request, _unused, (), {})
            if rejected is not None:
                return rejected
        self.let_in(request)
        if name == "post":
            kwargs["data"] = read_body(request, self.fields)
        answer: HttpResponse | Steps[HttpResponse] = handler(request, **kwargs)
        return (yield from answer) if isinstance(answer, Generator) else answer

    @property
    def allowed_methods(self) -> str:
        """The methods of this view, for the header ``Allow``."""
        return ", ".join(
            method.upper() for method in self.http_method_names if hasattr(self, method)
        )

    def refuse(self, error: APIError) -> HttpResponse:
        """Return the response for ``error``."""
        answer = answer_to(error)
        if answer.status_code == 405:
            answer["Allow"] = self.allowed_methods
        if answer.status_code >= 500:
            save_despite_error(self.request.session)
        return answer

    def read_ticket(self, request: HttpRequest) -> None:
        """Read the login ticket of the request, if there is one.

        Another site cannot make a browser send this header, so a request with a ticket needs no
        CSRF check.  A request with a ticket and a session cookie is refused, because its user would
        be ambiguous.

        :raises APIError: the request also has a session cookie.
        :raises TicketInvalid: the ticket is not valid.
        """
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != TICKET_SCHEME.lower():
            return
        refuse_cookie(request)
        self.ticket, self.ticket_user = tickets.read(text.strip())

    # Who is let in ---------------------------------------------------------------------------

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        """Return the obstacle to the visitor; None if there is none."""
        return None if self.ticket else obstacle_to_visitors(request)

    def let_in(self, request: HttpRequest) -> None:
        """Check that the visitor may continue.

        :raises APIError: there is an obstacle.
        """
        self.stop_at(self.obstacle(request))

    def stop_at(self, obstacle: Obstacle | None) -> None:
        """Raise the error for ``obstacle``.

        :raises APIError: ``obstacle`` is not None.
        """
        if obstacle is Obstacle.ON_BEHALF:
            raise APIError("on_behalf")
        if obstacle is Obstacle.ANONYMOUS:
            raise APIError("sign_in_required")
        if obstacle in (Obstacle.OLD_SIGN_IN, Obstacle.OTHER_FACTOR):
            raise APIError("sign_in_again")
        if obstacle is Obstacle.CODE:
            has_phone = phone_source().has_confirmed(self.user)
            raise APIError("code_required" if has_phone else "phone_required")

    @property
    def user(self) -> User:
        """The user of the ticket or of the parked login, or the signed-in user."""
        if self.ticket_user is not None:
            return self.ticket_user
        user = visitor(self.request)
        # Anonymous visitors do not get here.
        return self.request.user if user is None else user


@method_decorator(
    # Django refuses async views with ATOMIC_REQUESTS, so each database is excluded by name.
    [*PROTECTION, *(transaction.non_atomic_requests(using=alias) for alias in connections)],
    name="dispatch",
)
class AskingView(APIView):
    """An API view that calls Bandwidth.

    It is an async view.  The call to Bandwidth blocks neither the event loop nor the thread in
    which Django uses the database.  Everything else runs in that thread.  Under WSGI the thread of
    the request waits, as in any other view.

    ``post`` may be a generator, of the type :data:`.steps.Steps`.
    """

    view_is_async = True

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, **kwargs: Any
    ) -> HttpResponse:
        steps = self.answer_steps(request, **kwargs)
        if isinstance(request, ASGIRequest):
            return await arun(steps)
        # Under WSGI the thread of the request waits anyway, so it makes the call itself.
        return await sync_to_async(run)(steps)


def refuse_cookie(request: HttpRequest) -> None:
    """Refuse a request with a session cookie.

    :raises APIError: the request has a session cookie.
    """
    if django_settings.SESSION_COOKIE_NAME in request.COOKIES:
        raise APIError("cookie_and_ticket")


class SignedInAPIView(APIView):
    """An API view that requires a complete login."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        return Obstacle.CODE if self.ticket else obstacle_to_signed_in(request)


class FreshAPIView(SignedInAPIView):
    """An API view that requires a code in the last minutes, because it affects later logins."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        return Obstacle.CODE if self.ticket else obstacle_to_fresh(request)


class PublicAPIView(APIView):
    """A public API view.  It uses neither a session nor a ticket."""

    # It uses no cookie, so a forged request of another site gains nothing.
    is_checked_for_forgery = False

    def read_ticket(self, request: HttpRequest) -> None:
        """Ignore a ticket."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        return None


class NothingHereView(PublicAPIView):
    """The view for all URLs below the API that do not exist."""

    def check_and_answer(self, request: HttpRequest, **kwargs: Any) -> Steps[HttpResponse]:
        raise APIError("not_found")


def json_response(body: Mapping[str, object]) -> JsonResponse:
    """Return the JSON response with ``body``."""
    return JsonResponse(dict(body))
