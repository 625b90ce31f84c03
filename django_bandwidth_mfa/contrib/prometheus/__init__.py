"""Metrics for Prometheus, by ``prometheus_client``::

    INSTALLED_APPS = [..., "django_bandwidth_mfa.contrib.prometheus"]

``docs/observability.md`` lists them.
"""
