"""How the users of all sites are made, and their names, numbers and addresses."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

PASSWORD = "correct horse"

AREAS = (206, 312, 415, 617, 713)


def name(n: int) -> str:
    """Return the user name of the n-th user."""
    return f"user{n}"


def number(n: int) -> str:
    """Return the phone number of the n-th user: a valid one of the United States."""
    return f"+1{AREAS[n % len(AREAS)]}{2_000_000 + n // len(AREAS):07}"


def address(n: int) -> str:
    """Return the address that the n-th user's browser has."""
    return f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def add_users(numbers: Iterable[int]) -> list[tuple[int, User]]:
    """Make users with these numbers, and return each user with its number."""
    chosen = list(numbers)
    password = make_password(PASSWORD)
    made = User.objects.bulk_create(
        [User(username=name(n), password=password) for n in chosen], batch_size=5000
    )
    return list(zip(chosen, made, strict=True))
