"""The metrics and the spans for OpenTelemetry."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from django.test import Client
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.contrib.measurements import MEASUREMENTS
from django_bandwidth_mfa.contrib.opentelemetry import spans
from django_bandwidth_mfa.exceptions import ProviderUnavailable
from tests.conftest import NUMBER, PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="session")
def exporters() -> tuple[InMemorySpanExporter, InMemoryMetricReader]:
    """Set the exporters of a site. A process sets them once, after the apps are ready."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    return exporter, reader


@pytest.fixture
def exporter(exporters: Any) -> InMemorySpanExporter:
    memory: InMemorySpanExporter = exporters[0]
    memory.clear()
    return memory


def test_each_call_has_a_span_that_says_what_became_of_it(
    exporter: InMemorySpanExporter, a_day: list[str]
) -> None:
    finished_spans = exporter.get_finished_spans()
    labels = [(span.attributes or {}) for span in finished_spans]
    assert [(one["bandwidth_mfa.operation"], one["bandwidth_mfa.outcome"]) for one in labels] == [
        ("messaging", "answered"),
        ("verify", "answered"),
        ("voice", "answered"),
        ("messaging", "answered"),
        ("verify", "answered"),
        ("messaging", "busy"),
        ("messaging", "UnknownOutcome"),
        ("messaging", "breaker_open"),
    ]
    assert [span.status.is_ok for span in finished_spans] == [True] * 5 + [False] * 3
    assert [span.name for span in finished_spans][:2] == [
        "bandwidth_mfa messaging",
        "bandwidth_mfa verify",
    ]
    for span in finished_spans:
        text = span.to_json()
        for secret in (NUMBER, NUMBER[1:], *a_day):
            assert secret not in text


def test_a_span_tells_the_status_and_the_id_of_the_request(
    exporter: InMemorySpanExporter, user: Any, bandwidth: Any
) -> None:
    bandwidth.fault(on="messaging", status=500)
    with pytest.raises(ProviderUnavailable):
        service.send_code(user)
    [span] = exporter.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert attributes["http.response.status_code"] == 500
    assert attributes["error.type"] == "ServerError"
    assert attributes["bandwidth_mfa.request_id"]
    assert span.events == ()


def test_the_span_is_the_current_one_while_bandwidth_is_asked_and_not_after_it(
    exporter: InMemorySpanExporter, user: Any, configure: Any
) -> None:
    """The span of an instrumented ``urllib3`` is then a child of our span. Fails without
    ``attach``, and without ``detach``."""
    seen: list[str] = []

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        current = trace.get_current_span()
        seen.append(getattr(current, "name", "none"))
        return 200, {"Content-Type": "application/json"}, '{"messageId": "m1"}'

    configure(CLIENT_ID=None, CLIENT_SECRET=None, USERNAME="api", PASSWORD="secret")
    with responses.RequestsMock() as bandwidth:
        bandwidth.add_callback(
            responses.POST,
            "https://mfa.bandwidth.com/api/v1/accounts/5500001/code/messaging",
            callback=answer,
        )
        tracer = trace.get_tracer("test")
        with tracer.start_as_current_span("the site's") as outer:
            service.send_code(user)
            assert trace.get_current_span() is outer
    assert seen == ["bandwidth_mfa messaging"]
    ours, _ = exporter.get_finished_spans()
    assert ours.parent is not None
    assert ours.parent.span_id == outer.get_span_context().span_id
    assert len(spans._spans) == 0


def test_the_metrics_are_those_of_the_table(exporters: Any, a_day: list[str]) -> None:
    data = exporters[1].get_metrics_data()
    points = {
        metric.name.removeprefix("bandwidth_mfa."): [
            (dict(point.attributes), point) for point in metric.data.data_points
        ]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if scope.scope.name == "django_bandwidth_mfa"
    }
    happened = set(MEASUREMENTS) - {"alarms", "lockouts", "logins"}
    assert happened <= set(points) <= set(MEASUREMENTS)
    refused = [labels for labels, point in points["refusals"] if point.value >= 1]
    assert {"action": "send", "limit": "user"} in refused
    assert {"action": "verify", "limit": "wrong_codes"} in refused
    assert [point.value for _, point in points["breaker_open"]] == [1]
    assert [point.value for _, point in points["calls_in_progress"]] == [0]
    outcomes = {labels["outcome"] for labels, _ in points["call_duration"]}
    assert outcomes >= {"answered", "UnknownOutcome"}


def test_spans_that_fail_stop_no_login(
    client: Client, user: Any, bandwidth: Any, caplog: Any
) -> None:
    """A call whose span could not begin has no span at its end. Both errors are logged."""

    def fail(call: Any, **kwargs: object) -> None:
        spans._spans.pop(call, None)
        raise OSError("the collector is away")

    signals.call_began.connect(fail)
    try:
        client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
        client.get("/mfa/verify/")
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    finally:
        signals.call_began.disconnect(fail)
    assert client.get("/account/").status_code == 200
    assert "the collector is away" in caplog.text
