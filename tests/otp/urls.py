"""Views behind django-otp's decorators, its admin site, and the logins that lead there."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django_otp.admin import OTPAdminSite
from django_otp.decorators import otp_required
from django_otp.views import LoginView
from two_factor.urls import urlpatterns as two_factor_urls

from tests.urls import urlpatterns as base_urls

otp_admin = OTPAdminSite(OTPAdminSite.name)
otp_admin.register(get_user_model())


@otp_required
def vault(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the vault")


def state(request: HttpRequest) -> HttpResponse:
    """Return what both packages report about the visitor."""
    return JsonResponse({"verified": request.user.is_verified(), "state": request.mfa.state})


def twice(request: HttpRequest) -> JsonResponse:
    """Read the user twice, as a view and its template do."""
    return JsonResponse([request.user.is_verified(), request.user.is_verified()], safe=False)


async def atwice(request: HttpRequest) -> JsonResponse:
    answers = [(await request.auser()).is_verified() for _ in range(2)]
    return JsonResponse([*answers, request.user.is_verified()], safe=False)


async def astate(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return JsonResponse({"verified": user.is_verified(), "state": request.mfa.state})


urlpatterns = [
    path("vault/", vault),
    path("state/", state),
    path("astate/", astate),
    path("twice/", twice),
    path("atwice/", atwice),
    path("otp-login/", LoginView.as_view(template_name="login.html"), name="otp_login"),
    path("otp-admin/", otp_admin.urls),
    path("", include(two_factor_urls)),
    *base_urls,
]
