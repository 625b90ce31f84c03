"""Describe the JSON API in OpenAPI 3.1, from its views, their fields and the table of errors.

``python -m tests.openapi`` writes the description to ``django_bandwidth_mfa/api/openapi.json``.  A
test compares the two, so the diff of that file shows each change of the API.
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import django

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "django_bandwidth_mfa/api/openapi.json"

# Characters.
LINE = 100

# The schema of each answer ------------------------------------------------------------------------

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
MOMENT = {"type": "string", "format": "date-time"}
CHANNEL = {"type": "string", "enum": ["sms", "voice"]}
CHANNELS = {"type": "array", "items": CHANNEL, "minItems": 1}
MASKED = {"type": "string", "description": "All but the last two digits are hidden."}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "type" not in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    widened = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        widened["enum"] = [*schema["enum"], None]
    return widened


def thing(description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """An object that always has all of its keys."""
    return {
        "type": "object",
        "description": description,
        "required": list(properties),
        "properties": properties,
    }


def listed(name: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(name)}


RECOVERY_CODES = {
    "left": COUNT,
    "few": {**FLAG, "description": "It is time to make a new set."},
    "set_size": COUNT,
    "owed": {**FLAG, "description": "A first phone was confirmed: make the first set."},
}

SCHEMAS: dict[str, dict[str, Any]] = {
    "State": thing(
        "What the session, or the ticket, has shown.",
        state={"type": "string", "enum": ["anonymous", "parked", "exempt", "verified"]},
        method={
            **nullable({"type": "string"}),
            "description": "sms, voice, recovery_code or trusted_browser; or what the site calls a "
            "second factor of its own.",
        },
        verified_at=nullable(MOMENT),
        is_fresh={**FLAG, "description": "A second factor passed in the last five minutes."},
        needs={
            **nullable({"type": "string", "enum": ["code", "phone"]}),
            "description": "What a parked login waits for.",
        },
        code=nullable(ref("NextCode")),
        recovery_codes={
            **nullable(ref("RecoveryCodes")),
            "description": "Of somebody who is signed in.",
        },
        csrf_token={
            **nullable(TEXT),
            "description": "For the header X-CSRFToken; null with a ticket.",
        },
        ticket={
            **nullable(TEXT),
            "description": "In the answer to a login: for the header Authorization.",
        },
        completion={
            **nullable(TEXT),
            "description": "What the right code made of a ticket; it counts once, for a minute.",
        },
    ),
    "NextCode": thing(
        "The code of a login or a step-up.",
        purpose={"type": "string", "enum": ["login", "step-up"]},
        challenge=nullable(ref("Challenge")),
        digits={"type": "integer", "minimum": 2, "maximum": 8},
        seconds_until_send=COUNT,
        phones=listed("PhoneChoice"),
        channels=CHANNELS,
        has_recovery_codes=FLAG,
        trust_days={**COUNT, "description": "0: a browser cannot be trusted now."},
    ),
    "Challenge": thing(
        "A code that was sent and can be typed.",
        channel=CHANNEL,
        number=MASKED,
        sent_at=MOMENT,
        expires_at=MOMENT,
        tries_left=COUNT,
        delivery=nullable({"type": "string", "enum": ["delivered", "failed", "unknown"]}),
        delivery_url=nullable(TEXT),
    ),
    "Delivery": thing(
        "What became of a message.",
        delivery=nullable({"type": "string", "enum": ["delivered", "failed", "unknown"]}),
        delivery_url=nullable(TEXT),
    ),
    "PhoneChoice": thing(
        "A phone that the code can go to.", id=TEXT, number=MASKED, channel=CHANNEL
    ),
    "Phone": thing(
        "A phone of the user.",
        id=TEXT,
        number=MASKED,
        name=TEXT,
        is_primary=FLAG,
        channel=CHANNEL,
    ),
    "Phones": thing(
        "The confirmed phones, the primary one first.",
        phones=listed("Phone"),
        channels=CHANNELS,
        can_change={**FLAG, "description": "False where the site keeps the numbers."},
        must_stay={**FLAG, "description": "The only phone cannot be removed."},
    ),
    "Enrolment": thing(
        "The phone that is being added.",
        phone=nullable(ref("Phone")),
        challenge=nullable(ref("Challenge")),
        digits={"type": "integer", "minimum": 2, "maximum": 8},
        seconds_until_send=COUNT,
        channels=CHANNELS,
    ),
    "RecoveryCodes": thing("How many recovery codes there are.", **RECOVERY_CODES),
    "NewRecoveryCodes": thing(
        "A new set of recovery codes, which is told this once.",
        **RECOVERY_CODES,
        codes={"type": "array", "items": TEXT},
    ),
    "Browser": thing(
        "A trusted browser.",
        id=TEXT,
        name=TEXT,
        is_this=FLAG,
        trusted_at=MOMENT,
        last_used_at=MOMENT,
    ),
    "Browsers": thing("The trusted browsers.", browsers=listed("Browser"), trust_days=COUNT),
    "SignedOut": thing(
        "The other sessions end.",
        within_seconds={**COUNT, "description": "So long they may last."},
    ),
    "Description": {"type": "object", "description": "This document."},
}

# The operations of each address -------------------------------------------------------------------

POST_ERRORS = ["bad_json", "invalid", "body_too_large", "wrong_content_type", "csrf_failed"]
TICKET_ERRORS = ["cookie_and_ticket", "ticket_invalid"]
VISITOR_ERRORS = ["sign_in_required", "on_behalf"]
CODE_OWED = ["code_required", "phone_required"]
SEND_ERRORS = [
    *("limited", "busy", "locked", "number_refused", "no_such_phone"),
    *("provider_unavailable", "outcome_unknown"),
]
TRY_ERRORS = [
    *("wrong_code", "code_expired", "code_used", "limited", "busy", "locked", "session_ended"),
    *("provider_unavailable", "outcome_unknown"),
]
CHANGE_ERRORS = [*VISITOR_ERRORS, *CODE_OWED, "phones_kept_by_site", "no_such_phone"]
ENROL_ERRORS = [*VISITOR_ERRORS, *CODE_OWED, "phones_kept_by_site", "sign_in_again"]

NOBODY: list[dict[str, list[str]]] = [{}]
TICKET: list[dict[str, list[str]]] = [{"ticket": []}]


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    ``id`` is its name in generated clients.  ``links`` has the operations that use its answer, with
    their parameters.
    """

    id: str
    answer: str
    errors: list[str] = field(default_factory=list)
    takes_session: bool = True
    takes_ticket: bool = False
    is_for_everybody: bool = False
    links: dict[str, dict[str, str]] = field(default_factory=dict)


PHONE_LINKS = {
    name: {"phone": "$response.body#/phones/0/id"}
    for name in ("makePhonePrimary", "setPhoneChannel", "renamePhone", "removePhone")
}

OPERATIONS = {
    ("api_openapi", "get"): Operation(
        "getDescription", "Description", takes_session=False, is_for_everybody=True
    ),
    ("api_state", "get"): Operation(
        "getState", "State", ["on_behalf"], takes_ticket=True, is_for_everybody=True
    ),
    ("api_login", "post"): Operation(
        "logIn",
        "State",
        ["wrong_credentials", "cookie_and_ticket"],
        takes_session=False,
        is_for_everybody=True,
    ),
    ("api_send", "post"): Operation(
        "sendCode",
        "State",
        [*VISITOR_ERRORS, "phone_required", *SEND_ERRORS],
        takes_ticket=True,
        links={"verifyCode": {}},
    ),
    ("api_verify", "post"): Operation(
        "verifyCode",
        "State",
        [*VISITOR_ERRORS, "phone_required", *TRY_ERRORS],
        takes_ticket=True,
        links={"makeRecoveryCodes": {}, "listPhones": {}},
    ),
    ("api_recovery_code", "post"): Operation(
        "useRecoveryCode",
        "State",
        [*VISITOR_ERRORS, "wrong_recovery_code", "code_expired", "limited", "session_ended"],
        takes_ticket=True,
    ),
    ("api_cancel", "post"): Operation("cancelLogin", "State", VISITOR_ERRORS, takes_ticket=True),
    ("api_delivery", "get"): Operation(
        "getDelivery", "Delivery", ["not_found"], takes_session=False, is_for_everybody=True
    ),
    ("api_phones", "get"): Operation(
        "listPhones", "Phones", [*VISITOR_ERRORS, *CODE_OWED], links=PHONE_LINKS
    ),
    ("api_phone_pending", "get"): Operation(
        "getPendingPhone", "Enrolment", ENROL_ERRORS, takes_ticket=True
    ),
    ("api_phone_add", "post"): Operation(
        "addPhone",
        "Enrolment",
        [*ENROL_ERRORS, *SEND_ERRORS],
        takes_ticket=True,
        links={"confirmPhone": {}, "resendPhoneCode": {}, "getPendingPhone": {}},
    ),
    ("api_phone_resend", "post"): Operation(
        "resendPhoneCode",
        "Enrolment",
        [*ENROL_ERRORS, "no_enrolment", *SEND_ERRORS],
        takes_ticket=True,
    ),
    ("api_phone_confirm", "post"): Operation(
        "confirmPhone",
        "State",
        [*ENROL_ERRORS, "no_enrolment", *TRY_ERRORS],
        takes_ticket=True,
        links={"listPhones": {}, "makeRecoveryCodes": {}},
    ),
    ("api_phone_primary", "post"): Operation("makePhonePrimary", "Phones", CHANGE_ERRORS),
    ("api_phone_channel", "post"): Operation("setPhoneChannel", "Phones", CHANGE_ERRORS),
    ("api_phone_rename", "post"): Operation("renamePhone", "Phones", CHANGE_ERRORS),
    ("api_phone_remove", "post"): Operation(
        "removePhone", "Phones", [*CHANGE_ERRORS, "last_phone"]
    ),
    ("api_recovery_codes", "get"): Operation(
        "getRecoveryCodes", "RecoveryCodes", [*VISITOR_ERRORS, *CODE_OWED]
    ),
    ("api_recovery_codes", "post"): Operation(
        "makeRecoveryCodes",
        "NewRecoveryCodes",
        [*VISITOR_ERRORS, *CODE_OWED],
        links={"useRecoveryCode": {"requestBody": "$response.body#/codes/0"}},
    ),
    ("api_browsers", "get"): Operation(
        "listBrowsers",
        "Browsers",
        [*VISITOR_ERRORS, *CODE_OWED],
        links={"forgetBrowser": {"browser": "$response.body#/browsers/0/id"}},
    ),
    ("api_browsers_forget", "post"): Operation(
        "forgetBrowsers", "Browsers", [*VISITOR_ERRORS, *CODE_OWED]
    ),
    ("api_browser_forget", "post"): Operation(
        "forgetBrowser", "Browsers", [*VISITOR_ERRORS, *CODE_OWED, "no_such_browser"]
    ),
    ("api_sign_out_others", "post"): Operation(
        "signOutOthers", "SignedOut", [*VISITOR_ERRORS, *CODE_OWED]
    ),
}


def describe() -> dict[str, Any]:
    """Return the description."""
    from django_bandwidth_mfa.api import ERRORS
    from django_bandwidth_mfa.api.urls import urlpatterns

    paths: dict[str, Any] = {}
    for pattern in urlpatterns:
        view = pattern.callback.view_class  # type: ignore[union-attr]
        route = str(pattern.pattern).removeprefix("api")
        path = re.sub(r"<\w+:(\w+)>", r"{\1}", route)
        for method in ("get", "post"):
            operation = OPERATIONS.get((str(pattern.name), method))
            if operation is not None:
                paths.setdefault(path, {})[method] = _operation(operation, method, view, pattern)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "django-bandwidth-mfa",
            "version": "1",
            "summary": "The second factor of a login, for clients that render their own pages.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/mfa/api"}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, "Error": _error(ERRORS)},
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "sessionid",
                    "description": "The site's session (SESSION_COOKIE_NAME).",
                },
                "csrf": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-CSRFToken",
                    "description": "The csrf_token of the state (CSRF_HEADER_NAME).",
                },
                "ticket": {
                    "type": "http",
                    "scheme": "MFA-Ticket",
                    "description": "The ticket of a login, without the cookie of a session.",
                },
            },
        },
    }


def _error(errors: Any) -> dict[str, Any]:
    meanings = "\n".join(f"- `{code}`: {kind.meaning}" for code, kind in errors.items())
    inner = thing(
        "What went wrong.",
        code={"type": "string", "enum": list(errors), "description": meanings},
        message={**TEXT, "description": "For people, in their language."},
        retry_after=nullable({"type": "integer", "minimum": 0}),
        limit=nullable(TEXT),
    )
    return thing("Every answer that is no success.", error=inner)


def _operation(operation: Operation, method: str, view: Any, pattern: Any) -> dict[str, Any]:
    description = {
        "operationId": operation.id,
        "summary": _summary(view),
        "security": _security(operation, method),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}
        for name in pattern.pattern.converters
    ]
    if parameters:
        description["parameters"] = parameters
    if method == "post":
        description["requestBody"] = _body(view.fields)
    description["responses"] = {
        "200": {
            "description": SCHEMAS[operation.answer]["description"],
            "content": {"application/json": {"schema": ref(operation.answer)}},
            **({"links": _links(operation)} if operation.links else {}),
        },
        **_errors(operation, method),
    }
    return description


def _summary(view: Any) -> str:
    """Return the first part of the docstring of ``view``, in one line of Markdown."""
    first = (inspect.getdoc(view) or "").split("\n\n")[0]
    return " ".join(first.split()).replace("``", "`")


def _security(operation: Operation, method: str) -> list[dict[str, list[str]]]:
    ways: list[dict[str, list[str]]] = [{}] if operation.is_for_everybody else []
    if operation.takes_session:
        ways.append({"session": []} if method == "get" else {"session": [], "csrf": []})
    return ways + ([{"ticket": []}] if operation.takes_ticket else [])


def _body(fields: Any) -> dict[str, Any]:
    from django_bandwidth_mfa.api.bodies import Text

    properties: dict[str, Any] = {}
    for name, kind in fields.items():
        schema: dict[str, Any] = dict(FLAG)
        if isinstance(kind, Text):
            # No NUL character: some databases cannot store it.
            schema = {**TEXT, "maxLength": kind.longest, "pattern": "^[^\\u0000]*$"}
        properties[name] = schema if kind.required else nullable(schema)
    required = [name for name, kind in fields.items() if kind.required]
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def phrase_of(status: int) -> str:
    """Return the name of an HTTP status.  Only Python 3.13 has the newer name of 413."""
    return "Content Too Large" if status == 413 else HTTPStatus(status).phrase


def _errors(operation: Operation, method: str) -> dict[str, Any]:
    from django_bandwidth_mfa.api import ERRORS

    codes = set(operation.errors)
    if operation.takes_session:
        codes |= {*TICKET_ERRORS, "unavailable"}
    if operation.takes_ticket:
        codes |= {"ticket_invalid"}
    if method == "post":
        codes |= {*POST_ERRORS, "unavailable"}
        if not operation.takes_session:
            codes -= {"csrf_failed"}
    if operation.id == "getDelivery":
        codes |= {"unavailable"}
    answers: dict[str, Any] = {}
    for status in sorted({ERRORS[code].status for code in codes}):
        of_status = [code for code, kind in ERRORS.items() if code in codes]
        of_status = [code for code in of_status if ERRORS[code].status == status]
        narrowed = {"properties": {"error": {"properties": {"code": {"enum": of_status}}}}}
        headers = {}
        if any(code in ("limited", "busy", "unavailable") for code in of_status):
            headers["Retry-After"] = {"description": "Seconds.", "schema": COUNT}
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = {"schema": TEXT}
        answers[str(status)] = {
            "description": f"{phrase_of(status)}: {', '.join(of_status)}",
            **({"headers": headers} if headers else {}),
            "content": {"application/json": {"schema": {**ref("Error"), **narrowed}}},
        }
    return answers


def _links(operation: Operation) -> dict[str, Any]:
    links: dict[str, Any] = {}
    for target, parameters in operation.links.items():
        link: dict[str, Any] = {"operationId": target}
        body = {"recovery_code": parameters["requestBody"]} if "requestBody" in parameters else None
        if body is not None:
            link["requestBody"] = body
        elif parameters:
            link["parameters"] = parameters
        links[target] = link
    return links


def text() -> str:
    """Return the text of the file."""
    return _laid_out(describe(), "") + "\n"


def _laid_out(value: Any, indent: str) -> str:
    """Return ``value`` as JSON.  A part that fits into one line is written on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= LINE or not isinstance(value, dict | list):
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        parts = [_laid_out(one, deeper) for one in value]
    else:
        parts = [f"{json.dumps(key)}: {_laid_out(one, deeper)}" for key, one in value.items()]
    first, last = ("[", "]") if isinstance(value, list) else ("{", "}")
    between = f",\n{deeper}"
    return f"{first}\n{deeper}{between.join(parts)}\n{indent}{last}"


if __name__ == "__main__":
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    FILE.write_text(text())
