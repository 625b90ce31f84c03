"""Rows that are found and changed by the values of their columns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.db.models import Model
from django.utils import timezone

from django_bandwidth_mfa import service
from django_bandwidth_mfa.internal import rows
from django_bandwidth_mfa.internal.rows import FILLED
from django_bandwidth_mfa.models import Challenge, Phone, SpentCode

from ..conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def numbers(**where: object) -> set[str]:
    phones = rows.find(Phone, where)
    assert rows.count(Phone, where) == len(phones)
    return {phone.number for phone in phones}


def values_of(row: Model) -> dict[str, object]:
    return {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_rows_are_found_by_a_value_by_nothing_and_by_anything() -> None:
    user = make_user("ada", NUMBER)
    make_user("grace", "+12025550177")
    Phone.objects.create(user=user, number=OTHER_NUMBER)
    assert numbers(user=user) == {NUMBER, OTHER_NUMBER}
    assert numbers(user=user, confirmed_at=None) == {OTHER_NUMBER}
    assert numbers(user=user, confirmed_at=FILLED) == {NUMBER}
    assert numbers(number=NUMBER, is_primary=True) == {NUMBER}


@pytest.mark.parametrize("other", [AnonymousUser(), Group(pk=1), 1])
def test_what_is_no_user_of_the_site_is_refused(other: object) -> None:
    """Fails when only the primary key is checked: an object of another model with the same key
    would count as the user."""
    make_user("ada", NUMBER)
    with pytest.raises(ValueError, match=r"Phone\.user must be a \w*User, not a"):
        numbers(user=other)


def test_a_value_is_no_sql() -> None:
    """Fails when values become a part of the SQL statement."""
    make_user("ada", NUMBER)
    assert numbers(number=f"{NUMBER}' OR '1'='1") == set()


def test_the_newest_alone_is_returned_as_django_would_return_it() -> None:
    now = timezone.now()
    for hours in (1, 3, 2):
        SpentCode.objects.create(digest=str(hours) * 64, expires_at=now + timedelta(hours=hours))
    codes = rows.find(SpentCode, {"expires_at": FILLED}, newest_by="expires_at")
    assert values_of(codes[0]) == values_of(SpentCode.objects.get(digest="3" * 64))


def test_each_kind_of_value_is_read_as_django_reads_it(bandwidth: Any) -> None:
    """The driver returns identifiers, dates and JSON in other forms. Fails without their
    converters."""
    challenge = service.send_code(make_user("ada", NUMBER))
    for model in (Challenge, Phone):
        [row] = rows.find(model, {"number": NUMBER})
        assert values_of(row) == values_of(model._base_manager.get())
        assert not row._state.adding
    assert challenge.taken


def test_values_are_written_into_the_rows_that_were_found_and_no_others() -> None:
    """Fails when the UPDATE lacks the condition that the row has not changed in the meantime."""
    user = make_user("ada", NUMBER)
    free = Phone.objects.create(user=user, number=OTHER_NUMBER)
    new = {"confirmed_at": timezone.now(), "name": "Work"}
    assert rows.update(Phone, {"id": free.pk, "confirmed_at": None}, new) == 1
    assert rows.update(Phone, {"id": free.pk, "confirmed_at": None}, new) == 0
    free.refresh_from_db()
    assert {"confirmed_at": free.confirmed_at, "name": free.name} == new
    assert Phone.objects.exclude(name="Work").get().number == NUMBER
