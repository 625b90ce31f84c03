"""``manage.py mfa_…``: what a site's owner does from a shell."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import CommandError


def find_user(username: str) -> Any:
    """The user of that name, as they type it to sign in.

    :raises CommandError: there is none.
    """
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(username)
    except model.DoesNotExist:
        raise CommandError(f"There is no user {username!r}.") from None
