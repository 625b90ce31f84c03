"""Functions that the settings of tests name: a policy, a list of numbers, a text."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from .conftest import NUMBER


def only_ada(request: HttpRequest, user: Any) -> bool:
    # A site's policy may read request.user. That must not call the policy again.
    if hasattr(request, "user"):
        assert request.user == user
    return bool(user.get_username() == "ada")


def numbers_of(user: Any) -> list[str]:
    return [NUMBER] if user.get_username() == "newcomer" else []


def message(user: Any, purpose: str, channel: str) -> str:
    return "Your code is {CODE}"
