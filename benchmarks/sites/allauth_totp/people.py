from collections.abc import Iterable

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.mfa.utils import encrypt
from django.core.cache import cache

from benchmarks.browser import SignIn, get, post
from benchmarks.sites.making import PASSWORD, add_users, name
from benchmarks.sites.totp import wait_for_a_fresh_period

LOGIN = "/accounts/login/"
SECRET = generate_totp_secret()


def add(numbers: Iterable[int]) -> None:
    Authenticator.objects.bulk_create(
        [
            Authenticator(user=user, type=Authenticator.Type.TOTP, data={"secret": encrypt(SECRET)})
            for _n, user in add_users(numbers)
        ],
        batch_size=5000,
    )


def sign_in(n: int) -> SignIn:
    # As if this period's code had not been used yet: people sign in less often than this benchmark.
    cache.clear()
    yield "login page", get(LOGIN)
    answer = yield "password", post(LOGIN, login=name(n), password=PASSWORD)
    yield "send", get(answer.location)
    wait_for_a_fresh_period()
    [counter] = yield_hotp_counters_from_time()
    code = format_hotp_value(hotp_value(SECRET, counter))
    answer = yield "verify", post(answer.location, code=code)
    yield "page", get(answer.location)
