"""Each malformed request gets an answer with a 4xx status and one shape, and changes nothing."""

from __future__ import annotations

import json
from io import BytesIO
from itertools import product
from typing import Any

import pytest
import requests
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.test.client import FakePayload
from django.urls import reverse

from django_bandwidth_mfa.api import bodies
from django_bandwidth_mfa.api.urls import urlpatterns
from django_bandwidth_mfa.models import Challenge, Phone, RecoveryCode, TrustedBrowser
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import give_password
from tests.conftest import NUMBER, PASSWORD, make_user

from .calls import API, ask_ticket, error_of, post

pytestmark = pytest.mark.django_db

VIEWS = {str(pattern.name): pattern for pattern in urlpatterns}
POSTS = [
    name
    for name, pattern in VIEWS.items()
    if hasattr(pattern.callback.view_class, "post")  # type: ignore[union-attr]
]


def address(name: str) -> str:
    """Return the address of a view; its phone or browser id does not exist."""
    converters = VIEWS[name].pattern.converters
    return reverse(f"bandwidth_mfa:{name}", kwargs=dict.fromkeys(converters, "999999"))


def caller(name: str, fresh: Client) -> Client:
    """Return a client that may call the view: signed in, or without cookies for the login."""
    return Client() if name == "api_login" else fresh


def row_counts() -> list[int]:
    """Return the number of rows in each table that a request could change."""
    kinds = (Challenge, Phone, RecoveryCode, TrustedBrowser)
    return [kind.objects.count() for kind in kinds]


BROKEN = {
    "no json": b"code=123456",
    "half": b'{"code": ',
    "a list": b'["123456"]',
    "a text": b'"123456"',
    "null": b"null",
    "no utf-8": b'{"code": "\xff\xfe"}',
    "deep": b"[" * 8000 + b"]" * 8000,
    "a long number": b'{"code": ' + b"9" * 5000 + b"}",
    "nan": b'{"code": NaN}',
}


@pytest.mark.slow
@pytest.mark.parametrize("name", POSTS)
def test_a_body_that_is_no_json_object_is_refused(fresh: Client, bandwidth: Any, name: str) -> None:
    """Fails when the view does not check the body: ``json`` raises, or the value is no dict."""
    before = row_counts()
    client = caller(name, fresh)
    for kind, body in BROKEN.items():
        answer = client.post(address(name), body, content_type="application/json")
        expected = [(400, "bad_json"), (400, "invalid"), (404, "no_such_phone")]
        assert error_of(answer) in expected, kind
        assert (row_counts(), bandwidth.inbox) == (before, []), kind


WRONG: list[Any] = [
    *(123456, 1.5, True, [], {}, ["1"], {"a": 1}),
    *("\x00", "\ud800", "x" * 5000),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", POSTS)
def test_a_value_of_the_wrong_type_is_refused(fresh: Client, bandwidth: Any, name: str) -> None:
    """Fails when the view does not check the types.

    A number has no ``strip``, PostgreSQL takes no NUL, and half a surrogate pair has no encoding.
    """
    before = row_counts()
    client = caller(name, fresh)
    fields = VIEWS[name].callback.view_class.fields  # type: ignore[union-attr]
    for (field, kind), value in product(fields.items(), WRONG):
        if isinstance(kind, bodies.Flag) and value is True:
            continue
        answer = client.post(
            address(name),
            {**{one: "1" for one in fields if one != "trust"}, field: value},
            content_type="application/json",
        )
        assert error_of(answer) == (400, "invalid"), (field, repr(value)[:20])
    assert (row_counts(), bandwidth.inbox) == (before, [])


@pytest.mark.parametrize("name", POSTS)
def test_a_field_that_is_not_known_is_refused(fresh: Client, name: str) -> None:
    """Fails when the view ignores unknown fields: ``{"chanel": "voice"}`` would send a text."""
    answer = caller(name, fresh).post(address(name), {"user": 1}, content_type="application/json")
    assert error_of(answer) == (400, "invalid")


def required(name: str) -> list[str]:
    fields = VIEWS[name].callback.view_class.fields  # type: ignore[union-attr]
    return [field for field, kind in fields.items() if kind.required]


@pytest.mark.parametrize("name", [name for name in POSTS if required(name)])
def test_a_field_that_is_missing_is_named(fresh: Client, name: str) -> None:
    answer = caller(name, fresh).post(address(name), {}, content_type="application/json")
    assert error_of(answer) == (400, "invalid")
    assert required(name)[0] in answer.json()["error"]["message"]


OTHER_TYPES = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "application/json; charset=utf-16",
    "",
]


@pytest.mark.slow
@pytest.mark.attack("P36")
@pytest.mark.parametrize("name", POSTS)
def test_a_body_of_another_type_is_refused(fresh: Client, bandwidth: Any, name: str) -> None:
    """A form of another site can send most of these types.  Fails when the view accepts them."""
    before = row_counts()
    client = caller(name, fresh)
    for content_type in OTHER_TYPES:
        answer = client.post(address(name), b'{"code": "1"}', content_type=content_type)
        assert error_of(answer) == (415, "wrong_content_type"), content_type
    assert (row_counts(), bandwidth.inbox) == (before, [])


@pytest.mark.parametrize("name", POSTS)
def test_a_huge_body_is_refused_and_not_read_to_its_end(fresh: Client, name: str) -> None:
    """Fails when the view reads or parses the whole body."""
    body = b'{"code": "' + b"1" * bodies.MAX_BODY + b'"}'
    answer = caller(name, fresh).post(address(name), body, content_type="application/json")
    assert error_of(answer) == (413, "body_too_large")


def test_a_connection_that_breaks_is_no_error_page(parked: Client) -> None:
    """Fails when the view does not catch ``UnreadablePostError``: Django sends an error report."""

    class Broken(BytesIO):
        def read(self, *args: object) -> bytes:
            raise OSError("gone")

    answer = parked.generic(
        "POST",
        API + "send",
        b"{}",
        content_type="application/json",
        **{"wsgi.input": Broken()},  # type: ignore[arg-type]
    )
    assert error_of(answer) == (400, "bad_json")


def test_a_request_without_a_body_takes_the_defaults(parked: Client, bandwidth: Any) -> None:
    assert parked.post(API + "send", content_type="application/json").status_code == 200
    assert len(bandwidth.inbox) == 1


def test_a_request_without_a_body_needs_no_content_type_on_runserver(
    live_server: Any, bandwidth: Any
) -> None:
    """``runserver`` adds ``text/plain`` to such a request, and the API answered 415 to it.

    The server of the tests is that of ``runserver``.
    """
    user = make_user("ada", NUMBER)
    ticket = ask_ticket(user).json()["ticket"]
    answer = requests.post(
        live_server.url + API + "send",
        headers={"Authorization": f"MFA-Ticket {ticket}"},
        timeout=10,
    )
    assert "Content-Type" not in answer.request.headers
    assert (answer.status_code, len(bandwidth.inbox)) == (200, 1)


@pytest.mark.parametrize("content_type", ["", "text/plain"])
def test_a_body_without_a_length_is_refused_unless_it_is_json(content_type: str) -> None:
    """The API read a body without a content type, if it came without a length.

    An async server passes on such a body.
    """
    user = make_user("ada", NUMBER)
    body = json.dumps({"username": user.get_username(), "password": PASSWORD}).encode()

    def log_in(content_type: str) -> Any:
        headers = [(b"content-type", content_type.encode())] if content_type else []
        return async_to_sync(AsyncClient().request)(
            method="POST",
            path=API + "login",
            query_string="",
            headers=[(b"host", b"testserver"), *headers],
            _body_file=FakePayload(body),
        )

    assert log_in("application/json").status_code == 200
    assert error_of(log_in(content_type)) == (415, "wrong_content_type")


def test_the_content_type_is_read_without_regard_to_case(parked: Client, bandwidth: Any) -> None:
    answer = parked.post(API + "send", "{}", content_type="Application/JSON; charset=UTF-8")
    assert answer.status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", VIEWS)
def test_each_address_says_which_methods_it_takes(fresh: Client, name: str) -> None:
    """Fails when Django's own answer is sent, whose body is not JSON."""
    view = VIEWS[name].callback.view_class  # type: ignore[union-attr]
    for method in ("put", "patch", "delete", "trace", "get", "post"):
        if name == "api_nothing_here":
            assert error_of(getattr(fresh, method)(address(name))) == (404, "not_found"), method
        elif not hasattr(view, method):
            answer = getattr(fresh, method)(address(name))
            assert error_of(answer) == (405, "method_not_allowed"), method
            offered = answer["Allow"].split(", ")
            assert method.upper() not in offered, method
            assert {"GET", "POST"} & set(offered), method


@pytest.mark.parametrize("path", ["state/", "phones/1", "", "%00", "x" * 3000, "login/x"])
def test_every_other_address_is_answered_as_json(client: Client, path: str) -> None:
    """Fails without the last URL pattern: the site's own 404 page is not JSON."""
    if path == "":
        path = "nothing"
    assert error_of(client.get(API + path)) == (404, "not_found")


def test_an_invalid_id_gets_the_status_404(fresh: Client, bandwidth: Any) -> None:
    for odd in ("%00", "٣", "1'--", "1e3", "-1", "9" * 400, "%F0%9F%98%80"):
        for action in ("primary", "remove"):
            answer = fresh.post(f"{API}phones/{odd}/{action}", content_type="application/json")
            assert error_of(answer) == (404, "no_such_phone")
        answer = fresh.post(f"{API}browsers/{odd}/forget", content_type="application/json")
        assert error_of(answer) == (404, "no_such_browser")


def test_a_malformed_code_gets_the_status_400(client: Client, bandwidth: Any) -> None:
    user = make_user("ada", NUMBER)
    give_password(client, user)
    post(client, "send")
    for odd in ("", " ", "12345", "1234567", "٣٣٣٣٣٣", "12345a", "😀", "-" * 90, "1e5000"):
        assert error_of(post(client, "verify", code=odd))[0] == 400
    login_verified(client, user)
    assert error_of(post(client, "phones/add", number="😀")) == (400, "number_refused")
