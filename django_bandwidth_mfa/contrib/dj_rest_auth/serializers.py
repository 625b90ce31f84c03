"""dj-rest-auth's login serializer, in two steps."""

from __future__ import annotations

from typing import Any

from dj_rest_auth import serializers
from django.apps import apps
from django.views.decorators.debug import sensitive_variables

from ..rest_framework.two_steps import CompletionMixin

__all__ = ["LoginSerializer"]


class LoginSerializer(CompletionMixin, serializers.LoginSerializer):
    """Accept a username or mail address and a password, or a completion."""

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "completion" in attrs:
            return {"user": self.after_code(attrs["completion"])}
        validated: dict[str, Any] = super().validate(attrs)
        return {**validated, "user": self.after_password(validated["user"])}

    def check_user(self, user: Any) -> None:
        """Refuse a user whom dj-rest-auth refuses after the password.

        :raises ValidationError: the user is refused; for an address, say, that was not verified.
        """
        self.validate_auth_user_status(user)
        if apps.is_installed("dj_rest_auth.registration"):
            self.validate_email_verification_status(user)
