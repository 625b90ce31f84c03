"""Closing a client: the servers see their connections closed, and the client stays usable."""

from __future__ import annotations

import gc
import os
import socket
import threading
from pathlib import Path

import pytest

from django_bandwidth_mfa.bandwidth import BandwidthClient, UnknownOutcome
from tests.bandwidth.servers import VERIFY, RawServer, answer, basic_client, sends

PASS_AND_KEEP = answer(b'{"valid": true}', keep=True)
GRANT_AND_KEEP = answer(
    b'{"access_token": "tok-1", "token_type": "Bearer", "expires_in": 3600}', keep=True
)


def test_close_ends_the_connections_to_the_api_and_to_the_token_endpoint() -> None:
    """Fails if `close` forgets one of the two transports."""
    with (
        RawServer(sends(PASS_AND_KEEP), keep_alive=True) as api,
        RawServer(sends(GRANT_AND_KEEP), keep_alive=True) as tokens,
    ):
        client = BandwidthClient(
            account_id="9900000",
            client_id="client-id",
            client_secret="client-secret",
            base_url=api.url,
            token_url=f"{tokens.url}/token",
        )
        assert client.verify(**VERIFY) is True
        client.close()
        api.wait_until_left()
        tokens.wait_until_left()
        assert client.verify(**VERIFY) is True
        assert api.connections == 2
        assert tokens.connections == 1  # the token is kept


def test_close_ends_a_tls_connection(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True, certificate=certificate) as server:
        client = basic_client(server.url)
        assert client.verify(**VERIFY) is True
        client.close()
        server.wait_until_left()


def test_close_ends_a_connection_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        client = basic_client("http://mfa.invalid")
        assert client.verify(**VERIFY) is True
        client.close()
        proxy.wait_until_left()


def test_the_end_of_a_with_block_closes_the_client() -> None:
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        with basic_client(server.url) as client:
            assert client.verify(**VERIFY) is True
        server.wait_until_left()


def test_an_error_in_a_with_block_closes_the_client_and_is_not_swallowed() -> None:
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        client = basic_client(server.url)
        assert client.verify(**VERIFY) is True
        with pytest.raises(RuntimeError, match="mine"), client:
            raise RuntimeError("mine")
        server.wait_until_left()


def test_close_does_not_wait_for_the_garbage_collector() -> None:
    """Fails if `close` only drops the pools: a failed call leaves one in a reference cycle."""

    def drop(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    gc.disable()
    try:
        with RawServer(drop, sends(PASS_AND_KEEP), keep_alive=True) as server:
            client = basic_client(server.url)
            with pytest.raises(UnknownOutcome):
                client.verify(**VERIFY)
            assert client.verify(**VERIFY) is True
            client.close()
            server.wait_until_left()
    finally:
        gc.enable()


def test_closing_twice_or_before_the_first_call_is_harmless() -> None:
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        client = basic_client(server.url)
        client.close()
        assert client.verify(**VERIFY) is True
        client.close()
        client.close()
        server.wait_until_left()
        assert client.verify(**VERIFY) is True
        assert server.connections == 2


def test_a_call_under_way_ends_normally_and_its_connection_is_closed_then() -> None:
    """Fails if `close` interrupts calls of other threads, or leaves their connections open."""
    asked, go_on = threading.Event(), threading.Event()
    verdicts: list[bool] = []

    def held(connection: socket.socket) -> None:
        asked.set()
        go_on.wait(5)
        connection.sendall(PASS_AND_KEEP)

    with RawServer(held, keep_alive=True) as server:
        client = basic_client(server.url)
        caller = threading.Thread(target=lambda: verdicts.append(client.verify(**VERIFY)))
        caller.start()
        assert asked.wait(5)
        client.close()
        go_on.set()
        caller.join(5)
        assert verdicts == [True]
        server.wait_until_left()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_closes_its_own_connections_and_leaves_its_parents() -> None:
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        client = basic_client(server.url)
        assert client.verify(**VERIFY) is True
        child = os.fork()
        if child == 0:
            status = 1
            try:
                client.close()
                if client.verify(**VERIFY) is True:
                    client.close()
                    status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert server.connections == 2
        assert client.verify(**VERIFY) is True  # over the parent's first connection
        assert server.connections == 2
        client.close()
        server.wait_until_left()
