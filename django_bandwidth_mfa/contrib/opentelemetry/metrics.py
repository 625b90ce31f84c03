"""The metrics, for the meter provider that the site has set."""

from __future__ import annotations

from typing import Any

from opentelemetry import metrics

from ... import __version__
from ..measurements import MEASUREMENTS, Labels, Measurement

__all__ = ["OpenTelemetryRecorder"]


class OpenTelemetryRecorder:
    """Keeps each of :data:`~..measurements.MEASUREMENTS` as an instrument.

    The names are those of the table after ``bandwidth_mfa.``.
    """

    def __init__(self) -> None:
        # If the site has not set a provider yet, these are proxies, which use it later.
        meter = metrics.get_meter("django_bandwidth_mfa", __version__)
        self._instruments = {one.name: _instrument(one, meter) for one in MEASUREMENTS.values()}

    def add(self, name: str, amount: int, labels: Labels) -> None:
        self._instruments[name].add(amount, dict(labels))

    def record(self, name: str, seconds: float, labels: Labels) -> None:
        self._instruments[name].record(seconds, dict(labels))

    def put(self, name: str, value: int) -> None:
        self._instruments[name].set(value)


def _instrument(one: Measurement, meter: metrics.Meter) -> Any:
    name = f"bandwidth_mfa.{one.name}"
    if one.kind == "counter":
        return meter.create_counter(name, description=one.meaning)
    if one.kind == "seconds":
        return meter.create_histogram(name, unit="s", description=one.meaning)
    if one.kind == "level":
        return meter.create_up_down_counter(name, description=one.meaning)
    return meter.create_gauge(name, description=one.meaning)
