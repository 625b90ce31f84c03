"""``mfa_check_bandwidth``: what Bandwidth says of the site's own settings."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import NUMBER


def run(*arguments: str) -> tuple[str, str]:
    """What was printed, and the error in the end, if any."""
    out = io.StringIO()
    try:
        call_command("mfa_check_bandwidth", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def test_nothing_is_sent_and_each_application_is_asked_about(bandwidth: Any) -> None:
    """Fails when a code is sent to find out."""
    told, error = run()
    assert error == ""
    assert "MESSAGING_APPLICATION_ID (sms): Bandwidth knows" in told
    assert "VOICE_APPLICATION_ID (voice): Bandwidth knows" in told
    assert "All is well" in told
    assert bandwidth.inbox == []


def test_one_code_is_sent_where_it_is_asked_for(bandwidth: Any) -> None:
    told, error = run("--send", NUMBER)
    assert error == ""
    (message,) = bandwidth.inbox
    assert (message["to"], message["channel"]) == (NUMBER, "sms")
    assert "A code to ••42 is on its way by sms" in told
    assert NUMBER not in told
    assert message["code"] not in told


def test_it_calls_where_only_calls_are_set_up(bandwidth: Any, configure: Any) -> None:
    configure(MESSAGING_APPLICATION_ID=None)
    run("--send", NUMBER)
    assert bandwidth.inbox[0]["channel"] == "voice"


@pytest.mark.parametrize(
    ("fault", "said", "then"),
    [
        ({"status": 400, "body": '{"error": "x", "requestId": "r-1"}'}, "BadRequest", "FROM_NUM"),
        ({"status": 401}, "Unauthorized, status 401", "CLIENT_SECRET"),
        ({"status": 403}, "Forbidden, status 403", "turn MFA on"),
        ({"status": 500}, "ServerError, status 500", "try again"),
        ({"drop": True}, "UnknownOutcome", "firewall"),
        ({"status": 200, "body": "<html>"}, "InvalidResponse", "proxies"),
    ],
)
def test_what_bandwidth_says_is_told_and_what_to_do_next(
    bandwidth: Any, fault: dict[str, Any], said: str, then: str
) -> None:
    bandwidth.fault(on="verify", **fault)
    told, error = run("--send", NUMBER)
    assert said in told
    assert then in told
    assert error == "Codes will not work until this is mended."
    assert bandwidth.inbox == []


def test_the_request_id_is_told(bandwidth: Any) -> None:
    body = json.dumps({"error": "x", "requestId": "r-1"})
    bandwidth.fault(on="verify", status=400, body=body)
    assert "requestId r-1" in run()[0]


def test_too_many_checks_are_no_failure(bandwidth: Any) -> None:
    bandwidth.fault(on="verify", status=429)
    assert run()[1] == ""


def test_a_refused_message_is_told(bandwidth: Any) -> None:
    bandwidth.fault(on="messaging", status=403)
    told, error = run("--send", NUMBER)
    assert "A code to ••42: Forbidden, status 403" in told
    assert error


def test_wrong_credentials_are_told_without_them(bandwidth: Any, configure: Any) -> None:
    configure(CLIENT_SECRET="not-the-secret")
    told, error = run()
    assert "Unauthorized" in told
    assert "not-the-secret" not in told + error


def test_a_bandwidth_that_takes_any_code_is_an_alarm(bandwidth: Any) -> None:
    """Fails when ``valid: true`` counts as "it answers, so it works"."""
    bandwidth.fault(on="verify", status=200, body='{"valid": true}')
    told, error = run()
    assert "took a code that nobody was sent" in told
    assert error


def test_settings_that_are_not_complete_are_told_first(bandwidth: Any, configure: Any) -> None:
    configure(FROM_NUMBER="12", DIGITS=99)
    _told, error = run()
    assert 'BANDWIDTH_MFA["FROM_NUMBER"] must be a phone number' in error
    assert 'BANDWIDTH_MFA["DIGITS"]' in error
    assert bandwidth.requests == []


def test_a_number_that_is_none_is_told(bandwidth: Any) -> None:
    assert run("--send", "12")[1].startswith("--send: Start with +")
    assert bandwidth.requests == []
