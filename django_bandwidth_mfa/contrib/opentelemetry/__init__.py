"""Metrics and spans for OpenTelemetry, by ``opentelemetry-api``::

    INSTALLED_APPS = [..., "django_bandwidth_mfa.contrib.opentelemetry"]

The site chooses the SDK and the exporter.  ``docs/observability.md`` lists the metrics and spans.
"""
