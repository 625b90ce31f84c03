"""Settings: their sources, when they are read, and how a wrong value is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import environ
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client, override_settings
from django.urls import path

from django_bandwidth_mfa import conf
from django_bandwidth_mfa.conf import Rate, Settings, from_env, parse_rates

# The defaults that sites rely on. If one changes, the changelog must say so.
DEFAULTS = {
    "CLIENT_ID": None,
    "CLIENT_SECRET": None,
    "USERNAME": None,
    "PASSWORD": None,
    "MESSAGING_APPLICATION_ID": None,
    "VOICE_APPLICATION_ID": None,
    "BASE_URL": "https://mfa.bandwidth.com/api/v1",
    "TOKEN_URL": "https://api.bandwidth.com/api/v1/oauth2/token",
    "SCOPES": {"login": "sign-in", "step-up": "confirmation", "enrol": "new phone"},
    "MESSAGE": "Your {NAME} {SCOPE} code is {CODE}",
    "ORIGIN": None,
    "DIGITS": 6,
    "EXPIRATION_MINUTES": 3,
    "CONNECT_TIMEOUT": 3.05,
    "READ_TIMEOUT": 5,
    "TOTAL_TIMEOUT": 8,
    "REQUIRED": "enrolled",
    "RECHECK_SECONDS": 300,
    "LOGIN_SECONDS": 600,
    "GET_PHONES": None,
    "DEFAULT_REGION": None,
    "ALLOWED_REGIONS": None,
    "REFUSED_NUMBER_TYPES": [
        "PREMIUM_RATE",
        "SHARED_COST",
        "TOLL_FREE",
        "PERSONAL_NUMBER",
        "PAGER",
        "UAN",
        "VOICEMAIL",
    ],
    "SEND_LIMITS": {
        "user": "5/h",
        "number": "5/h,10/d",
        "prefix": "30/h",
        "address": "60/h",
        "site": "1000/h",
    },
    "SEND_CEILINGS": {
        "user": "20/h,60/d",
        "number": "20/h,60/d",
        "prefix": "100/d",
        "address": "300/h",
        "country": "500/h",
        "site": "2000/h",
    },
    "CALL_WEIGHT": 2,
    "RESEND_COOLDOWN": [30, 60, 120, 240],
    "TRIES_PER_CHALLENGE": 5,
    "FAILURES_BEFORE_WAIT": 5,
    "FAILURE_WAIT_MIN": 30,
    "FAILURE_WAIT_MAX": 3600,
    "FAILURES_BEFORE_LOCK": 100,
    "TRUSTED_PROXIES": 0,
    "TRUST_DAYS": 0,
    "RECOVERY_CODES": 10,
    "BIND_CODES": False,
    "NOTIFY": True,
    "SUPPORT": {"name": "", "address": ""},
    "RECEIPT_SECRET": None,
    "BREAKER_FAILURES": 5,
    "BREAKER_SECONDS": 30,
    "MAX_CONCURRENT_CALLS": 4,
    "MAX_WAITING_CALLS": 3,
    "WAIT_SECONDS": 1,
}
REQUIRED = {"ACCOUNT_ID", "FROM_NUMBER"}


@override_settings(BANDWIDTH_MFA={})
def test_every_key_has_its_default_and_the_error_names_a_required_key() -> None:
    assert Settings.names() == DEFAULTS.keys() | REQUIRED
    for name, default in DEFAULTS.items():
        assert getattr(conf.settings, name) == default, name
    for name in REQUIRED:
        with pytest.raises(ImproperlyConfigured, match=name):
            getattr(conf.settings, name)


def test_settings_are_read_when_they_are_needed(settings: Any) -> None:
    settings.BANDWIDTH_MFA = {"DIGITS": 7}
    assert conf.settings.DIGITS == 7
    with override_settings(BANDWIDTH_MFA={"DIGITS": 8}):
        assert conf.settings.DIGITS == 8
    settings.BANDWIDTH_MFA["DIGITS"] = 4
    assert conf.settings.DIGITS == 4


def test_a_dict_is_merged_over_its_default(settings: Any) -> None:
    settings.BANDWIDTH_MFA = {"SEND_LIMITS": {"user": "1/h"}}
    assert DEFAULTS["SEND_LIMITS"] | {"user": "1/h"} == conf.settings.SEND_LIMITS  # type: ignore[operator]


def test_without_the_setting_all_values_are_defaults(settings: Any) -> None:
    del settings.BANDWIDTH_MFA
    assert conf.settings.DIGITS == 6
    assert conf.channels() == []


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("ACCOUNT_ID", "9900000", "9900000"),
        ("DIGITS", "8", 8),
        ("CONNECT_TIMEOUT", "2.5", 2.5),
        ("TOTAL_TIMEOUT", "10", 10),
        ("NOTIFY", "off", False),
        ("BIND_CODES", "True", True),
        ("RESEND_COOLDOWN", "[10, 20]", [10, 20]),
        ("SEND_LIMITS", '{"user": "1/h"}', {"user": "1/h"}),
        ("ALLOWED_REGIONS", '["US", "CA"]', ["US", "CA"]),
        ("REQUIRED", "staff", "staff"),
        ("SUPPORT", '{"name": "Help desk"}', {"name": "Help desk"}),
        ("MESSAGE", "{CODE} is your code", "{CODE} is your code"),
        ("MESSAGE", '{"sms": "Code {CODE}"}', {"sms": "Code {CODE}"}),
        ("MESSAGE", "mysite.texts.of", "mysite.texts.of"),
        ("SUPPORT", '{"name": "Help"}', {"name": "Help"}),
        # A value that cannot be read stays unchanged, and `manage.py check` reports it.
        ("DIGITS", "six", "six"),
        ("NOTIFY", "maybe", "maybe"),
        ("RESEND_COOLDOWN", "[10,", "[10,"),
        ("DIGIT", "6", "6"),
    ],
)
def test_from_env_reads_each_kind(monkeypatch: Any, key: str, text: str, value: Any) -> None:
    monkeypatch.setenv(f"BANDWIDTH_MFA_{key}", text)
    assert from_env(environ.Env()) == {key: value}


def test_an_empty_variable_counts_as_not_set(monkeypatch: Any) -> None:
    monkeypatch.setenv("BANDWIDTH_MFA_CLIENT_ID", " ")
    assert from_env(environ.Env()) == {}


def test_a_secret_can_come_from_a_file(monkeypatch: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    monkeypatch.setenv("BANDWIDTH_MFA_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    assert from_env(environ.FileAwareEnv()) == {"CLIENT_SECRET": "from-a-file"}


def test_rates() -> None:
    assert parse_rates("5/h, 10/d") == (Rate(5, 3600), Rate(10, 86400))
    assert parse_rates("3/10m") == (Rate(3, 600),)
    assert parse_rates("9/h,5/60m") == (Rate(5, 3600),)
    assert parse_rates("") == ()
    assert [str(rate) for rate in parse_rates("5/h,10/d,3/10m")] == ["5/h", "10/d", "3/10m"]
    for bad in ("5", "5/y", "-1/h", "0/h", "5/h;3/d", "x/h"):
        with pytest.raises(ValueError, match="is not a rate"):
            parse_rates(bad)


PLACES = ("MAX_CONCURRENT_CALLS", "MAX_WAITING_CALLS", "WAIT_SECONDS")


def places(request: HttpRequest) -> JsonResponse:
    return JsonResponse([getattr(conf.settings, name) for name in PLACES], safe=False)


async def aplaces(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(places)(request)


class Site:
    urlpatterns = (path("places/", places), path("aplaces/", aplaces))


async def answer_on_async_server(address: str) -> Any:
    """Return the answer of Django's ASGI handler, as a server gets it."""
    scope = {"type": "http", "method": "GET", "path": address, "headers": [], "query_string": b""}
    server = ApplicationCommunicator(ASGIHandler(), scope)
    await server.send_input({"type": "http.request", "body": b""})
    assert (await server.receive_output())["status"] == 200
    answer: dict[str, Any] = await server.receive_output()
    await server.wait()
    return json.loads(answer["body"])


@pytest.mark.parametrize("address", ["/places/", "/aplaces/"])
def test_an_async_server_has_higher_defaults(address: str, client: Client) -> None:
    """Fails when the defaults do not depend on the server. On an async server each request has its
    own thread, so a call that waits delays no other page."""
    ask = async_to_sync(answer_on_async_server)
    with override_settings(ROOT_URLCONF=Site, MIDDLEWARE=[], BANDWIDTH_MFA={}):
        assert ask(address) == [64, 64, 2]
        assert client.get(address).json() == [4, 3, 1]
        assert ask(address) == [64, 64, 2]
    changed = dict(zip(PLACES, (7, 0, 5), strict=True))
    with override_settings(ROOT_URLCONF=Site, MIDDLEWARE=[], BANDWIDTH_MFA=changed):
        assert ask(address) == [7, 0, 5]


def test_channels_are_those_that_are_set_up(settings: Any) -> None:
    settings.BANDWIDTH_MFA = {"VOICE_APPLICATION_ID": "v"}
    assert conf.channels() == ["voice"]
    settings.BANDWIDTH_MFA = {"VOICE_APPLICATION_ID": "v", "MESSAGING_APPLICATION_ID": "m"}
    assert conf.channels() == ["sms", "voice"]
