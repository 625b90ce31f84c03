"""The bank's views for clients that render their own pages.

The page ``single_page`` signs in with ``fetch`` alone, and uses the session of the site.
``ticket_client.py`` stores no cookies. It signs in with a ticket, and gets a token from the bank.
"""

import json
from typing import Any

from django.contrib.auth import get_user_model, login
from django.contrib.auth.forms import AuthenticationForm
from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import TicketInvalid

from .views import BALANCE

# Seconds. This bank cannot end a token earlier. A real bank would check its database.
TOKEN_SECONDS = 600
TOKEN_SALT = "bank.token"  # noqa: S105 - no secret


@require_safe
def single_page(request: HttpRequest) -> HttpResponse:
    return render(request, "bank/single_page.html")


@require_POST
@sensitive_variables()
def sign_in(request: HttpRequest) -> JsonResponse:
    """Check the password. The login is parked if this user needs a code."""
    form = AuthenticationForm(request, read_json(request))
    if not form.is_valid():
        return problem(str(form.non_field_errors()[0] if form.non_field_errors() else form.errors))
    login(request, form.get_user())
    return JsonResponse({})


@csrf_exempt  # an app sends no cookies
@require_POST
def token(request: HttpRequest) -> JsonResponse:
    """Exchange the completion, which the JSON API returned for the right code, for a token."""
    try:
        done = service.redeem_completion(str(read_json(request).get("completion")), request=request)
    except TicketInvalid as error:
        return problem(str(error), status=401)
    return JsonResponse({"token": signing.dumps(str(done.user.pk), salt=TOKEN_SALT)})


@require_safe
def balance(request: HttpRequest) -> JsonResponse:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    try:
        pk = signing.loads(text, salt=TOKEN_SALT, max_age=TOKEN_SECONDS)
    except signing.BadSignature:
        pk = None
    user = get_user_model().objects.filter(pk=pk, is_active=True).first()
    if user is None or scheme != "Bearer":
        return problem("Please sign in.", status=401)
    return JsonResponse({"user": user.get_username(), "balance": str(BALANCE)})


def read_json(request: HttpRequest) -> dict[str, Any]:
    """Return the body of ``request``; an empty dict if it is no JSON object."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def problem(message: str, status: int = 400) -> JsonResponse:
    """Return an error in the format of the JSON API."""
    error = {"code": "bank", "message": message, "retry_after": None, "limit": None}
    return JsonResponse({"error": error}, status=status)
