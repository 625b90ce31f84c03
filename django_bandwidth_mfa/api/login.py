"""The password of a client without cookies."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth import authenticate
from django.contrib.auth.forms import UsernameField
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from ..internal.flows.tickets import TicketLoginFlow
from ..internal.login import policy, tickets
from . import shapes
from .base import PublicAPIView, refuse_cookie, told
from .bodies import Fields, Text
from .errors import APIError


class LoginView(PublicAPIView):
    """POST ``username`` and ``password``: the site's own backends judge them.

    The answer is a ticket; or, for a user who owes no code, a completion.  No code is sent, no
    session is written, and ``user_logged_in`` is not sent: nobody has logged in yet.
    """

    fields: ClassVar[Fields] = {"username": Text(longest=254), "password": Text(longest=4096)}

    def read_ticket(self, request: HttpRequest) -> None:
        """Take no ticket, and no session.

        :raises APIError: a session's cookie comes with the request.
        """
        refuse_cookie(request)

    @sensitive_variables()
    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        # As Django's own form does it: two spellings of one name are one name.
        username = UsernameField().to_python(data["username"])
        # Django does the same work for an unknown user as for a wrong password, and tells lockout
        # apps of both.  Nothing here depends on the user before the password was right.
        user: Any = authenticate(request, username=username, password=data["password"])
        if user is None or not user.is_active:
            raise APIError("wrong_credentials")
        if not policy.owes_code_for_token(request, user):
            return told(shapes.state_of_exempt(tickets.complete_exempt(user, user.backend)))
        ticket = tickets.new_ticket(user, user.backend)
        flow = TicketLoginFlow(request, user, ticket)
        return told(shapes.state_of_ticket(flow, tickets.text_of(ticket)))
