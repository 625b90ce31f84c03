from __future__ import annotations

import base64
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from django_bandwidth_mfa.bandwidth import (
    BandwidthClient,
    BandwidthError,
    Forbidden,
    InvalidResponse,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnknownOutcome,
    Unreachable,
)
from django_bandwidth_mfa.bandwidth.credentials import OAuthCredentials
from django_bandwidth_mfa.bandwidth.secret import Secret
from django_bandwidth_mfa.bandwidth.transport import Deadline, Transport
from tests.bandwidth.servers import VERIFY, RawServer, answer, basic_client, drips, sends

BASE = "https://mfa.bandwidth.com/api/v1"
TOKEN = "https://api.bandwidth.com/api/v1/oauth2/token"
VERIFY_URL = f"{BASE}/accounts/9900000/code/verify"
GRANT = {"access_token": "tok-1", "token_type": "Bearer", "expires_in": 3600}


def oauth_client(**options: Any) -> BandwidthClient:
    return BandwidthClient(
        **{
            "account_id": "9900000",
            "client_id": "client-id",
            "client_secret": "client-sécret",
            **options,
        }
    )


def grant(**fields: str) -> bytes:
    return json.dumps({**GRANT, **fields}).encode()


@pytest.fixture
def bandwidth() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def sent(mock: responses.RequestsMock, url: str) -> list[requests.PreparedRequest]:
    return [call.request for call in mock.calls if call.request.url == url]


def test_basic_credentials_are_sent_in_utf8(bandwidth: responses.RequestsMock) -> None:
    bandwidth.post(VERIFY_URL, json={"valid": True})
    assert basic_client(BASE).verify(**VERIFY) is True
    kind, _, value = sent(bandwidth, VERIFY_URL)[0].headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(value).decode()) == ("Basic", "api-user:pass-wörd")


def test_a_token_is_fetched_as_bandwidth_documents_and_then_kept(
    bandwidth: responses.RequestsMock,
) -> None:
    bandwidth.post(TOKEN, json=GRANT)
    bandwidth.post(VERIFY_URL, json={"valid": True})
    client = oauth_client()
    for _ in range(3):
        assert client.verify(**VERIFY) is True
    (request,) = sent(bandwidth, TOKEN)
    assert request.body == b"grant_type=client_credentials"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    encoded = request.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(encoded).decode() == "client-id:client-sécret"
    calls = sent(bandwidth, VERIFY_URL)
    assert [call.headers["Authorization"] for call in calls] == ["Bearer tok-1"] * 3


def test_a_token_is_used_until_a_minute_before_it_ends(
    bandwidth: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if `MARGIN` or the look at the clock goes."""
    bandwidth.post(TOKEN, json=GRANT)
    bandwidth.post(VERIFY_URL, json={"valid": True})
    now = float(round(time.monotonic()))  # whole, so that sums with it are exact
    monkeypatch.setattr(time, "monotonic", lambda: now)
    client = oauth_client()
    for seconds, fetched in ((0, 1), (3539, 1), (3540, 2), (3600, 2), (7080, 3), (20_000, 4)):
        monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: now + seconds)
        assert client.verify(**VERIFY) is True
        assert len(sent(bandwidth, TOKEN)) == fetched, seconds


def test_threads_that_need_a_token_at_once_fetch_one() -> None:
    """Fails if `OAuthCredentials.authorization` drops its lock or the second look."""
    gate = threading.Barrier(6)
    results: list[bool] = []

    def call() -> None:
        gate.wait(5)
        results.append(client.verify(**VERIFY))

    def slowly(connection: socket.socket) -> None:
        time.sleep(0.1)
        sends(answer(grant()))(connection)

    with RawServer(slowly) as tokens, RawServer(sends(answer(b'{"valid": true}'))) as api:
        client = oauth_client(base_url=api.url, token_url=f"{tokens.url}/token")
        threads = [threading.Thread(target=call) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert results == [True] * 6
        assert len(tokens.requests) == 1
        assert len(api.requests) == 6


@pytest.mark.slow
def test_a_thread_waits_for_anothers_fetch_no_longer_than_its_own_total_time() -> None:
    """Fails if the lock is taken without a time-out."""
    with RawServer(drips(b"", b"H")) as tokens:
        credentials = OAuthCredentials(
            Secret("client-id"),
            Secret("client-secret"),
            Transport(tokens.url, connect_timeout=1, read_timeout=1),
            tokens.url,
        )

        def fetch() -> None:
            with pytest.raises(Unreachable):
                credentials.authorization(Deadline(0.6))

        patient = threading.Thread(target=fetch)
        patient.start()
        while not tokens.requests:
            time.sleep(0.001)
        started = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            credentials.authorization(Deadline(0.1))
        assert time.monotonic() - started < 0.4
        assert caught.value.may_have_arrived is False
        patient.join(5)
    assert len(tokens.requests) == 1


def test_a_refused_token_is_renewed_once_and_the_call_made_again(
    bandwidth: responses.RequestsMock,
) -> None:
    bandwidth.post(TOKEN, json=GRANT)
    bandwidth.post(TOKEN, json={**GRANT, "access_token": "tok-2"})
    bandwidth.post(VERIFY_URL, status=401, json={"message": "Unauthorized"})
    bandwidth.post(VERIFY_URL, json={"valid": True})
    assert oauth_client().verify(**VERIFY) is True
    calls = sent(bandwidth, VERIFY_URL)
    assert [call.headers["Authorization"] for call in calls] == ["Bearer tok-1", "Bearer tok-2"]


def test_a_second_401_is_unauthorized(bandwidth: responses.RequestsMock) -> None:
    """Fails if the renewal is a loop."""
    bandwidth.post(TOKEN, json=GRANT)
    bandwidth.post(VERIFY_URL, status=401, json={"message": "Unauthorized"})
    with pytest.raises(Unauthorized) as caught:
        oauth_client().verify(**VERIFY)
    assert (caught.value.status, caught.value.endpoint) == (401, "verify")
    assert len(sent(bandwidth, TOKEN)) == 2
    assert len(sent(bandwidth, VERIFY_URL)) == 2


DENIED = {"Message": "User is not authorized to access this resource with an explicit deny"}


def test_a_403_renews_a_token_that_is_older_than_a_minute_once_a_minute_at_most(
    bandwidth: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails without the renewal; without the look at the age (0 and 60 s); without the look at the
    last renewal (130 s, whose token could not be had): an account without MFA would fetch a token
    with every call."""
    now = float(round(time.monotonic()))
    grants = bandwidth.post(TOKEN, json=GRANT)
    bandwidth.post(VERIFY_URL, status=403, json=DENIED)
    client = oauth_client()
    # At 122 s the token endpoint is down: the old token stays, and 59 s later it is let alone.
    for seconds, fetched, called, kind in (
        (0, 1, 1, Forbidden),
        (60, 1, 2, Forbidden),
        (61, 2, 4, Forbidden),
        (121, 2, 5, Forbidden),
        (122, 3, 6, ServerError),
        (181, 3, 7, Forbidden),
        (182, 4, 9, Forbidden),
    ):
        if seconds == 122:
            bandwidth.replace(responses.POST, TOKEN, status=500)
        elif seconds == 182:
            bandwidth.replace(responses.POST, TOKEN, json=GRANT)
        monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: now + seconds)
        with pytest.raises(kind):
            client.verify(**VERIFY)
        assert len(sent(bandwidth, TOKEN)) == fetched, seconds
        assert len(sent(bandwidth, VERIFY_URL)) == called, seconds
    assert grants.call_count == 2


def test_after_a_403_the_call_is_made_again_with_the_new_token(
    bandwidth: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    bandwidth.post(TOKEN, json=GRANT)
    bandwidth.post(TOKEN, json={**GRANT, "access_token": "tok-2"})
    bandwidth.post(VERIFY_URL, json={"valid": False})
    bandwidth.post(VERIFY_URL, status=403, json=DENIED)
    bandwidth.post(VERIFY_URL, json={"valid": True})
    client = oauth_client()
    assert client.verify(**VERIFY) is False
    monkeypatch.setattr(time, "monotonic", lambda: now + 1000)
    assert client.verify(**VERIFY) is True
    calls = sent(bandwidth, VERIFY_URL)
    assert [call.headers["Authorization"][-5:] for call in calls] == ["tok-1", "tok-1", "tok-2"]


def test_a_call_whose_token_another_call_has_renewed_is_made_again(
    bandwidth: responses.RequestsMock,
) -> None:
    """Fails when such a call gives up: its 403 is about the old token."""
    bandwidth.post(TOKEN, json=GRANT)
    bandwidth.post(TOKEN, json={**GRANT, "access_token": "tok-2"})
    transport = Transport(TOKEN, connect_timeout=1, read_timeout=1)
    credentials = OAuthCredentials(Secret("id"), Secret("secret"), transport, TOKEN)
    first = credentials.authorization(Deadline(1))
    assert not credentials.may_renew(403, first)
    second = credentials.authorization(Deadline(1), refused=first)
    assert credentials.may_renew(403, first)
    assert not credentials.may_renew(403, second)
    assert not credentials.may_renew(400, first)


def test_a_403_with_basic_credentials_is_not_tried_again(bandwidth: responses.RequestsMock) -> None:
    bandwidth.post(VERIFY_URL, status=403, json=DENIED)
    with pytest.raises(Forbidden, match="The credentials are wrong, or"):
        basic_client(BASE).verify(**VERIFY)
    assert len(bandwidth.calls) == 1


def test_basic_credentials_have_no_claims() -> None:
    assert basic_client(BASE).token_claims() == {}


def test_a_401_with_basic_credentials_is_not_tried_again(bandwidth: responses.RequestsMock) -> None:
    bandwidth.post(VERIFY_URL, status=401, json={"message": "Unauthorized"})
    with pytest.raises(Unauthorized):
        basic_client(BASE).verify(**VERIFY)
    assert len(bandwidth.calls) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_client"}, Unauthorized),
        (401, {"error": "invalid_client"}, Unauthorized),
        (403, {"message": "no"}, Forbidden),
        (404, {}, InvalidResponse),
        (302, {}, InvalidResponse),
        (429, {}, TooManyRequests),
        (500, {}, ServerError),
        (201, GRANT, InvalidResponse),
        (200, {}, InvalidResponse),
        (200, [GRANT], InvalidResponse),
        (200, {**GRANT, "access_token": ""}, InvalidResponse),
        (200, {**GRANT, "access_token": None}, InvalidResponse),
        (200, {**GRANT, "access_token": "a\r\nX-Injected: 1"}, InvalidResponse),
        (200, {**GRANT, "access_token": "a b"}, InvalidResponse),
        (200, {**GRANT, "token_type": "mac"}, InvalidResponse),
        (200, {**GRANT, "expires_in": 0}, InvalidResponse),
        (200, {**GRANT, "expires_in": -1}, InvalidResponse),
        (200, {**GRANT, "expires_in": True}, InvalidResponse),
        (200, {**GRANT, "expires_in": "3600"}, InvalidResponse),
        (200, {**GRANT, "expires_in": 10**400}, InvalidResponse),
    ],
)
def test_without_a_token_the_call_is_not_made_and_the_error_says_so(
    bandwidth: responses.RequestsMock, status: int, body: object, kind: type[BandwidthError]
) -> None:
    bandwidth.post(TOKEN, status=status, json=body)
    with pytest.raises(BandwidthError) as caught:
        oauth_client().verify(**VERIFY)
    assert type(caught.value) is kind
    assert caught.value.may_have_arrived is False
    assert (caught.value.endpoint, caught.value.status) == ("token", status)
    assert sent(bandwidth, VERIFY_URL) == []


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_token_request_that_gets_no_answer_leaves_the_call_unmade(start: bytes) -> None:
    """Fails if the token request's own outcome is taken for the call's."""
    with RawServer(sends(start)) as tokens, RawServer(sends(answer(b"{}"))) as api:
        client = oauth_client(base_url=api.url, token_url=tokens.url)
        with pytest.raises(Unreachable) as caught:
            client.verify(**VERIFY)
        assert caught.value.may_have_arrived is False
        assert api.requests == []


@pytest.mark.slow
def test_fetching_the_token_counts_towards_the_total_time() -> None:
    """Fails if each request gets a deadline of its own."""

    def slowly(connection: socket.socket) -> None:
        time.sleep(0.2)
        sends(answer(grant()))(connection)

    with RawServer(slowly) as tokens, RawServer(drips(b"", b"H")) as api:
        client = oauth_client(base_url=api.url, token_url=tokens.url, total_timeout=0.4)
        started = time.monotonic()
        with pytest.raises(UnknownOutcome):
            client.verify(**VERIFY)
        assert 0.3 < time.monotonic() - started < 0.59


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_forked_while_a_token_is_fetched_can_fetch_its_own() -> None:
    """Fails if the lock is not made anew in the child: it would wait for ever."""
    fetching = threading.Event()
    go_on = threading.Event()

    def held(connection: socket.socket) -> None:
        fetching.set()
        go_on.wait(5)
        sends(answer(grant()))(connection)

    with (
        RawServer(held, sends(answer(grant(access_token="tok-2")))) as tokens,
        RawServer(sends(answer(b'{"valid": true}'))) as api,
    ):
        client = oauth_client(base_url=api.url, token_url=tokens.url, total_timeout=2)
        parent = threading.Thread(target=lambda: client.verify(**VERIFY))
        parent.start()
        assert fetching.wait(5)
        child = os.fork()
        if child == 0:
            try:
                passed = client.verify(**VERIFY) is True
            except BandwidthError:
                passed = False
            os._exit(0 if passed else 1)
        assert os.waitpid(child, 0)[1] == 0
        go_on.set()
        parent.join(5)
        assert len(tokens.requests) == 2
