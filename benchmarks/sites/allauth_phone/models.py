from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class PhoneNumber(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="phone_number"
    )
    number = models.CharField(max_length=16, unique=True)
    verified = models.BooleanField(default=True)

    objects: ClassVar[models.Manager[PhoneNumber]] = models.Manager()

    def __str__(self) -> str:
        return self.number
