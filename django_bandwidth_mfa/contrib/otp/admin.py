"""The devices in the admin, where staff can view, confirm and delete them."""

from __future__ import annotations

from django.contrib import admin

from .models import BandwidthDevice

__all__ = ["BandwidthDeviceAdmin"]


@admin.register(BandwidthDevice)
class BandwidthDeviceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The admin of devices.  ``str()`` of a phone shows only the last digits of the number."""

    list_display = ("user", "name", "phone", "confirmed")
    list_select_related = ("user", "phone")
    raw_id_fields = ("user", "phone")
    # `token` is always empty.
    fields = ("user", "name", "phone", "confirmed", "valid_until", "throttling_failure_count")
    readonly_fields = ("valid_until", "throttling_failure_count")
