"""The simulator as an object: starting, stopping, and its addresses."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from django_bandwidth_mfa.simulator import Simulator

from .client import SEND, VERIFY, Api, none_alive


def test_the_addresses_follow_from_the_port() -> None:
    with Simulator() as simulator:
        assert simulator.url.startswith("http://127.0.0.1:")
        assert simulator.base_url == f"{simulator.url}/api/v1"
        assert simulator.token_url == f"{simulator.url}/api/v1/oauth2/token"
        assert simulator.inbox_url == f"{simulator.url}/inbox"


def test_it_has_no_address_until_it_runs() -> None:
    simulator = Simulator()

    with pytest.raises(RuntimeError, match="not running"):
        assert simulator.url


def test_it_starts_again_but_not_twice_at_once() -> None:
    simulator = Simulator()
    simulator.start()
    with pytest.raises(RuntimeError, match="already running"):
        simulator.start()
    simulator.stop()
    simulator.stop()
    with simulator:
        assert requests.get(simulator.inbox_url, timeout=5).status_code == 200


def test_stopping_closes_kept_alive_connections_and_keeps_the_inbox() -> None:
    before = set(threading.enumerate())
    with Simulator() as simulator:
        api = Api(simulator)
        code = api.new_code()
        address = simulator.inbox_url
    assert none_alive(set(threading.enumerate()) - before)
    assert simulator.inbox[0]["code"] == code
    with api.session, pytest.raises(requests.ConnectionError):
        api.session.get(address, timeout=5)


def test_a_taken_port_is_an_error() -> None:
    with Simulator() as simulator, pytest.raises(OSError, match="in use"):
        Simulator(port=int(simulator.url.rpartition(":")[2])).start()


def test_it_listens_on_loopback_by_default() -> None:
    with Simulator() as local, Simulator(host="0.0.0.0") as open_to_all:  # noqa: S104
        assert local.is_loopback
        assert not open_to_all.is_loopback


def has_ipv6_loopback() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback")
def test_it_listens_on_ipv6() -> None:
    with Simulator(host="::1") as simulator:
        assert simulator.url.startswith("http://[::1]:")
        assert simulator.is_loopback
        assert requests.get(simulator.inbox_url, timeout=5).status_code == 200


def test_every_option_has_its_effect() -> None:
    with Simulator(
        account="42",
        username="u",
        password="p:q",
        client_id="c",
        client_secret="s",
        name="Acme",
    ) as simulator:
        api = Api(simulator)
        with api.session:
            token = api.token(auth=("c", "s")).json()["access_token"]
            url = api.url("messaging", account="42")
            basic = api.session.post(url, json=SEND, auth=("u", "p:q"), timeout=5)
            bearer = api.session.post(
                url, json=SEND, headers={"Authorization": f"Bearer {token}"}, timeout=5
            )
        assert (basic.status_code, bearer.status_code) == (200, 200)
        assert simulator.inbox[0]["text"].startswith("Your Acme sign-in code")


def test_parallel_clients_get_their_own_answers(api: Api) -> None:
    """Twenty numbers at once: each number gets its own valid code."""

    def log_in(count: int) -> bool:
        number = f"+1202555{count:04}"
        mine = Api(api.simulator)
        with mine.session:
            mine.post("messaging", json={**SEND, "to": number})
            [code] = [m["code"] for m in api.simulator.inbox if m["to"] == number]
            answer = mine.post("verify", json={**VERIFY, "to": number, "code": code})
            return answer.json()["valid"] is True

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(log_in, range(20))) == [True] * 20
    assert len(api.simulator.requests) == 40


def test_a_client_that_hangs_up_is_no_error(
    simulator: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    host, port = simulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(
            b"POST /faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("length", ["-1", "1x", "", "\u00b2"])
def test_a_length_that_is_no_number_is_refused(simulator: Simulator, length: str) -> None:
    host, port = simulator.url.removeprefix("http://").split(":")
    head = f"POST /api/v1/oauth2/token HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head.encode("latin-1"))
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_it_writes_no_log_in_process(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    api.send()

    assert capfd.readouterr() == ("", "")
