"""The system checks of the app, which ``manage.py check`` runs.

===========================  =======================================================================
``bandwidth_mfa.E001``       ``BANDWIDTH_MFA`` is not a dict.
``bandwidth_mfa.E002``       An unknown key.
``bandwidth_mfa.E003``       A value of a wrong type, or an impossible one.
``bandwidth_mfa.E004``       A required key is missing.
``bandwidth_mfa.E005``       The credentials are missing, incomplete, or of both kinds.
``bandwidth_mfa.E006``       No application is set, neither for messages nor for calls.
``bandwidth_mfa.E007``       Two purposes have the same scope, so a code for one would be accepted
                             for the other.
``bandwidth_mfa.E008``       A limit is too low for a single phone call.
``bandwidth_mfa.E009``       A translation of ``MESSAGE`` contains no ``{CODE}``, or ``MESSAGE`` is
                             too long with the line of ``ORIGIN``.
``bandwidth_mfa.E010``       The middleware is missing.
``bandwidth_mfa.E011``       The middleware is before ``AuthenticationMiddleware``.
``bandwidth_mfa.E012``       The URLs are not included, or an earlier pattern matches them.
``bandwidth_mfa.E013``       Sessions are in signed cookies, so an old cookie can be used again.
``bandwidth_mfa.E014``       The app's models are written to more than one database.
``bandwidth_mfa.E015``       A policy in ``REQUIRED`` is wrong, or this site cannot evaluate it.
``bandwidth_mfa.E020``       (``--deploy``) W004 as an error: HTTP Basic of REST framework.
``bandwidth_mfa.E021``       (``--deploy``) W004 as an error: REST framework's token, or djoser's.
``bandwidth_mfa.E022``       (``--deploy``) W004 as an error: simplejwt.
``bandwidth_mfa.E023``       (``--deploy``) W004 as an error: dj-rest-auth.
``bandwidth_mfa.E024``       (``--deploy``) W004 as an error: allauth's access tokens.
``bandwidth_mfa.E025``       (``--deploy``) W004 as an error: knox.
``bandwidth_mfa.E026``       (``--deploy``) W004 as an error: the password grant of
                             django-oauth-toolkit.
``bandwidth_mfa.E027``       (``--deploy``) W004 as an error: HTTP Basic of django-ninja.
``bandwidth_mfa.E028``       (``--deploy``) W004 as an error: ninja-jwt.
``bandwidth_mfa.E029``       (``--deploy``) W004 as an error: django-graphql-jwt.
``bandwidth_mfa.W001``       HTTP Basic credentials: Bandwidth does not accept them from 2 December
                             2026 on.  From that day it is an error with ``--deploy``, where
                             ``BASE_URL`` is Bandwidth's own.
``bandwidth_mfa.W002``       Codes of fewer than 6 digits.
``bandwidth_mfa.W003``       Codes that live for more than 10 minutes.
``bandwidth_mfa.W004``       A way to log in with the password alone, and without a session.
``bandwidth_mfa.W005``       ``TRUSTED_PROXIES`` is 0, but another setting is for a proxy.
``bandwidth_mfa.W006``       More than 100 wrong codes before the lock.
``bandwidth_mfa.W007``       SQLite without the transaction mode ``IMMEDIATE``.
``bandwidth_mfa.W008``       The URLs of django-hijack are included.  When staff use a user's
                             account, the user is sent a code, and staff are signed out.
``bandwidth_mfa.W009``       A ceiling is lower than the limit of the same name.
``bandwidth_mfa.W010``       (``--deploy``) Session cookies are sent over plain HTTP.
``bandwidth_mfa.W011``       (``--deploy``) ``BASE_URL`` or ``TOKEN_URL`` is plain HTTP.
``bandwidth_mfa.W012``       (``--deploy``) ``TRUSTED_PROXIES`` is not set, not even to 0.
``bandwidth_mfa.W013``       (``--deploy``) Receipts are on, and any ``Host`` header is accepted.
``bandwidth_mfa.W014``       (``--deploy``) ``RECEIPT_SECRET`` is short.
``bandwidth_mfa.W015``       (``--deploy``) Mail is sent over SMTP without a time-out.
``bandwidth_mfa.W016``       A token stays valid after its login or session has ended.
``bandwidth_mfa.W017``       ``from_date`` without ``enrolled``: before the day, users with a phone
                             may owe no code.
===========================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from importlib import import_module
from urllib.parse import urlsplit
from warnings import catch_warnings, simplefilter

from django.apps import apps
from django.conf import global_settings
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedCookieStore
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections, router
from django.urls import (
    NoReverseMatch,
    Resolver404,
    URLPattern,
    get_script_prefix,
    resolve,
    reverse,
)
from django.utils import translation
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from . import conf, policies
from .conf import Setting, Settings, configured, parse_rates, settings
from .internal.codes import texts
from .internal.doors import (
    Door,
    find_doors,
    find_endless_refreshes,
    find_endless_sessions,
    is_subclass,
)
from .internal.limits.rules import ENROL_SHARE
from .internal.login import other_factor, policy
from .models import Counter

__all__ = ["check_deployment", "check_settings", "check_site"]

# Bandwidth stops accepting API users (HTTP Basic) on this day.
BASIC_ENDS = date(2026, 12, 2)
BANDWIDTHS_DOMAIN = ".bandwidth.com"
BASIC_HINT = "Make an OAuth 2.0 client in Bandwidth's dashboard. Set CLIENT_ID and CLIENT_SECRET."

# The fewest characters of a good RECEIPT_SECRET: 80 bits in hexadecimal.
SHORTEST_SECRET = 20

SMTP = "django.core.mail.backends.smtp.EmailBackend"

# Django's settings that are useful only behind a proxy.
PROXY_SETTINGS = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")


def check_settings(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Return the messages about the keys of ``BANDWIDTH_MFA``, alone and in combination."""
    configuration = getattr(django_settings, "BANDWIDTH_MFA", {})
    if not isinstance(configuration, dict):
        return [
            Error(
                "BANDWIDTH_MFA must be a dict.",
                hint="BANDWIDTH_MFA = django_bandwidth_mfa.conf.from_env(environ.Env())",
                id="bandwidth_mfa.E001",
            )
        ]
    wrong = {setting.name: list(_value(setting)) for setting in Settings.all()}
    reported = [*_unknown_keys(), *(message for messages in wrong.values() for message in messages)]
    # All mistakes are reported in one run, and each one once: a combination of keys is checked only
    # if each key alone is right.
    for names, check in _TOGETHER:
        if not any(wrong[name] for name in names):
            reported += check()
    return reported


def _unknown_keys() -> Iterator[CheckMessage]:
    names = Settings.names()
    for key in sorted(configured().keys() - names, key=str):
        yield Error(
            f'BANDWIDTH_MFA["{key}"]: there is no such key.',
            hint=f"The keys are {', '.join(sorted(names))}.",
            id="bandwidth_mfa.E002",
        )


def _value(setting: Setting[object]) -> Iterator[CheckMessage]:
    configuration = configured()
    if setting.name not in configuration:
        if setting.required:
            yield Error(
                f'BANDWIDTH_MFA["{setting.name}"] is missing.',
                hint=f"{setting.doc} In the environment: {conf.PREFIX}{setting.name}.",
                id="bandwidth_mfa.E004",
            )
        return
    value = configuration[setting.name]
    problem = setting.problem(value)
    if problem is not None:
        if isinstance(value, Promise):
            value = str(value)
        shown = "" if setting.secret else f", not {value!r}"
        yield Error(
            f'BANDWIDTH_MFA["{setting.name}"] {problem}{shown}.',
            hint=setting.doc,
            id="bandwidth_mfa.E003",
        )


def _credentials() -> Iterator[CheckMessage]:
    oauth = (settings.CLIENT_ID, settings.CLIENT_SECRET)
    basic = (settings.USERNAME, settings.PASSWORD)
    if sorted([oauth.count(None), basic.count(None)]) != [0, 2]:
        yield Error(
            "BANDWIDTH_MFA needs exactly one complete pair of credentials: CLIENT_ID and "
            "CLIENT_SECRET, or USERNAME and PASSWORD.",
            hint=f"Use CLIENT_ID and CLIENT_SECRET. {_basic_ends()}",
            id="bandwidth_mfa.E005",
        )
    elif None not in basic:
        yield Warning(
            f"BANDWIDTH_MFA uses USERNAME and PASSWORD. {_basic_ends()}",
            hint=BASIC_HINT,
            id="bandwidth_mfa.W001",
        )


def _is_basic_over() -> bool:
    return datetime.now(UTC).date() >= BASIC_ENDS


def _basic_ends() -> str:
    if _is_basic_over():
        return "Bandwidth ended USERNAME and PASSWORD (HTTP Basic) on 2 December 2026."
    return (
        "Bandwidth ends USERNAME and PASSWORD (HTTP Basic) on 2 December 2026. It has made no new "
        "ones since 1 April 2026, and has changed none since 1 July."
    )


def _channels() -> Iterator[CheckMessage]:
    if not conf.channels():
        yield Error(
            "BANDWIDTH_MFA has no way to send a code.",
            hint="Set MESSAGING_APPLICATION_ID, VOICE_APPLICATION_ID, or both.",
            id="bandwidth_mfa.E006",
        )


def _scopes() -> Iterator[CheckMessage]:
    if len(set(settings.SCOPES.values())) < len(settings.SCOPES):
        yield Error(
            'Two purposes in BANDWIDTH_MFA["SCOPES"] have the same scope: a code for one would be '
            "accepted for the other.",
            hint="Set a different scope for each purpose.",
            id="bandwidth_mfa.E007",
        )


def _texts() -> Iterator[CheckMessage]:
    """Yield an error if a translation of ``MESSAGE`` cannot carry a code.

    A code is sent in the language of the page, so each translation is checked.
    """
    languages = [language for language, _name in django_settings.LANGUAGES]
    # Django's default is about a hundred languages, and each takes time to load.
    if not django_settings.USE_I18N or django_settings.LANGUAGES == global_settings.LANGUAGES:
        languages = [django_settings.LANGUAGE_CODE]
    for channel in conf.channels():
        problems = {language: _text_problem(channel, language) for language in languages}
        problem = next(filter(None, problems.values()), None)
        if problem is not None:
            failing = ", ".join(language for language in languages if problems[language])
            yield Error(
                f'BANDWIDTH_MFA["MESSAGE"] {problem}, in each language and with the line of '
                f'ORIGIN. Languages with an error, for the channel "{channel}": {failing}.',
                hint="A translation keeps {CODE}, {NAME} and {SCOPE} as they are.",
                id="bandwidth_mfa.E009",
            )


def _text_problem(channel: str, language: str) -> conf.Problem:
    with translation.override(language):
        text = texts.configured_message(channel)
        if callable(text):
            return None
        message = str(text)
        return conf.message_problem(message) or conf.message_problem(
            texts.with_origin(message, channel)
        )


def _digits() -> Iterator[CheckMessage]:
    if settings.DIGITS < 6:
        yield Warning(
            f'BANDWIDTH_MFA["DIGITS"] is {settings.DIGITS}: such short codes are easy to guess.',
            hint="NIST SP 800-63B-4 (3.1.3.2) asks for at least six digits.",
            id="bandwidth_mfa.W002",
        )


def _expiration() -> Iterator[CheckMessage]:
    if settings.EXPIRATION_MINUTES > 10:
        yield Warning(
            'BANDWIDTH_MFA["EXPIRATION_MINUTES"] is over 10.',
            hint="NIST SP 800-63B-4 (3.1.3.2) lets a code be valid for at most 10 minutes.",
            id="bandwidth_mfa.W003",
        )


def _lock() -> Iterator[CheckMessage]:
    if settings.FAILURES_BEFORE_LOCK > 100:
        yield Warning(
            'BANDWIDTH_MFA["FAILURES_BEFORE_LOCK"] is over 100.',
            hint="NIST SP 800-63B-4 (3.2.2) allows at most 100 wrong codes in a row.",
            id="bandwidth_mfa.W006",
        )


def _send_limits() -> Iterator[CheckMessage]:
    for name, ceiling in settings.SEND_CEILINGS.items():
        limits = {rate.seconds: rate for rate in parse_rates(settings.SEND_LIMITS.get(name) or "")}
        for rate in parse_rates(ceiling or ""):
            limit = limits.get(rate.seconds)
            if limit is not None and limit.limit > rate.limit:
                yield Warning(
                    f'BANDWIDTH_MFA["SEND_CEILINGS"]: "{name}" is {rate}, but in SEND_LIMITS it is '
                    f"{limit}. So the limit is never reached.",
                    hint="A ceiling counts every code. A limit counts only codes that nobody "
                    "has typed. Raise the ceiling, or lower the limit.",
                    id="bandwidth_mfa.W009",
                )


def _room_for_a_call() -> Iterator[CheckMessage]:
    if "voice" not in conf.channels():
        return
    weight = settings.CALL_WEIGHT
    for key, limits in (
        ("SEND_LIMITS", settings.SEND_LIMITS),
        ("SEND_CEILINGS", settings.SEND_CEILINGS),
    ):
        for name, text in limits.items():
            for rate in parse_rates(text or ""):
                # Enrolments may use only a part of the site's limit.
                room = max(1, rate.limit // ENROL_SHARE) if name == "site" else rate.limit
                if weight > room:
                    yield Error(
                        f'BANDWIDTH_MFA["{key}"]: "{name}" is {rate}, which allows {room}, but a '
                        f"phone call counts as {weight}. So no call is ever made.",
                        hint="Raise the limit, or lower CALL_WEIGHT. Enrolments can use only a "
                        'tenth of "site".',
                        id="bandwidth_mfa.E008",
                    )


def _policy() -> Iterator[CheckMessage]:
    part = policy.in_force()
    mistakes = [*policies.problems(part)]
    for problem in mistakes or _policy_on_this_site(part):
        yield Error(
            f'BANDWIDTH_MFA["REQUIRED"]: {problem}',
            hint="For policies for the usual cases, see docs/policies.md.",
            id="bandwidth_mfa.E015",
        )
    has_day = any(isinstance(one, policies.FromDate) for one in policies.walk(part))
    if has_day and not mistakes and not any(map(_may_ask_those_with_a_phone, _parts_today(part))):
        yield Warning(
            'BANDWIDTH_MFA["REQUIRED"]: before the day of from_date(), users with a phone sign in '
            "without a code, unless another policy selects them.",
            hint="To ask all users with a phone from now on, use any_of(enrolled, from_date(...)).",
            id="bandwidth_mfa.W017",
        )


def _parts_today(part: policies.Part) -> Iterator[policies.Part]:
    """Yield ``part`` and its parts, without each ``FromDate`` and its parts."""
    if isinstance(part, policies.FromDate):
        return
    yield part
    for one in part.parts if isinstance(part, policies.Policy) else ():
        yield from _parts_today(one)


def _may_ask_those_with_a_phone(part: policies.Part) -> bool:
    wide = policies.Enrolled | policies.Everyone
    return isinstance(part, wide) or not isinstance(part, policies.Policy)


def _policy_on_this_site(part: policies.Part) -> Iterator[str]:
    """Yield one sentence for each question of the policy that this site cannot answer."""
    user_model = get_user_model()
    kinds = {type(one) for one in policies.walk(part)}
    if policies.Staff in kinds and not hasattr(user_model, "is_staff"):
        yield f"{user_model._meta.label} has no attribute is_staff, which the policy `staff` reads."
    if policies.Groups in kinds and not hasattr(user_model, "groups"):
        yield f"{user_model._meta.label} has no attribute groups, which the policy `groups` reads."
    if policies.OtherFactor in kinds and not apps.is_installed(other_factor.ALLAUTH):
        yield f'other_factor needs "{other_factor.ALLAUTH}" in INSTALLED_APPS.'


# Each check, with the keys that must be right before it runs.
_TOGETHER: list[tuple[tuple[str, ...], Callable[[], Iterator[CheckMessage]]]] = [
    (("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD"), _credentials),
    (("MESSAGING_APPLICATION_ID", "VOICE_APPLICATION_ID"), _channels),
    (("SCOPES",), _scopes),
    (("MESSAGE", "ORIGIN", "MESSAGING_APPLICATION_ID", "VOICE_APPLICATION_ID"), _texts),
    (("DIGITS",), _digits),
    (("EXPIRATION_MINUTES",), _expiration),
    (("FAILURES_BEFORE_LOCK",), _lock),
    (("REQUIRED",), _policy),
    (("SEND_LIMITS", "SEND_CEILINGS"), _send_limits),
    (("SEND_LIMITS", "SEND_CEILINGS", "CALL_WEIGHT"), _room_for_a_call),
]


def check_site(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Return the messages about the rest of the site: middleware, URLs, sessions, databases."""
    return [
        *_middleware(),
        *_urls(),
        *_sessions(),
        *_doors(),
        *_refreshes(),
        *_hijack(),
        *_proxies(),
        *_databases(),
        *_sqlite(),
    ]


def _databases() -> Iterator[CheckMessage]:
    """Yield an error if the app's models are written into more than one database.

    One transaction counts a try and updates its challenge, so all tables must be in one
    database.
    """
    models_of: dict[str, list[str]] = {}
    for model in apps.get_app_config("bandwidth_mfa").get_models():
        models_of.setdefault(router.db_for_write(model), []).append(model.__name__)
    if len(models_of) > 1:
        listed = "; ".join(f"{name}: {', '.join(models)}" for name, models in models_of.items())
        yield Error(
            f"The app's models are written to more than one database ({listed}).",
            hint="In DATABASE_ROUTERS, db_for_write() must return the same database for all models "
            "of bandwidth_mfa.",
            id="bandwidth_mfa.E014",
        )


def _is_subclass(path: str, parent: str) -> bool:
    if path == parent:
        return True
    try:
        candidate = import_string(path)
    except ImportError:
        return False
    return isinstance(candidate, type) and issubclass(candidate, import_string(parent))


def _place(parent: str) -> int | None:
    places = (
        place for place, path in enumerate(django_settings.MIDDLEWARE) if _is_subclass(path, parent)
    )
    return next(places, None)


def _middleware() -> Iterator[CheckMessage]:
    ours = _place("django_bandwidth_mfa.middleware.BandwidthMFAMiddleware")
    django = _place("django.contrib.auth.middleware.AuthenticationMiddleware")
    hint = (
        'Add "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware" to MIDDLEWARE, directly '
        'after "django.contrib.auth.middleware.AuthenticationMiddleware".'
    )
    if ours is None:
        yield Error(
            "BandwidthMFAMiddleware is not in MIDDLEWARE.", hint=hint, id="bandwidth_mfa.E010"
        )
    elif django is None or ours < django:
        yield Error(
            "BandwidthMFAMiddleware is not after AuthenticationMiddleware in MIDDLEWARE.",
            hint=hint,
            id="bandwidth_mfa.E011",
        )


def _urls() -> Iterator[CheckMessage]:
    # Imported here, so that commands that run no checks do not load the views.
    from .urls import app_name, urlpatterns

    hint = (
        'Add path("mfa/", include("django_bandwidth_mfa.urls")) to the URLconf, before any pattern '
        "that matches every address."
    )
    taken: dict[str, str] = {}
    for pattern in urlpatterns:
        arguments = dict.fromkeys(pattern.pattern.converters, "x")
        try:
            url = reverse(f"{app_name}:{pattern.name}", kwargs=arguments)
        except NoReverseMatch:
            yield Error(
                "The URLs of django_bandwidth_mfa are not in the URLconf.",
                hint=hint,
                id="bandwidth_mfa.E012",
            )
            return
        other = _view_in_place_of(pattern, app_name, url)
        if other is not None:
            taken[url] = other
    if taken:
        url, view = next(iter(taken.items()))
        more = f" Other URLs with the same error: {len(taken) - 1}." if len(taken) > 1 else ""
        yield Error(
            f"{url} is a URL of django_bandwidth_mfa, but {view} answers requests to it.{more}",
            hint=hint,
            id="bandwidth_mfa.E012",
        )


def _view_in_place_of(pattern: URLPattern, app_name: str, url: str) -> str | None:
    """Return the name of the view that answers at ``url``; None if it is the view of ``pattern``.

    A site may replace a view of this app by a subclass, so a subclass counts as the view, too.
    """
    try:
        match = resolve("/" + url.removeprefix(get_script_prefix()))
    except Resolver404:
        return "no view"
    if match.app_names[-1:] == [app_name] and match.url_name == pattern.name:
        return None
    ours: type = getattr(pattern.callback, "view_class", object)
    theirs = getattr(match.func, "view_class", match.func)
    if isinstance(theirs, type) and issubclass(theirs, ours):
        return None
    named = theirs if hasattr(theirs, "__qualname__") else type(theirs)
    return f"{named.__module__}.{named.__qualname__}"


def _sessions() -> Iterator[CheckMessage]:
    try:
        store = import_module(django_settings.SESSION_ENGINE).SessionStore
    except (ImportError, AttributeError):
        # No request works with such an engine, and Django's own error names it.
        return
    # The class is checked, not the setting, because a store of the site's own may inherit from
    # Django's signed-cookie store.
    if isinstance(store, type) and issubclass(store, SignedCookieStore):
        yield Error(
            "Sessions are stored in signed cookies, so the server cannot end them: an old cookie "
            "can be used again.",
            hint=f"SESSION_ENGINE is {django_settings.SESSION_ENGINE!r}. Set it to an engine that "
            "stores sessions on the server.",
            id="bandwidth_mfa.E013",
        )


def _open_doors() -> Iterator[tuple[Door, str]]:
    """Yield each door that is not silenced, with its hint.

    A door is a way to sign in with the password alone and without a session.  A site silences the
    error id of a kind of doors, or the id of one door.  Django compares whole ids only, so the id
    of a door is compared here.  "W004" silences no door: otherwise a site that silenced it would
    not be told about a new door.
    """
    silenced = set(django_settings.SILENCED_SYSTEM_CHECKS)
    for door in find_doors():
        if silenced.isdisjoint((door.id, door.kind.id)):
            yield (
                door,
                f"{door.kind.closing} If you want to keep this login, for example for machines, "
                f'silence the check: SILENCED_SYSTEM_CHECKS = ["{door.id}"] for this login only, '
                f'or ["{door.kind.id}"] for all logins of this kind. For more, see docs/doors.md.',
            )


def _doors() -> Iterator[CheckMessage]:
    for door, hint in _open_doors():
        yield Warning(f"{door.kind.opens}: {door.place}.", hint=hint, id="bandwidth_mfa.W004")


def _doors_of_deployment() -> Iterator[CheckMessage]:
    """Yield an error for each open door, with the id of its kind.

    ``migrate`` and ``runserver`` run no deployment checks, so these errors do not stop them.
    """
    for door, hint in _open_doors():
        yield Error(f"{door.kind.opens}: {door.place}.", hint=hint, id=door.kind.id)


def _refreshes() -> Iterator[CheckMessage]:
    for place in find_endless_refreshes():
        yield Warning(
            f"A token can be refreshed after its login has ended: {place}.",
            hint='Set SIMPLE_JWT["TOKEN_REFRESH_SERIALIZER"] to "django_bandwidth_mfa.contrib.'
            'simplejwt.serializers.TokenRefreshSerializer". With dj-rest-auth, use the view of '
            "django_bandwidth_mfa.contrib.dj_rest_auth.jwt_auth.get_refresh_view() "
            "(docs/rest-framework.md).",
            id="bandwidth_mfa.W016",
        )
    for place in find_endless_sessions():
        yield Warning(
            f"A session token is accepted after its session has ended: {place}.",
            hint="Set HEADLESS_TOKEN_STRATEGY to SessionTokenStrategy or JWTTokenStrategy of "
            '"django_bandwidth_mfa.contrib.allauth.strategies" (docs/allauth.md).',
            id="bandwidth_mfa.W016",
        )


def _hijack() -> Iterator[CheckMessage]:
    try:
        match = resolve(reverse("hijack:acquire"))
    except (NoReverseMatch, Resolver404):
        return
    view = getattr(match.func, "view_class", match.func)
    if not is_subclass(view, "django_bandwidth_mfa.contrib.hijack.views.AcquireUserView"):
        yield Warning(
            "The URLconf includes the URLs of django-hijack: when staff use a user's account, the "
            "user is sent a code, and staff are signed out.",
            hint='Include "django_bandwidth_mfa.contrib.hijack.urls" instead of "hijack.urls".',
            id="bandwidth_mfa.W008",
        )


def _proxies() -> Iterator[CheckMessage]:
    """Yield a warning if there seems to be a proxy, and ``TRUSTED_PROXIES`` is 0.

    All visitors would then have the proxy's address and share one limit.
    """
    signs = [name for name in PROXY_SETTINGS if getattr(django_settings, name, None)]
    if signs and settings.TRUSTED_PROXIES == 0:
        yield Warning(
            f"{signs[0]} is set, so the site seems to be behind a proxy. But "
            'BANDWIDTH_MFA["TRUSTED_PROXIES"] is 0, so all visitors share one address, and its '
            "limit.",
            hint="Set TRUSTED_PROXIES to the number of your proxies that append to "
            "X-Forwarded-For.",
            id="bandwidth_mfa.W005",
        )


def _sqlite() -> Iterator[CheckMessage]:
    alias = router.db_for_write(Counter)
    connection = connections[alias]
    mode = (connection.settings_dict.get("OPTIONS") or {}).get("transaction_mode") or ""
    if connection.vendor == "sqlite" and str(mode).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        yield Warning(
            f'DATABASES["{alias}"] is SQLite without the transaction mode IMMEDIATE: when two '
            'people sign in at the same moment, one may get the error "database is locked".',
            hint=f'Set DATABASES["{alias}"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE"}}.',
            id="bandwidth_mfa.W007",
        )


def _mail() -> Iterator[CheckMessage]:
    if not settings.NOTIFY:
        return
    # If Django's MAILERS is set, the old settings cannot be read.
    mailers = getattr(django_settings, "MAILERS", None)
    if mailers is None:
        with catch_warnings():
            # Django 6.1 warns when they are read, and has already warned the site.
            simplefilter("ignore")
            backend, timeout = django_settings.EMAIL_BACKEND, django_settings.EMAIL_TIMEOUT
        name = "EMAIL_TIMEOUT"
    elif "default" in mailers:
        backend = mailers["default"].get("BACKEND", SMTP)
        timeout = mailers["default"].get("OPTIONS", {}).get("timeout")
        name = 'MAILERS["default"]["OPTIONS"]["timeout"]'
    else:
        return  # Django's own check says that no mail can be sent.
    if backend == SMTP and timeout is None:
        yield Warning(
            f"{name} is not set: if the mail server does not answer, users wait when they change "
            "their second factor.",
            hint=f"Set {name} = 10 (seconds), or use a mail backend with a queue.",
            id="bandwidth_mfa.W015",
        )


def check_deployment(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Return the messages about settings that are safe only on a developer's machine."""
    reported: list[CheckMessage] = [*_basic_at_bandwidth(), *_doors_of_deployment()]
    if not django_settings.SESSION_COOKIE_SECURE:
        reported.append(
            Warning(
                "SESSION_COOKIE_SECURE is off: others on the network can steal a verified session.",
                hint="Set SESSION_COOKIE_SECURE = True.",
                id="bandwidth_mfa.W010",
            )
        )
    for key in ("BASE_URL", "TOKEN_URL"):
        if str(getattr(settings, key)).startswith("http://"):
            reported.append(
                Warning(
                    f'BANDWIDTH_MFA["{key}"] is plain HTTP: codes and credentials can be read.',
                    hint="Use https://.",
                    id="bandwidth_mfa.W011",
                )
            )
    if "TRUSTED_PROXIES" not in configured():
        reported.append(
            Warning(
                'BANDWIDTH_MFA["TRUSTED_PROXIES"] is not set: behind a proxy all visitors share '
                "one address, and its limit.",
                hint="Set it to the number of your proxies in front of the site, or to 0 if there "
                "is none.",
                id="bandwidth_mfa.W012",
            )
        )
    if settings.RECEIPT_SECRET is not None and "*" in django_settings.ALLOWED_HOSTS:
        reported.append(
            Warning(
                'ALLOWED_HOSTS contains "*": with the Host header, a visitor can choose where '
                "receipts are sent. The address for receipts contains RECEIPT_SECRET.",
                hint="List the hosts of the site in ALLOWED_HOSTS.",
                id="bandwidth_mfa.W013",
            )
        )
    reported += _mail()
    secret = settings.RECEIPT_SECRET
    if secret is not None and len(secret) < SHORTEST_SECRET:
        reported.append(
            Warning(
                f'BANDWIDTH_MFA["RECEIPT_SECRET"] has fewer than {SHORTEST_SECRET} characters.',
                hint="Only this secret protects the address for receipts. Use a long random one.",
                id="bandwidth_mfa.W014",
            )
        )
    return reported


def _basic_at_bandwidth() -> Iterator[CheckMessage]:
    """Yield an error if Bandwidth no longer accepts the credentials, so that no code can be sent.

    It is a deployment check, which ``migrate`` does not run.  So this error does not stop the
    upgrade of a site half way.
    """
    host = urlsplit(str(settings.BASE_URL)).hostname or ""
    is_basic = settings.USERNAME is not None and settings.CLIENT_ID is None
    if is_basic and _is_basic_over() and host.endswith(BANDWIDTHS_DOMAIN):
        yield Error(
            "BANDWIDTH_MFA uses USERNAME and PASSWORD: nobody gets a code. " + _basic_ends(),
            hint=BASIC_HINT,
            id="bandwidth_mfa.W001",
        )
