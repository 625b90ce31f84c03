"""Kill a process at every point of a user's action, and check the state that is left.

It is a separate program, because it forks. ``python -m tests.proof.killing BASE_URL``, with the
database in ``DATABASE_URL``, prints one line of JSON for each point. Two points count as one if
nothing left the process between them: no query, no begin or end of a transaction, no request to
Bandwidth.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import sys
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import django

ACTIONS = ("open the page", "type the code", "ask for another", "use a recovery code")


class Tracer:
    """Kills the process at the ``kill_at``-th point of its run."""

    def __init__(self, kill_at: int) -> None:
        import django.contrib.auth
        import django.contrib.sessions.backends as backends
        from django.db import connection

        import django_bandwidth_mfa

        self.traced = (
            str(Path(django_bandwidth_mfa.__file__).parent),
            str(Path(django.contrib.auth.__file__)),
            str(Path(backends.__file__).parent),
        )
        self.connection = connection
        self.kill_at = kill_at
        self.points = self.queries = self.requests = 0
        self.effects: Any = None

    def count_query(self, execute: Any, *args: Any) -> Any:
        self.queries += 1
        return execute(*args)

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self.traced):
            return None
        if event in ("call", "return") and frame.f_code.co_name == "_attempt":
            self.requests += 1
        effects = (self.queries, self.connection.in_atomic_block, self.requests)
        if event == "line" and effects != self.effects:
            self.effects = effects
            self.points += 1
            if self.points == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def in_child(work: Callable[[], Any]) -> Any:
    """Return the result of ``work`` in a forked child process. Return ``{"killed": …}`` if the
    child is killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump(work(), pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        output = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        return {"killed": -code}
    if code:
        raise SystemExit(f"a child failed: {code}")
    return json.loads(output)


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


class Person:
    """A person with a phone number, and what the simulator knows about the number."""

    def __init__(self, n: int, simulator: str) -> None:
        self.number = f"+1202555{n:04}"
        self.username = f"person{n}"
        self.simulator = simulator

    def codes(self) -> list[str]:
        """Return the codes that were sent to the number, the newest first."""
        inbox = get_json(f"{self.simulator}/inbox.json")
        return [message["code"] for message in inbox if message["to"] == self.number]

    def count_requests(self, what: str) -> int:
        """Return how many requests of the type ``what`` for this number reached Bandwidth."""
        return sum(
            isinstance(one["body"], dict)
            and one["body"].get("to") == self.number
            and one["path"].endswith(f"/{what}")
            for one in get_json(f"{self.simulator}/requests.json")
        )

    def begin(self, action: str) -> dict[str, str]:
        """Do everything that comes before ``action``."""
        from django.test import Client

        from tests.browsing import give_password
        from tests.conftest import give_recovery_codes, make_user

        user = make_user(self.username, self.number)
        recovery_code = give_recovery_codes(user)[0]
        client = Client()
        give_password(client, user)
        if action != "open the page":
            client.get("/mfa/verify/")
        code = (self.codes() or [""])[0]
        cookie = client.cookies["sessionid"].value
        return {"cookie": cookie, "code": code, "recovery_code": recovery_code}

    def do(self, action: str, begun: dict[str, str], kill_at: int) -> None:
        """Do ``action``. Die at the ``kill_at``-th point, if the action has so many points."""
        from django.db import connection

        client = self.browser(begun)
        connection.ensure_connection()
        tracer = Tracer(kill_at)
        with connection.execute_wrapper(tracer.count_query):
            sys.settrace(tracer)
            if action == "open the page":
                client.get("/mfa/verify/")
            elif action == "type the code":
                client.post("/mfa/verify/", {"code": begun["code"]})
            elif action == "ask for another":
                client.post("/mfa/send/", {"channel": "sms"})
            else:
                client.post("/mfa/recovery-code/", {"recovery_code": begun["recovery_code"]})
            sys.settrace(None)

    def browser(self, begun: dict[str, str]) -> Any:
        from django.test import Client

        client = Client()
        client.cookies["sessionid"] = begun["cookie"]
        return client

    def look(self, action: str, begun: dict[str, str]) -> dict[str, Any]:
        """Return the state after the death, and whether the person can still sign in."""
        from tests.browsing import give_password, state

        user = self.user()
        wrongs = [*self.uncounted(user), *self.half_made_logins(user)]
        client = self.browser(begun)
        if state(client) == "anonymous":  # The parked login was lost, too: begin with the password.
            give_password(client, user)
        used = self.used(user, action)
        client.get("/mfa/verify/")
        self.type_in(client, action, begun, begun["code"])
        if used and state(client) == "verified":
            wrongs.append("the same code let in twice")
        if state(client) != "verified":
            client.post("/mfa/send/", {"channel": "sms"})
            client.post("/mfa/verify/", {"code": (self.codes() or [""])[0]})
        wrongs += self.uncounted(user)
        lost = state(client) != "verified"
        again = self.browser({"cookie": ""})
        give_password(again, user)
        self.type_in(again, action, begun, begun["code"])
        doubled = state(again) == "verified" or "the same code let in twice" in wrongs
        return {"lost": lost, "doubled": doubled, "wrongs": wrongs}

    def user(self) -> Any:
        from django.contrib.auth import get_user_model

        return get_user_model().objects.get(username=self.username)

    def used(self, user: Any, action: str) -> bool:
        """Return whether the killed process had marked the code as used."""
        from django_bandwidth_mfa.models import Challenge, RecoveryCode

        if action == "use a recovery code":
            return RecoveryCode.objects.filter(user=user, used_at__isnull=False).exists()
        return Challenge.objects.filter(user=user, passed_at__isnull=False).exists()

    def type_in(self, client: Any, action: str, begun: dict[str, str], code: str) -> None:
        if action == "use a recovery code":
            client.post("/mfa/recovery-code/", {"recovery_code": begun["recovery_code"]})
        elif code:
            client.post("/mfa/verify/", {"code": code})

    def uncounted(self, user: Any) -> list[str]:
        """Return how many requests reached Bandwidth without being in a counter."""
        from django.db.models import Sum

        from django_bandwidth_mfa.internal.limits import rules, store
        from django_bandwidth_mfa.models import Challenge, Counter

        # Nothing is given back to the ceiling. Less than one send has leaked out.
        send = rules.Send(user, None, "login", "sms", is_proven=True, address=None)
        [hourly] = [one for one in send.ceilings if one.name == "user" and one.rate.limit == 20]
        row = Counter.objects.filter(key=hourly.key).first()
        sends = math.ceil((row.moment - store.now()) / hourly.amount) if row else 0
        mine = Challenge.objects.filter(user=user)
        tries = mine.aggregate(all=Sum("tries", default=0))["all"]
        faults = []
        if self.count_requests("messaging") > sends:
            faults.append("a send is not counted")
        if self.count_requests("verify") > tries:
            faults.append("a try is not counted")
        failures = rules.count_failures(user)
        if not self.used(user, "") and self.count_requests("verify") > failures:
            faults.append("a failure is not counted")
        return faults

    def half_made_logins(self, user: Any) -> list[str]:
        from django.contrib.auth import SESSION_KEY
        from django.contrib.sessions.models import Session

        from django_bandwidth_mfa.internal.login.mark import MARK
        from django_bandwidth_mfa.internal.login.parking import PARKED

        faults = []
        for session in Session.objects.all():
            data = session.get_decoded()
            if data.get(SESSION_KEY) != str(user.pk):
                continue
            if data.get(MARK, {}).get("state") != "verified" or PARKED in data:
                faults.append("a session is logged in without the mark")
        return faults


def warm_up() -> None:
    """Import the modules that a request needs, once and without a database, for all children."""
    from django.template.loader import get_template
    from django.test import Client

    Client().get("/mfa/verify/")
    for name in ("verify", "recovery_code", "phone_add"):
        get_template(f"bandwidth_mfa/{name}.html")


def main(simulator: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["testserver"]
    settings.BANDWIDTH_MFA |= {
        "BASE_URL": f"{simulator}/api/v1",
        "TOKEN_URL": f"{simulator}/api/v1/oauth2/token",
        "RESEND_COOLDOWN": [0],
        "SEND_LIMITS": {"address": "", "site": ""},
    }
    warm_up()
    people = itertools.count()
    for action in ACTIONS:
        for point in itertools.count(1):
            person = Person(next(people), simulator)
            begun = in_child(partial(person.begin, action))
            if not in_child(lambda: person.do(action, begun, point)):  # noqa: B023
                break
            result = in_child(partial(person.look, action, begun))
            print(json.dumps({"action": action, "point": point, **result}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
