"""Changes of a user's phones.

NIST SP 800-63B-4, section 4, calls them authenticator events.  When a phone is removed, the user's
sessions owe a code again within ``RECHECK_SECONDS``, and their browsers are no longer trusted.
Each change reports an event, for most of which the user gets a mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import router, transaction
from django.http import HttpRequest

from ...exceptions import LastPhone, NoPhone
from ...models import Channel, Phone, PhoneQuerySet, RecoveryCode, SecondFactor
from ...types import User, in_query
from ..notify import events


def rename(phone: Phone, name: str) -> None:
    """Set the name of ``phone``, at most 40 characters; an empty text removes the name."""
    Phone.objects.filter(pk=phone.pk).update(name=name)


def prefer_channel(phone: Phone, channel: str) -> None:
    """Set the preferred channel of ``phone``.

    :param channel: ``"sms"`` or ``"voice"``.
    :raises NoPhone: the phone is not confirmed, or was removed.
    :raises ValueError: the channel is unknown.
    """
    if channel not in Channel.values:
        raise ValueError(f"channel must be one of {Channel.values}, not {channel!r}")
    if not Phone.objects.confirmed().filter(pk=phone.pk).update(channel=channel):
        raise NoPhone
    phone.channel = channel
    events.phone_channel_changed(phone)


def make_primary(phone: Phone, *, request: HttpRequest | None = None) -> None:
    """Make ``phone`` the primary phone of its user.

    :raises NoPhone: the phone is not confirmed, or was removed.
    """
    with _locked_phones(phone.user) as phones:
        if not phones.confirmed().filter(pk=phone.pk).exists():
            raise NoPhone
        phones.filter(is_primary=True).exclude(pk=phone.pk).update(is_primary=False)
        phones.filter(pk=phone.pk).update(is_primary=True)
    phone.is_primary = True
    events.primary_phone_changed(phone, request)


def remove(
    phone: Phone,
    *,
    must_stay: Callable[[], bool] | None = None,
    by: User | None = None,
    request: HttpRequest | None = None,
) -> SecondFactor:
    """Remove ``phone`` from its user's account.

    If it was the primary phone, the next one becomes primary.  If it was the last phone, the
    recovery codes are deleted, too: there is no phone left that they could replace.

    :param must_stay: called in the transaction after the last confirmed phone was deleted, so that
        it sees the new state.  If it returns true, the transaction is rolled back.
    :param by: the staff member who removes it; None if the user does.
    :returns: the row from before, like :meth:`.SecondFactorManager.require_new_code`.
    :raises LastPhone: ``must_stay`` returned true.
    """
    user = phone.user
    was_last = cancelled_codes = False
    with _locked_phones(user) as phones:
        others = phones.confirmed().exclude(pk=phone.pk)
        phones.filter(pk=phone.pk).delete()
        if not others.exists():
            if must_stay is not None and must_stay():
                raise LastPhone
            was_last, cancelled_codes = True, RecoveryCode.objects.left(user) > 0
            RecoveryCode.objects.filter(user=in_query(user)).delete()
        elif not others.filter(is_primary=True).exists():
            heir = others.order_by("confirmed_at", "pk").values_list("pk", flat=True)[:1]
            phones.filter(pk__in=list(heir)).update(is_primary=True)
        before = SecondFactor.objects.require_new_code(user)
    events.phone_removed(phone, request, by, was_last=was_last, cancelled_codes=cancelled_codes)
    return before


def confirm(phone: Phone, now: datetime) -> tuple[bool, Phone | None]:
    """Confirm ``phone`` after a right code.  Call it inside a transaction.

    All other enrolments of the user are deleted: an attacker who knows only the password may have
    begun one while the user had no phone.

    :returns: whether the phone was unconfirmed until now, and the phone that it has replaced or
        None.  The caller reports both after its transaction.
    """
    of_user = Phone.objects.filter(user_id=phone.user_id)
    pending = of_user.filter(confirmed_at=None)
    if not pending.filter(pk=phone.pk).update(confirmed_at=now):
        return False, None
    pending.delete()
    replaced = replace(phone)
    if not of_user.filter(is_primary=True).exists():
        of_user.filter(pk=phone.pk).update(is_primary=True)
    phone.refresh_from_db(using=router.db_for_write(Phone))
    return True, replaced


def replace(new: Phone) -> Phone | None:
    """Remove the phone that ``new``, which was just confirmed, replaces.

    Call it inside a transaction.  The caller reports the removed phone afterwards.

    :returns: the removed phone; None if there was none.
    """
    if new.replaces_id is None:
        return None
    phones = Phone.objects.filter(user_id=new.user_id)
    old = phones.confirmed().filter(pk=new.replaces_id).first()
    if old is None:
        return None
    phones.filter(pk=old.pk).delete()
    phones.filter(pk=new.pk).update(is_primary=old.is_primary, name=old.name, replaces=None)
    SecondFactor.objects.require_new_code(new.user)
    return old


@contextmanager
def _locked_phones(user: User) -> Iterator[PhoneQuerySet]:
    """Lock the phones of ``user`` in a transaction, so that changes run one after the other.

    Without the lock, two tabs that each remove a phone could leave the user without a phone, or
    with two primary phones.
    """
    with transaction.atomic(using=router.db_for_write(Phone)):
        phones = Phone.objects.filter(user=in_query(user))
        list(phones.select_for_update().order_by("pk").values_list("pk"))
        yield phones
