"""What all addresses of the API share: who is let in, how a body is read, how an error is told."""

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

# Seconds after which a request that the database failed may be made again.
DATABASE_RETRY = 10

# non_atomic_requests: with ATOMIC_REQUESTS a later error would roll the counts back.
# csrf_exempt: the view makes the same check itself, to answer it as JSON.
PROTECTION: list[Any] = [
    login_not_required,
    transaction.non_atomic_requests,
    never_cache,
    csrf_exempt,
]


class CsrfCheck(CsrfViewMiddleware):
    """Django's own check of a request that comes with cookies; it answers JSON."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        forgery.log(request, reason)
        return answer_to(APIError("csrf_failed"))


def _unused(request: HttpRequest) -> HttpResponse:
    """Stands where a middleware has the rest of the site."""
    raise NotImplementedError


@method_decorator(PROTECTION, name="dispatch")
class APIView(View):
    """An address of the API, for somebody who has given a password at least.

    GET reads, POST changes.  ``fields`` are those of the body of a POST.
    """

    http_method_names = ["get", "post", "head", "options"]  # noqa: RUF012  Django's own form
    fields: ClassVar[Fields] = {}

    is_checked_for_forgery = True
    ticket: Ticket | None = None
    ticket_user: User | None = None

    @cached_property
    def csrf(self) -> CsrfCheck:
        """The check for forgery, with the settings of this moment."""
        return CsrfCheck(_unused)

    def dispatch(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return run(self.answer_steps(request, **kwargs))

    def answer_steps(self, request: HttpRequest, **kwargs: Any) -> Steps[HttpResponse]:
        """Answer a request, whatever comes of it."""
        request.exception_reporter_filter = NoVariablesFilter()
        try:
            answer = yield from self.check_and_answer(request, **kwargs)
        except APIError as error:
            answer = self.refuse(error)
        except MFAError as error:
            answer = self.refuse(error_of(error))
        except (OperationalError, InterfaceError) as error:
            # A missing table or a wrong setting must not look like an outage: nobody would mend it.
            if django_settings.DEBUG or not is_connection_lost(error):
                raise
            events.database_unavailable()
            return answer_to(APIError("unavailable", retry_after=DATABASE_RETRY))
        # Sets the cookie of the token, where the site's middleware does not.
        self.csrf.process_response(request, answer)
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        return answer

    def check_and_answer(self, request: HttpRequest, **kwargs: Any) -> Steps[HttpResponse]:
        """Answer a request, after the checks that each one has to pass.

        :raises APIError: it did not pass them.
        """
        name = str(request.method).lower()
        handler = getattr(self, name, None) if name in self.http_method_names else None
        if handler is None:
            raise APIError("method_not_allowed")
        if name == "options":
            return HttpResponse(headers={"Allow": self.allowed_methods, "Content-Length": "0"})
        if name == "post":
            # Before the check for forgery, which would read a form.
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
        """The methods of this address, as the header ``Allow`` has them."""
        return ", ".join(
            method.upper() for method in self.http_method_names if hasattr(self, method)
        )

    def refuse(self, error: APIError) -> HttpResponse:
        """Return the answer that tells ``error``."""
        answer = answer_to(error)
        if answer.status_code == 405:
            answer["Allow"] = self.allowed_methods
        if answer.status_code >= 500:
            save_despite_error(self.request.session)
        return answer

    def read_ticket(self, request: HttpRequest) -> None:
        """Read the login ticket that the request comes with, if any.

        Another site cannot have a browser send this header.  So a request with a ticket needs no
        check for forgery; with a cookie beside it, it would not be clear whose request it is.

        :raises APIError: the session's cookie comes with it.
        :raises TicketInvalid: it does not count.
        """
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != TICKET_SCHEME.lower():
            return
        refuse_cookie(request)
        self.ticket, self.ticket_user = tickets.read(text.strip())

    # Who is let in ---------------------------------------------------------------------------

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        """Return what stops the visitor; None if nothing does."""
        return None if self.ticket else obstacle_to_visitors(request)

    def let_in(self, request: HttpRequest) -> None:
        """Let the visitor go on.

        :raises APIError: something stops them.
        """
        self.stop_at(self.obstacle(request))

    def stop_at(self, obstacle: Obstacle | None) -> None:
        """Tell the visitor what stops them.

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
        # Anonymous visitors are stopped before.
        return self.request.user if user is None else user


@method_decorator(
    # Django runs no async view under ATOMIC_REQUESTS, so each database is named.
    [*PROTECTION, *(transaction.non_atomic_requests(using=alias) for alias in connections)],
    name="dispatch",
)
class AskingView(APIView):
    """An address that asks Bandwidth.

    It is an async view: while Bandwidth is asked, it holds neither the event loop nor the thread in
    which Django uses the database.  Everything else that it does is done in that thread.  Under
    WSGI the request's own thread waits, as in any other view.

    ``post`` may be a generator, of the type :data:`.steps.Steps`.
    """

    view_is_async = True

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, **kwargs: Any
    ) -> HttpResponse:
        steps = self.answer_steps(request, **kwargs)
        if isinstance(request, ASGIRequest):
            return await arun(steps)
        # Under WSGI the request's own thread waits for this view: it may as well make the call.
        return await sync_to_async(run)(steps)


def refuse_cookie(request: HttpRequest) -> None:
    """Refuse a request that comes with the cookie of a session.

    :raises APIError: it does.
    """
    if django_settings.SESSION_COOKIE_NAME in request.COOKIES:
        raise APIError("cookie_and_ticket")


class SignedInAPIView(APIView):
    """An address for somebody who is signed in."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        return Obstacle.CODE if self.ticket else obstacle_to_signed_in(request)


class FreshAPIView(SignedInAPIView):
    """An address that changes later logins, and so takes a code of the last minutes."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        return Obstacle.CODE if self.ticket else obstacle_to_fresh(request)


class PublicAPIView(APIView):
    """An address for everybody.  It reads neither a session nor a ticket."""

    # Without a cookie there is nothing that another site could make use of.
    is_checked_for_forgery = False

    def read_ticket(self, request: HttpRequest) -> None:
        """Read none."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        return None


class NothingHereView(PublicAPIView):
    """Every address that the API does not have."""

    def check_and_answer(self, request: HttpRequest, **kwargs: Any) -> Steps[HttpResponse]:
        raise APIError("not_found")


def told(body: Mapping[str, object]) -> JsonResponse:
    """Return the answer with ``body``."""
    return JsonResponse(dict(body))
