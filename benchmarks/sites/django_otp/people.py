from collections.abc import Iterable

from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from benchmarks.browser import SignIn, get, post
from benchmarks.sites.making import PASSWORD, add_users, name
from benchmarks.sites.totp import wait_for_a_fresh_period


def add(numbers: Iterable[int]) -> None:
    TOTPDevice.objects.bulk_create(
        [TOTPDevice(user=user, name="default") for _n, user in add_users(numbers)],
        batch_size=5000,
    )


def sign_in(n: int) -> SignIn:
    device = TOTPDevice.objects.get(user__username=name(n))
    # As if this period's code had not been used yet: people sign in less often than this benchmark.
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=-1)
    yield "login page", get("/login/")
    wait_for_a_fresh_period()
    answer = yield (
        "password",
        post(
            "/login/",
            username=name(n),
            password=PASSWORD,
            otp_device=device.persistent_id,
            otp_token=f"{totp(device.bin_key):06}",
        ),
    )
    yield "page", get(answer.location)
