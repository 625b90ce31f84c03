from collections import Counter
from collections.abc import Iterable

from django.utils import timezone

from benchmarks.browser import SignIn, get, post
from benchmarks.sites.making import PASSWORD, add_users, name, number
from django_bandwidth_mfa.models import Phone

# The number of sign-ins of each user. A code passes once per phone number.
signed_in = Counter[int]()


def add(numbers: Iterable[int]) -> None:
    now = timezone.now()
    Phone.objects.bulk_create(
        [
            Phone(user=user, number=number(n), is_primary=True, confirmed_at=now)
            for n, user in add_users(numbers)
        ],
        batch_size=5000,
    )


def sign_in(n: int) -> SignIn:
    signed_in[n] += 1
    code = str(100_000 + signed_in[n])
    yield "login page", get("/login/")
    answer = yield "password", post("/login/", username=name(n), password=PASSWORD)
    yield "send", get(answer.location)
    answer = yield "verify", post(answer.location, code=code)
    yield "page", get(answer.location)
