"""The devices in the admin: to look at, to confirm and to remove."""

from __future__ import annotations

from django.contrib import admin

from .models import BandwidthDevice

__all__ = ["BandwidthDeviceAdmin"]


@admin.register(BandwidthDevice)
class BandwidthDeviceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows no number: a phone names itself by its last digits."""

    list_display = ("user", "name", "phone", "confirmed")
    list_select_related = ("user", "phone")
    raw_id_fields = ("user", "phone")
    # `token` is always empty.
    fields = ("user", "name", "phone", "confirmed", "valid_until", "throttling_failure_count")
    readonly_fields = ("valid_until", "throttling_failure_count")
