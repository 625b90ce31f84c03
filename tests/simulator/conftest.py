"""One simulator for all these tests, which is reset before each test."""

from collections.abc import Iterator

import pytest

from django_bandwidth_mfa.simulator import Simulator

from .client import Api, Clock


@pytest.fixture(scope="session")
def session_clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def session_simulator(session_clock: Clock) -> Iterator[Simulator]:
    with Simulator(clock=session_clock) as running:
        yield running


@pytest.fixture
def clock(session_clock: Clock) -> Clock:
    session_clock.now = Clock.START
    return session_clock


@pytest.fixture
def simulator(session_simulator: Simulator, clock: Clock) -> Simulator:
    session_simulator.reset()
    return session_simulator


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Api]:
    client = Api(simulator)
    with client.session:
        yield client
