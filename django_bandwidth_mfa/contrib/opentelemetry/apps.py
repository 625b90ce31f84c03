"""The app that records metrics and spans with OpenTelemetry."""

from django.apps import AppConfig

from ...signals import call_began, call_ended

__all__ = ["OpenTelemetryConfig"]


class OpenTelemetryConfig(AppConfig):
    name = "django_bandwidth_mfa.contrib.opentelemetry"
    label = "bandwidth_mfa_opentelemetry"

    def ready(self) -> None:
        from ..measurements import connect
        from .metrics import OpenTelemetryRecorder
        from .spans import begin_span, end_span

        connect(OpenTelemetryRecorder(), self.label)
        call_began.connect(begin_span, dispatch_uid=f"{self.label}.begin_span")
        call_ended.connect(end_span, dispatch_uid=f"{self.label}.end_span")
