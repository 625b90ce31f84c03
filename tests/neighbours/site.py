"""A complete site in a separate process: settings, URLconf, a user with a phone, and a visit.

``visit(...)`` starts the process, which runs this module as a program.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Message:
    """The message of one system check."""

    id: str
    text: str
    hint: str


@dataclass(frozen=True)
class Outcome:
    """The result of a visit, and the messages of the site's system checks."""

    result: Any
    """The value of ``result`` at the end of the visit."""
    messages: list[Message]
    """The messages of ``check --deploy`` about doors."""

    def ids(self) -> list[str]:
        return sorted({message.id.removeprefix("bandwidth_mfa.") for message in self.messages})


def visit(*, apps: tuple[str, ...], settings: str = "", urls: str, program: str) -> Outcome:
    """Run ``program`` on the site. The program has a ``client`` and the user ``ada``, and sets
    ``result``.

    :param settings: lines of a settings file, after the lines of the base settings.
    :param urls: the source of the URLconf; the app's own URLs are added to it.
    """
    site = {"apps": apps, "settings": settings, "urls": urls, "program": program}
    done = subprocess.run(
        [sys.executable, "-m", "tests.neighbours.site"],
        cwd=ROOT,
        input=json.dumps(site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    return Outcome(answer["result"], [Message(*one) for one in answer["messages"]])


BASE_URLS = """
from django.contrib.auth.views import LoginView
from django.urls import include, path

urlpatterns = [
    path("mfa/", include("django_bandwidth_mfa.urls")),
    path("accounts/login/", LoginView.as_view(), name="login"),
    *urlpatterns,
]
"""


def configure(apps: list[str], source: str) -> None:
    from django.conf import settings

    from tests import settings as base

    class NoMigrations:
        """Makes tables directly from the models. This is faster, and the packages' migrations are
        not tested here."""

        def __contains__(self, app: str) -> bool:
            return True

        def __getitem__(self, app: str) -> None:
            return None

    values: dict[str, Any] = {
        **{name: value for name, value in vars(base).items() if name.isupper()},
        "AUTH_USER_MODEL": "auth.User",
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": ":memory:",
                "OPTIONS": {"transaction_mode": "IMMEDIATE"},
            }
        },
        "INSTALLED_APPS": [
            *(app for app in base.INSTALLED_APPS if not app.startswith(("tests.", "allauth"))),
            *apps,
        ],
        "MIDDLEWARE": [
            one
            for one in base.MIDDLEWARE
            if not one.startswith("allauth") or any(app.startswith("allauth") for app in apps)
        ],
        "MIGRATION_MODULES": NoMigrations(),
        "ROOT_URLCONF": "site_urls",
        "SECRET_KEY": "for the tests only: long enough for HS256",
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",
    }
    exec(source, values)  # noqa: S102
    settings.configure(**{name: value for name, value in values.items() if name.isupper()})


def main() -> None:
    """Read the site from the standard input. Print the result and the messages as the last line."""
    site = json.load(sys.stdin)
    configure(site["apps"], site["settings"])
    from types import ModuleType

    import django
    from django.core.checks import run_checks
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    django.setup()
    setup_test_environment()
    call_command("migrate", run_syncdb=True, verbosity=0)
    from tests.conftest import NUMBER, PASSWORD, make_user

    urls = ModuleType("site_urls")
    sys.modules["site_urls"] = urls
    # Many pages add to the patterns of the reader's file.
    exec("urlpatterns = []\n" + site["urls"] + BASE_URLS, urls.__dict__)  # noqa: S102
    values: dict[str, Any] = {
        "client": Client(),
        "ada": make_user("ada", NUMBER),
        "password": PASSWORD,
        "result": None,
    }
    exec(site["program"], values)  # noqa: S102
    doors = ("bandwidth_mfa.W004", "bandwidth_mfa.W016", "bandwidth_mfa.E02")
    messages = [
        (message.id, message.msg, message.hint)
        for message in run_checks(include_deployment_checks=True)
        if str(message.id).startswith(doors) and not message.is_silenced()
    ]
    print(json.dumps({"result": values["result"], "messages": messages}))


if __name__ == "__main__":
    main()
