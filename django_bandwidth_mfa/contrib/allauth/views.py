"""The JSON API, for clients of allauth headless."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from allauth.headless import app_settings
from allauth.headless.base.response import APIResponse, AuthenticationResponse
from allauth.headless.base.views import APIView
from allauth.headless.constants import Client
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator

from ...request import RequestMFA, mfa_of, request_of_session
from .stages import waiting_stage

__all__ = ["CodeView"]

# The headers of the JSON API's responses that are passed on to the client.
HEADERS = ("Allow", "Retry-After")


# Because with ATOMIC_REQUESTS a later error would roll the counts back.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class CodeView(APIView):
    """A view of the JSON API for allauth's session, with responses in allauth's format.

    The response to a right code is that of any login in allauth: the user and the tokens.
    """

    handle_json_input = False
    api_view: Callable[..., Any] | None = None

    def handle(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.client is Client.APP:
            # allauth has set the session of the token in the request.  The user that a middleware
            # has found by the cookie does not belong to this session.
            request.user = request_of_session(request.session, request=request).user
        request.mfa = RequestMFA(request)  # type: ignore[attr-defined]
        was_signed_in, key = request.user.is_authenticated, request.session.session_key
        answer = self.ask_api(request, **kwargs)
        is_completed = not was_signed_in and request.user.is_authenticated
        if mfa_of(request).state == "anonymous":
            _forget_stage(request)
        if is_completed or answer.status_code == 401:
            response: HttpResponse = AuthenticationResponse(request)
        else:
            # The tokens contain the session key, which changes after a code and after "sign out
            # everywhere else".  So the client needs new tokens.
            is_renewed = was_signed_in and request.session.session_key != key
            tokens = self.new_tokens(request) if is_renewed else None
            response = _in_form_of_allauth(request, answer, tokens)
        for name in HEADERS:
            if name in answer:
                response[name] = answer[name]
        if self.client is Client.BROWSER:
            # For example the cookie of a trusted browser.  An app keeps no cookies.
            response.cookies.update(answer.cookies)
        return response

    def ask_api(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Return the answer of the JSON API.  Those of its views that ask Bandwidth are async."""
        view: Callable[..., Any] = self.api_view  # type: ignore[assignment]
        answer: HttpResponse = (
            async_to_sync(view)(request, **kwargs)
            if iscoroutinefunction(view)
            else view(request, **kwargs)
        )
        return answer

    def new_tokens(self, request: HttpRequest) -> dict[str, Any] | None:
        """Return tokens for an app whose session key has changed; None for other clients."""
        if self.client is not Client.APP or not request.user.is_authenticated:
            return None
        tokens: dict[str, Any] | None = app_settings.TOKEN_STRATEGY.create_access_token_payload(
            request
        )
        return tokens


def _in_form_of_allauth(
    request: HttpRequest, answer: HttpResponse, meta: dict[str, Any] | None
) -> HttpResponse:
    """Return a response of the JSON API in allauth's format: status, data, errors and meta."""
    body = json.loads(answer.content) if answer.content else {}
    error = body.get("error")
    response: HttpResponse = APIResponse(
        request,
        status=answer.status_code,
        errors=None if error is None else [error],
        data=body if error is None else None,
        meta=meta,
    )
    return response


def _forget_stage(request: HttpRequest) -> None:
    """Abort allauth's login at this stage, because it was cancelled or is too old."""
    stage = waiting_stage(request)
    if stage is not None:
        stage.abort()
