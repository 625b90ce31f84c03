"""The creation of REST framework's own tokens, with their logins."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import router, transaction
from django.views.decorators.debug import sensitive_variables

from ... import service
from ...verification import LoginProof
from .models import TokenLogin
from .proofs import proof_of
from .two_steps import login_of

__all__ = ["create_token"]


@sensitive_variables()
def create_token(token_model: Any, user: Any, serializer: Any = None) -> Any:
    """Return a token for ``user``, whom a serializer of this package has authenticated.

    REST framework has one token for each user.  A login with a code creates a new token and deletes
    the old one: somebody may have copied the old token, which must not become verified.  A login
    that owes no code gets the existing token of such a login, if it is still valid.

    It can be used as dj-rest-auth's ``TOKEN_CREATOR``.
    """
    login = login_of(user)
    tokens = token_model._default_manager
    with transaction.atomic(using=router.db_for_write(token_model)):
        # The lock makes two logins at the same moment run one after the other.
        users = get_user_model()._base_manager.using(router.db_for_write(get_user_model()))
        users.select_for_update().filter(pk=user.pk).first()
        for old in tokens.filter(user=user):
            if login.method is None and _can_be_shared(proof_of(user, old)):
                return old
            TokenLogin.objects.of_key(old.key).delete()
            old.delete()
        token = tokens.create(user=user)
        TokenLogin.objects.keep(token.key, login)
    return token


def _can_be_shared(proof: LoginProof) -> bool:
    """Return whether a login without a code may get the token of ``proof``."""
    return proof.method is None and service.is_in_force(proof)
