"""``mfa_check_bandwidth``: what Bandwidth answers to the site's own settings."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import NUMBER


def run(*arguments: str) -> tuple[str, str]:
    """Return the output of the command, and its error if it ends with one."""
    out = io.StringIO()
    try:
        call_command("mfa_check_bandwidth", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def test_nothing_is_sent_and_only_what_bandwidth_proved_is_claimed(bandwidth: Any) -> None:
    """Fails when the command sends a code without ``--send``, or when it reports success for
    everything: Bandwidth checks an application id only when a code is sent with it."""
    output, error = run()
    assert error == ""
    assert "Bandwidth accepted the credentials for account 5500001." in output
    assert output.endswith(
        "Not tested: FROM_NUMBER, MESSAGING_APPLICATION_ID, VOICE_APPLICATION_ID. "
        "Use --send TO to test them.\n"
    )
    assert "well" not in output
    assert bandwidth.inbox == []


def test_one_code_is_sent_by_each_channel_where_it_is_asked_for(bandwidth: Any) -> None:
    """Fails when only the first channel is used: the id of the other application would not be
    tested."""
    output, error = run("--send", NUMBER)
    assert error == ""
    call, message = bandwidth.inbox
    assert [(one["to"], one["channel"]) for one in (message, call)] == [
        (NUMBER, "sms"),
        (NUMBER, "voice"),
    ]
    assert (
        "A code to ••42 by sms, with MESSAGING_APPLICATION_ID: Bandwidth accepted it, "
        f"id {message['id']}."
    ) in output
    assert (
        "A code to ••42 by voice, with VOICE_APPLICATION_ID: Bandwidth accepted it, "
        f"id {call['id']}."
    ) in output
    assert output.endswith("Check on the phone that they arrive.\n")
    assert NUMBER not in output
    assert message["code"] not in output
    assert call["code"] not in output


@pytest.mark.parametrize(
    ("origin", "line"), [(None, "Again: {CODE}"), ("bank.example", "@bank.example #{CODE}")]
)
def test_the_message_shows_whether_bandwidth_fills_the_code_in_twice(
    bandwidth: Any, configure: Any, origin: str | None, line: str
) -> None:
    """Fails when the message contains {CODE} only once: nobody would see whether ORIGIN works."""
    configure(ORIGIN=origin)
    output, _error = run("--send", NUMBER)
    call, message = bandwidth.inbox
    assert message["text"].splitlines()[1] == line.replace("{CODE}", message["code"])
    assert output.count('If it shows "{CODE}", leave ORIGIN out.') == 1
    assert len(call["text"].splitlines()) == 1


@pytest.mark.parametrize("message", ["{CODE} is yours", {"sms": "{CODE} is yours"}])
def test_what_is_sent_is_the_sites_own_text(
    bandwidth: Any, configure: Any, message: str | dict[str, str]
) -> None:
    configure(MESSAGE=message)
    run("--send", NUMBER)
    assert bandwidth.inbox[1]["text"].startswith(f"{bandwidth.inbox[1]['code']} is yours\n")


def test_a_function_that_needs_a_user_is_not_asked(bandwidth: Any, configure: Any) -> None:
    """Fails when the function is called without a user, and raises an error."""
    configure(MESSAGE="tests.internal.codes.test_texts.signed")
    _told, error = run("--send", NUMBER)
    assert error == ""
    assert bandwidth.inbox[1]["text"].startswith("Your Example check code is ")


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [("messaging", "MESSAGING_APPLICATION_ID"), ("voice", "VOICE_APPLICATION_ID")],
)
def test_an_application_id_that_bandwidth_does_not_know_is_named(
    bandwidth: Any, endpoint: str, name: str
) -> None:
    bandwidth.fault(on=endpoint, status=400, body='{"error": "Invalid application"}')
    output, error = run("--send", NUMBER)
    assert f"with {name}: BadRequest, status 400. Check FROM_NUMBER and the id of" in output
    assert error == "Codes will not work until this is fixed."
    assert len(bandwidth.inbox) == 1  # the other channel is tried, too


def test_it_calls_where_only_calls_are_set_up(bandwidth: Any, configure: Any) -> None:
    configure(MESSAGING_APPLICATION_ID=None)
    run("--send", NUMBER)
    assert bandwidth.inbox[0]["channel"] == "voice"


@pytest.mark.parametrize(
    ("fault", "message", "advice"),
    [
        ({"status": 400, "body": '{"error": "x", "requestId": "r-1"}'}, "BadRequest", "FROM_NUM"),
        ({"status": 401}, "Unauthorized, status 401", "CLIENT_SECRET"),
        ({"status": 403}, "Forbidden, status 403. The credentials are wrong, or", "activate MFA"),
        ({"status": 500}, "ServerError, status 500", "Try again"),
        ({"drop": True}, "UnknownOutcome", "firewall"),
        ({"status": 200, "body": "<html>"}, "InvalidResponse", "proxies"),
    ],
)
def test_the_output_shows_bandwidths_answer_and_the_next_step(
    bandwidth: Any, fault: dict[str, Any], message: str, advice: str
) -> None:
    bandwidth.fault(on="verify", **fault)
    output, error = run("--send", NUMBER)
    assert message in output
    assert advice in output
    assert error == "Codes will not work until this is fixed."
    assert bandwidth.inbox == []


def test_the_request_id_is_shown(bandwidth: Any) -> None:
    body = json.dumps({"error": "x", "requestId": "r-1"})
    bandwidth.fault(on="verify", status=400, body=body)
    assert "requestId r-1" in run()[0]


def test_too_many_checks_prove_nothing(bandwidth: Any) -> None:
    """Fails when a 429 counts as a success: Bandwidth may check the credentials only after its
    limits."""
    bandwidth.fault(on="verify", status=429, body='{"error": "please wait 30 seconds"}')
    output, error = run("--send", NUMBER)
    assert "TooManyRequests, status 429. Wait 30 seconds, and try again." in output
    assert "Bandwidth accepted a code" not in output
    assert error == "Bandwidth asks for a wait, so not everything was tested."
    assert bandwidth.inbox == []


def test_a_refused_message_is_reported(bandwidth: Any) -> None:
    bandwidth.fault(on="messaging", status=403)
    output, error = run("--send", NUMBER)
    assert "A code to ••42 by sms, with MESSAGING_APPLICATION_ID: Forbidden, status 403" in output
    assert error


def json_web_token(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2lnbmF0dXJl"


def give(bandwidth: Any, token: str) -> None:
    """Make ``token`` the next token; the API accepts it."""
    bandwidth.fault(on="verify", body='{"valid": false}')
    body = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600})
    bandwidth.fault(on="token", body=body, times=1)


def test_accounts_and_roles_are_those_of_the_token(bandwidth: Any, configure: Any) -> None:
    """Fails when the claims are not read, or when the account of the settings is not searched in
    them."""
    configure(CONNECT_TIMEOUT=2.25)  # a client of its own, without a token
    token = json_web_token(accounts=["9900000", 42], roles=["MFA", "Voice"], sub="someone")
    give(bandwidth, token)
    output, error = run()
    assert error == ""
    assert "The token contains these accounts: 9900000, 42.\n" in output
    assert "The token contains these roles: MFA, Voice.\n" in output
    assert "ACCOUNT_ID 5500001 is not one of these accounts." in output
    assert "someone" not in output
    assert token not in output


@pytest.mark.attack("T6")
@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "a.b.c",
        "a.W10.c",
        "a.bnVsbA.c",
        json_web_token(accounts=["\x1b[2J", "a\nb", "x" * 101, None, True, {}], roles={"a": "b"}),
    ],
)
def test_a_token_shows_nothing_that_is_not_a_plain_word(
    bandwidth: Any, configure: Any, token: str
) -> None:
    """Fails when a claim is printed without a check: another party wrote the text, and it would
    reach a terminal."""
    configure(CONNECT_TIMEOUT=2.0 + len(token) / 1000)  # a client of its own, without a token
    give(bandwidth, token)
    output, error = run()
    assert error == ""
    assert "The token" not in output


def test_a_token_that_cannot_be_fetched_is_reported(bandwidth: Any, configure: Any) -> None:
    configure(CONNECT_TIMEOUT=1.75)
    bandwidth.fault(on="token", status=500)
    output, error = run()
    assert output.startswith("Request for a token: ServerError, status 500, requestId ")
    assert error == "Codes will not work until this is fixed."


def test_wrong_credentials_are_reported_and_not_shown(bandwidth: Any, configure: Any) -> None:
    configure(CLIENT_SECRET="not-the-secret")
    output, error = run()
    assert "Unauthorized" in output
    assert "not-the-secret" not in output + error


def test_a_bandwidth_that_takes_any_code_is_an_alarm(bandwidth: Any) -> None:
    """Fails when every answer ``valid: true`` counts as a success."""
    bandwidth.fault(on="verify", status=200, body='{"valid": true}')
    output, error = run()
    assert "accepted a code that was never sent" in output
    assert error


def test_incomplete_settings_are_reported_first(bandwidth: Any, configure: Any) -> None:
    configure(FROM_NUMBER="12", DIGITS=99)
    _told, error = run()
    assert 'BANDWIDTH_MFA["FROM_NUMBER"] must be a phone number' in error
    assert 'BANDWIDTH_MFA["DIGITS"]' in error
    assert bandwidth.requests == []


def test_a_text_that_is_no_number_is_reported(bandwidth: Any) -> None:
    assert run("--send", "12")[1].startswith("--send: Begin with your country code")
    assert bandwidth.requests == []
