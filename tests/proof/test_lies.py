"""False and broken answers from the network: none lets a code pass, causes a 500, or blocks the
caller.

The control is :func:`test_the_one_true_answer_passes`: it shows that the right answer lets a code
pass.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from django_bandwidth_mfa import service
from django_bandwidth_mfa.bandwidth import BandwidthError
from django_bandwidth_mfa.exceptions import MFAError
from django_bandwidth_mfa.models import Counter, SecondFactor, SpentCode

from ..bandwidth.servers import VERIFY, Handler, RawServer, answer, basic_client, drips, sends
from ..browsing import assert_shut, give_password
from ..conftest import NUMBER, make_user

TRUE = b'{"valid": true}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"

many = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
# True is left out: it is the right answer. 1 and 1.0 equal True in Python, and are wrong answers.
not_true = json_values.filter(lambda value: value is not True)


@pytest.fixture
def liar() -> Any:
    """Return the function ``liar(data)``: it returns the client's result for a server that answers
    with exactly these bytes."""
    answers: list[bytes] = [b""]
    with RawServer(lambda connection: connection.sendall(answers[0])) as server:
        client = basic_client(f"{server.url}/api/v1", read_timeout=1, total_timeout=2)

        def ask(data: bytes) -> bool:
            answers[0] = data
            return client.verify(**VERIFY)

        yield ask


def refused(ask: Callable[[bytes], bool], data: bytes, figures: Any) -> None:
    """Assert that ``data`` lets no code pass, and raises only the client's own errors."""
    figures.add("lies tried", 1)
    with suppress(BandwidthError):
        assert ask(data) is False
    figures.add("lies refused", 1)


def test_the_one_true_answer_passes(liar: Any) -> None:
    """Without this test, the other tests would also pass with a client that refuses every code."""
    assert liar(answer(TRUE)) is True
    assert liar(answer(b'\n{"valid" :true , "more":[1]}')) is True
    assert liar(answer(b'{"valid": false}')) is False


@many
@given(value=not_true)
@example(1)
@example(1.0)
@example("true")
@example([True])
@example({"valid": True})
def test_only_the_literal_true_is_true(liar: Any, figures: Any, value: Any) -> None:
    """Fails when the client checks the truth value of ``valid``, as ``if valid`` does."""
    refused(liar, answer(json.dumps({"valid": value}).encode()), figures)


@many
@given(value=json_values)
def test_no_other_shape_is_a_verdict(liar: Any, figures: Any, value: Any) -> None:
    """Fails when ``valid`` is read below the top level of the answer."""
    assume(not (isinstance(value, dict) and value.get("valid") is True))
    for shape in (value, [{"valid": True}, value], {"valid ": True, "x": value}, {"VALID": True}):
        refused(liar, answer(json.dumps(shape).encode()), figures)


@many
@given(status=st.integers(200, 599).filter(lambda status: status not in (200, 204, 304)))
def test_no_other_status_is_a_pass(liar: Any, figures: Any, status: int) -> None:
    """Fails when every 2xx status is accepted."""
    refused(liar, answer(TRUE, f"{status} Whatever"), figures)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_to_a_yes(liar: Any, figures: Any, status: int) -> None:
    """Fails when redirects are followed."""
    with RawServer(sends(answer(TRUE))) as elsewhere:
        refused(liar, answer(b"", f"{status} Moved", f"Location: {elsewhere.url}/x"), figures)
        assert elsewhere.requests == []


@pytest.mark.parametrize("length", range(len(TRUE)))
def test_no_part_of_a_yes_is_a_yes(liar: Any, figures: Any, length: int) -> None:
    """Fails when the client reads a part of an answer whose connection broke."""
    refused(liar, answer(TRUE[:length]), figures)
    cut = HEAD + b"Content-Length: %d\r\n\r\n" % len(TRUE) + TRUE[:length]
    refused(liar, cut, figures)
    refused(liar, HEAD + b"Transfer-Encoding: chunked\r\n\r\nf\r\n" + TRUE[:length], figures)


@many
@given(rest=st.binary(min_size=1, max_size=20).filter(lambda rest: rest.strip()))
@example(b"}")
@example(b'{"valid": false}')
def test_nothing_may_follow_a_yes(liar: Any, figures: Any, rest: bytes) -> None:
    refused(liar, answer(TRUE + rest), figures)


@many
@given(values=st.lists(st.booleans(), min_size=2, max_size=5), spaces=st.integers(0, 3))
def test_a_key_twice_says_nothing(liar: Any, figures: Any, values: list[bool], spaces: int) -> None:
    """Fails when the last of two keys wins, as in Python's own parser."""
    pairs = (", " + " " * spaces).join(f'"valid": {json.dumps(value)}' for value in values)
    refused(liar, answer(f"{{{pairs}}}".encode()), figures)


ENCODED = {
    "utf-16": TRUE.decode().encode("utf-16"),
    "utf-16-le": TRUE.decode().encode("utf-16-le"),
    "utf-32": TRUE.decode().encode("utf-32"),
    "utf-7": "+AHsAIg-valid+ACI: true+AH0-".encode("ascii"),
    "byte order mark": b"\xef\xbb\xbf" + TRUE,
    "latin-1": b'{"valid": true, "name": "\xe9"}',
    "gzip": gzip.compress(TRUE),
    "NUL": TRUE + b"\x00",
    "full width": '{"valid"： true}'.encode(),
    "NaN": b'{"valid": true, "x": NaN}',
    "Infinity": b'{"valid": true, "x": -Infinity}',
    "single quotes": b"{'valid': true}",
    "capital": b'{"valid": True}',
    "comment": b'{"valid": true} // yes',
    "escaped twice": b'"{\\"valid\\": true}"',
    "nested deep": b'{"valid": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "nested open": b"[" * 30_000,
    "HTML": b"<!doctype html><script>valid = true</script>",
    "JSONP": b'callback({"valid": true})',
    "huge": b'{"valid": true, "x": "' + b"x" * 70_000 + b'"}',
    "huge number": b'{"valid": ' + b"1" * 5_000 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize("header", ["", "Content-Encoding: gzip", "Content-Type: text/html"])
def test_no_other_spelling_is_a_yes(liar: Any, figures: Any, name: str, header: str) -> None:
    """Fails when the client guesses the charset, decompresses the answer, or reads beyond its size
    limit."""
    refused(liar, answer(ENCODED[name], "200 OK", *filter(None, [header])), figures)


@pytest.mark.parametrize("kind", ["text/html", "TEXT/HTML; charset=utf-8"])
def test_a_yes_that_calls_itself_a_page_is_none(liar: Any, figures: Any, kind: str) -> None:
    """Fails when the content type is not checked: the answer may come from a captive portal."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(TRUE)}\r\n\r\n"
    refused(liar, head.encode() + TRUE, figures)


@many
@given(junk=st.binary(max_size=200))
def test_random_bytes_are_no_answer(liar: Any, figures: Any, junk: bytes) -> None:
    refused(liar, junk, figures)
    refused(liar, answer(junk), figures)
    refused(liar, b"HTTP/1.1 200 OK\r\n" + junk + b"\r\n\r\n" + TRUE[:-1], figures)


# Through the service and the page -----------------------------------------------------------------


@pytest.fixture
def patient(bandwidth: Any, configure: Any) -> None:
    """Turn off the waits and the breaker, so that each test reaches the check of the answer."""
    configure(
        FAILURES_BEFORE_WAIT=100,
        FAILURES_BEFORE_LOCK=10_000,
        TRIES_PER_CHALLENGE=100,
        BREAKER_FAILURES=10_000,
    )


@settings(many, max_examples=60)
@given(
    body=st.one_of(
        not_true.map(lambda value: json.dumps({"valid": value})),
        json_values.filter(lambda value: not isinstance(value, dict)).map(json.dumps),
        st.text(max_size=60),
    ),
    status=st.sampled_from([200, 200, 200, 201, 202, 206, 299, 302, 404, 418, 500, 502]),
    content_type=st.sampled_from(["application/json", "text/html", "text/plain", "x"]),
)
@pytest.mark.django_db
def test_no_lie_passes_the_service_and_none_stops_the_right_code(
    bandwidth: Any, patient: None, figures: Any, body: str, status: int, content_type: str
) -> None:
    """Fails when the service checks the truth value of an answer instead of ``valid is True``."""
    user = make_user(f"user{figures['lies tried']}", NUMBER)
    Counter.objects.all().delete()
    SecondFactor.objects.all().delete()
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    bandwidth.fault(on="verify", status=status, body=body, content_type=content_type, times=1)
    figures.add("lies tried", 1)
    with suppress(MFAError):
        assert not service.verify_code(challenge, code)
    bandwidth.clear_faults()
    challenge.refresh_from_db()
    assert challenge.passed_at is None
    assert not SpentCode.objects.exists()
    figures.add("lies refused", 1)
    assert service.verify_code(challenge, code)
    SpentCode.objects.all().delete()


def drop_after(data: bytes) -> Handler:
    return lambda connection: connection.sendall(data)


WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(TRUE) + TRUE
NETWORK: dict[str, Handler] = {
    "drips its head": drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "drips its body": drips(HEAD + b"Content-Length: 9999\r\n\r\n", b" "),
    "drips headers": drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "drips chunks": drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "says nothing": drips(b"", b""),
    "goes on for ever": lambda connection: [connection.sendall(b"x" * 65536) for _ in range(99)],
    **{f"drops after {n}": drop_after(WHOLE[:n]) for n in range(0, len(WHOLE), 11)},
}


@pytest.fixture
def addresses(tmp_path: Path) -> Any:
    """Yield addresses at which nobody answers as Bandwidth does."""
    with RawServer(sends(WHOLE)) as plain:
        yield {
            "no TLS": plain.url.replace("http:", "https:"),
            "no such name": "https://bandwidth.invalid",
            "nobody listens": "http://127.0.0.1:1",
        }


def try_the_page(base_url: str, bandwidth: Any, settings: Any, figures: Any) -> None:
    """Enter the right code while the server at ``base_url`` replaces Bandwidth."""
    user = make_user("ada", NUMBER)
    client = Client()
    give_password(client, user)
    client.get("/mfa/verify/")
    kept = settings.BANDWIDTH_MFA
    settings.BANDWIDTH_MFA = {
        **kept,
        "BASE_URL": f"{base_url}/api/v1",
        "CLIENT_ID": None,
        "CLIENT_SECRET": None,
        "USERNAME": "someone",
        "PASSWORD": "something",
        "CONNECT_TIMEOUT": 0.3,
        "READ_TIMEOUT": 0.3,
        "TOTAL_TIMEOUT": 0.6,
    }
    figures.add("lies tried", 1)
    began = time.monotonic()
    answered = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    # This limit is against hanging, and measures no speed: the servers send for three seconds.
    assert time.monotonic() - began < 2.5
    assert answered["Location"] == "/mfa/verify/"
    assert_shut(client)
    answered = client.get("/mfa/verify/")
    assert answered.status_code == 200
    assert b"could not check your code" in answered.content
    assert_shut(client)
    figures.add("lies refused", 1)
    settings.BANDWIDTH_MFA = kept
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert client.get("/whoami/").json()["state"] == "verified"


@pytest.mark.django_db
@pytest.mark.parametrize("fault", NETWORK)
def test_a_server_that_misbehaves_lets_nobody_in_and_holds_nobody(
    bandwidth: Any, settings: Any, figures: Any, fault: str
) -> None:
    """Fails when each read has a time-out but all reads together have none."""
    with RawServer(NETWORK[fault]) as server:
        try_the_page(server.url, bandwidth, settings, figures)


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["no TLS", "no such name", "nobody listens"])
def test_an_address_where_nobody_answers_lets_nobody_in(
    bandwidth: Any, settings: Any, figures: Any, addresses: dict[str, str], where: str
) -> None:
    try_the_page(addresses[where], bandwidth, settings, figures)
