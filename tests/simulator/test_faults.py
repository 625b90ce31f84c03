"""Faults that a test sets, in process and by ``POST /faults``."""

import threading

import pytest
import requests

from django_bandwidth_mfa.simulator import Simulator

from .client import Api, none_alive

DENIED = "User is not authorized to access this resource with an explicit deny"
WAIT = "This number has exceeded verification attempts, please wait 2 minutes"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "Bad Request"}),
        (401, {"message": "Unauthorized"}),
        (403, {"Message": DENIED}),
        (429, {"error": WAIT}),
        (500, {"error": "Internal Error"}),
        (503, {"error": "Internal Error"}),
        (202, {}),
    ],
)
def test_a_status_alone_is_answered_in_bandwidths_shape(
    api: Api, status: int, body: dict[str, str]
) -> None:
    api.simulator.fault(on="messaging", status=status)

    answer = api.send()
    assert answer.status_code == status
    answer_body = answer.json()
    assert bool(answer_body.pop("requestId", "")) is ("error" in body)
    assert answer_body == body
    assert api.simulator.inbox == []


def test_a_status_without_a_body_in_http_leaves_the_connection_usable(api: Api) -> None:
    api.simulator.fault(on="messaging", status=204, body="ignored", times=1)

    assert api.send().content == b""
    assert api.send().status_code == 200


@pytest.mark.parametrize("hit", ["messaging", "voice", "verify", "token"])
def test_a_fault_hits_its_endpoint_only(api: Api, hit: str) -> None:
    api.simulator.fault(on=hit, status=500)

    answers = {
        "messaging": api.send(),
        "voice": api.send("voice"),
        "verify": api.verify("123456"),
        "token": api.token(),
    }
    assert [name for name, answer in answers.items() if answer.status_code == 500] == [hit]


def test_all_hits_every_endpoint(api: Api) -> None:
    api.simulator.fault(on="all", status=500)

    answers = [api.send(), api.send("voice"), api.verify("123456"), api.token()]
    assert {answer.status_code for answer in answers} == {500}


def test_times_counts_down(api: Api) -> None:
    api.simulator.fault(on="verify", status=500, times=3)
    api.send()

    statuses = [api.verify("123456").status_code for _ in range(5)]
    assert statuses == [500, 500, 500, 200, 200]


def test_counted_faults_come_in_order_and_before_the_newest_standing_one(api: Api) -> None:
    api.simulator.fault(on="verify", status=400)
    api.simulator.fault(on="verify", status=403)
    api.simulator.fault(on="verify", status=500, times=1)
    api.simulator.fault(on="all", status=429, times=2)

    statuses = [api.verify("123456").status_code for _ in range(4)]
    assert statuses == [500, 429, 429, 403]


def test_clearing_ends_them(api: Api) -> None:
    api.simulator.fault(on="verify", status=500)
    api.simulator.clear_faults()

    assert api.verify("123456").status_code == 200


def test_the_body_of_a_fault_is_sent_unchanged(api: Api) -> None:
    api.simulator.fault(on="verify", body="<h1>maintenance</h1>", content_type="text/html")

    answer = api.verify("123456")
    assert answer.status_code == 200
    assert answer.text == "<h1>maintenance</h1>"
    assert answer.headers["Content-Type"] == "text/html"


def test_a_body_goes_with_a_status(api: Api) -> None:
    api.simulator.fault(on="verify", status=502, body='{"valid": true}')

    answer = api.verify("123456")
    assert (answer.status_code, answer.text) == (502, '{"valid": true}')


def test_a_content_type_alone_changes_a_real_answer(api: Api) -> None:
    code = api.new_code()
    api.simulator.fault(on="verify", content_type="text/plain")

    answer = api.verify(code)
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.json() == {"valid": True}


@pytest.mark.parametrize("endpoint", ["messaging", "voice"])
def test_a_dropped_send_goes_out_and_its_answer_is_lost(api: Api, endpoint: str) -> None:
    api.simulator.fault(on=endpoint, drop=True, times=1)

    with pytest.raises(requests.ConnectionError):
        api.send(endpoint)
    assert len(api.simulator.inbox) == 1
    assert api.send(endpoint).status_code == 200


def test_a_dropped_verification_counts(api: Api) -> None:
    api.simulator.fault(on="verify", drop=True, times=9)
    for _ in range(9):
        with pytest.raises(requests.ConnectionError):
            api.verify("123456")

    assert api.verify("123456").status_code == 200
    assert api.verify("123456").status_code == 429


def test_a_delay_comes_before_the_normal_answer(api: Api) -> None:
    api.simulator.fault(on="messaging", delay=0.05, times=1)

    assert api.send().status_code == 200
    assert len(api.simulator.inbox) == 1


def test_a_delay_outlasts_an_impatient_client_and_stop_does_not_wait_for_it() -> None:
    """Fails when ``stop`` cannot end a delay: the test would take ten minutes."""
    before = set(threading.enumerate())
    with Simulator() as simulator:
        api = Api(simulator)
        simulator.fault(on="messaging", delay=600)
        with api.session, pytest.raises(requests.ReadTimeout):
            api.post("messaging", json={}, timeout=0.1)
        assert len(simulator.requests) == 1
    assert none_alive(set(threading.enumerate()) - before)


@pytest.mark.slow
def test_a_request_that_is_held_during_a_reset_sends_nothing(api: Api) -> None:
    """Fails when a late message arrives after the reset, in the next test's inbox."""
    api.simulator.fault(on="messaging", delay=0.2)
    errors: list[type[Exception]] = []

    def send() -> None:
        try:
            api.send()
        except requests.ConnectionError as error:
            errors.append(type(error))

    sender = threading.Thread(target=send)
    sender.start()
    while not api.simulator.requests:
        pass
    api.simulator.reset()
    sender.join()
    assert errors == [requests.ConnectionError]
    assert api.simulator.inbox == []


def test_latency_delays_every_answer() -> None:
    with Simulator(latency=600) as simulator:
        api = Api(simulator)
        with api.session, pytest.raises(requests.ReadTimeout):
            api.token(timeout=0.1)


def test_faults_are_posted_listed_and_cleared(api: Api) -> None:
    first = api.faults(json={"on": "verify", "status": 500, "times": 3})
    assert first.status_code == 200
    assert first.json() == {"faults": [{"on": "verify", "status": 500, "times": 3}]}

    api.verify("123456")
    second = api.faults(json={"on": "all", "drop": True})
    assert second.json() == {
        "faults": [{"on": "verify", "status": 500, "times": 2}, {"on": "all", "drop": True}]
    }

    assert api.faults(json={}).json() == {"faults": []}
    assert api.verify("123456").status_code == 200


@pytest.mark.parametrize(
    ("fault", "allowed"),
    [
        (
            {"status": 500},
            '"on" is missing. It must be one of messaging, voice, verify, token, all, receipt.',
        ),
        ({"on": "fax", "status": 500}, "one of messaging, voice, verify, token, all, receipt."),
        ({"on": ["all"], "status": 500}, "one of messaging, voice, verify, token, all, receipt."),
        ({"on": "all"}, "status, delay, drop, body or content_type"),
        ({"on": "all", "times": 2}, "status, delay, drop, body or content_type"),
        ({"on": "all", "status": 99}, "from 200 to 599"),
        ({"on": "all", "status": "500"}, "from 200 to 599"),
        ({"on": "all", "status": True}, "from 200 to 599"),
        ({"on": "all", "status": 500, "times": 0}, "whole number from 1"),
        ({"on": "all", "delay": -1}, "0 to 600"),
        ({"on": "all", "delay": 601}, "0 to 600"),
        ({"on": "all", "delay": "1"}, "0 to 600"),
        ({"on": "all", "drop": "yes"}, "true or false"),
        ({"on": "all", "drop": True, "status": 500}, "leave out status"),
        ({"on": "all", "body": {"valid": True}}, '"body" must be a string'),
        ({"on": "all", "stauts": 500}, "Known fields: on, status, times, delay, drop"),
    ],
)
def test_an_invalid_fault_is_refused_with_the_allowed_values(
    api: Api, fault: dict[str, object], allowed: str
) -> None:
    answer = api.faults(json=fault)

    assert answer.status_code == 400
    assert allowed in answer.json()["error"]
    assert api.faults(json={}).json() == {"faults": []}


def test_a_fault_set_in_process_is_checked(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="messaging, voice, verify, token, all"):
        simulator.fault(on="nothing", status=500)


def test_a_content_type_cannot_add_headers(api: Api) -> None:
    """Fails when the check of header values accepts a line break."""
    answer = api.faults(json={"on": "all", "content_type": "text/html\r\nSet-Cookie: a=b"})

    assert answer.status_code == 400
    assert "Set-Cookie" not in api.send().headers


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_web_page_of_another_site_cannot_post_faults(api: Api, content_type: str) -> None:
    """Fails when ``/faults`` accepts any type of body: a page may post some without a preflight."""
    answer = api.faults(data='{"on": "all", "status": 500}', headers={"Content-Type": content_type})

    assert answer.status_code == 400
    assert "application/json" in answer.json()["error"]
    assert api.send().status_code == 200


def test_a_cors_preflight_is_refused(api: Api) -> None:
    """Fails when the simulator allows a CORS preflight."""
    answer = api.session.options(
        api.simulator.url + "/faults",
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
        timeout=5,
    )

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
