"""The script draws ``docs/parking.svg``, and its boxes show what a real login does."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from xml.etree import ElementTree

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.signals import user_logged_in
from django.test import Client

from docs._diagrams import parking

from .browsing import give_password, state

Session = dict[str, Any]


def test_the_drawing_is_up_to_date() -> None:
    """To update the file, run ``python -m docs._diagrams.parking``.

    Tried with a word changed in the file, and with one changed in the script."""
    assert parking.FILE.read_text(encoding="utf-8") == parking.draw()


def test_the_drawing_has_ten_boxes_and_a_text_for_people_who_cannot_see_it() -> None:
    """Fails when the title, the description or one of the boxes is left out."""
    svg = ElementTree.fromstring(parking.draw())  # noqa: S314  our own text
    name = "{http://www.w3.org/2000/svg}"
    ids = {element.get("id"): element.text for element in svg if element.get("id")}
    title, description = (ids[one] for one in str(svg.get("aria-labelledby")).split())
    assert title == parking.TITLE
    assert len([one for one in svg.iter(f"{name}rect") if one.get("class") == "box"]) == 10
    assert all(box.title in str(description) for box in parking.BOXES)
    assert "prefers-color-scheme: dark" in str(svg.findtext(f"{name}style"))


def stored(key: str | None) -> Session:
    """Return the content of the session with this key in the store."""
    store = import_module(django_settings.SESSION_ENGINE).SessionStore(key)
    return dict(store.items())


@pytest.fixture
def sessions(client: Client, user: Any, bandwidth: Any, configure: Any) -> dict[int, Session]:
    """The content of the session at each box, by the number of the box."""
    sessions: dict[int, Session] = {}
    keys: dict[str, str] = {}

    def policy(request: Any, user: Any) -> bool:
        if 2 not in sessions:
            sessions[2] = sessions[3] = dict(request.session.items())
            assert stored(request.session.session_key) == {}, "in memory only"
        return True

    def receiver(request: Any, **kwargs: object) -> None:
        # Our receiver was connected earlier, so it has already run.
        if 4 not in sessions:
            sessions[4] = dict(request.session.items())
        else:
            assert request.session.session_key not in (None, keys["parked"])
            sessions[9] = stored(keys["parked"])

    configure(REQUIRED=policy)
    client.get("/accounts/login/")
    sessions[1] = dict(client.session.items()) if "sessionid" in client.cookies else {}
    user_logged_in.connect(receiver)
    try:
        answer = give_password(client, user, "/account/")
        assert answer["Location"] == "/mfa/verify/"
        keys["parked"] = str(client.session.session_key)
        sessions[5] = dict(client.session.items())
        assert client.get("/account/").status_code == 302
        sessions[6] = dict(client.session.items())
        client.get("/mfa/verify/")
        assert len(bandwidth.inbox) == 1
        sessions[7] = dict(client.session.items())
        code = bandwidth.inbox[0]["code"]
        client.post("/mfa/verify/", {"code": code[:-1] + ("1" if code[-1] == "0" else "0")})
        assert state(client) == "parked"
        sessions[8] = dict(client.session.items())
        answer = client.post("/mfa/verify/", {"code": code})
    finally:
        user_logged_in.disconnect(receiver)
    assert answer["Location"] == "/account/"
    assert state(client) == "verified"
    sessions[10] = dict(client.session.items())
    return sessions


def test_each_box_names_what_is_in_the_session_then(sessions: dict[int, Session]) -> None:
    """Fails when a key or a field is renamed, or when a step writes another key. Tried
    with a key left out of a box, a field of another name, and ``next`` named too early."""
    assert sorted(sessions) == list(range(1, len(parking.BOXES) + 1))
    for number, box in enumerate(parking.BOXES, start=1):
        session = sessions[number]
        assert session.keys() == box.session.keys(), box.title
        for key, fields in box.session.items():
            missing = [field for field in fields.split() if not session[key].get(field)]
            assert missing == [], box.title
    assert not sessions[4][parking.PARKED]["next"]
    assert sessions[5][parking.PARKED]["next"] == "/account/"
    assert sessions[10][parking.MARK]["state"] == "verified"
