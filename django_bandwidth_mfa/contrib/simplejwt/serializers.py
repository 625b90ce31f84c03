"""simplejwt's serializers: the password, or the completion, and the refresh.

A serializer of the site's own inherits from one of these, in place of simplejwt's.
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
    """Stands between a serializer that makes tokens and the one that takes the password."""

    user: Any

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "completion" not in attrs:
            found: dict[str, Any] = super().validate(attrs)
            self.user = self.after_password(self.user)
            return found
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
    """An access token and a refresh token, in two steps."""


class TokenObtainSlidingSerializer(serializers.TokenObtainSlidingSerializer, TwoStepSerializer):
    """A sliding token, in two steps."""


class LiveLoginMixin:
    """Stands to the left of simplejwt's serializer, and refreshes no token whose login has ended.

    The new token keeps the claims of the old one.
    """

    token_field = "refresh"  # noqa: S105  the name of a field

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        self.check_login(attrs[self.token_field])
        found: dict[str, Any] = super().validate(attrs)  # type: ignore[misc]
        return found

    @sensitive_variables()
    def check_login(self, text: str) -> None:
        """Refuse a token whose login is not in force.

        :raises AuthenticationFailed: it is not.
        :raises TokenError: it is no token of this kind, or counts no more.
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
    """A new access token, while the login is in force."""


class TokenRefreshSlidingSerializer(LiveLoginMixin, serializers.TokenRefreshSlidingSerializer):
    """A new sliding token, while the login is in force."""

    token_field = "token"  # noqa: S105
