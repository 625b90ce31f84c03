"""Fixtures that all tests share: a Bandwidth, and users with and without a phone."""

from __future__ import annotations

import gc
import hashlib
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.utils import timezone, translation

from django_bandwidth_mfa.internal.codes import recovery_codes
from django_bandwidth_mfa.models import Phone, RecoveryCode
from django_bandwidth_mfa.simulator import Simulator

pytest_plugins = ["tests.row_options", "tests.figures"]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have the garbage collector look at what the tests make, not at what was imported.

    It looked at all modules and tests again and again: a fifth of the processor's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_configure(config: pytest.Config) -> None:
    """Leave the slow tests out where the command names no tests.

    ``python -m pytest tests`` runs them, too, and so does a command that names their file.
    """
    names_no_tests = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if names_no_tests and not config.option.markexpr:
        config.option.markexpr = "not slow"


PASSWORD = "correct horse"
NUMBER = "+12025550142"
OTHER_NUMBER = "+12025550177"


@pytest.fixture(autouse=True)
def forget_language() -> Iterator[None]:
    """Leave no language active: ``LocaleMiddleware`` leaves that of its request to the thread."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(quiet=True) as running:
        yield running


@pytest.fixture
def bandwidth(running_simulator: Simulator, settings: Any) -> Simulator:
    """A Bandwidth of this test's own; ``settings.BANDWIDTH_MFA`` points at it."""
    running_simulator.reset()
    settings.BANDWIDTH_MFA = {
        **django_settings.BANDWIDTH_MFA,
        "BASE_URL": running_simulator.base_url,
        "TOKEN_URL": running_simulator.token_url,
    }
    return running_simulator


@pytest.fixture
def configure(settings: Any) -> Any:
    """``configure(DIGITS=8)`` changes keys of BANDWIDTH_MFA for the rest of the test."""

    def configure(**changes: Any) -> None:
        settings.BANDWIDTH_MFA = {**settings.BANDWIDTH_MFA, **changes}

    return configure


def make_user(username: str, *numbers: str, **fields: Any) -> Any:
    """A user whose confirmed phones have ``numbers``, the first one primary."""
    user = get_user_model()._default_manager.create_user(  # type: ignore[attr-defined]
        username=username, password=PASSWORD, email=f"{username}@example.com", **fields
    )
    for place, number in enumerate(numbers):
        Phone.objects.create(
            user=user, number=number, is_primary=not place, confirmed_at=timezone.now()
        )
    return user


# Scrypt's parameters stand in each row of a recovery code.  With these, a hash takes no time.
CHEAP = recovery_codes.Cost(n=2, r=1, p=1)


@pytest.fixture(autouse=True)
def cheap_recovery_codes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store recovery codes under a cheap scrypt, as ``MD5PasswordHasher`` stores passwords.

    Tests with the mark ``scrypt`` store them as a site does: some 40 ms of processor time for each.
    """
    if request.node.get_closest_marker("scrypt") is None:
        monkeypatch.setattr(recovery_codes, "COST", CHEAP)


def give_recovery_codes(user: Any, many: int = 10) -> list[str]:
    """Give ``user`` recovery codes, without the limits and the mail of a set that they ask for."""
    # Of one user, no two codes begin with the same selector.
    taken = set(RecoveryCode.objects.filter(user=user).values_list("selector", flat=True))
    drawn = recovery_codes.draw(many + len(taken))
    length = recovery_codes.SELECTOR_LENGTH
    codes = [code for code in drawn if code[:length] not in taken][:many]
    RecoveryCode.objects.bulk_create(recovery_codes.row_of(user, code, CHEAP) for code in codes)
    return ["-".join(re.findall("....", code)) for code in codes]


def give_old_recovery_code(user: Any) -> str:
    """Give ``user`` a recovery code as an earlier version made it: 24 characters under SHA-256."""
    code = "".join(secrets.choice(recovery_codes.ALPHABET) for _ in range(24))
    RecoveryCode.objects.create(user=user, digest=hashlib.sha256(code.encode()).hexdigest())
    return "-".join(re.findall("....", code))


# It can be a recovery code, and is nobody's.  Codes of this length cost no scrypt.
WRONG_RECOVERY_CODE = "0" * 24


@pytest.fixture
def user(db: None) -> Any:
    """A user who has a phone, and so owes a code."""
    return make_user("ada", NUMBER)


@pytest.fixture
def newcomer(db: None) -> Any:
    """A user who has none."""
    return make_user("newcomer")
