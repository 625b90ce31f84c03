"""User models whose primary keys are not numbers.

The gate runs the tests once with ``UUIDUser`` as AUTH_USER_MODEL.
"""

import uuid

from django.contrib.auth.models import AbstractBaseUser, AbstractUser
from django.db import models


class UUIDUser(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta(AbstractUser.Meta):
        swappable = "AUTH_USER_MODEL"


class NamedUser(AbstractBaseUser):
    """A user whose name is the primary key."""

    name = models.CharField(max_length=190, primary_key=True)

    USERNAME_FIELD = "name"
