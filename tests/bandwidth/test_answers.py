from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine

from django_bandwidth_mfa.bandwidth import (
    BadRequest,
    BandwidthError,
    Forbidden,
    InvalidResponse,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnknownOutcome,
    Unreachable,
)
from django_bandwidth_mfa.bandwidth.answers import failure_error, read_id, read_verdict
from django_bandwidth_mfa.bandwidth.errors import Endpoint
from django_bandwidth_mfa.bandwidth.transport import Answer, Failure

JSON = "application/json; charset=utf-8"


def say(body: bytes, status: int = 200, content_type: str = JSON, retry_after: str = "") -> Answer:
    return Answer(status=status, content_type=content_type, retry_after=retry_after, body=body)


def error_of(reply: Answer) -> BandwidthError:
    with pytest.raises(BandwidthError) as caught:
        read_verdict(reply)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize("content_type", [JSON, "application/json", "text/plain", ""])
def test_valid_true_is_a_pass_and_valid_false_is_not(content_type: str) -> None:
    assert read_verdict(say(b'{"valid": true}', content_type=content_type)) is True
    assert read_verdict(say(b' {"valid":false, "more": [1]}\n', content_type=content_type)) is False


NO_VERDICT = [
    b"",
    b"   ",
    b"{}",
    b"true",
    b"null",
    b"[true]",
    b'[{"valid": true}]',
    b'{"valid": "true"}',
    b'{"valid": 1}',
    b'{"valid": 1.0}',
    b'{"valid": null}',
    b'{"valid": {}}',
    b'{"valid": [true]}',
    b'{"Valid": true}',
    b'{"valid ": true}',
    b'{"result": {"valid": true}}',
    b'"{\\"valid\\": true}"',
    b'{"valid": true',
    b'{"valid": true}}',
    b'{"valid": true}{"valid": true}',
    b'{"valid": true,}',
    b"{'valid': true}",
    b"{valid: true}",
    b'{"valid": True}',
    b'{"valid": false, "valid": true}',
    b'{"valid": true, "valid": true}',
    b'{"valid": true, "more": {"a": 1, "a": 2}}',
    b'{"valid": true, "more": NaN}',
    b'{"valid": true, "more": -Infinity}',
    b'{"valid": true, "more": "\xff"}',
    b'\xef\xbb\xbf{"valid": true}',
    '{"valid": true}'.encode("utf-16"),
    '{"valid": true}'.encode("utf-16-le"),
    '{"valid": true}'.encode("utf-32"),
    b'{"valid": true, "more": ' + b"[" * 60_000,
    b'{"a":' * 12_000,
    b'{"valid": true, "more": ' + b"9" * 5_000 + b"}",
    b"<html><body>valid: true</body></html>",
]


@pytest.mark.attack("N1")
@pytest.mark.parametrize("body", NO_VERDICT, ids=lambda body: repr(body[:36]))
def test_nothing_else_is_a_verdict(body: bytes) -> None:
    """Fails if the verdict is read with `bool()` or `==`, or the hooks of `parse_object` go."""
    error = error_of(say(body))
    assert type(error) is InvalidResponse
    assert error.may_have_arrived is True
    assert error.status == 200


@pytest.mark.parametrize("content_type", ["text/html", "TEXT/HTML; charset=utf-8"])
def test_a_page_is_no_verdict_whatever_its_body(content_type: str) -> None:
    """Fails if `read_object` no longer looks at the content type."""
    assert type(error_of(say(b'{"valid": true}', content_type=content_type))) is InvalidResponse


@pytest.mark.parametrize("status", [201, 202, 204, 206, 301, 302, 307, 404, 405, 418, 422, 600])
def test_valid_true_under_another_status_is_no_verdict(status: int) -> None:
    """Fails if `read_object` takes any status but 200."""
    error = error_of(say(b'{"valid": true}', status=status))
    assert type(error) is InvalidResponse
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthorized),
        (403, Forbidden),
        (429, TooManyRequests),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_each_error_status_has_its_class(status: int, kind: type[BandwidthError]) -> None:
    error = error_of(say(b'{"error": "x", "requestId": "354cc8a3-6701"}', status=status))
    assert type(error) is kind
    assert (error.status, error.request_id, error.endpoint) == (status, "354cc8a3-6701", "verify")
    assert error.may_have_arrived is False


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"requestId": 5}'])
def test_an_error_status_counts_whatever_its_body(body: bytes) -> None:
    error = error_of(say(body, status=403, content_type="text/html"))
    assert type(error) is Forbidden
    assert error.request_id is None


@pytest.mark.attack("T6")
@pytest.mark.parametrize(
    "request_id", ["", "a b", "a\\nlevel=INFO forged", "\\u001b[2J", "x" * 101, "+19195551234", "é"]
)
def test_a_request_id_that_could_forge_a_log_line_is_dropped(request_id: str) -> None:
    """Fails if any text is taken for a request id."""
    error = error_of(say(f'{{"requestId": "{request_id}"}}'.encode(), status=500))
    assert error.request_id is None


@pytest.mark.attack("T6")
def test_what_the_server_wrote_is_not_repeated() -> None:
    error = error_of(say(b'{"error": "number +19195551234 code 735190"}', status=400))
    assert "9195551234" not in str(error) + repr(error) + repr(error.args)
    assert "735190" not in repr(vars(error))


NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("999999999", 3600.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 12:01:30 -0000", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Fri, 01 Mar 2030 12:00:00 GMT", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Sun, 99 Mar 2026 12:01:30 GMT", None),
    ],
)
def test_retry_after_is_read_from_the_header(header: str, seconds: float | None) -> None:
    with time_machine.travel(NOW, tick=False):
        assert error_of(say(b"{}", status=503, retry_after=header)).retry_after == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("This number has exceeded verification attempts, please wait 2 minutes", 120.0),
        ("Please wait 1 minute", 60.0),
        ("please wait 1 hour", 3600.0),
        ("please WAIT 30 seconds", 30.0),
        ("please wait 2 hours", 3600.0),
        ("please wait", None),
    ],
)
def test_a_429_tells_how_long_to_wait_in_its_text(text: str, seconds: float | None) -> None:
    body = f'{{"error": "{text}"}}'.encode()
    assert error_of(say(body, status=429)).retry_after == seconds
    assert error_of(say(body, status=500)).retry_after is None
    assert error_of(say(body, status=400)).retry_after is None
    assert error_of(say(body, status=429, retry_after="9")).retry_after == 9.0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"messageId": "9e0df4ca"}', "9e0df4ca"),
        (b'{"MessageId": "9e0df4ca"}', "9e0df4ca"),
        (b'{"messageId": "' + b"x" * 200 + b'"}', "x" * 200),
    ],
)
def test_the_id_is_read_in_either_spelling(body: bytes, expected: str) -> None:
    assert read_id(say(body), "messaging", "messageId") == expected
    call = body.replace(b"essageId", b"allId").replace(b"m", b"c").replace(b"M", b"C")
    assert read_id(say(call), "voice", "callId") == expected


@pytest.mark.parametrize("value", ['""', "5", "null", '"a\\nb"', f'"{"x" * 201}"', '["x"]'])
def test_an_unusable_id_means_that_the_code_may_have_been_sent(value: str) -> None:
    with pytest.raises(InvalidResponse) as caught:
        read_id(say(f'{{"messageId": {value}}}'.encode()), "messaging", "messageId")
    assert caught.value.may_have_arrived is True


@pytest.mark.parametrize(
    ("failure", "endpoint", "kind", "may_have_arrived"),
    [
        (Failure("x", sent=False), "verify", Unreachable, False),
        (Failure("x", sent=True), "verify", UnknownOutcome, True),
        (Failure("x", sent=True, unreadable=True), "verify", InvalidResponse, True),
        (Failure("x", sent=False, unreadable=True), "verify", Unreachable, False),
        (Failure("x", sent=False), "token", Unreachable, False),
        (Failure("x", sent=True), "token", Unreachable, False),
        (Failure("x", sent=True, unreadable=True), "token", InvalidResponse, False),
    ],
)
def test_a_failure_says_whether_the_call_may_have_arrived(
    failure: Failure, endpoint: Endpoint, kind: type[BandwidthError], may_have_arrived: bool
) -> None:
    error = failure_error(failure, endpoint)
    assert type(error) is kind
    assert error.may_have_arrived is may_have_arrived
