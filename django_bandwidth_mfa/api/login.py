"""The API for the password of a client without cookies."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth import authenticate
from django.contrib.auth.forms import UsernameField
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from ..internal.flows.tickets import TicketLoginFlow
from ..internal.login import policy, tickets
from . import shapes
from .base import PublicAPIView, json_response, refuse_cookie
from .bodies import Fields, Text
from .errors import APIError


class LoginView(PublicAPIView):
    """POST ``username`` and ``password``, which the site's own backends check.

    The response contains a ticket or, for a user who owes no code, a completion.  No code is sent,
    no session is written, and ``user_logged_in`` is not sent, because the login is not complete.
    """

    fields: ClassVar[Fields] = {"username": Text(longest=254), "password": Text(longest=4096)}

    def read_ticket(self, request: HttpRequest) -> None:
        """Ignore a ticket, and refuse a session.

        :raises APIError: the request has a session cookie.
        """
        refuse_cookie(request)

    @sensitive_variables()
    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        # Normalise Unicode, as Django's own form does.
        username = UsernameField().to_python(data["username"])
        # Django does the same work for an unknown user and for a wrong password, and sends the same
        # signal to lockout apps.  So the response time does not show whether a user exists.
        user: Any = authenticate(request, username=username, password=data["password"])
        if user is None or not user.is_active:
            raise APIError("wrong_credentials")
        if not policy.owes_code_for_token(request, user):
            return json_response(
                shapes.state_of_exempt(tickets.complete_exempt(user, user.backend))
            )
        ticket = tickets.new_ticket(user, user.backend)
        flow = TicketLoginFlow(request, user, ticket)
        return json_response(shapes.state_of_ticket(flow, tickets.text_of(ticket)))
