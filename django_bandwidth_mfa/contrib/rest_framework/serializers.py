"""The serializer for REST framework's own tokens: a password, or a completion."""

from __future__ import annotations

from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework.authtoken import serializers

from .two_steps import CompletionMixin

__all__ = ["AuthTokenSerializer"]


class AuthTokenSerializer(CompletionMixin, serializers.AuthTokenSerializer):
    """REST framework's own serializer, in two steps."""

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "completion" in attrs:
            return {"user": self.after_code(attrs["completion"])}
        validated: dict[str, Any] = super().validate(attrs)
        return {**validated, "user": self.after_password(validated["user"])}
