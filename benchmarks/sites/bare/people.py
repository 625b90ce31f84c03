from collections.abc import Iterable

from benchmarks.browser import SignIn, get, post
from benchmarks.sites.making import PASSWORD, add_users, name


def add(numbers: Iterable[int]) -> None:
    add_users(numbers)


def sign_in(n: int) -> SignIn:
    yield "login page", get("/login/")
    answer = yield "password", post("/login/", username=name(n), password=PASSWORD)
    yield "send", get(answer.location)
    answer = yield "verify", post(answer.location, code="123456")
    yield "page", get(answer.location)
