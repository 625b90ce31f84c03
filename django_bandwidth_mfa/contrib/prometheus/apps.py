"""The app that records metrics for Prometheus."""

from django.apps import AppConfig

__all__ = ["PrometheusConfig"]


class PrometheusConfig(AppConfig):
    name = "django_bandwidth_mfa.contrib.prometheus"
    label = "bandwidth_mfa_prometheus"

    def ready(self) -> None:
        from ..measurements import connect
        from .metrics import RECORDER

        connect(RECORDER, self.label)
