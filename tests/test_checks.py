"""`manage.py check` reports each mistake with its id and its key, and nothing on a good site."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.conf import settings as django_settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.models import Group
from django.core.checks import CheckMessage, Error
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.http import HttpResponse
from django.test import override_settings
from django.urls import get_script_prefix, include, path, set_script_prefix
from django.utils.functional import lazy, lazystr
from django.utils.translation import get_language
from django.views import View

from django_bandwidth_mfa import checks, policies
from django_bandwidth_mfa.checks import check_deployment, check_settings, check_site
from django_bandwidth_mfa.conf import Settings
from django_bandwidth_mfa.policies import (
    all_of,
    any_of,
    enrolled,
    everyone,
    from_date,
    groups,
    other_factor,
    own_factor,
    staff,
    unless,
)
from django_bandwidth_mfa.views import VerifyView

from .policies import only_ada

GOOD = dict(django_settings.BANDWIDTH_MFA)


def check_with(**changes: Any) -> list[CheckMessage]:
    """Return the messages for the good settings with ``changes``; ``...`` removes a key."""
    changed = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    with override_settings(BANDWIDTH_MFA=changed):
        return check_settings(None)


def ids(messages: list[CheckMessage]) -> list[str]:
    assert all(message.hint for message in messages)
    return [str(message.id).removeprefix("bandwidth_mfa.") for message in messages]


@pytest.mark.standard("V6.5.4", "V6.5.5", "63B-3.1.3.2a", "63B-3.1.3.2c", "63B-3.2.2a")
def test_a_good_site_gets_no_message() -> None:
    assert check_settings(None) == []
    assert check_site(None) == []


# For every key: values that are wrong, and values that are right.
BY_KEY: dict[str, tuple[list[Any], list[Any]]] = {
    "ACCOUNT_ID": (["", 5, None, "x" * 65], ["9900000"]),
    "CLIENT_ID": (["", 5], ["c"]),
    "CLIENT_SECRET": ([b"x", ""], ["s"]),
    "USERNAME": ([1, ""], [None]),
    "PASSWORD": ([1, ""], [None]),
    "FROM_NUMBER": (
        ["2025550100", "+02025550100", "+1 202", "+1202555010\u0660", 1],
        ["+442071838750"],
    ),
    "MESSAGING_APPLICATION_ID": (["", "x" * 51], ["m", None]),
    "VOICE_APPLICATION_ID": (["", 7], ["v", None]),
    "BASE_URL": (
        ["mfa.bandwidth.com", "ftp://x", "https://", None],
        ["http://127.0.0.1:8001/api/v1"],
    ),
    "TOKEN_URL": (["//x", ""], ["https://example.com/token"]),
    "SCOPES": (
        [{"login": "x" * 26}, {"login": ""}, {"other": "x"}, "sign-in"],
        [{"login": "log in"}],
    ),
    "MESSAGE": (
        [
            "no code",
            "",
            5,
            "{CODE}" + "x" * 2043,
            lazystr("no code {code}"),
            {"sms": "no code"},
            {"email": "{CODE}"},
            {"sms": "{CODE}", "voice": None},
            "tests.nothing.here",
            "tests.conftest.PASSWORD",
        ],
        [
            "{CODE}",
            "Code.{CODE}",
            lazystr("{CODE}"),
            {"sms": "{CODE}"},
            {"sms": "{CODE}", "voice": lazystr("{CODE}")},
            "tests.policies.message",
            lambda user, purpose, channel: "{CODE}",
        ],
    ),
    "ORIGIN": (
        [
            "",
            5,
            "https://bank.example",
            "bank.example/",
            "bank.example:8000",
            "bank.example.",
            "Bank.example",
            "bänk.example",
            "bank example",
            "bank.example\n@evil.example",
            "localhost",
            "192.0.2.1",
            "x." * 125 + "example",
        ],
        ["bank.example", "www.my-bank.co.uk", "xn--bnk-ula.example", None],
    ),
    "DIGITS": ([1, 9, "6", 6.0, True, None], [6, 8]),
    "EXPIRATION_MINUTES": ([0, -1, 15.5, "3", True], [0.5, 10]),
    "CONNECT_TIMEOUT": ([0, "1", 61], [1]),
    "READ_TIMEOUT": ([0, None], [2.5]),
    "TOTAL_TIMEOUT": ([0, 121], [30]),
    "REQUIRED": (
        ["everyone", None, "tests.nothing.here", "tests.conftest.PASSWORD"],
        [
            "staff",
            "all",
            "never",
            "tests.policies.only_ada",
            only_ada,
            any_of(enrolled, from_date(date(2027, 3, 1), unless(groups("kiosk"), staff))),
            "tests.test_policies.STAFF_OR_ENROLLED",
        ],
    ),
    "RECHECK_SECONDS": ([-1, 1.5], [0]),
    "LOGIN_SECONDS": ([0, 29, "600"], [30]),
    "GET_PHONES": (["nothing", "tests.nothing.here"], [None, "tests.policies.numbers_of"]),
    "DEFAULT_REGION": (["us", "USA", 1, ["US"]], ["US", None]),
    "ALLOWED_REGIONS": ([[], "US", ["us"], ["1"], [["US"]]], [["US", "CA"], ["001"], None]),
    "REFUSED_NUMBER_TYPES": (["PREMIUM_RATE", ["premium"], ["values"]], [[], ["PAGER"]]),
    "SEND_LIMITS": ([{"user": "5"}, {"other": "5/h"}, {"site": 5}, "5/h"], [{"user": ""}]),
    "SEND_CEILINGS": ([{"user": "5"}, {"other": "5/h"}, {"site": 5}, "5/h"], [{"country": ""}]),
    "CALL_WEIGHT": ([0, "2"], [1]),
    "RESEND_COOLDOWN": ([[], [-1], 30, ["30"]], [[0], (30, 60)]),
    "TRIES_PER_CHALLENGE": ([0, 101], [1]),
    "FAILURES_BEFORE_WAIT": ([0], [3]),
    "FAILURE_WAIT_MIN": ([0], [1]),
    "FAILURE_WAIT_MAX": ([0], [60]),
    "FAILURES_BEFORE_LOCK": ([0, None], [10]),
    "TRUSTED_PROXIES": ([-1, True], [2]),
    "TRUST_DAYS": ([-1, 366], [30]),
    "RECOVERY_CODES": ([-1], [0]),
    "BIND_CODES": ([1, "yes", None], [True]),
    "NOTIFY": (["off", 0], [False]),
    "SUPPORT": (
        [
            "help@bank.example",
            None,
            {"name": "Help desk", "phone": "5"},
            {"name": 5},
            {"name": "x" * 101},
            {"address": "https://bank.example/help"},
            {"name": "", "address": "https://bank.example/help"},
            {"name": "Help desk", "address": "javascript:alert(1)"},
            {"name": "Help desk", "address": "//evil.example"},
            {"name": "Help desk", "address": "help@bank.example"},
            {"name": "Help desk", "address": None},
        ],
        [
            {},
            {"name": "Help desk"},
            {"name": lazystr("Help desk"), "address": ""},
            {"name": "Help desk", "address": "https://bank.example/help"},
            {"name": "Help desk", "address": "mailto:help@bank.example"},
            {"name": "Help desk", "address": "tel:+12025550100"},
            {"name": "Help desk", "address": "/help/"},
        ],
    ),
    "RECEIPT_SECRET": (["", 5], ["s", None]),
    "BREAKER_FAILURES": ([0], [1]),
    "BREAKER_SECONDS": ([0], [1]),
    "MAX_CONCURRENT_CALLS": ([0], [1]),
    "MAX_WAITING_CALLS": ([-1, 1.5], [0, 64]),
    "WAIT_SECONDS": ([0, -1, 61, "1"], [0.2, 60]),
}


def test_the_table_has_every_key() -> None:
    assert BY_KEY.keys() == Settings.names()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, (bad, _) in BY_KEY.items() for value in bad]
)
def test_a_bad_value_is_an_error_that_names_its_key(key: str, value: Any) -> None:
    messages = check_with(**{key: value})
    assert ids(messages) == ["E003"]
    assert f'"{key}"' in messages[0].msg


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, (_, good) in BY_KEY.items() for value in good]
)
def test_a_good_value_is_no_error(key: str, value: Any) -> None:
    assert check_with(**{key: value}) == []


@pytest.mark.attack("T10")
def test_no_message_shows_a_secret() -> None:
    for key in ("CLIENT_SECRET", "PASSWORD", "RECEIPT_SECRET"):
        [message] = check_with(**{key: ["hunter2"]})
        assert "hunter2" not in str(message)


def test_a_wrong_type_an_unknown_key_and_a_missing_key_are_errors() -> None:
    with override_settings(BANDWIDTH_MFA="x"):
        assert ids(check_settings(None)) == ["E001"]
    messages = check_with(DIGIT=6, ACCOUNT_ID=...)
    assert ids(messages) == ["E002", "E004"]
    assert '"DIGIT"' in messages[0].msg
    assert "BANDWIDTH_MFA_ACCOUNT_ID" in str(messages[1].hint)


def test_one_run_reports_all_missing_settings() -> None:
    """Fails when rules for two keys are checked only after each key is right: it took two runs."""
    with override_settings(BANDWIDTH_MFA={}):
        assert ids(check_settings(None)) == ["E004", "E004", "E005", "E006"]
    messages = check_with(
        DIGIT=6, FROM_NUMBER="no", CLIENT_SECRET=..., SCOPES={"login": "confirmation"}
    )
    assert ids(messages) == ["E002", "E003", "E005", "E007"]


BASIC = {"USERNAME": "u", "PASSWORD": "p"}
NO_OAUTH = {"CLIENT_ID": None, "CLIENT_SECRET": None}


@pytest.mark.standard("V6.5.4", "V6.5.5", "63B-3.1.3.2a", "63B-3.1.3.2c", "63B-3.2.2a")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (NO_OAUTH, ["E005"]),
        (BASIC, ["E005"]),
        ({"CLIENT_SECRET": None}, ["E005"]),
        ({**NO_OAUTH, "USERNAME": "u"}, ["E005"]),
        ({"USERNAME": "u"}, ["E005"]),
        ({**NO_OAUTH, **BASIC}, ["W001"]),
        ({"MESSAGING_APPLICATION_ID": None, "VOICE_APPLICATION_ID": None}, ["E006"]),
        ({"SCOPES": {"login": "x", "step-up": "x"}}, ["E007"]),
        ({"SEND_LIMITS": {"user": "1/h"}}, ["E008"]),
        ({"SEND_CEILINGS": {"number": "20/h,1/d"}}, ["W009", "E008"]),
        ({"SEND_LIMITS": {"user": "1/h"}, "VOICE_APPLICATION_ID": None}, []),
        ({"SEND_LIMITS": {"site": "15/h"}}, ["E008"]),  # one tenth of it is for enrolments
        ({"SEND_LIMITS": {"site": "5000/h"}}, ["W009"]),
        ({"SEND_LIMITS": {"address": ""}}, []),
        ({"SEND_CEILINGS": {"address": "1/h"}, "CALL_WEIGHT": 1}, ["W009"]),
        ({"DIGITS": 5}, ["W002"]),
        ({"EXPIRATION_MINUTES": 11}, ["W003"]),
        ({"FAILURES_BEFORE_LOCK": 101}, ["W006"]),
        ({"MESSAGING_APPLICATION_ID": None}, []),
        ({"REQUIRED": from_date(date(2027, 3, 1), staff)}, ["W017"]),
        ({"REQUIRED": any_of(staff, from_date(date(2027, 3, 1), everyone))}, ["W017"]),
        ({"REQUIRED": any_of(only_ada, from_date(date(2027, 3, 1), everyone))}, []),
    ],
)
def test_settings_that_contradict_each_other_are_reported(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert ids(check_with(**changes)) == expected


@pytest.mark.parametrize(
    ("required", "expected_text"),
    [
        (any_of(), "any_of() needs at least one policy."),
        (any_of(staff, all_of()), "all_of() needs at least one policy."),
        (groups(), "groups() needs one or more names of groups."),
        (any_of(staff, groups(7)), "groups() needs one or more names of groups."),
        (policies.groups, "groups is not a policy. Call it with its arguments: groups(...)."),
        (policies.Policy, "Policy is not a policy. Call it with its arguments: Policy(...)."),
        (any_of("staff"), "'staff' is not a policy"),
        (from_date("2027-03-01", everyone), "from_date() needs a date, such as date(2027, 3, 1)"),
        (from_date(datetime(2027, 3, 1), everyone), "from_date() needs a date"),
        (
            any_of(enrolled, from_date(date(2027, 3, 1), staff, remind_days="30")),
            "remind_days of from_date() must be a whole number of days",
        ),
        (any_of(staff, other_factor), "Use other_factor only as the first argument of unless()."),
        (unless(unless(other_factor, staff), everyone), "Use other_factor only as the first"),
        (own_factor("has_key"), "own_factor() needs a function f(user) -> bool, not 'has_key'."),
        (unless(own_factor(only_ada), everyone), "could then sign in with the password"),
        (unless(other_factor, everyone), 'other_factor needs "allauth.mfa" in INSTALLED_APPS.'),
    ],
)
def test_a_wrong_policy_is_an_error_that_says_what_is_wrong(
    required: Any, expected_text: str
) -> None:
    """Fails when only the outermost policy is checked."""
    [message] = check_with(REQUIRED=required)
    assert message.id == "bandwidth_mfa.E015"
    assert expected_text in message.msg


def test_a_policy_that_the_user_model_cannot_answer_is_an_error(monkeypatch: Any) -> None:
    monkeypatch.setattr("django_bandwidth_mfa.checks.get_user_model", lambda: Group)
    assert ids(check_with(REQUIRED=any_of(enrolled, staff, groups("finance")))) == ["E015", "E015"]


# A text whose Spanish translation has no code.
LOST = lazy(lambda: "Código" if get_language() == "es" else "Code {CODE}", str)()


@pytest.mark.parametrize("message", [LOST, {"sms": LOST}])
def test_a_translation_that_holds_no_code_is_an_error(message: Any, settings: Any) -> None:
    """Fails when only the language of ``manage.py`` is checked: users who read Spanish would get no
    codes."""
    settings.LANGUAGES = [("en", "English"), ("es", "Spanish")]
    messages = check_with(MESSAGE=message, VOICE_APPLICATION_ID=None)
    assert ids(messages) == ["E009"]
    assert messages[0].msg.endswith(": es.")
    settings.LANGUAGES = [("en", "English")]
    assert check_with(MESSAGE=message) == []


def test_a_text_that_is_too_long_with_its_origin_line_is_an_error() -> None:
    """Fails when the text is measured without the line that ORIGIN adds."""
    longest = "{CODE}" + "x" * 2042
    last_line = "\n@bank.example #{CODE}"
    assert ids(check_with(MESSAGE=longest, ORIGIN="bank.example")) == ["E009"]
    assert check_with(MESSAGE=longest[: -len(last_line)], ORIGIN="bank.example") == []
    assert check_with(MESSAGE={"sms": "{CODE}", "voice": longest}, ORIGIN="bank.example") == []


EVE = "2026-12-01T23:59:59Z"
DAY = "2026-12-02T00:00:00Z"
OWN = "https://mfa.bandwidth.com/api/v1"


@pytest.mark.parametrize(
    ("moment", "tense"),
    [(EVE, "Bandwidth ends USERNAME and PASSWORD"), (DAY, "Bandwidth ended USERNAME and PASSWORD")],
)
def test_the_text_about_the_end_of_http_basic_has_the_right_tense(moment: str, tense: str) -> None:
    """Fails when the text does not depend on the date."""
    with time_machine.travel(moment, tick=False):
        (both,) = check_with(**BASIC)
        (warning,) = check_with(**NO_OAUTH, **BASIC)
    assert tense in str(both.hint)
    assert tense in warning.msg
    # Never an error here: `migrate` would stop for it, in the middle of an upgrade.
    assert not warning.is_serious()


@pytest.mark.parametrize(
    ("moment", "url", "changes", "expected"),
    [
        (DAY, OWN, {**NO_OAUTH, **BASIC}, ["W001"]),
        (DAY, "https://eu.mfa.bandwidth.com/api/v1", {**NO_OAUTH, **BASIC}, ["W001"]),
        (EVE, OWN, {**NO_OAUTH, **BASIC}, []),
        (DAY, "https://bandwidth.com.example/api/v1", {**NO_OAUTH, **BASIC}, []),
        (DAY, OWN, {}, []),
        (DAY, OWN, BASIC, []),  # E005 reports both pairs
    ],
)
def test_http_basic_that_bandwidth_refuses_is_an_error_of_a_deployment(
    moment: str, url: str, changes: dict[str, Any], expected: list[str], settings: Any
) -> None:
    """Fails when it stays a warning, and when it is an error for a simulator at ``BASE_URL``."""
    configured = {**GOOD, "BASE_URL": url, **changes}
    settings.BANDWIDTH_MFA = {key: value for key, value in configured.items() if value is not ...}
    with time_machine.travel(moment, tick=False):
        errors = [message for message in check_deployment(None) if isinstance(message, Error)]
    assert ids(errors) == expected


@pytest.mark.django_db(transaction=True)
def test_migrate_is_not_stopped_by_the_end_of_http_basic(settings: Any) -> None:
    """Fails when the error is registered for every check, and not only for ``--deploy``."""
    configured = {**GOOD, "BASE_URL": OWN, **NO_OAUTH, **BASIC}
    settings.BANDWIDTH_MFA = {key: value for key, value in configured.items() if value is not ...}
    with time_machine.travel(DAY, tick=False):
        call_command("migrate", verbosity=0, skip_checks=False, stdout=io.StringIO())
        with pytest.raises(SystemCheckError, match="nobody gets a code"):
            call_command("check", deploy=True, stderr=io.StringIO())


OURS = "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware"


def test_middleware_missing_or_too_early(settings: Any) -> None:
    others = [path for path in settings.MIDDLEWARE if path != OURS]
    settings.MIDDLEWARE = others
    assert ids(check_site(None)) == ["E010"]
    settings.MIDDLEWARE = [OURS, *others]
    assert ids(check_site(None)) == ["E011"]
    settings.MIDDLEWARE = [*others, "tests.test_checks.Subclass"]
    assert check_site(None) == []


def test_urls_that_are_not_included_are_an_error(settings: Any) -> None:
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    assert ids(check_site(None)) == ["E012"]


def everything(request: Any, path: str) -> HttpResponse:
    return HttpResponse("a page of the site")


class OwnVerifyView(VerifyView):
    """A site's own code page, which replaces ours."""


OURS_INCLUDED = path("mfa/", include("django_bandwidth_mfa.urls"))
CATCH_ALL = path("<path:path>", everything)
LANGUAGES = i18n_patterns(OURS_INCLUDED)


def with_patterns(settings: Any, *patterns: Any) -> list[CheckMessage]:
    urlconf = ModuleType("tests.a_urlconf")
    urlconf.urlpatterns = list(patterns)  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urlconf
    return check_site(None)


def test_a_pattern_before_ours_that_matches_our_addresses_is_an_error(settings: Any) -> None:
    """Fails when the URLs are reversed and not resolved: the code page was the site's own 404."""
    [message] = with_patterns(settings, CATCH_ALL, OURS_INCLUDED)
    assert message.id == "bandwidth_mfa.E012"
    assert message.msg == (
        "/mfa/verify/ is a URL of django_bandwidth_mfa, but tests.test_checks.everything answers "
        "requests to it. Other URLs with the same error: 39."
    )
    assert "before any pattern" in str(message.hint)


def test_one_page_that_another_view_answers_is_an_error(settings: Any) -> None:
    """Fails when only the code page is checked."""
    taken = path("mfa/phones/", everything, {"path": ""})
    [message] = with_patterns(settings, taken, OURS_INCLUDED)
    assert message.msg.startswith("/mfa/phones/ is a URL of django_bandwidth_mfa")
    assert message.msg.endswith("answers requests to it.")


@pytest.mark.parametrize(
    "patterns",
    [
        (OURS_INCLUDED, CATCH_ALL),
        (path("mfa/verify/", OwnVerifyView.as_view()), OURS_INCLUDED),
        LANGUAGES,
        (path("a/", include([OURS_INCLUDED])), CATCH_ALL),
        (path("mfa/", include("django_bandwidth_mfa.urls", namespace="second-factor")), CATCH_ALL),
    ],
    ids=["catch-all after", "a view that inherits", "with a language", "deeper", "a namespace"],
)
def test_urls_that_lead_to_our_views_are_no_error(settings: Any, patterns: Any) -> None:
    assert with_patterns(settings, *patterns) == []


def test_urls_below_a_prefix_of_the_server_lead_to_our_views(settings: Any) -> None:
    """Fails when the check resolves a path with the prefix."""
    before = get_script_prefix()
    set_script_prefix("/site/")
    try:
        assert with_patterns(settings, OURS_INCLUDED) == []
    finally:
        set_script_prefix(before)


@pytest.mark.standard("V7.2.1")
@pytest.mark.attack("P10")
@pytest.mark.parametrize(
    "engine", ["django.contrib.sessions.backends.signed_cookies", "tests.cookie_sessions"]
)
def test_signed_cookie_sessions_are_an_error(settings: Any, engine: str) -> None:
    """Fails when the check compares the setting, and not the class of the engine."""
    settings.SESSION_ENGINE = engine
    [message] = check_site(None)
    assert message.id == "bandwidth_mfa.E013"
    assert message.is_serious()


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file"])
def test_sessions_on_the_server_are_no_error(settings: Any, engine: str) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    assert check_site(None) == []


def test_an_engine_that_does_not_exist_is_not_reported(settings: Any) -> None:
    """Django reports it itself.  Fails when the check raises: ``manage.py check`` would stop."""
    settings.SESSION_ENGINE = "tests.nothing.here"
    assert check_site(None) == []


class TokenView(View):
    """Replaces the view of a package, which the tests then do not need: checks know it by its path.

    ``tests/neighbours`` tests the views of the packages themselves.
    """

    __module__ = "rest_framework.authtoken.views"
    __qualname__ = "ObtainAuthToken"


TokenView.__name__ = "ObtainAuthToken"
DOOR = "bandwidth_mfa.E021:rest_framework.authtoken.views.ObtainAuthToken"
TOKENS = path("token/", TokenView.as_view())


@pytest.mark.attack("P9")
def test_a_door_in_the_urlconf_is_a_warning_and_an_error_of_a_deployment(settings: Any) -> None:
    """Fails when the error is only a warning, or has the warning's id."""
    [warning] = with_patterns(settings, OURS_INCLUDED, TOKENS)
    [error] = [message for message in check_deployment(None) if isinstance(message, Error)]
    assert ids([warning, error]) == ["W004", "E021"]
    assert not warning.is_serious()
    assert "/token/ (rest_framework.authtoken.views.ObtainAuthToken)" in error.msg == warning.msg
    assert f'"{DOOR}"' in str(error.hint)


@pytest.mark.attack("P9")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (DOOR, []),
        ("bandwidth_mfa.E021", []),
        ("bandwidth_mfa.W004", ["E021"]),
        ("bandwidth_mfa.E022", ["E021", "W004"]),
        ("bandwidth_mfa.E021:rest_framework.authtoken.views", ["E021", "W004"]),
    ],
)
def test_a_door_is_silenced_by_its_own_name_or_that_of_its_kind(
    settings: Any, name: str, expected: list[str]
) -> None:
    """Fails when W004 silences the error: the check would never report a door that is added
    later."""
    settings.SILENCED_SYSTEM_CHECKS = [name]
    messages = [
        *with_patterns(settings, OURS_INCLUDED, TOKENS),
        *(message for message in check_deployment(None) if isinstance(message, Error)),
    ]
    assert sorted(ids([message for message in messages if not message.is_silenced()])) == expected


@pytest.mark.django_db(transaction=True)
def test_migrate_is_not_stopped_by_a_door(settings: Any) -> None:
    """Fails when the error is registered for every check, and not only for ``--deploy``."""
    with_patterns(settings, OURS_INCLUDED, TOKENS)
    call_command("migrate", verbosity=0, skip_checks=False, stdout=io.StringIO())
    call_command("check", stderr=io.StringIO())
    with pytest.raises(SystemCheckError, match="E021"):
        call_command("check", deploy=True, stderr=io.StringIO())


def test_an_app_that_is_only_installed_is_no_door(monkeypatch: Any) -> None:
    """Fails when the check reads the list of apps."""
    monkeypatch.setattr(apps, "is_installed", lambda name: True)
    assert check_site(None) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["W007"]),
        ({"transaction_mode": None}, ["W007"]),
        ({"transaction_mode": "DEFERRED"}, ["W007"]),
        ({"transaction_mode": "immediate"}, []),
        ({"transaction_mode": "EXCLUSIVE"}, []),
    ],
)
def test_sqlite_without_immediate_transactions_is_a_warning(
    monkeypatch: Any, options: dict[str, Any], expected: list[str]
) -> None:
    """Fails when the check does not read the options of the database."""
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    assert ids(check_site(None)) == (expected if connection.vendor == "sqlite" else [])


@pytest.mark.attack("S10", "N14")
def test_deployment(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    settings.BANDWIDTH_MFA = {**GOOD, "TRUSTED_PROXIES": 0, "RECEIPT_SECRET": "s" * 20}
    assert check_deployment(None) == []
    settings.SESSION_COOKIE_SECURE = False
    settings.ALLOWED_HOSTS = ["*"]
    base = "http://bandwidth.example/api/v1"
    settings.BANDWIDTH_MFA = {**GOOD, "BASE_URL": base, "RECEIPT_SECRET": "short"}
    assert ids(check_deployment(None)) == ["W010", "W011", "W012", "W013", "W014"]


@pytest.mark.filterwarnings("ignore:The EMAIL_")  # Django 6.1 warns of these settings
def test_a_mail_server_without_a_timeout_is_a_warning(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    settings.BANDWIDTH_MFA = {**GOOD, "TRUSTED_PROXIES": 0}
    if hasattr(settings, "MAILERS"):
        del settings.MAILERS
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert ids(check_deployment(None)) == ["W015"]
    settings.EMAIL_TIMEOUT = 10
    assert check_deployment(None) == []
    settings.EMAIL_TIMEOUT = None
    settings.BANDWIDTH_MFA = {**settings.BANDWIDTH_MFA, "NOTIFY": False}
    assert check_deployment(None) == []


SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("mailers", "expected"),
    [
        ({"default": {"BACKEND": SMTP, "OPTIONS": {"host": "localhost"}}}, ["W015"]),
        ({"default": {"OPTIONS": {"host": "localhost"}}}, ["W015"]),
        ({"default": {}}, ["W015"]),
        ({"default": {"OPTIONS": {"host": "localhost", "timeout": 10}}}, []),
        ({"default": {"BACKEND": "site.mail.Queue"}}, []),
        ({"other": {}}, []),
        ({}, []),
    ],
)
def test_a_mail_server_of_mailers_without_a_timeout_is_a_warning(
    settings: Any, monkeypatch: Any, mailers: Any, expected: list[str]
) -> None:
    """Fails when ``EMAIL_BACKEND`` is read where ``MAILERS`` is set: Django 6.1 raises then."""

    class Settings61:
        """Settings as in Django 6.1, on every version: to read an old setting raises an error."""

        MAILERS = mailers

        def __getattr__(self, name: str) -> Any:
            if name.startswith("EMAIL_"):
                raise AttributeError(name)
            return getattr(settings, name)

    settings.SESSION_COOKIE_SECURE = True
    settings.BANDWIDTH_MFA = {**GOOD, "TRUSTED_PROXIES": 0}
    monkeypatch.setattr(checks, "django_settings", Settings61())
    messages = check_deployment(None)
    assert ids(messages) == expected
    for message in messages:
        assert "MAILERS" in message.msg + str(message.hint)


@pytest.mark.slow
def test_check_deploy_runs_with_mailers_on_the_installed_django() -> None:
    """``manage.py check --deploy`` in its own process.  Fails like the test above, on Django 6.1.
    Older versions do not know ``MAILERS``."""
    program = """
from django.conf import settings
from tests import settings as of_tests
values = {name: value for name, value in vars(of_tests).items() if name.isupper()}
values["MAILERS"] = {"default": {"OPTIONS": {"host": "localhost"}}}
settings.configure(**values)
import django
from django.core.management import call_command
django.setup()
call_command("check", deploy=True)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "bandwidth_mfa.W015" in done.stderr


@pytest.mark.attack("S10")
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https")),
        ("USE_X_FORWARDED_HOST", True),
        ("USE_X_FORWARDED_PORT", True),
    ],
)
def test_a_proxy_that_another_setting_implies_must_be_counted(
    settings: Any, setting: str, value: Any
) -> None:
    """Without the count, all users share one address and its limit."""
    setattr(settings, setting, value)
    assert ids(check_site(None)) == ["W005"]
    settings.BANDWIDTH_MFA = {**GOOD, "TRUSTED_PROXIES": 1}
    assert check_site(None) == []


def test_manage_py_check_runs_the_checks(settings: Any) -> None:
    from django.core.checks import run_checks

    settings.BANDWIDTH_MFA = {**GOOD, "DIGITS": 1}
    assert "bandwidth_mfa.E003" in [message.id for message in run_checks()]


from django_bandwidth_mfa.middleware import BandwidthMFAMiddleware  # noqa: E402


class Subclass(BandwidthMFAMiddleware):
    """A site's own subclass; the check recognises it by its parent class."""
