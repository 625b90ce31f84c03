"""A site's own user admin, with the second factor added as the documentation says."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from django_bandwidth_mfa.admin import SecondFactorAdminMixin

from .models import UUIDUser


@admin.register(UUIDUser)
class UUIDUserAdmin(SecondFactorAdminMixin, UserAdmin):
    pass
