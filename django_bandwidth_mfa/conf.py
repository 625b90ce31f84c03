"""The settings of the app, read from ``settings.BANDWIDTH_MFA`` each time they are needed.

:class:`Settings` is the table of all keys, each with its kind, its default and its meaning.  The
system checks (:mod:`django_bandwidth_mfa.checks`) and :func:`from_env` use this table.  Nothing is
read at import time, and nothing is cached, so ``override_settings`` works everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, ParamSpec, TypeGuard, TypeVar, cast, overload

import environ
import phonenumbers
from asgiref.sync import SyncToAsync
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy

from .bandwidth import E164
from .policies import Policy

__all__ = ["from_env", "settings"]

PREFIX = "BANDWIDTH_MFA_"

# The region code of ``phonenumbers`` for numbers that belong to no country.
NO_COUNTRY = "001"

P = ParamSpec("P")
T = TypeVar("T")


# Rates ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    """A rate: ``limit`` units at once, then one more unit every ``seconds / limit`` seconds.

    >>> str(Rate(limit=3, seconds=600))
    '3/10m'
    """

    limit: int
    seconds: int

    def __str__(self) -> str:
        unit, seconds = next(
            (unit, seconds)
            for unit, seconds in reversed(_UNIT_SECONDS.items())
            if self.seconds % seconds == 0
        )
        many = self.seconds // seconds
        return f"{self.limit}/{many if many > 1 else ''}{unit}"


_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})?([smhd])")


@lru_cache(maxsize=256)
def parse_rates(text: str) -> tuple[Rate, ...]:
    """Return the rates in ``text``, such as ``"5/h,10/d"`` or ``"3/10m"``.

    An empty text means no limit.  If two rates have the same period, the lower one counts.

    >>> parse_rates("5/h,10/d")
    (Rate(limit=5, seconds=3600), Rate(limit=10, seconds=86400))

    :raises ValueError: ``text`` is not a list of rates.
    """
    limits: dict[int, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _RATE.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is not a rate")
        limit, many, unit = match.groups()
        seconds = int(many or 1) * _UNIT_SECONDS[unit]
        limits[seconds] = min(int(limit), limits.get(seconds, int(limit)))
    return tuple(Rate(limit, seconds) for seconds, limit in limits.items())


# Kinds: how a value is checked, and how it is read from the environment --------------------------

Problem = str | None
"""The end of a sentence that names the mistake in a value ("must be …"); None for a valid value."""


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    ``name`` is its name in the reference.  ``problem`` checks a value.  ``parse`` reads a value
    from the text of an environment variable.
    """

    name: str
    problem: Callable[[object], Problem]
    parse: Callable[[str], object] = str


def text(*, longest: int = 255, form: re.Pattern[str] | None = None, like: str = "") -> Kind:
    def problem(value: object) -> Problem:
        if not isinstance(value, str) or not value:
            return "must be a string that is not empty"
        if len(value) > longest:
            return f"must have at most {longest} characters"
        if form is not None and not form.fullmatch(value):
            return f"must be {like}"
        return None

    return Kind("string", problem)


def integer(low: int, high: int | None = None) -> Kind:
    bounds = f"from {low} to {high}" if high is not None else f"of {low} or more"

    def problem(value: object) -> Problem:
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            return f"must be a whole number {bounds}"
        if high is not None and value > high:
            return f"must be a whole number {bounds}"
        return None

    return Kind("integer", problem, int)


def number(high: float, *, unit: str) -> Kind:
    def problem(value: object) -> Problem:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= high:
            return None
        return f"must be a number of {unit}, over 0 and at most {high:g}"

    def parse(value: str) -> float:
        parsed = float(value)
        return int(parsed) if parsed.is_integer() else parsed

    return Kind(f"number ({unit})", problem, parse)


def boolean() -> Kind:
    def parse(value: str) -> bool:
        lowered = value.strip().lower()
        if lowered not in (*environ.Env.BOOLEAN_TRUE_STRINGS, "false", "off", "no", "n", "0"):
            raise ValueError(value)
        return lowered in environ.Env.BOOLEAN_TRUE_STRINGS

    return Kind(
        "boolean", lambda value: None if isinstance(value, bool) else "must be True or False", parse
    )


def table(problem_of_item: Callable[[object, object], Problem]) -> Kind:
    def problem(value: object) -> Problem:
        if not isinstance(value, Mapping):
            return "must be a dict"
        return next(filter(None, (problem_of_item(*item) for item in value.items())), None)

    return Kind("dict", problem, json.loads)


def sequence(problem_of_item: Callable[[object], Problem], *, empty: bool = True) -> Kind:
    def problem(value: object) -> Problem:
        if not isinstance(value, (list, tuple)) or not (value or empty):
            return "must be a list" + ("" if empty else " that is not empty")
        return next(filter(None, map(problem_of_item, value)), None)

    return Kind("list", problem, json.loads)


def choice_or_path(*choices: str, or_policy: bool = False) -> Kind:
    """Return the kind of a value that is one of ``choices``, a callable, or the dotted path of one.

    :param or_policy: whether a policy is allowed, too.
    """

    def is_usable(value: object) -> bool:
        return callable(value) or (or_policy and isinstance(value, Policy))

    def problem(value: object) -> Problem:
        if is_usable(value) or value in choices:
            return None
        listed = "".join(f'"{choice}", ' for choice in choices)
        policy = "a policy, " if or_policy else ""
        wanted = f"must be {listed}{policy}{'or ' if listed else ''}the dotted path of a function"
        if not isinstance(value, str) or "." not in value:
            return wanted
        try:
            imported = import_string(value)
        except ImportError as error:
            return f"{wanted}, but this path cannot be imported ({error})"
        return None if is_usable(imported) else wanted

    return Kind("string, policy or dotted path" if or_policy else "string or dotted path", problem)


# The most characters that Bandwidth accepts.
LONGEST_MESSAGE = 2048

_dotted_path = re.compile(r"[\w.]+\.\w+")


def is_dotted_path(value: object) -> TypeGuard[str]:
    """Return whether ``value`` of ``MESSAGE`` is the dotted path of a function, not a text."""
    return isinstance(value, str) and _dotted_path.fullmatch(value) is not None


def message_problem(text: object) -> Problem:
    """Return what is wrong with ``text`` as a message for a code; None if nothing is wrong."""
    if not isinstance(text, str | Promise) or "{CODE}" not in str(text):
        return "must be a text that contains {CODE}"
    if len(str(text)) > LONGEST_MESSAGE:
        return f"must have at most {LONGEST_MESSAGE} characters"
    return None


def message() -> Kind:
    """Return the kind of ``MESSAGE``: a text, a dict of texts by channel, or a function."""

    def problem(value: object) -> Problem:
        if isinstance(value, Mapping):
            return next(filter(None, (problem_for_channel(*item) for item in value.items())), None)
        if is_dotted_path(value):
            return choice_or_path().problem(value)
        return None if callable(value) else message_problem(value)

    def problem_for_channel(channel: object, text: object) -> Problem:
        if channel not in ("sms", "voice"):
            return 'must have only the keys "sms" and "voice"'
        mistake = message_problem(text)
        return mistake and f'{mistake} for "{channel}"'

    def parse(value: str) -> object:
        with suppress(ValueError):
            texts = json.loads(value)
            if isinstance(texts, dict):
                return texts
        # Not a JSON object: a text, such as "{CODE} is your code".
        return value

    return Kind("text, dict or dotted path", problem, parse)


_contact_address = re.compile(r"(?:https?://|mailto:|tel:|/(?!/))[^\s<>\"]+")


def contact() -> Kind:
    """Return the kind of a dict with an optional ``name`` and an optional ``address``."""

    def problem_of_part(part: object, value: object) -> Problem:
        if part not in ("name", "address"):
            return 'must have only the keys "name" and "address"'
        if part == "name":
            is_text = isinstance(value, str | Promise) and len(str(value)) <= 100
            return None if is_text else 'must have a "name" of at most 100 characters'
        # The address becomes a link, so a ``javascript:`` address must be refused.
        if value == "" or (isinstance(value, str) and _contact_address.fullmatch(value)):
            return None
        return (
            'must have an "address" that begins with "https://", "http://", "mailto:", "tel:" or '
            'with one "/"'
        )

    def problem(value: object) -> Problem:
        mistake = table(problem_of_part).problem(value)
        if mistake is None and isinstance(value, Mapping) and value.get("address"):
            return None if value.get("name") else 'must have a "name" if it has an "address"'
        return mistake

    return Kind("dict", problem, json.loads)


def optional(kind: Kind) -> Kind:
    return Kind(
        f"{kind.name} or None",
        lambda value: None if value is None else kind.problem(value),
        kind.parse,
    )


def _scope_problem(purpose: object, scope: object) -> Problem:
    if purpose not in ("login", "step-up", "enrol"):
        return 'must have only the keys "login", "step-up" and "enrol"'
    if not isinstance(scope, str) or not 1 <= len(scope) <= 25:
        return f'must have a text of 1 to 25 characters for "{purpose}" (Bandwidth\'s limit)'
    return None


def rates(*names: str) -> Kind:
    """Return the kind of a dict of rates with the keys ``names``, as ``{"user": "5/h,10/d"}``."""
    listed = " and ".join([", ".join(f'"{name}"' for name in names[:-1]), f'"{names[-1]}"'])

    def problem(name: object, text: object) -> Problem:
        if name not in names:
            return f"must have only the keys {listed}"
        if not text:
            return None
        with suppress(ValueError):
            if isinstance(text, str):
                parse_rates(text)
                return None
        return f'must have rates such as "5/h,10/d" for "{name}", or "" for no limit'

    return table(problem)


def _region_problem(region: object) -> Problem:
    if isinstance(region, str) and region in phonenumbers.SUPPORTED_REGIONS:
        return None
    return 'must be a two-letter ISO 3166 code in capital letters, such as "US"'


def _allowed_region_problem(region: object) -> Problem:
    if region == NO_COUNTRY or _region_problem(region) is None:
        return None
    return (
        'must be a list of two-letter ISO 3166 codes in capital letters, such as "US", or of '
        f'"{NO_COUNTRY}" for numbers of no country'
    )


def _number_type_problem(name: object) -> Problem:
    if isinstance(name, str) and hasattr(phonenumbers.PhoneNumberType, name) and name.isupper():
        return None
    return 'must be a list of names of phonenumbers.PhoneNumberType, such as "PREMIUM_RATE"'


def _seconds_problem(value: object) -> Problem:
    return integer(0).problem(value)


_http_url = re.compile(r"https?://[^\s/?#]+[^\s?#]*")
# A domain without scheme, port and final dot: the form that the last line of a message needs.
_domain = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?")
_e164 = text(longest=32, form=E164, like="a phone number in E.164 form, such as +12025550123")


# The table -----------------------------------------------------------------------------------


class Setting(Generic[T]):
    """One key of ``BANDWIDTH_MFA``.  Its value is read as an attribute of :data:`settings`.

    A dict value is merged over the default dict, so a site names only the keys that it changes.

    :param on_async_server: another default, for requests for which :func:`has_own_thread` is true;
        None if the default is the same.
    """

    name: str

    def __init__(
        self,
        default: T,
        kind: Kind,
        doc: str,
        *,
        required: bool = False,
        secret: bool = False,
        on_async_server: T | None = None,
    ) -> None:
        self.default = default
        self.on_async_server = on_async_server
        self.kind = kind
        self.doc = doc
        self.required = required
        self.secret = secret

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Setting[T] | T:
        if instance is None:
            return self
        values = configured()
        if self.name not in values:
            if self.required:
                raise ImproperlyConfigured(f'BANDWIDTH_MFA["{self.name}"] is missing.')
            if self.on_async_server is not None and has_own_thread():
                return self.on_async_server
            return self.default
        value = values[self.name]
        if isinstance(self.default, dict) and isinstance(value, Mapping):
            value = {**self.default, **value}
        return cast(T, value)

    def problem(self, value: object) -> Problem:
        """Return what is wrong with ``value`` for this key; None if nothing is wrong."""
        return self.kind.problem(value)


class Settings:
    """The table of all keys of ``BANDWIDTH_MFA``, with their defaults and meanings."""

    ACCOUNT_ID = Setting("", text(longest=64), "The Bandwidth account.", required=True)
    CLIENT_ID = Setting[str | None](
        None, optional(text()), "OAuth 2.0 client credentials: the client's id."
    )
    CLIENT_SECRET = Setting[str | None](
        None, optional(text()), "OAuth 2.0 client credentials: the secret.", secret=True
    )
    USERNAME = Setting[str | None](
        None,
        optional(text()),
        "HTTP Basic: the API user. Bandwidth accepts HTTP Basic until 1 December 2026.",
    )
    PASSWORD = Setting[str | None](
        None, optional(text()), "HTTP Basic: the API user's password.", secret=True
    )
    FROM_NUMBER = Setting(
        "", _e164, "The Bandwidth number that sends and calls, E.164.", required=True
    )
    MESSAGING_APPLICATION_ID = Setting[str | None](
        None, optional(text(longest=50)), "The messaging application; turns on the channel `sms`."
    )
    VOICE_APPLICATION_ID = Setting[str | None](
        None, optional(text(longest=50)), "The voice application; turns on the channel `voice`."
    )
    BASE_URL = Setting(
        "https://mfa.bandwidth.com/api/v1",
        text(form=_http_url, like="an http(s) address"),
        "The URL of Bandwidth's MFA API, to which `/accounts/{id}/code/…` is added.",
    )
    TOKEN_URL = Setting(
        "https://api.bandwidth.com/api/v1/oauth2/token",
        text(form=_http_url, like="an http(s) address"),
        "The URL from which the app gets OAuth 2.0 tokens.",
    )
    SCOPES = Setting(
        {"login": "sign-in", "step-up": "confirmation", "enrol": "new phone"},
        table(_scope_problem),
        "Bandwidth's scope for each purpose. A code for one purpose is never accepted for another.",
    )
    MESSAGE = Setting[str | Promise | Mapping[str, str | Promise] | Callable[..., str]](
        # Translators: A text message.  Keep {NAME} (the site), {SCOPE} (what the code is for, such
        # as "sign-in") and {CODE} as they are.
        gettext_lazy("Your {NAME} {SCOPE} code is {CODE}"),
        message(),
        "The text of the message and of the call: a text that contains `{CODE}`, translated or "
        'not; a dict `{"sms": …, "voice": …}` of such texts; or the path of '
        "`f(user, purpose, channel) -> str`. Bandwidth fills in `{CODE}`, `{NAME}` and `{SCOPE}`.",
    )
    ORIGIN = Setting[str | None](
        None,
        optional(
            text(
                longest=253, form=_domain, like='a domain in small letters, such as "bank.example"'
            )
        ),
        "The site's domain. Text messages then end with the line `@bank.example #{CODE}`, so that "
        "phones fill the code in on this site only. Set it after `mfa_check_bandwidth --send` has "
        "shown that Bandwidth fills `{CODE}` in twice.",
    )
    DIGITS = Setting(6, integer(2, 8), "The number of digits of a code.")
    EXPIRATION_MINUTES = Setting[float](
        3,
        number(15, unit="minutes"),
        "How many minutes a code is valid. NIST SP 800-63B allows 10.",
    )
    CONNECT_TIMEOUT = Setting[float](
        3.05, number(60, unit="seconds"), "How many seconds to wait for a connection to Bandwidth."
    )
    READ_TIMEOUT = Setting[float](
        5,
        number(60, unit="seconds"),
        "How many seconds to wait for each part of Bandwidth's answer.",
    )
    TOTAL_TIMEOUT = Setting[float](
        8,
        number(120, unit="seconds"),
        "How many seconds a call may take, with the request for a token. The wait in the queue is "
        "not included.",
    )
    REQUIRED = Setting[str | Policy | Callable[..., bool]](
        "enrolled",
        choice_or_path("enrolled", "staff", "all", "never", or_policy=True),
        'Which users need a code at login: "enrolled" (users with a phone), "staff" (staff, and '
        'enrolled), "all", "never" (only where a view asks), a policy of `policies`, or the path '
        "of such a policy or of `f(request, user) -> bool`.",
    )
    RECHECK_SECONDS = Setting(
        300,
        integer(0),
        "How many seconds a session counts as verified before the app asks the database again; 0: "
        "it asks at each request.",
    )
    LOGIN_SECONDS = Setting(600, integer(30), "How many seconds a login waits for its code.")
    GET_PHONES = Setting[str | Callable[..., list[str]] | None](
        None,
        optional(choice_or_path()),
        "The path of `f(user) -> list` of E.164 numbers, for a site that stores phones itself.",
    )
    DEFAULT_REGION = Setting[str | None](
        None,
        optional(Kind("region", _region_problem)),
        "The region of numbers that are typed without a country code.",
    )
    ALLOWED_REGIONS = Setting[list[str] | None](
        None,
        optional(sequence(_allowed_region_problem, empty=False)),
        "The only regions to which codes are sent; None: all. Numbers of no country, such as those "
        f'of satellite networks, are refused unless "{NO_COUNTRY}" is among them.',
    )
    REFUSED_NUMBER_TYPES = Setting(
        [
            "PREMIUM_RATE",
            "SHARED_COST",
            "TOLL_FREE",
            "PERSONAL_NUMBER",
            "PAGER",
            "UAN",
            "VOICEMAIL",
        ],
        sequence(_number_type_problem),
        "Types of numbers to which codes are never sent, as `phonenumbers` names them.",
    )
    SEND_LIMITS = Setting(
        {
            "user": "5/h",
            "number": "5/h,10/d",
            "prefix": "30/h",
            "address": "60/h",
            "site": "1000/h",
        },
        rates("user", "number", "prefix", "address", "site"),
        "How many codes may be sent that nobody has typed yet: to a user, to a number, for a "
        "client address, and in all. `prefix`: to numbers that no code has proven, and that differ "
        "in their last three digits only. When a user types the right code, its send no longer "
        "counts.",
    )
    SEND_CEILINGS = Setting(
        {
            "user": "20/h,60/d",
            "number": "20/h,60/d",
            "prefix": "100/d",
            "address": "300/h",
            "country": "500/h",
            "site": "2000/h",
        },
        rates("user", "number", "prefix", "address", "country", "site"),
        "How many codes may be sent at most, typed or not. It limits what fraudsters can cost who "
        "type every code. `prefix`: codes that enrol a phone only. `country`: codes to each region "
        "other than DEFAULT_REGION, or than that of FROM_NUMBER if DEFAULT_REGION is None.",
    )
    CALL_WEIGHT = Setting(2, integer(1, 100), "As how many sends a phone call counts.")
    RESEND_COOLDOWN = Setting(
        [30, 60, 120, 240],
        sequence(_seconds_problem, empty=False),
        "Seconds before the 2nd, 3rd, … code is sent to a user who has typed no right code since.",
    )
    TRIES_PER_CHALLENGE = Setting(5, integer(1, 100), "How often one code may be tried.")
    FAILURES_BEFORE_WAIT = Setting(
        5, integer(1, 100), "Consecutive wrong codes of a user before the first wait."
    )
    FAILURE_WAIT_MIN = Setting(
        30, integer(1), "The first wait, in seconds. Each further wait is twice as long."
    )
    FAILURE_WAIT_MAX = Setting(3600, integer(1), "The longest wait, in seconds.")
    FAILURES_BEFORE_LOCK = Setting(
        100,
        integer(1),
        "Consecutive wrong codes after which codes by phone are switched off for a user. NIST SP "
        "800-63B allows 100.",
    )
    TRUSTED_PROXIES = Setting(
        0,
        integer(0, 20),
        "How many of your own proxies are in front of the site; 0 ignores X-Forwarded-For.",
    )
    TRUST_DAYS = Setting(
        0, integer(0, 365), "For how many days a browser can be trusted; 0: the option is off."
    )
    RECOVERY_CODES = Setting(
        10, integer(0, 100), "How many recovery codes a set has. Making each takes about 40 ms."
    )
    BIND_CODES = Setting(
        False,
        boolean(),
        "Bind each code to its challenge by a random suffix of the scope: then only the newest "
        "code works.",
    )
    NOTIFY = Setting(True, boolean(), "Mail the user when their second factor changes.")
    SUPPORT = Setting[dict[str, str | Promise]](
        {"name": "", "address": ""},
        contact(),
        "Where users can get help: the `name`, translated or not, and the `address` of the link, "
        "such as `https://bank.example/help` or `mailto:help@bank.example`. Without a "
        'name the pages say "support".',
    )
    RECEIPT_SECRET = Setting[str | None](
        None,
        optional(
            text(form=re.compile(r"[A-Za-z0-9._~-]+"), like="made of letters, digits and ._~- only")
        ),
        "Turns on the URL for delivery receipts. It is a part of that URL, and keeps others out.",
        secret=True,
    )
    BREAKER_FAILURES = Setting(
        5,
        integer(1),
        "The number of network failures in a row, in one process, that opens the circuit breaker.",
    )
    BREAKER_SECONDS = Setting(
        30, integer(1), "For how many seconds an open circuit breaker makes no calls."
    )
    MAX_CONCURRENT_CALLS = Setting(
        4,
        integer(1),
        "How many calls to Bandwidth may run at once, per process. On an async server: 64.",
        on_async_server=64,
    )
    MAX_WAITING_CALLS = Setting(
        3,
        integer(0),
        "How many further calls may wait, per process. Users of other calls are told at once that "
        "the site is busy. The sum of this and MAX_CONCURRENT_CALLS must be smaller than the "
        "number of threads of the worker. On an async server, which has a thread for each "
        "request: 64.",
        on_async_server=64,
    )
    WAIT_SECONDS = Setting[float](
        1,
        number(60, unit="seconds"),
        "How many seconds a call may wait before it runs; TOTAL_TIMEOUT begins after it. On an "
        "async server: 2.",
        on_async_server=2,
    )

    @classmethod
    def all(cls) -> Iterator[Setting[object]]:
        """Return all settings, in the order of the table."""
        return (value for value in vars(cls).values() if isinstance(value, Setting))

    @classmethod
    def names(cls) -> set[str]:
        return {setting.name for setting in cls.all()}


settings = Settings()
"""The settings of the site: ``settings.DIGITS`` is the current value of the key ``DIGITS``.

:raises django.core.exceptions.ImproperlyConfigured: a required key is missing.
"""


def configured() -> Mapping[str, object]:
    """Return the site's ``BANDWIDTH_MFA`` as the site wrote it; an empty dict if it is missing."""
    values = getattr(django_settings, "BANDWIDTH_MFA", {})
    return values if isinstance(values, Mapping) else {}


def has_own_thread() -> bool:
    """Return whether the current request has a thread of its own, as on an async server.

    Django's ASGI handler runs each request in a ``ThreadSensitiveContext`` of asgiref.  A call that
    waits in such a thread delays no other request.
    """
    current = getattr(SyncToAsync, "thread_sensitive_context", None)
    return current is not None and current.get(None) is not None


def channels() -> list[str]:
    """Return the channels that are set up, the cheaper one first: ``"sms"``, ``"voice"``."""
    applications = {
        "sms": settings.MESSAGING_APPLICATION_ID,
        "voice": settings.VOICE_APPLICATION_ID,
    }
    return [channel for channel, application in applications.items() if application]


def load(value: str | Callable[P, T]) -> Callable[P, T]:
    """Return the function at a dotted path; return ``value`` itself if it is a function."""
    function: Callable[P, T] = import_string(value) if isinstance(value, str) else value
    return function


# The environment -----------------------------------------------------------------------------


def from_env(env: environ.Env) -> dict[str, object]:
    """Return the dict ``BANDWIDTH_MFA``, read from environment variables ``BANDWIDTH_MFA_<KEY>``.

    ::

        env = environ.Env()
        BANDWIDTH_MFA = django_bandwidth_mfa.conf.from_env(env)

    Dicts and lists are written as JSON.  An empty variable counts as not set.  This function never
    raises: a text that cannot be parsed, and a key that does not exist, are kept as they are.  So
    ``manage.py check`` can report all mistakes at once.
    """
    known = {setting.name: setting for setting in Settings.all()}
    values: dict[str, object] = {}
    for variable in sorted(env.ENVIRON):
        name = variable.removeprefix(PREFIX)
        # With django-environ's FileAwareEnv, BANDWIDTH_MFA_X_FILE is the path of a file that
        # contains BANDWIDTH_MFA_X.
        if not variable.startswith(PREFIX) or name.removesuffix("_FILE") in known.keys() - {name}:
            continue
        value = env.ENVIRON[variable].strip()
        if not value:
            continue
        try:
            values[name] = known[name].kind.parse(value) if name in known else value
        except ValueError:
            values[name] = value
    return values
