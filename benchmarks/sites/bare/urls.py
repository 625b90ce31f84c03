"""The session records the right password until the provider confirms the code."""

import requests
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from benchmarks.sites.base import PROVIDER_URL
from benchmarks.sites.making import number
from benchmarks.sites.pages import page, public

provider = requests.Session()
provider.headers["Authorization"] = "Bearer benchmark"


class PasswordView(LoginView):
    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        self.request.session["owes_code"] = form.get_user().pk
        return redirect("/code/")


def code(request: HttpRequest) -> HttpResponse:
    user = User.objects.get(pk=request.session["owes_code"])
    phone = {
        "to": number(int(user.username.removeprefix("user"))),
        "from": "+12025550100",
        "applicationId": "benchmark-messaging",
        "scope": "sign-in",
        "digits": 6,
    }
    if request.method == "GET":
        ask_provider("messaging", phone | {"message": "Your {NAME} {SCOPE} code is {CODE}"})
        return render(request, "code.html")
    tried = {"code": request.POST["code"], "expirationTimeInMinutes": 3}
    if ask_provider("verify", phone | tried).get("valid") is not True:
        return render(request, "code.html")
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect(settings.LOGIN_REDIRECT_URL)


def ask_provider(action: str, body: dict[str, object]) -> dict[str, object]:
    address = f"{PROVIDER_URL}/api/v1/accounts/5500001/code/{action}"
    answer = provider.post(address, json=body, timeout=(3.05, 5))
    answer.raise_for_status()
    data: dict[str, object] = answer.json()
    return data


urlpatterns = [
    path("login/", PasswordView.as_view()),
    path("code/", code),
    path("page/", login_required(page)),
    path("public/", public),
]
