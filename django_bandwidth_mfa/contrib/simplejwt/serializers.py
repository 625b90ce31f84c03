"""simplejwt's serializers, for a password or a completion, and for the refresh.

A serializer of the site's own inherits from one of these instead of simplejwt's.
"""

from __future__ import annotations

from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt import serializers
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.settings import api_settings

from ... import service
from ..rest_framework.answers import next_step_of_token
from ..rest_framework.claims import claims_of, proof_of_claims
from ..rest_framework.proofs import django_request, user_of_claims
from ..rest_framework.two_steps import CompletionMixin, login_of

__all__ = [
    "LiveLoginMixin",
    "TokenObtainPairSerializer",
    "TokenObtainSlidingSerializer",
    "TokenRefreshSerializer",
    "TokenRefreshSlidingSerializer",
    "TwoStepSerializer",
]


class TwoStepSerializer(CompletionMixin, serializers.TokenObtainSerializer):
    """The base class of the serializers that create tokens, with a password or a completion."""

    user: Any

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "completion" not in attrs:
            fields: dict[str, Any] = super().validate(attrs)
            self.user = self.after_password(self.user)
            return fields
        self.user = self.after_code(attrs["completion"])
        return {}

    def check_user(self, user: Any) -> None:
        """Refuse a user whom ``USER_AUTHENTICATION_RULE`` refuses.

        :raises AuthenticationFailed: it does.
        """
        if not api_settings.USER_AUTHENTICATION_RULE(user):
            raise AuthenticationFailed(
                self.error_messages["no_active_account"], "no_active_account"
            )

    @classmethod
    @sensitive_variables()
    def get_token(cls, user: Any) -> Any:
        token = super().get_token(user)
        for claim, value in claims_of(login_of(user)).items():
            token[claim] = value
        return token


class TokenObtainPairSerializer(serializers.TokenObtainPairSerializer, TwoStepSerializer):
    """Return an access token and a refresh token, in two steps."""


class TokenObtainSlidingSerializer(serializers.TokenObtainSlidingSerializer, TwoStepSerializer):
    """Return a sliding token, in two steps."""


class LiveLoginMixin:
    """Refuse to refresh a token whose login has ended.  Put it to the left of the serializer.

    The new token keeps the claims of the old one.
    """

    token_field = "refresh"  # noqa: S105  the name of a field

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        self.check_login(attrs[self.token_field])
        fields: dict[str, Any] = super().validate(attrs)  # type: ignore[misc]
        return fields

    @sensitive_variables()
    def check_login(self, text: str) -> None:
        """Check that the login of a token is still valid.

        :raises AuthenticationFailed: the login is not valid any more.
        :raises TokenError: the text is not a token of this kind, or is not valid any more.
        """
        token = self.token_class(text)  # type: ignore[attr-defined]
        user = user_of_claims(token.payload)
        if user is None:
            raise InvalidToken
        proof = proof_of_claims(token.payload, user)
        request = django_request(self.context.get("request"))  # type: ignore[attr-defined]
        if not service.is_in_force(proof, request=request):
            raise InvalidToken(next_step_of_token(proof))


class TokenRefreshSerializer(LiveLoginMixin, serializers.TokenRefreshSerializer):
    """Return a new access token, as long as the login is valid."""


class TokenRefreshSlidingSerializer(LiveLoginMixin, serializers.TokenRefreshSlidingSerializer):
    """Return a new sliding token, as long as the login is valid."""

    token_field = "token"  # noqa: S105
