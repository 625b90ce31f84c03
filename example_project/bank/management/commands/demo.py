"""``manage.py demo`` runs the example and the simulator on one machine, without any setup."""

import io
import signal
import socket
import sys
import threading
import webbrowser
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError, call_command
from django.utils import timezone

from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.simulator import Simulator

HOST = "127.0.0.1"
PASSWORD = "demo-password"  # noqa: S105 - the demo's, printed on its login page

REAL = """
  Codes are sent by Bandwidth, from account {account}, and cost what they cost there.
  Each user adds a phone of their own at the first login.
"""
SIMULATED = """
  Phone     {inbox}   (codes arrive here)
"""
BANNER = """
  ----------------------------------------------------------------
  Harbour Credit Union, the example site of django-bandwidth-mfa

  Site      {site}{codes}
  Users     demo       a member{phone}
            newcomer   a member without a phone
            admin      staff{phone}; may open {site}admin/
  Password  {password}

  Ctrl-C stops everything.
  ----------------------------------------------------------------
"""


class Command(BaseCommand):
    help = (
        "Start the example site on a new SQLite database, with some users. A simulator replaces "
        "Bandwidth unless BANDWIDTH_MFA_ACCOUNT_ID is set."
    )
    requires_system_checks = ()  # they might open the database before the demo chooses it

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="of the site")
        parser.add_argument("--simulator-port", type=int, default=8001, help="of the simulator")
        parser.add_argument("--no-browser", action="store_true", help="open no browser")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo needs DEBUG=True: remove DEBUG from the environment.")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        port = options["port"]
        site = f"http://{HOST}:{port}/"
        with ExitStack() as stack:
            require_free(port)
            inbox = ""
            if settings.SIMULATOR_URL:
                inbox = start_simulator(options["simulator_port"], stack)
                codes = SIMULATED.format(inbox=inbox)
            else:
                codes = REAL.format(account=settings.BANDWIDTH_MFA["ACCOUNT_ID"])
            make_database(settings.BASE_DIR / "demo.sqlite3")
            make_users(with_phones=bool(inbox))
            settings.DEMO_USERS = True
            phone = " with a phone" if inbox else ""
            self.stdout.write(BANNER.format(site=site, codes=codes, phone=phone, password=PASSWORD))
            if not options["no_browser"]:
                stack.callback(open_soon(site).cancel)
            # The banner above replaces its greeting. Its errors and its log still appear on stderr.
            call_command("runserver", f"{HOST}:{port}", use_reloader=False, stdout=io.StringIO())


def require_free(port: int) -> None:
    """Raise an error that names the helpful option, before anything is changed."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise CommandError(f"Port {port}: {error}. Choose another with --port.") from error


def start_simulator(port: int, stack: ExitStack) -> str:
    """Run a simulator until ``stack`` closes, make the site use it, and return its inbox."""
    try:
        simulator = stack.enter_context(Simulator(port=port, name="Harbour"))
    except (OSError, OverflowError) as error:
        raise CommandError(
            f"Port {port}: {error}. Choose another with --simulator-port."
        ) from error
    settings.SIMULATOR_URL = simulator.url
    settings.BANDWIDTH_MFA |= {
        "BASE_URL": simulator.base_url,
        "TOKEN_URL": simulator.token_url,
    }
    return simulator.inbox_url


def make_database(path: Path) -> None:
    """Make a new database each time, so that no lock or wait of an earlier run remains."""
    path.unlink(missing_ok=True)
    settings.DATABASES["default"] |= {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {},
    }
    call_command("migrate", verbosity=0)


def make_users(*, with_phones: bool) -> None:
    demo = User.objects.create_user("demo", password=PASSWORD)
    User.objects.create_user("newcomer", password=PASSWORD)
    admin = User.objects.create_superuser("admin", password=PASSWORD)
    if with_phones:  # numbers that are reserved for fiction: only the simulator delivers to them
        for user, number in ((demo, "+12025550142"), (admin, "+12025550187")):
            Phone.objects.create(
                user=user, number=number, is_primary=True, confirmed_at=timezone.now()
            )


def open_soon(site: str) -> threading.Timer:
    """Open the browser after the server has had a second to start."""
    timer = threading.Timer(1, webbrowser.open, [site])
    timer.daemon = True
    timer.start()
    return timer
