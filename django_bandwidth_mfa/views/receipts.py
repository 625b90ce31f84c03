"""The view to which Bandwidth posts delivery receipts."""

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

# csrf_exempt: Bandwidth has no session, and the secret in the URL authenticates it.
PROTECTION: list[Any] = [login_not_required, transaction.non_atomic_requests, csrf_exempt]


@method_decorator(PROTECTION, name="dispatch")
class ReceiptsView(View):
    """POST stores a receipt.

    The status is 204 for a stored receipt, 400 for a body that is not a receipt, and 413 for a body
    that is too long.  It is 404 for a wrong secret, and for an unknown message: Bandwidth then
    posts the receipt again, when the message may be known.  It is 503 if the database is down.
    """

    http_method_names = ["post", "options"]  # noqa: RUF012  Django's own form

    def post(self, request: HttpRequest, secret: str) -> HttpResponse:
        if not receipts.is_secret(secret):
            raise Http404
        try:
            # Read one byte more than is allowed, because the length in the header may be wrong.
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
