"""The test site's pages."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required, login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views import View

from django_bandwidth_mfa.decorators import mfa_required, mfa_suggested
from django_bandwidth_mfa.mixins import MFARequiredMixin


@login_required
def account(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"account of {request.user}")


@login_not_required
def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse("public")


@login_not_required
def whoami(request: Any) -> HttpResponse:
    mfa = request.mfa
    return JsonResponse(
        {
            "user": str(request.user),
            "state": mfa.state,
            "pending": mfa.pending_user and str(mfa.pending_user),
            "verified_at": mfa.verified_at and mfa.verified_at.isoformat(),
            "method": mfa.method,
        }
    )


@login_not_required
async def awhoami(request: Any) -> HttpResponse:
    user = await request.auser()
    return JsonResponse({"user": str(user), "state": request.mfa.state})


@mfa_required
def verified(request: HttpRequest) -> HttpResponse:
    return HttpResponse("verified")


@mfa_required(max_age=60)
def transfer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("transfer")


@mfa_required(max_age=60)
async def atransfer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("async transfer")


@mfa_suggested
def suggesting(request: HttpRequest) -> HttpResponse:
    return HttpResponse("suggesting")


@mfa_suggested
async def asuggesting(request: HttpRequest) -> HttpResponse:
    return HttpResponse("async suggesting")


class TransferView(MFARequiredMixin, View):
    mfa_max_age = 60

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("class transfer")


class AsyncTransferView(MFARequiredMixin, View):
    mfa_max_age = 60

    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("async class transfer")


class SecretView(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("secret")


urlpatterns = [
    path("", public),
    path("account/", account),
    path("secret/", SecretView.as_view()),
    path("whoami/", whoami),
    path("awhoami/", awhoami),
    path("verified/", verified),
    path("transfer/", transfer),
    path("atransfer/", atransfer),
    path("suggesting/", suggesting),
    path("asuggesting/", asuggesting),
    path("class-transfer/", TransferView.as_view()),
    path("async-class-transfer/", AsyncTransferView.as_view()),
    path("accounts/login/", auth_views.LoginView.as_view(), name="login"),
    path("accounts/logout/", auth_views.LogoutView.as_view(), name="logout"),
    path(
        "reset/<uidb64>/<token>/",
        auth_views.PasswordResetConfirmView.as_view(
            post_reset_login=True, success_url="/account/", template_name="registration/login.html"
        ),
        name="password_reset_confirm",
    ),
    path("allauth/", include("allauth.urls")),
    path("mfa/", include("django_bandwidth_mfa.urls")),
    path("admin/", admin.site.urls),
]
