"""The URLs of the JSON API below those of allauth headless, for each of its clients.

``app/v1/bandwidth-mfa/verify`` is ``api/verify`` for clients with ``X-Session-Token``;
``browser/v1/bandwidth-mfa/verify`` is the same for clients with a cookie.
"""

from __future__ import annotations

from typing import Any

from allauth.headless import app_settings
from allauth.headless.constants import Client
from django.urls import URLPattern, include, path

from ...api import urls as api
from .views import CodeView

__all__ = ["urlpatterns"]

# URLs that are not repeated here: allauth has its own login, and the others need no session.
ELSEWHERE = {"api_openapi", "api_login", "api_delivery", "api_nothing_here"}


def addresses(client: Client) -> list[URLPattern]:
    """Return the URL patterns for one kind of client."""
    return [_address(client, one) for one in api.urlpatterns if one.name not in ELSEWHERE]


def _address(client: Client, one: URLPattern) -> URLPattern:
    # An app sends no cookie, so a forged request of another site gains nothing.
    options: dict[str, Any] = {"is_checked_for_forgery": client is Client.BROWSER}
    view = CodeView.as_api_view(
        client=client, api_view=vars(one.callback)["view_class"].as_view(**options)
    )
    route = str(one.pattern).removeprefix("api/")
    return path(f"{client.value}/v1/bandwidth-mfa/{route}", view, name=one.name)


app_name = "bandwidth_mfa_allauth"
urlpatterns = [
    path("", include((addresses(client), client.value)))
    for client in Client
    if client in app_settings.CLIENTS
]
