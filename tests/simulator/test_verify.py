"""``/code/verify``: which codes are valid, for how long, and how many wrong codes are allowed."""

import pytest
import time_machine

from django_bandwidth_mfa.simulator import DEFAULT_MAX_WRONG, Simulator

from .client import FROM, MISSING, TO, Api, Clock, wrong


def test_the_right_code_is_valid(api: Api) -> None:
    answer = api.verify(api.new_code())

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {"valid": True}


def test_a_wrong_code_is_not_valid(api: Api) -> None:
    answer = api.verify(wrong(api.new_code()))

    assert answer.status_code == 200
    assert answer.json() == {"valid": False}


def test_a_code_for_a_number_without_a_code_is_not_valid(api: Api) -> None:
    assert api.verify("123456").json() == {"valid": False}


def test_three_fields_are_enough(api: Api) -> None:
    """The OpenAPI description requires no more; the scope is then ``2FA`` on both sides."""
    code = api.new_code(scope=MISSING)

    answer = api.verify(code, from_=MISSING, applicationId=MISSING, scope=MISSING, digits=MISSING)
    assert answer.json() == {"valid": True}
    assert api.verify(code, scope="2FA").json() == {"valid": True}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "+12025550144"),
        ("from", "+12025550101"),
        ("applicationId", "another"),
        ("scope", "confirmation"),
        ("scope", "SIGN-IN"),
        ("scope", MISSING),
        ("digits", 7),
    ],
)
def test_a_code_passes_only_for_the_request_that_made_it(
    api: Api, field: str, value: object
) -> None:
    code = api.new_code()

    assert api.verify(code, **{field: value}).json() == {"valid": False}
    assert api.verify(code).json() == {"valid": True}


def test_codes_of_two_scopes_do_not_mix(api: Api) -> None:
    login = api.new_code(scope="login", digits=8)
    transfer = api.new_code(scope="transfer", digits=8)

    assert api.verify(login, scope="login", digits=8).json() == {"valid": True}
    assert api.verify(login, scope="transfer", digits=8).json() == {"valid": False}
    assert api.verify(transfer, scope="transfer", digits=8).json() == {"valid": True}


def test_every_code_of_the_last_minutes_is_valid(api: Api, clock: Clock) -> None:
    codes = []
    for _ in range(3):
        codes.append(api.new_code(digits=8))
        clock.now += 60

    for code in codes:
        assert api.verify(code, digits=8).json() == {"valid": True}


def test_a_right_code_is_not_used_up(api: Api) -> None:
    """Bandwidth does not promise single use, so the application has to see to it."""
    code = api.new_code()

    assert api.verify(code).json() == {"valid": True}
    assert api.verify(code).json() == {"valid": True}


@pytest.mark.parametrize("minutes", [0.5, 3, 15])
def test_a_code_expires(api: Api, clock: Clock, minutes: float) -> None:
    code = api.new_code()

    clock.now += minutes * 60
    assert api.verify(code, expirationTimeInMinutes=minutes).json() == {"valid": True}
    clock.now += 1
    assert api.verify(code, expirationTimeInMinutes=minutes).json() == {"valid": False}


def test_a_code_that_expired_for_one_request_may_be_valid_for_another(
    api: Api, clock: Clock
) -> None:
    """The request to verify, not the code, sets how many minutes a code is valid."""
    code = api.new_code()
    clock.now += 5 * 60

    assert api.verify(code, expirationTimeInMinutes=3).json() == {"valid": False}
    assert api.verify(code, expirationTimeInMinutes=10).json() == {"valid": True}


def test_the_simulator_follows_a_frozen_system_clock() -> None:
    with time_machine.travel(0, tick=False) as traveller, Simulator() as simulator:
        api = Api(simulator)
        with api.session:
            code = api.new_code()
            assert simulator.inbox[0]["sent_at"] == "1970-01-01T00:00:00.000Z"
            traveller.shift(180)
            assert api.verify(code).json() == {"valid": True}
            traveller.shift(1)
            assert api.verify(code).json() == {"valid": False}


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("to", MISSING, "to number is required"),
        ("to", "nobody", "to number must be in E.164"),
        ("from", "", "from number is required"),
        ("applicationId", "a" * 51, "applicationId must be 1 to 50 characters"),
        ("scope", "s" * 26, "scope must be 1 to 25 characters"),
        ("code", MISSING, "code is required"),
        ("code", "1", "code must be 2 to 8 characters"),
        ("code", "123456789", "code must be 2 to 8 characters"),
        ("code", 123456, "code must be a string"),
        ("digits", 9, "digits must be an integer from 2 to 8"),
        ("expirationTimeInMinutes", MISSING, "expirationTimeInMinutes is required"),
        ("expirationTimeInMinutes", 0, "expirationTimeInMinutes must be a number"),
        ("expirationTimeInMinutes", 15.1, "expirationTimeInMinutes must be a number"),
        ("expirationTimeInMinutes", "3", "expirationTimeInMinutes must be a number"),
        ("expirationTimeInMinutes", True, "expirationTimeInMinutes must be a number"),
    ],
)
def test_a_wrong_field_is_refused_by_name(api: Api, field: str, value: object, error: str) -> None:
    fields: dict[str, object] = {"code": api.new_code(), field: value}
    answer = api.verify(**fields)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    assert answer.json()["requestId"]


def test_too_many_wrong_codes_make_the_number_wait(api: Api, clock: Clock) -> None:
    code = api.new_code()
    for _ in range(DEFAULT_MAX_WRONG):
        assert api.verify(wrong(code)).json() == {"valid": False}

    answer = api.verify(code)
    assert answer.status_code == 429
    assert answer.json()["error"] == (
        "This number has exceeded verification attempts, please wait 2 minutes"
    )
    assert answer.json()["requestId"]
    other = api.new_code(to="+12025550144")
    assert api.verify(other, to="+12025550144").json() == {"valid": True}

    clock.now += 119
    assert api.verify(code).status_code == 429
    clock.now += 1
    assert api.verify(code).json() == {"valid": True}


def test_wrong_codes_count_in_every_scope(api: Api) -> None:
    for count in range(DEFAULT_MAX_WRONG):
        api.verify("123456", scope=f"scope {count}")

    assert api.verify("123456").status_code == 429


def test_old_wrong_codes_do_not_count(api: Api, clock: Clock) -> None:
    for _ in range(DEFAULT_MAX_WRONG - 1):
        api.verify("123456")
    clock.now += 120
    for _ in range(DEFAULT_MAX_WRONG - 1):
        assert api.verify("123456").status_code == 200


def test_the_number_of_wrong_codes_can_be_set() -> None:
    with Simulator(max_wrong=1) as simulator:
        api = Api(simulator)
        with api.session:
            assert api.verify("123456").status_code == 200
            assert api.verify("123456").status_code == 429


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30, "30 seconds"), (60, "1 minute"), (1, "1 second"), (90, "90 seconds")],
)
def test_the_wait_of_a_number_can_be_set_and_is_in_the_error_text(seconds: int, text: str) -> None:
    """Fails when the wait, or the wait in the error text, is always two minutes."""
    clock = Clock()
    with Simulator(max_wrong=1, throttle_seconds=seconds, clock=clock) as simulator:
        api = Api(simulator)
        with api.session:
            assert api.verify("123456").status_code == 200
            answer = api.verify("123456")
            assert answer.status_code == 429
            assert answer.json()["error"].endswith(f"please wait {text}")
            clock.now += seconds - 0.5
            assert api.verify("123456").status_code == 429
            clock.now += 0.5
            assert api.verify("123456").status_code == 200


def test_reset_forgets_codes_messages_requests_faults_and_waits(api: Api) -> None:
    code = api.new_code()
    for _ in range(DEFAULT_MAX_WRONG):
        api.verify(wrong(code))
    api.simulator.fault(on="all", status=500)

    api.simulator.reset()

    assert api.simulator.inbox == []
    assert api.simulator.requests == []
    answer = api.verify(code)
    assert (answer.status_code, answer.json()) == (200, {"valid": False})
    assert [entry["body"]["from"] for entry in api.simulator.requests] == [FROM]
    assert [entry["body"]["to"] for entry in api.simulator.requests] == [TO]
