from collections.abc import Iterable

from benchmarks.browser import SignIn, get, post
from benchmarks.sites import sending
from benchmarks.sites.allauth_phone.models import PhoneNumber
from benchmarks.sites.making import add_users, number

REQUEST = "/accounts/login/code/"


def add(numbers: Iterable[int]) -> None:
    PhoneNumber.objects.bulk_create(
        [PhoneNumber(user=user, number=number(n)) for n, user in add_users(numbers)],
        batch_size=5000,
    )


def sign_in(n: int) -> SignIn:
    yield "login page", get(REQUEST)
    answer = yield "password", post(REQUEST, phone=number(n))
    yield "send", get(answer.location)
    answer = yield "verify", post(answer.location, code=sending.sent)
    yield "page", get(answer.location)
