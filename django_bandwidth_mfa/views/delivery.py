"""What became of a text message, for the page that waits for its code."""

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
    """GET returns a part of the code page.  It reads no session, so it changes no cookie.

    The address is signed.  It says of one challenge whether its message was delivered, and nothing
    else.
    """

    def get(self, request: HttpRequest, signed: str) -> HttpResponse:
        found = delivery.followed(signed)
        if found is None:
            raise Http404
        with translation.override(found.language or None):
            part = code_page.delivery_of(found.challenge)
            if part.url:
                # The same address for as long as the page asks: it ends when the page's code does.
                part = replace(part, url=request.path)
            page = render_to_string("bandwidth_mfa/_delivery.html", {"delivery": part})
            return HttpResponse(page)
