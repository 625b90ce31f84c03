"""What a log record of an event looks like to log tools."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from django_bandwidth_mfa import service

pytestmark = pytest.mark.django_db


def test_a_record_has_the_event_in_its_format_and_a_traceback_only_after_an_error(
    user: Any, caplog: Any, settings: Any, configure: Any
) -> None:
    """Fails when all events share one format: log tools group records by it."""
    if hasattr(settings, "MAILERS"):  # Django 6.1
        settings.MAILERS = {"default": {"BACKEND": "nowhere.Backend"}}
    else:
        settings.EMAIL_BACKEND = "nowhere.Backend"
    caplog.set_level(logging.INFO, logger="django_bandwidth_mfa")
    configure(RECOVERY_CODES=1)
    service.issue_recovery_codes(user)
    made, failed = (one for one in caplog.records if one.name == "django_bandwidth_mfa")
    assert made.msg == "recovery codes made: %s"
    assert made.getMessage() == f"recovery codes made: user={user.pk}"
    assert made.exc_info is None
    assert failed.msg == "mail failed: %s"
    assert failed.exc_info is not None
