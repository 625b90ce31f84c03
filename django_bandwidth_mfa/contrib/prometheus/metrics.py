"""The metrics, in the default registry of ``prometheus_client``."""

from __future__ import annotations

from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ..measurements import MEASUREMENTS, Labels, Measurement

__all__ = ["RECORDER", "PrometheusRecorder"]

# The limits of the histogram, in seconds.  A call takes at most TOTAL_TIMEOUT (8) and a second.
BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 10)


class PrometheusRecorder:
    """Keeps each of :data:`~..measurements.MEASUREMENTS` as a metric.

    The names are those of the table after ``bandwidth_mfa_``.  ``prometheus_client`` adds
    ``_total`` to a counter.

    :param registry: where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._metrics = {one.name: _metric(one, registry) for one in MEASUREMENTS.values()}

    def add(self, name: str, amount: int, labels: Labels) -> None:
        self._child(name, labels).inc(amount)

    def record(self, name: str, seconds: float, labels: Labels) -> None:
        self._child(name, labels).observe(seconds)

    def put(self, name: str, value: int) -> None:
        self._metrics[name].set(value)

    def _child(self, name: str, labels: Labels) -> Any:
        metric = self._metrics[name]
        return metric.labels(**labels) if labels else metric


def _metric(one: Measurement, registry: CollectorRegistry) -> Any:
    name = f"bandwidth_mfa_{one.name}"
    if one.kind == "seconds":
        name += "_seconds"
        return Histogram(name, one.meaning, one.labels, registry=registry, buckets=BUCKETS)
    if one.kind == "counter":
        return Counter(name, one.meaning, one.labels, registry=registry)
    # With several processes, the sum of the running ones.
    return Gauge(name, one.meaning, one.labels, registry=registry, multiprocess_mode="livesum")


RECORDER = PrometheusRecorder()
