"""The exception handler for REST framework, which adds the next step to the response.

It is a module of its own to avoid an import cycle: authentication classes are imported while REST
framework's views are being imported.
"""

from __future__ import annotations

from typing import Any

from rest_framework import views
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.response import Response

from .answers import next_step, token_required

__all__ = ["exception_handler"]


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response for ``error``, with the next step for an anonymous visitor.

    ::

        REST_FRAMEWORK = {
            "EXCEPTION_HANDLER":
                "django_bandwidth_mfa.contrib.rest_framework.handlers.exception_handler",
        }

    All other errors are handled by REST framework's own handler.
    """
    response = views.exception_handler(error, context)
    request = context.get("request")
    if response is not None and isinstance(error, NotAuthenticated) and request is not None:
        takes_sessions = any(
            isinstance(one, SessionAuthentication) for one in request.authenticators
        )
        response.data = next_step(request) if takes_sessions else token_required()
    return response
