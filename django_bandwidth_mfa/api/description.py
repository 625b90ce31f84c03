"""The description of the API in OpenAPI 3.1, for programs."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from .base import PublicAPIView, json_response


class DescriptionView(PublicAPIView):
    """GET returns the description, with the URL of the API on this site."""

    def get(self, request: HttpRequest) -> HttpResponse:
        address = reverse("bandwidth_mfa:api_state").removesuffix("/state")
        return json_response({**_description(), "servers": [{"url": address}]})


@lru_cache(maxsize=1)
def _description() -> dict[str, Any]:
    file = resources.files(__package__) / "openapi.json"
    description: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return description
