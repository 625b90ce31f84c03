from collections.abc import Iterable

from two_factor.plugins.phonenumber.models import PhoneDevice

from benchmarks.browser import SignIn, get, post
from benchmarks.sites import sending
from benchmarks.sites.making import PASSWORD, add_users, name, number

LOGIN = "/account/login/"


def add(numbers: Iterable[int]) -> None:
    PhoneDevice.objects.bulk_create(
        [
            PhoneDevice(user=user, name="default", number=number(n), method="sms")
            for n, user in add_users(numbers)
        ],
        batch_size=5000,
    )


def sign_in(n: int) -> SignIn:
    yield "login page", get(LOGIN)
    password = {"auth__username": name(n), "auth__password": PASSWORD}
    yield "password", post(LOGIN, login_view__current_step="auth", **password)
    code = {"token__otp_token": sending.sent}
    answer = yield "verify", post(LOGIN, login_view__current_step="token", **code)
    yield "page", get(answer.location)
