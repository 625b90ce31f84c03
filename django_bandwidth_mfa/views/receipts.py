"""Where Bandwidth posts delivery receipts."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from ..internal.codes import receipts
from ..internal.databases import is_connection_lost

# csrf_exempt: what posts here has no session, and the address's secret is what lets it in.
PROTECTION: list[Any] = [login_not_required, transaction.non_atomic_requests, csrf_exempt]


@method_decorator(PROTECTION, name="dispatch")
class ReceiptsView(View):
    """POST: 204 noted, 404 no such address, or no such message (Bandwidth asks again, and by then
    the message may be known); 413 too long; 400 no receipt."""

    http_method_names = ["post", "options"]  # noqa: RUF012  Django's own form

    def post(self, request: HttpRequest, secret: str) -> HttpResponse:
        if not receipts.is_secret(secret):
            raise Http404
        try:
            # Read a byte more than is taken, whatever length the header promises.
            body = request.read(receipts.MAX_BODY + 1)
            if len(body) > receipts.MAX_BODY:
                return HttpResponse(status=413)
            is_ours = receipts.record(body)
        except receipts.NotAReceipt:
            return HttpResponse(status=400)
        except (OperationalError, InterfaceError) as error:
            if not is_connection_lost(error):
                raise
            return HttpResponse(status=503)
        return HttpResponse(status=204 if is_ours else 404)
