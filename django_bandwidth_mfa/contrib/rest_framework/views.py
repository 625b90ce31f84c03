"""REST framework's ``obtain_auth_token``, in two steps."""

from __future__ import annotations

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from rest_framework.authtoken import views
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response

from .serializers import AuthTokenSerializer
from .tokens import create_token

__all__ = ["ObtainAuthToken", "obtain_auth_token"]


@method_decorator(sensitive_post_parameters("password", "completion"), name="dispatch")
class ObtainAuthToken(views.ObtainAuthToken):
    """POST a username and a password, or a completion.

    The response is 202 with a ticket, or 200 with a token.
    """

    authentication_classes = ()
    serializer_class = AuthTokenSerializer

    def get_authenticate_header(self, request: Request) -> str:
        """Return a scheme, so that a refusal has the status 401."""
        return "Token"

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token = create_token(Token, serializer.validated_data["user"])
        return Response({"token": token.key})


obtain_auth_token = ObtainAuthToken.as_view()
