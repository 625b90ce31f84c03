from __future__ import annotations

import gc
import gzip
import json
import pprint
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from django_bandwidth_mfa.bandwidth import (
    BadRequest,
    BandwidthClient,
    BandwidthError,
    InvalidResponse,
    ServerError,
    UnknownOutcome,
)
from tests.bandwidth.servers import (
    SEND,
    VERIFY,
    RawServer,
    answer,
    basic_client,
    drips,
    sends,
)

BASE = "https://mfa.bandwidth.com/api/v1"
CODE = f"{BASE}/accounts/9900000/code"
RECEIPTS = "https://example.com/receipts/hush-hush"
SECRETS = ("735190", "9195551234", "9195554321", "pass-wörd", "hush-hush", "YXBpLXVzZXI6")


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def body_of(mock: responses.RequestsMock) -> dict[str, object]:
    (call,) = mock.calls
    fields: dict[str, object] = json.loads(call.request.body or b"")
    return fields


def test_a_message_is_sent_as_documented(mock: responses.RequestsMock) -> None:
    mock.post(f"{CODE}/messaging", json={"messageId": "9e0df4ca"})
    client = basic_client(BASE)
    assert client.send_message(**SEND, scope="sign-in", callback_url=RECEIPTS) == "9e0df4ca"
    assert body_of(mock) == {
        "to": "+19195551234",
        "from": "+19195554321",
        "applicationId": "1234-asdf",
        "scope": "sign-in",
        "message": "Your {NAME} {SCOPE} code is {CODE}",
        "digits": 6,
        "callbackUrl": RECEIPTS,
    }
    headers = mock.calls[0].request.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"


def test_a_call_is_made_as_documented(mock: responses.RequestsMock) -> None:
    mock.post(f"{CODE}/voice", json={"callId": "c-15ac29a2"})
    assert basic_client(BASE).send_call(**SEND) == "c-15ac29a2"
    assert body_of(mock) == {
        "to": "+19195551234",
        "from": "+19195554321",
        "applicationId": "1234-asdf",
        "scope": "2FA",
        "message": "Your {NAME} {SCOPE} code is {CODE}",
        "digits": 6,
    }


def test_all_seven_fields_are_sent_to_verify(mock: responses.RequestsMock) -> None:
    mock.post(f"{CODE}/verify", json={"valid": False})
    assert basic_client(BASE).verify(**VERIFY, scope="sign-in") is False
    assert body_of(mock) == {
        "to": "+19195551234",
        "from": "+19195554321",
        "applicationId": "1234-asdf",
        "scope": "sign-in",
        "code": "735190",
        "digits": 6,
        "expirationTimeInMinutes": 3,
    }


@pytest.mark.slow
# The group that imports the SDK: see tests/simulator/test_sdk.py.
@pytest.mark.xdist_group("sdk")
def test_the_bodies_fit_bandwidths_own_models(mock: responses.RequestsMock) -> None:
    """The models of `bandwidth-sdk` are generated from the published OpenAPI description.

    The description of verify has no `from`, `applicationId` and `digits`; the reference page has.
    """
    from bandwidth.models.code_request import CodeRequest
    from bandwidth.models.verify_code_request import VerifyCodeRequest

    client = basic_client(BASE)
    mock.post(f"{CODE}/messaging", json={"messageId": "m"})
    mock.post(f"{CODE}/voice", json={"callId": "c"})
    mock.post(f"{CODE}/verify", json={"valid": True})
    client.send_message(**SEND)
    client.send_call(**SEND, scope="x" * 25)
    client.verify(**VERIFY)
    client.verify(**{**VERIFY, "code": "12345678", "digits": 8, "expiration_minutes": 15.0})
    bodies = [json.loads(call.request.body or b"") for call in mock.calls]
    for body in bodies[:2]:
        code_request = CodeRequest.from_dict(body)
        assert code_request is not None
        assert code_request.additional_properties == {}
    for body in bodies[2:]:
        verify_request = VerifyCodeRequest.from_dict(body)
        assert verify_request is not None
        assert set(verify_request.additional_properties) == {"from", "applicationId", "digits"}


@pytest.mark.parametrize(
    ("base_url", "account_id", "url"),
    [
        (BASE, "9900000", f"{CODE}/verify"),
        (f"{BASE}/", "9900000", f"{CODE}/verify"),
        (
            "http://127.0.0.1:8001/api/v1",
            "1",
            "http://127.0.0.1:8001/api/v1/accounts/1/code/verify",
        ),
        (BASE, "a/../b?c#d", f"{BASE}/accounts/a%2F..%2Fb%3Fc%23d/code/verify"),
    ],
)
def test_the_url_is_joined_and_the_account_quoted(
    mock: responses.RequestsMock, base_url: str, account_id: str, url: str
) -> None:
    mock.post(url, json={"valid": True})
    assert basic_client(base_url, account_id=account_id).verify(**VERIFY) is True
    assert mock.calls[0].request.url == url


def test_a_request_is_what_requests_itself_prepares(mock: responses.RequestsMock) -> None:
    """Fails if a header, the length or the form of the address differs."""
    mock.post(re.compile(".*"), json={"valid": True})
    base = "http://BÜCHER.example:80/ü"
    assert basic_client(base, username="u", password="p").verify(**VERIFY) is True
    sent = mock.calls[0].request
    prepared = requests.Request(
        "POST",
        f"{base}/accounts/9900000/code/verify",
        data=sent.body,
        headers={
            "Authorization": "Basic dTpw",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "django-bandwidth-mfa",
        },
    ).prepare()
    assert (sent.method, sent.url, sent.headers) == ("POST", prepared.url, prepared.headers)


def test_no_call_sees_the_credentials_or_the_body_of_another(mock: responses.RequestsMock) -> None:
    """Fails if calls to one address share a request instead of each having a copy."""
    mock.post(f"{CODE}/verify", json={"valid": True})
    basic_client(BASE, username="first", password="p").verify(**VERIFY)
    basic_client(BASE, username="second", password="p").verify(**{**VERIFY, "code": "111111"})
    first, second = (call.request for call in mock.calls)
    assert first.headers["Authorization"] == requests.auth._basic_auth_str("first", "p")
    assert second.headers["Authorization"] == requests.auth._basic_auth_str("second", "p")
    assert b"735190" in (first.body or b"")
    assert b"111111" in (second.body or b"")


def test_an_address_is_prepared_once(
    mock: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if each call has requests prepare it anew: a fifth of the call's processor time."""
    mock.post(re.compile(".*"), json={"valid": True})
    client = basic_client(BASE, account_id="prepared-once")
    prepared: list[str] = []
    prepare_url = requests.PreparedRequest.prepare_url

    def noted(self: requests.PreparedRequest, url: str, params: Any) -> None:
        prepared.append(url)
        prepare_url(self, url, params)

    monkeypatch.setattr(requests.PreparedRequest, "prepare_url", noted)
    for _ in range(3):
        assert client.verify(**VERIFY) is True
    assert prepared == [f"{BASE}/accounts/prepared-once/code/verify"]


@pytest.mark.parametrize("method", ["send_message", "send_call", "verify"])
@pytest.mark.parametrize("name", ["to", "from_", "application_id", "scope", "digits"])
def test_a_bad_argument_is_named_and_nothing_is_sent(
    mock: responses.RequestsMock, method: str, name: str
) -> None:
    arguments = {**(VERIFY if method == "verify" else SEND), name: None}
    with pytest.raises(ValueError, match=rf"^{name} "):
        getattr(basic_client(BASE), method)(**arguments)
    assert len(mock.calls) == 0


PAIRS: list[dict[str, str]] = [
    {},
    {"username": "u"},
    {"password": "p"},
    {"client_id": "c"},
    {"client_secret": "s"},
    {"username": "u", "client_secret": "s"},
    {"username": "u", "password": "p", "client_id": "c"},
    {"username": "u", "password": "p", "client_id": "c", "client_secret": "s"},
    {"username": "u", "password": ""},
]


@pytest.mark.parametrize("pairs", PAIRS, ids=lambda pairs: "+".join(pairs) or "none")
def test_exactly_one_pair_of_credentials_must_be_given(pairs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"client_id and client_secret .* username and password"):
        BandwidthClient(account_id="9900000", **pairs)


def test_an_empty_pair_counts_as_not_given() -> None:
    BandwidthClient(account_id="1", username="", password="", client_id="c", client_secret="s")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("account_id", ""),
        ("account_id", ".."),
        ("account_id", 9900000),
        ("base_url", ""),
        ("base_url", "mfa.bandwidth.com"),
        ("base_url", "ftp://mfa.bandwidth.com"),
        ("base_url", "https://user:hush-hush@mfa.bandwidth.com"),
        ("base_url", "https://mfa.bandwidth.com/?hush-hush"),
        ("base_url", "https://*.com"),
        ("base_url", None),
        ("token_url", "https://"),
        ("connect_timeout", 0),
        ("read_timeout", -1),
        ("total_timeout", float("nan")),
        ("total_timeout", float("inf")),
        ("total_timeout", None),
        ("total_timeout", True),
        ("max_connections", 0),
        ("max_connections", 2.5),
        ("client_id", "a:b"),
    ],
)
def test_a_bad_option_is_named_and_its_value_is_not_repeated(name: str, value: Any) -> None:
    options: dict[str, Any] = {"account_id": "1", "client_id": "c", "client_secret": "s"}
    with pytest.raises(ValueError, match=rf"^{name} must ") as caught:
        BandwidthClient(**{**options, name: value})
    assert "hush" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.attack("N2")
def test_redirects_are_not_followed() -> None:
    """Fails if redirects are followed: credentials and code would go where a header says."""
    with RawServer(sends(answer(b'{"valid": true}'))) as elsewhere:
        moved = answer(b"", "307 Temporary Redirect", f"Location: {elsewhere.url}/")
        with RawServer(sends(moved)) as server, pytest.raises(InvalidResponse) as caught:
            basic_client(server.url).verify(**VERIFY)
        assert caught.value.status == 307
        assert elsewhere.requests == []


@pytest.mark.attack("N6")
def test_cookies_are_not_sent_back() -> None:
    """Fails if a `requests.Session` with its cookie jar makes the calls."""
    reply = answer(b'{"valid": true}', "200 OK", "Set-Cookie: session=1; Path=/")
    with RawServer(sends(reply)) as server:
        client = basic_client(server.url)
        client.verify(**VERIFY)
        client.verify(**VERIFY)
    assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()


@pytest.mark.attack("N6")
def test_netrc_never_replaces_our_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a `requests.Session` with `trust_env` makes the calls."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(sends(answer(b'{"valid": true}'))) as server:
        assert requests.post(server.url, timeout=5).status_code == 200  # the file is effective
        basic_client(server.url).verify(**VERIFY)
    assert b"Authorization: Basic YXBpLXVzZXI6" not in server.requests[0]
    assert b"Authorization: Basic YXBpLXVzZXI6" in server.requests[1]


@pytest.mark.attack("N5")
def test_a_compressed_answer_is_not_unpacked() -> None:
    body = gzip.compress(b'{"valid": true}')
    with (
        RawServer(sends(answer(body, "200 OK", "Content-Encoding: gzip"))) as server,
        pytest.raises(InvalidResponse),
    ):
        basic_client(server.url).verify(**VERIFY)


@pytest.mark.parametrize(
    "stub",
    [
        requests.ReadTimeout("stub"),
        requests.exceptions.ChunkedEncodingError("stub"),
        requests.ConnectTimeout("stub"),
        requests.ConnectionError("stub"),
        RuntimeError("stub"),
    ],
    ids=lambda stub: type(stub).__name__,
)
def test_an_exception_in_the_adapters_place_is_an_unknown_outcome_and_the_call_is_made_once(
    mock: responses.RequestsMock, stub: Exception
) -> None:
    """Whatever replaces requests' adapter may have sent the request before it failed.

    Fails if the name of an exception decides whether the request was sent.
    """
    mock.post(f"{CODE}/verify", body=stub)
    with pytest.raises(UnknownOutcome):
        basic_client(BASE).verify(**VERIFY)
    assert len(mock.calls) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(500, "{}", ServerError), (400, "{}", BadRequest), (200, "<html>", InvalidResponse)],
)
def test_an_answer_in_the_adapters_place_is_read_by_its_status_and_body(
    mock: responses.RequestsMock, status: int, body: str, kind: type[BandwidthError]
) -> None:
    mock.post(f"{CODE}/verify", status=status, body=body)
    with pytest.raises(kind) as caught:
        basic_client(BASE).verify(**VERIFY)
    assert caught.value.status == status


@pytest.mark.attack("T8")
def test_the_client_shows_no_secret() -> None:
    client = basic_client(BASE)
    assert repr(client) == f"<BandwidthClient for account 9900000 at {BASE}>"
    shown = pprint.pformat([vars(client), vars(vars(client)["_credentials"])])
    assert not any(secret in shown for secret in SECRETS)


def _leaks(error: BaseException) -> list[str]:
    """Secrets in the texts, attributes, chained exceptions and our frames' locals of an error."""
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if "/django_bandwidth_mfa/" in frame.f_code.co_filename]
    # The test's own frame and ours: no frame of requests or urllib3 with the request in it.
    assert len(ours) >= 2
    assert len(ours) >= len(frames) - 1
    for frame in ours:
        shown.append(pprint.pformat(frame.f_locals))
        shown += [
            pprint.pformat([getattr(value, name, None) for name in dir(value)])
            for value in frame.f_locals.values()
            if isinstance(value, BaseException)
        ]
    return [secret for secret in SECRETS if any(secret in text for text in shown)]


FAILURES: dict[str, Callable[[], RawServer]] = {
    "drops": lambda: RawServer(sends(b"")),
    "drips": lambda: RawServer(drips(b"", b"H")),
    "page": lambda: RawServer(sends(answer(b"<html>735190 +19195551234"))),
    "echo": lambda: RawServer(sends(answer(b'{"valid": "735190 +19195551234"}'))),
    "400": lambda: RawServer(sends(answer(b'{"error": "+19195551234"}', "400 Bad Request"))),
}


@pytest.mark.slow
@pytest.mark.attack("T8")
@pytest.mark.parametrize("failure", [*FAILURES, "refused", "bad number", "bad code"])
def test_no_error_carries_a_secret_anywhere(failure: str) -> None:
    """Fails if an error is raised inside an `except`, a payload becomes a dict, an `Answer` shows
    its body, or the `del` of the arguments goes.
    """
    arguments = dict(VERIFY)
    if failure == "bad number":
        arguments["to"] = "9195551234"
    if failure == "bad code":
        arguments["code"] = "7351901"
    with FAILURES.get(failure, FAILURES["drops"])() as server:
        url = server.url if failure in FAILURES else "http://127.0.0.1:1"
        client = basic_client(url, total_timeout=0.2)
        with pytest.raises((BandwidthError, ValueError)) as caught:
            client.verify(**arguments)
    assert _leaks(caught.value) == []


def test_no_error_of_sending_carries_a_secret_anywhere(mock: responses.RequestsMock) -> None:
    mock.post(f"{CODE}/messaging", status=400, json={"error": "+19195551234"})
    with pytest.raises(BadRequest) as caught:
        basic_client(BASE).send_message(**SEND, callback_url=RECEIPTS)
    assert _leaks(caught.value) == []
    mock.post(f"{CODE}/voice", status=400, json={"error": "+19195551234"})
    with pytest.raises(BadRequest) as caught:
        basic_client(BASE).send_call(**SEND)
    assert _leaks(caught.value) == []


def test_no_request_survives_in_what_an_error_refers_to() -> None:
    """Fails if an error keeps requests' exception, which holds the request, alive."""
    with RawServer(sends(b"")) as server, pytest.raises(UnknownOutcome) as caught:
        basic_client(server.url).verify(**VERIFY)
    seen: set[int] = set()
    todo: list[object] = [caught.value, *vars(caught.value).values()]
    for frame, _ in traceback.walk_tb(caught.value.__traceback__):
        if "/django_bandwidth_mfa/" in frame.f_code.co_filename:
            todo += frame.f_locals.values()
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type):
            continue
        seen.add(id(thing))
        assert not isinstance(thing, requests.PreparedRequest)
        if isinstance(thing, BaseException | dict | list | tuple):
            todo += [
                other for other in gc.get_referents(thing) if type(other).__name__ != "traceback"
            ]


def test_the_time_outs_are_those_that_the_reference_names() -> None:
    import inspect

    names = ("connect_timeout", "read_timeout", "total_timeout")
    parameters = inspect.signature(BandwidthClient).parameters
    assert [parameters[name].default for name in names] == [3.05, 5, 8]


@pytest.mark.parametrize("name", ["connect_timeout", "read_timeout", "total_timeout"])
def test_an_hour_is_the_longest_time_out(name: str) -> None:
    basic_client("http://127.0.0.1:1", **{name: 3600})
    with pytest.raises(ValueError, match=name):
        basic_client("http://127.0.0.1:1", **{name: 3600.1})
