"""The policies for ``REQUIRED``: who owes a code under each policy and each combination."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from django_bandwidth_mfa import policies
from django_bandwidth_mfa.internal.login import policy
from django_bandwidth_mfa.policies import (
    all_of,
    any_of,
    enrolled,
    everyone,
    from_date,
    groups,
    other_factor,
    staff,
    unless,
)

from .browsing import give_password, state
from .conftest import NUMBER, make_user
from .policies import only_ada

DAY = date(2027, 3, 1)
# A policy for a setting that has its dotted path.
STAFF_OR_ENROLLED = any_of(staff, enrolled)


@pytest.fixture
def people(db: None) -> dict[str, Any]:
    """Users by name: with a phone, without a phone, staff, and in the group "finance"."""
    users = {
        "ada": make_user("ada", NUMBER),
        "newcomer": make_user("newcomer"),
        "clerk": make_user("clerk", is_staff=True),
        "teller": make_user("teller"),
    }
    users["teller"].groups.add(Group.objects.create(name="finance"))
    return users


@pytest.mark.slow
@pytest.mark.parametrize(
    ("required", "meant"),
    [
        (staff, "clerk"),
        (everyone, "ada newcomer clerk teller"),
        (enrolled, "ada"),
        (groups("finance"), "teller"),
        (groups("finance", "nobody's"), "teller"),
        (groups("nobody's"), ""),
        (any_of(staff, enrolled), "ada clerk"),
        (any_of(only_ada, groups("finance")), "ada teller"),
        (all_of(staff, enrolled), ""),
        (all_of(everyone, enrolled), "ada"),
        (unless(groups("finance"), everyone), "ada newcomer clerk"),
        (unless(only_ada, everyone), "newcomer clerk teller"),
        (unless(other_factor, everyone), "ada newcomer clerk teller"),
        (from_date(date(2020, 1, 1), staff), "clerk"),
        (from_date(date(2999, 1, 1), everyone), ""),
        (any_of(enrolled, from_date(date(2999, 1, 1), everyone)), "ada"),
        ("tests.test_policies.STAFF_OR_ENROLLED", "ada clerk"),
    ],
)
def test_a_policy_says_who_owes_a_code(
    required: Any, meant: str, people: dict[str, Any], configure: Any
) -> None:
    """Each user really logs in, so the test does not depend on how a policy computes its answer."""
    configure(REQUIRED=required)
    for name, someone in people.items():
        client = Client()
        client.force_login(someone)
        assert state(client) == ("parked" if name in meant.split() else "exempt"), name


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        # Midnight in Berlin is an hour before midnight in UTC.
        (datetime(2027, 2, 28, 22, 59, tzinfo=UTC), False),
        (datetime(2027, 2, 28, 23, 0, tzinfo=UTC), True),
        (datetime(2027, 6, 1, tzinfo=UTC), True),
    ],
)
def test_a_day_begins_at_midnight_in_the_time_zone_of_the_site(
    moment: datetime, expected: bool, people: dict[str, Any], configure: Any, settings: Any
) -> None:
    """Fails when the day begins at midnight in UTC, or in the visitor's time zone."""
    settings.TIME_ZONE = "Europe/Berlin"
    configure(REQUIRED=from_date(DAY, staff))
    with time_machine.travel(moment, tick=False):
        assert policy.owes_code(None, people["clerk"]) is expected


def test_the_day_also_counts_for_users_who_are_signed_in(
    people: dict[str, Any], configure: Any, client: Client, settings: Any
) -> None:
    """Fails when a session that was exempt before the day stays exempt after it."""
    settings.TIME_ZONE = "UTC"
    configure(REQUIRED=any_of(enrolled, from_date(DAY, staff)))
    with time_machine.travel(datetime(2027, 2, 28, 23, 58, tzinfo=UTC), tick=False) as clock:
        give_password(client, people["clerk"])
        assert state(client) == "exempt"
        clock.shift(301)
        assert state(client) == "parked"


def test_a_settings_file_imports_policies_without_settings() -> None:
    """Fails when the module imports Django, or the rest of the app."""
    program = """
import sys
from datetime import date
from django_bandwidth_mfa.policies import *
any_of(enrolled, from_date(date(2027, 3, 1), unless(groups("a"), all_of(staff, everyone))))
print(sorted(name for name in sys.modules if name.startswith("django")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['django_bandwidth_mfa', 'django_bandwidth_mfa.policies']"


def test_two_policies_with_the_same_meaning_are_equal() -> None:
    """The tests of a site can therefore compare its settings."""
    assert any_of(staff, groups("a")) == any_of(staff, groups("a"))
    assert any_of(staff) != all_of(staff)


# Wrong policies ----------------------------------------------------------------------------------

WRONG: list[Any] = [
    any_of(),
    all_of(),
    any_of("staff"),
    all_of(everyone, None),
    policies.groups,
    any_of(policies.any_of),
    type("Mine", (policies.Policy,), {})(),
]


@pytest.mark.attack("P52")
@pytest.mark.parametrize("required", WRONG, ids=map(repr, range(len(WRONG))))
def test_a_wrong_policy_signs_nobody_in(
    required: Any, people: dict[str, Any], configure: Any
) -> None:
    """Fails when ``any_of()`` behaves like Python's ``any()`` of an empty list: nobody would need a
    code, and each password alone would be enough."""
    configure(REQUIRED=required)
    for someone in people.values():
        with pytest.raises((ImproperlyConfigured, TypeError)):
            policy.owes_code(None, someone)


# Users who have to keep a phone ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("required", "obliged"),
    [
        (any_of(enrolled, staff), "clerk"),
        (everyone, "ada newcomer clerk teller"),
        (enrolled, ""),
        (unless(other_factor, everyone), "ada newcomer clerk teller"),
        (from_date(date(2999, 1, 1), everyone), ""),
        (only_ada, ""),
    ],
)
def test_a_user_who_needs_a_code_without_a_phone_cannot_remove_the_last_phone(
    required: Any, obliged: str, people: dict[str, Any], configure: Any
) -> None:
    """Fails when ``enrolled`` counts as such a policy: nobody could ever remove a phone."""
    configure(REQUIRED=required)
    names = {name for name, someone in people.items() if policy.is_obliged(someone)}
    assert names == set(obliged.split())
