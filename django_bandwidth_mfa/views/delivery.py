"""The delivery of a text message, which the code page polls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View

from ..internal.codes import delivery
from ..internal.flows import code_page

PROTECTION: list[Any] = [login_not_required, never_cache]


@method_decorator(PROTECTION, name="dispatch")
class DeliveryView(View):
    """GET returns a part of the code page.  It uses no session, so it changes no cookie.

    The URL is signed.  The response shows only whether the message of one challenge was delivered.
    """

    def get(self, request: HttpRequest, signed: str) -> HttpResponse:
        followed = delivery.followed(signed)
        if followed is None:
            raise Http404
        with translation.override(followed.language or None):
            part = code_page.delivery_of(followed.challenge)
            if part.url:
                # Keep the same URL while the page polls, so that it expires with the code of the
                # page.
                part = replace(part, url=request.path)
            page = render_to_string("bandwidth_mfa/_delivery.html", {"delivery": part})
            return HttpResponse(page)
