"""The reset of a second factor, by staff, for a user who cannot sign in."""

from __future__ import annotations

from django.db import router, transaction
from django.http import HttpRequest

from ...models import Challenge, Phone, RecoveryCode, SecondFactor
from ...types import User, in_query
from ..limits import rules
from ..notify import events
from ..phones.source import phone_source


def reset_second_factor(
    user: User,
    *,
    forget_phones: bool = False,
    by: User | None = None,
    request: HttpRequest | None = None,
) -> None:
    """Unlock ``user``, and make their sessions owe a code again.

    The limits of the user and of their numbers are reset, too.

    First make sure that you talk to the owner of the account: an attacker with a stolen password
    may call and ask for a reset.

    :param forget_phones: also delete the phones and the recovery codes.  The user then adds a phone
        at the next login, if the policy requires one.
    :param by: the staff member, for the log; None for a command.
    """
    with transaction.atomic(using=router.db_for_write(Phone)):
        rules.clear_all(user, _numbers(user))
        if forget_phones:
            # With GET_PHONES, challenges have no phone row with which they would be deleted.
            Challenge.objects.filter(user=in_query(user), passed_at=None).delete()
            Phone.objects.filter(user=in_query(user)).delete()
            RecoveryCode.objects.filter(user=in_query(user)).delete()
        SecondFactor.objects.require_new_code(user)
    has_phone = phone_source().has_confirmed(user)
    events.second_factor_reset(user, by, request, forget_phones=forget_phones, has_phone=has_phone)


def _numbers(user: User) -> list[str]:
    """Return the numbers of ``user``, including unconfirmed ones."""
    own = Phone.objects.filter(user=in_query(user)).values_list("number", flat=True)
    kept_by_site = [phone.number for phone in phone_source().confirmed(user)]
    return sorted({*own, *kept_by_site})
