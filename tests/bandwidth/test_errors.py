from __future__ import annotations

import pickle

import pytest

from django_bandwidth_mfa import bandwidth
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


def test_every_public_name_is_exported() -> None:
    for name in bandwidth.__all__:
        assert hasattr(bandwidth, name)
    errors = {Unreachable, UnknownOutcome, InvalidResponse, BadRequest, Unauthorized, Forbidden}
    assert all(issubclass(error, BandwidthError) for error in errors)


@pytest.mark.parametrize(
    "kind", [BadRequest, Unauthorized, Forbidden, TooManyRequests, ServerError, Unreachable]
)
def test_a_refused_or_unmade_call_cannot_have_arrived(kind: type[BandwidthError]) -> None:
    assert kind.may_have_arrived is False
    assert kind("x").may_have_arrived is False


def test_an_unknown_outcome_may_have_arrived() -> None:
    assert UnknownOutcome("x").may_have_arrived is True


@pytest.mark.parametrize(
    ("status", "expected"),
    [(None, True), (200, True), (204, True), (302, True), (404, False), (422, False), (599, False)],
)
def test_an_answer_off_the_contract_may_have_arrived_unless_it_is_an_error_status(
    status: int | None, expected: bool
) -> None:
    assert InvalidResponse("x", endpoint="verify", status=status).may_have_arrived is expected


def test_a_bad_answer_of_the_token_endpoint_means_that_the_call_was_not_made() -> None:
    assert InvalidResponse("x", endpoint="token", status=200).may_have_arrived is False


def test_the_text_tells_what_is_known_and_leaves_out_the_rest() -> None:
    assert str(BandwidthError("It failed.")) == "It failed."
    error = TooManyRequests(
        "Wait.", endpoint="verify", status=429, request_id="354cc8a3", retry_after=120.0
    )
    assert str(error) == (
        "Wait. (endpoint verify, status 429, request id 354cc8a3, retry after 120.0)"
    )


def test_errors_survive_pickling() -> None:
    error = InvalidResponse("x", endpoint="token", status=200, request_id="r")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy)) == (InvalidResponse, str(error))
    assert copy.may_have_arrived is False
