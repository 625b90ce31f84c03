"""The metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from django_bandwidth_mfa import service
from django_bandwidth_mfa.contrib.measurements import MEASUREMENTS
from django_bandwidth_mfa.contrib.prometheus.metrics import RECORDER, PrometheusRecorder
from django_bandwidth_mfa.exceptions import Limited
from tests.conftest import NUMBER, PASSWORD

pytestmark = pytest.mark.django_db


def values() -> dict[tuple[str, tuple[str, ...]], float]:
    """Return each sample of the app's metrics, by its name and the values of its labels."""
    return {
        (sample.name.removeprefix("bandwidth_mfa_"), tuple(sample.labels.values())): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name.startswith("bandwidth_mfa_")
        and not sample.name.endswith(("_created", "_bucket"))
    }


@pytest.fixture
def added() -> Callable[[], dict[Any, float]]:
    """Return what was added since the test began."""
    # A state keeps the value that an earlier test has set.
    RECORDER.put("breaker_open", 0)
    before = values()

    def added() -> dict[Any, float]:
        changes = {key: value - before.get(key, 0) for key, value in values().items()}
        return {key: value for key, value in changes.items() if value}

    return added


def test_each_outcome_is_counted(
    added: Callable[[], dict[Any, float]], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("a_day")
    counts = {key: value for key, value in added().items() if not key[0].endswith("_sum")}
    assert counts == {
        ("sends_total", ("sms", "login", "sent")): 1,
        ("sends_total", ("sms", "step-up", "sent")): 1,
        ("sends_total", ("voice", "login", "sent")): 1,
        ("sends_total", ("sms", "login", "unknown")): 1,
        ("sends_total", ("sms", "login", "failed")): 1,
        ("verifications_total", ("sms", "login", "right")): 1,
        ("verifications_total", ("sms", "step-up", "wrong")): 1,
        ("verifications_total", ("recovery_code", "login", "right")): 1,
        ("refusals_total", ("verify", "wrong_codes")): 1,
        ("refusals_total", ("send", "user")): 1,
        ("refusals_total", ("send", "lock")): 1,
        ("call_duration_seconds_count", ("messaging", "answered")): 2,
        ("call_duration_seconds_count", ("voice", "answered")): 1,
        ("call_duration_seconds_count", ("verify", "answered")): 2,
        ("call_duration_seconds_count", ("messaging", "UnknownOutcome")): 1,
        ("queue_duration_seconds_count", ("messaging", "place")): 3,
        ("queue_duration_seconds_count", ("voice", "place")): 1,
        ("queue_duration_seconds_count", ("verify", "place")): 2,
        ("queue_duration_seconds_count", ("messaging", "busy")): 1,
        ("queue_duration_seconds_count", ("messaging", "breaker_open")): 1,
        ("breaker_open", ()): 1,
    }


def test_a_login_is_counted_and_the_breaker_closes(
    added: Callable[[], dict[Any, float]], client: Client, user: Any, bandwidth: Any
) -> None:
    RECORDER.put("breaker_open", 1)
    client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    client.get("/mfa/verify/")
    assert ("logins_total", ("sms",)) not in added()
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert added()["logins_total", ("sms",)] == 1
    assert values()["breaker_open", ()] == 0
    assert values()["calls_in_progress", ()] == 0


def test_no_metric_holds_a_number_or_a_code(a_day: list[str]) -> None:
    text = generate_latest().decode()
    assert "bandwidth_mfa_sends_total{" in text
    for secret in (NUMBER, NUMBER[1:], *a_day):
        assert secret not in text


def test_each_measurement_is_a_metric() -> None:
    registry = CollectorRegistry()
    PrometheusRecorder(registry)
    names = {metric.name for metric in registry.collect()}
    kinds = {"seconds": "_seconds"}
    assert names == {
        f"bandwidth_mfa_{one.name}{kinds.get(one.kind, '')}" for one in MEASUREMENTS.values()
    }


def test_a_recorder_that_fails_stops_no_login(
    client: Client, user: Any, bandwidth: Any, monkeypatch: Any, caplog: Any
) -> None:
    """Fails when ``call_ended`` is sent with ``send``: the code page would answer 500."""

    def fail(*args: object) -> None:
        raise OSError("no space for the files of prometheus_client")

    # The library raises this error if the disk is full in multiprocess mode.
    for metric in RECORDER._metrics.values():
        for name in ("inc", "set", "observe", "labels"):
            if hasattr(metric, name):
                monkeypatch.setattr(metric, name, fail)
    client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer.status_code == 302
    assert client.get("/account/").status_code == 200
    assert "no space" in caplog.text


def test_a_limit_that_refuses_a_code_again_and_again_adds_one_each_time(
    added: Callable[[], dict[Any, float]], user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RESEND_COOLDOWN=[30])
    service.send_code(user)
    for _ in range(3):
        with pytest.raises(Limited):
            service.send_code(user)
    assert added()["refusals_total", ("send", "cooldown")] == 3
