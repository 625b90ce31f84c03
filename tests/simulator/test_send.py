"""``/code/messaging`` and ``/code/voice``: the request, the answer, and the message or call."""

import itertools
import json
import re
import shutil
import subprocess
from operator import ne

import pytest

from django_bandwidth_mfa.simulator import Simulator

from .client import APPLICATION, BASIC, FROM, MISSING, SEND, TO, Api, Clock

BOTH = pytest.mark.parametrize("endpoint", ["messaging", "voice"])


def test_a_message_is_answered_with_its_id_and_arrives(api: Api) -> None:
    answer = api.send("messaging")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    [message] = api.simulator.inbox
    assert answer.json() == {"messageId": message["id"]}
    code = message["code"]
    assert len(code) == 6
    assert code.isdigit()
    assert message == {
        "id": message["id"],
        "channel": "sms",
        "to": TO,
        "from": FROM,
        "text": f"Your Example sign-in code is {code}",
        "code": code,
        "sent_at": "2026-09-21T14:13:20.000Z",
    }


def test_a_call_is_answered_with_its_id_and_spells_the_code(api: Api) -> None:
    answer = api.send("voice")

    [call] = api.simulator.inbox
    assert answer.json() == {"callId": call["id"]}
    assert call["channel"] == "voice"
    assert call["text"] == f"Your Example sign-in code is {', '.join(call['code'])}"


@pytest.mark.parametrize("clock_now", [0.0, 1_790_000_000.123])
def test_ids_have_the_form_of_bandwidths(api: Api, clock: Clock, clock_now: float) -> None:
    """Fails with ids of another length: a column that is too short would show only in production.

    The examples are those of Bandwidth's pages.
    """
    clock.now = clock_now
    message = api.send("messaging").json()["messageId"]
    call = api.send("voice").json()["callId"]
    assert len(message) == len("14762070468292kw2fuqty55yp2b2") == 29
    assert len(call) == len("c-15ac29a2-1331029c-2cb0-4a07-b215-b22865662d85") == 47
    assert re.fullmatch("[0-9]{13}[0-9a-z]{16}", message)
    assert re.fullmatch("c-[0-9a-f]{8}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", call)


@BOTH
@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded"])
def test_a_request_without_a_content_type_is_accepted(
    api: Api, endpoint: str, content_type: str
) -> None:
    """Fails when a ``Content-Type`` is required: Bandwidth's own curl sample has none."""
    headers = {"Content-Type": content_type or None}
    answer = api.post(endpoint, data=json.dumps(SEND), headers=headers)
    assert answer.status_code == 200
    assert api.simulator.inbox[0]["to"] == TO


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_bandwidths_curl_sample_is_accepted_unchanged(api: Api) -> None:
    """Fails when ``Content-Type`` must be JSON: curl's default says that the body is a form."""
    answer = subprocess.run(
        ["curl", "-s", "-X", "POST", api.url("messaging"), "-u", ":".join(BASIC),
         "-H", "Accept: application/json", "-d", json.dumps(SEND)],
        capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    assert json.loads(answer.stdout) == {"messageId": api.simulator.inbox[0]["id"]}


def test_only_the_configured_applications_are_known() -> None:
    """Fails when any id is accepted: a mistyped id would show only in production."""
    with Simulator(applications=[APPLICATION, "second"]) as simulator:
        api = Api(simulator)
        with api.session:
            for endpoint in ("messaging", "voice"):
                for known in (APPLICATION, "second"):
                    assert api.send(endpoint, applicationId=known).status_code == 200
                answer = api.send(endpoint, applicationId="not_an_application_id")
                assert answer.status_code == 400
                assert answer.json()["error"] == "applicationId is not one of the account's"
            assert len(simulator.inbox) == 4


@pytest.mark.parametrize("digits", [2, 4, 8, 6.0])
def test_the_code_has_as_many_digits_as_asked(api: Api, digits: float) -> None:
    assert len(api.new_code(digits=digits)) == digits


def test_codes_differ(api: Api) -> None:
    assert len({api.new_code(digits=8) for _ in range(20)}) > 15


def test_codes_of_one_number_differ_in_two_digits_or_more(api: Api) -> None:
    """Before, a test that changed one digit of a code typed another valid code by chance."""
    for _ in range(40):
        api.send("messaging", digits=4)
    codes = [message["code"] for message in api.simulator.inbox]
    pairs = itertools.combinations(codes, 2)
    assert [pair for pair in pairs if sum(map(ne, *pair)) < 2] == []


def test_placeholders_are_filled_once(api: Api) -> None:
    """Fails when a placeholder in the scope is filled, too: the scope is plain text."""
    api.send(scope="{CODE}", message="{SCOPE} {NAME} {CODE} {OTHER} {CODE}")

    [message] = api.simulator.inbox
    code = message["code"]
    assert message["text"] == f"{{CODE}} Example {code} {{OTHER}} {code}"


def test_a_second_code_can_be_left_as_it_is() -> None:
    """Bandwidth does not document whether it fills a second ``{CODE}``: a site can try both."""
    with Simulator(fill_once=True) as simulator:
        api = Api(simulator)
        with api.session:
            api.send(scope="{CODE}", message="{SCOPE} {NAME} {CODE} {NAME} {CODE}")
        [message] = simulator.inbox
    assert message["text"] == f"{{CODE}} Example {message['code']} Example {{CODE}}"


def test_the_newest_message_comes_first(api: Api) -> None:
    api.send(to="+12025550111")
    api.send("voice", to="+12025550122")

    assert [message["to"] for message in api.simulator.inbox] == ["+12025550122", "+12025550111"]


def test_a_callback_url_is_kept(api: Api) -> None:
    api.send(callbackUrl="https://example.com/receipts")

    [message] = api.simulator.state.messages
    assert message.request.callback_url == "https://example.com/receipts"


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("to", MISSING, "to number is required"),
        ("to", "", "to number is required"),
        ("to", None, "to number is required"),
        ("to", "2025550143", "to number must be in E.164"),
        ("to", "+02025550143", "to number must be in E.164"),
        ("to", "+1202555014312345", "to number must be in E.164"),
        ("to", "+1202555014\u0663", "to number must be in E.164"),
        ("to", "+12025550143\n", "to number must be in E.164"),
        ("to", 12025550143, "to number must be in E.164"),
        ("from", MISSING, "from number is required"),
        ("from", "Example", "from number must be in E.164"),
        ("applicationId", MISSING, "applicationId is required"),
        ("applicationId", "a" * 51, "applicationId must be 1 to 50 characters"),
        ("applicationId", 7, "applicationId must be a string"),
        ("scope", "s" * 26, "scope must be 1 to 25 characters"),
        ("scope", "", "scope must be 1 to 25 characters"),
        ("scope", None, "scope must be a string"),
        ("message", MISSING, "message is required"),
        ("message", "no placeholder", "message must contain {CODE}"),
        ("message", "{CODE}" + "x" * 2043, "message must be 1 to 2048 characters"),
        ("digits", MISSING, "digits is required"),
        ("digits", 1, "digits must be an integer from 2 to 8"),
        ("digits", 9, "digits must be an integer from 2 to 8"),
        ("digits", 5.5, "digits must be an integer from 2 to 8"),
        ("digits", "6", "digits must be an integer from 2 to 8"),
        ("digits", True, "digits must be an integer from 2 to 8"),
        ("callbackUrl", 5, "callbackUrl must be a string"),
    ],
)
def test_a_wrong_field_is_refused_by_name(
    api: Api, endpoint: str, field: str, value: object, error: str
) -> None:
    answer = api.send(endpoint, **{field: value})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    assert answer.json()["requestId"]
    assert api.simulator.inbox == []


def test_the_longest_values_are_taken(api: Api) -> None:
    longest = "{CODE}" + "x" * 2042
    answer = api.send(
        to="+123456789012345", applicationId="a" * 50, scope="s" * 25, message=longest
    )

    assert answer.status_code == 200


@BOTH
@pytest.mark.parametrize(
    ("content_type", "body", "error"),
    [
        ("text/plain", b"{}", "Content-Type must be application/json"),
        ("", b"no JSON", "request body must be valid JSON in UTF-8"),
        ("application/x-www-form-urlencoded", b"to=1", "request body must be valid JSON in UTF-8"),
        ("application/json", b"", "request body must be valid JSON"),
        ("application/json", b"{", "request body must be valid JSON"),
        ("application/json", b'{"digits": NaN}', "request body must be valid JSON"),
        ("application/json", b'{"to": "\xff"}', "request body must be valid JSON"),
        ("application/json", b"[" * 60_000, "request body must be valid JSON"),
        ("application/json", b"[]", "request body must be a JSON object"),
        ("application/json", b'{"digits": 1e999}', "to number is required"),
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(
    api: Api, endpoint: str, content_type: str, body: bytes, error: str
) -> None:
    answer = api.post(endpoint, data=body, headers={"Content-Type": content_type})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


def test_a_huge_number_of_digits_is_refused(api: Api) -> None:
    """Fails when the number is not checked: ``1e999`` is valid JSON, and infinity in Python."""
    body = b'{"to":"+12025550143","from":"+12025550100","applicationId":"a",'
    body += b'"message":"{CODE}","digits":1e999}'
    answer = api.post("messaging", data=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["error"] == "digits must be an integer from 2 to 8"


def test_a_body_over_64_kib_is_refused(api: Api) -> None:
    answer = api.send(message="{CODE}" + "x" * 70_000)

    assert answer.status_code == 413
    assert answer.headers["Connection"] == "close"


def test_a_body_of_unknown_length_is_refused(api: Api) -> None:
    answer = api.post("messaging", data=iter([b"{}"]))

    assert answer.status_code == 411


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/accounts/5500001/code/fax"),
        ("POST", "/accounts/5500001/code/messaging/"),
        ("POST", "/accounts//code/messaging"),
        ("GET", "/accounts/5500001/code/messaging"),
        ("PUT", "/accounts/5500001/code/verify"),
        ("GET", "/oauth2/token"),
        ("DELETE", "/"),
    ],
)
def test_an_unknown_path_is_answered_like_the_api_gateway(api: Api, method: str, path: str) -> None:
    answer = api.session.request(
        method, api.simulator.base_url + path, json=SEND, auth=BASIC, timeout=5
    )

    assert answer.status_code == 403
    assert answer.json() == {"message": "Missing Authentication Token"}


def test_a_connection_is_kept_alive(api: Api) -> None:
    for _ in range(3):
        api.send()
    api.send(to="nonsense")
    api.get("/inbox")

    pools = api.session.get_adapter("http://").poolmanager.pools  # type: ignore[attr-defined]
    assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118
