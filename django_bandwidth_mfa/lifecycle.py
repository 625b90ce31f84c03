"""What becomes of a second factor after it was set up: changed, lost, reset.

NIST SP 800-63B-4, section 4, calls these authenticator events.  Whatever takes a way in away also
takes what was let in by it: within ``RECHECK_SECONDS`` the user's sessions owe a code again, and no
browser is trusted any more.  Each tells of itself (:mod:`.events`), and so its user gets a mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import models, router, transaction
from django.http import HttpRequest
from django.utils import timezone

from .exceptions import LastPhone, NoPhone
from .internal.limits import rules
from .internal.notify import events
from .models import Challenge, Phone, RecoveryCode, SecondFactor, TrustedBrowser


def rename(phone: Phone, name: str) -> None:
    """Call ``phone`` what its owner calls it; 40 characters at most."""
    Phone.objects.filter(pk=phone.pk).update(name=name)


def decline_suggestion(user: Any) -> None:
    """``user`` does not want a phone now, and is not asked again for a while."""
    SecondFactor.objects.update_or_create(user=user, defaults={"declined_at": timezone.now()})


def make_primary(phone: Phone, *, request: HttpRequest | None = None) -> None:
    """Send codes to ``phone`` from now on.

    :raises NoPhone: it is not confirmed, or not there any more.
    """
    with _phones_of(phone.user) as phones:
        if not phones.filter(pk=phone.pk, confirmed_at__isnull=False).exists():
            raise NoPhone
        phones.filter(is_primary=True).exclude(pk=phone.pk).update(is_primary=False)
        phones.filter(pk=phone.pk).update(is_primary=True)
    phone.is_primary = True
    events.primary_phone_changed(phone, request)


def remove_phone(
    phone: Phone,
    *,
    must_stay: Callable[[], bool] | None = None,
    request: HttpRequest | None = None,
) -> SecondFactor:
    """Take ``phone`` off its user's account; the next one becomes primary if it was that.

    With the last one go the recovery codes: there is nothing left that they would stand in for.

    :param must_stay: asked when the last confirmed one is gone, inside the transaction, so that any
        policy can be asked as things would be; if it is true, nothing is removed.
    :returns: as :func:`end_verified_sessions`.
    :raises LastPhone: it was.
    """
    user = phone.user
    with _phones_of(user) as phones:
        others = phones.filter(confirmed_at__isnull=False).exclude(pk=phone.pk)
        phones.filter(pk=phone.pk).delete()
        if not others.exists():
            if must_stay is not None and must_stay():
                raise LastPhone
            RecoveryCode.objects.filter(user=user).delete()
        elif not others.filter(is_primary=True).exists():
            heir = others.order_by("confirmed_at", "pk").values_list("pk", flat=True)[:1]
            phones.filter(pk__in=list(heir)).update(is_primary=True)
        before = end_verified_sessions(user)
    events.phone_removed(phone, request)
    return before


def replace_phone(new: Phone) -> Phone | None:
    """Let ``new``, just confirmed, take the place of the phone that it replaces.

    Inside the caller's transaction, so :func:`.events.phone_removed` is the caller's to tell.

    :returns: the phone that went, if it was still there.
    """
    if new.replaces_id is None:
        return None
    phones = Phone.objects.filter(user=new.user)
    old = phones.filter(pk=new.replaces_id, confirmed_at__isnull=False).first()
    if old is None:
        return None
    phones.filter(pk=old.pk).delete()
    phones.filter(pk=new.pk).update(is_primary=old.is_primary, name=old.name, replaces=None)
    end_verified_sessions(new.user)
    return old


def end_verified_sessions(user: Any) -> SecondFactor:
    """Have ``user``'s sessions owe a code again, and trust none of their browsers.

    :returns: since when they counted before, for the session that asks for it: if it counted, it
        may outlive this (:func:`.sessions.outlive`).
    """
    return _end_sessions(user, "verified_since")


def sign_out_others(user: Any, *, request: HttpRequest | None = None) -> SecondFactor:
    """End every session of ``user``'s within ``RECHECK_SECONDS``, and trust none of their browsers.

    :returns: as :func:`end_verified_sessions`.
    """
    before = _end_sessions(user, "signed_in_since")
    events.signed_out_others(user, request)
    return before


def _end_sessions(user: Any, since: str) -> SecondFactor:
    """Move a moment of the user's row; the row as it was before, read under a lock, so that of two
    who end each other's sessions only the first stays."""
    with transaction.atomic(using=router.db_for_write(SecondFactor)):
        SecondFactor.objects.get_or_create(user=user)
        before = SecondFactor.objects.select_for_update().get(user=user)
        SecondFactor.objects.filter(user=user).update(**{since: timezone.now()})
        TrustedBrowser.objects.filter(user=user).delete()
    return before


def reset(
    user: Any,
    *,
    forget_phones: bool = False,
    by: Any | None = None,
    request: HttpRequest | None = None,
) -> None:
    """What staff do for a user who cannot get in: unlock, end every wait and every session's
    verified state.

    :param forget_phones: and remove the phones and the recovery codes, so that the user enrols anew
        (at the next login, where the policy obliges them).  Be sure whom you are talking to: this
        is what a thief of the password will call and ask for.
    :param by: the member of staff, for the log.
    """
    with transaction.atomic(using=router.db_for_write(Phone)):
        rules.clear(user)
        if forget_phones:
            # Where GET_PHONES keeps the numbers, a challenge belongs to no row of ours.
            Challenge.objects.filter(user=user, passed_at=None).delete()
            Phone.objects.filter(user=user).delete()
            RecoveryCode.objects.filter(user=user).delete()
        end_verified_sessions(user)
    events.second_factor_reset(user, by, request, forget_phones=forget_phones)


@contextmanager
def _phones_of(user: Any) -> Iterator[models.QuerySet[Phone]]:
    """A transaction that holds ``user``'s phones, so that two changes of them come one by one: two
    tabs that remove a phone each must not leave none, nor make two of them the primary one."""
    with transaction.atomic(using=router.db_for_write(Phone)):
        phones = Phone.objects.filter(user=user)
        list(phones.select_for_update().order_by("pk").values_list("pk"))
        yield phones
