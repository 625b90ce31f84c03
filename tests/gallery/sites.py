"""The sites that the gallery visits: the demo, with other settings in each, in all languages."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from tests.browser.demo import Demo
from tests.pseudo_language import LEFT_TO_RIGHT, RIGHT_TO_LEFT, write_catalogues

# Settings of the copy of the example site.  It takes the language that the browser asks for, and
# writes its mails into a folder.
SETTINGS = """
from example.settings import *
from django.conf.global_settings import LANGUAGES as DJANGOS

ALLOWED_HOSTS = ["127.0.0.1"]
LANGUAGES = [*DJANGOS, ({left_to_right!r}, "Pseudo"), ({right_to_left!r}, "Pseudo, RTL")]
LOCALE_PATHS = [{catalogues!r}]
sessions = MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware")
if "django.middleware.locale.LocaleMiddleware" not in MIDDLEWARE:
    MIDDLEWARE.insert(sessions + 1, "django.middleware.locale.LocaleMiddleware")
users = MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware")
MIDDLEWARE.insert(users + 1, "gallery_settings.act_for_somebody")
MIDDLEWARE.append("gallery_settings.keep_a_place")
MIDDLEWARE.insert(0, "gallery_settings.lose_the_database")
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = {mails!r}
BANDWIDTH_MFA |= {bandwidth_mfa!r}
# Hundreds of passwords are given.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def act_for_somebody(get_response):
    '''Staff use the account of the user in the cookie ``acts_for``, as impersonation apps do.'''

    def middleware(request):
        if name := request.COOKIES.get("acts_for"):
            from django.contrib.auth.models import User
            request.user = User.objects.get(username=name)
        return get_response(request)

    return middleware


def keep_a_place(get_response):
    '''With the cookie ``keeps_place``, another call to Bandwidth is under way while a form is
    answered.'''

    def middleware(request):
        if request.method != "POST" or "keeps_place" not in request.COOKIES:
            return get_response(request)
        from django_bandwidth_mfa.internal.codes import provider
        with provider.breaker().guard():
            return get_response(request)

    return middleware


def lose_the_database(get_response):
    '''With the cookie ``without_database``, SQLite finds no file, on a site in production.'''

    def middleware(request):
        if "without_database" not in request.COOKIES:
            return get_response(request)
        from django.conf import settings
        from django.db import connection
        name = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = "/nowhere/demo.sqlite3"
        settings.DEBUG = False
        try:
            return get_response(request)
        finally:
            settings.DEBUG = True
            connection.settings_dict["NAME"] = name

    return middleware


def get_phones(user):
    '''A site that keeps the numbers itself.'''
    return [] if user.username.startswith("newcomer") else ["+12065550100"]
"""

NO_LIMITS = {"user": "", "number": "", "address": "", "prefix": "", "site": ""}
NO_CEILINGS = {**NO_LIMITS, "country": ""}
PATIENT = {"SEND_LIMITS": NO_LIMITS, "SEND_CEILINGS": NO_CEILINGS, "RESEND_COOLDOWN": [0]}

# The extra settings of each site.  By default a site is a demo where nobody has to wait.
SITES: dict[str, dict[str, Any]] = {
    "patient": {},
    "cooldown": {"RESEND_COOLDOWN": [30, 60, 120, 240]},
    "user limit": {"SEND_LIMITS": {**NO_LIMITS, "user": "1/h"}},
    "number limit": {"SEND_LIMITS": {**NO_LIMITS, "number": "1/h"}},
    "network limit": {"SEND_LIMITS": {**NO_LIMITS, "address": "1/h"}},
    "site limit": {"SEND_LIMITS": {**NO_LIMITS, "site": "1/h"}},
    "few tries": {"TRIES_PER_CHALLENGE": 2, "FAILURES_BEFORE_WAIT": 50},
    "receipts": {"RECEIPT_SECRET": "a-word-that-only-the-demo-knows"},
    "receipts, no calls": {
        "RECEIPT_SECRET": "a-word-that-only-the-demo-knows",
        "VOICE_APPLICATION_ID": None,
    },
    "trusting": {"TRUST_DAYS": 30, "DEFAULT_REGION": "US"},
    "optional": {"REQUIRED": "enrolled"},
    "few calls": {"MAX_CONCURRENT_CALLS": 1, "MAX_WAITING_CALLS": 0},
    "numbers kept": {"GET_PHONES": "gallery_settings.get_phones"},
    "short login": {"LOGIN_SECONDS": 1},
}


class Sites:
    """The running sites, each started when the first state asks for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mails = folder / "mails"
        self.mails.mkdir()
        self.catalogues = folder / "locale"
        write_catalogues(self.catalogues)
        self._running: dict[str, Site] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Sites:
        return self

    def __exit__(self, *problem: object) -> None:
        self._stack.close()

    def get(self, name: str) -> Site:
        if name not in self._running:
            self._running[name] = self._stack.enter_context(Site(name, self))
        return self._running[name]


class Site(Demo):
    """A demo with other settings, and with enough members: each visit uses new members."""

    # These numbers are reserved for fiction, in the area codes of several cities.
    numbers = tuple(
        f"+1{area}555{n:04}"
        for area in (206, 212, 312, 415, 503, 617, 713, 808)
        for n in range(100, 200)
    )

    def __init__(self, name: str, sites: Sites) -> None:
        folder = sites.folder / name.replace(" ", "-").replace(",", "")
        folder.mkdir()
        super().__init__(folder, {"DJANGO_SETTINGS_MODULE": "gallery_settings"})
        (self.project / "gallery_settings.py").write_text(
            SETTINGS.format(
                left_to_right=LEFT_TO_RIGHT,
                right_to_left=RIGHT_TO_LEFT,
                catalogues=str(sites.catalogues),
                mails=str(sites.mails),
                bandwidth_mfa={**PATIENT, **SITES[name]},
            )
        )

    def __enter__(self) -> Site:
        super().__enter__()
        self.change_rows("UPDATE auth_user SET email = username || '@example.com'")
        return self

    def change_rows(self, statement: str, *values: object) -> None:
        """Change rows of the site's database, where real waiting would take too long."""
        path = self.project / "demo.sqlite3"
        with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
            connection.execute(statement, values)
