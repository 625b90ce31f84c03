"""Sentences that contain a time: how the time is rounded, and which time zone it uses."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from django.utils import timezone, translation

from django_bandwidth_mfa.internal.flows import times

# 15:04:10 in Tokyo.
NOON = "2026-11-26T06:04:10Z"


@pytest.fixture(autouse=True)
def server_in_chicago(settings: Any) -> None:
    settings.TIME_ZONE = "America/Chicago"


@pytest.mark.parametrize(
    ("seconds", "rounded"), [(0, 0), (-5, 0), (0.1, 3), (29.0, 31), (29.2, 32)]
)
def test_a_wait_is_rounded_up_and_is_two_seconds_longer(seconds: float, rounded: int) -> None:
    """Fails without the two seconds: a machine whose clock is behind still refuses when the wait is
    over."""
    assert times.rounded_up(seconds) == rounded


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "Wait 3 seconds before you get a new code."),
        (88, "Wait 90 seconds before you get a new code."),
        (89, "Wait 2 minutes before you get a new code."),
        (3590, "Wait 60 minutes before you get a new code."),
        (86_000, "Wait 24 hours before you get a new code."),
    ],
)
def test_without_a_zone_a_span_is_named(seconds: int, text: str) -> None:
    assert times.until_send(seconds).text == text


def test_a_short_wait_is_counted_down_and_a_long_one_names_a_time() -> None:
    short, long = times.until_try(100), times.until_try(119)
    assert (short.countdown, short.clock) == ("You can try again in {time}.", "")
    assert (long.countdown, long.clock) == ("", "You can try again at {time}.")
    assert short.over == long.over == "You can try again now."


@pytest.mark.parametrize(
    ("lives", "text"),
    [
        (30, "It works for 30 seconds after we sent it."),
        (60, "It works for 1 minute after we sent it."),
        (150, "It works for 2 minutes after we sent it."),
    ],
)
def test_how_long_a_code_works_is_rounded_down(lives: int, text: str) -> None:
    end = times.works_until(20.9, lives)
    assert end.text == text
    assert end.seconds == 18


def test_in_a_zone_of_the_visitors_own_the_clock_is_named() -> None:
    with time_machine.travel(NOON, tick=False), timezone.override("Asia/Tokyo"):
        assert times.works_until(182, 182).text == "It works until 3:07 p.m."
        assert times.until_send(118).text == "Wait 2 minutes before you get a new code."
        # The minute after: 15:16:12 is over at 15:17.
        assert times.until_send(720).text == "You can get a new code at 3:17 p.m."
        # On another day with the date.
        assert re.fullmatch(
            r"You can get a new code at Nov\. 27, 2026, 3:0\d p\.m\.", times.until_send(86_400).text
        )
        with translation.override("es"):
            assert times.works_until(182, 182).text == "Sirve hasta esta hora: 15:07."


@pytest.mark.parametrize("zone", ["America/Chicago", None])
def test_the_zone_of_the_server_is_not_the_visitors(zone: str | None, settings: Any) -> None:
    """Fails when the server's default time zone is used as the visitor's time zone."""
    with timezone.override(zone):
        assert not times.has_own_zone()
    settings.USE_TZ = False
    with timezone.override("Asia/Tokyo"):
        assert not times.has_own_zone()
