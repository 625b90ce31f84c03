"""Run one site in a separate process: ``python -m benchmarks.worker SITE``.

Each line of its input names a function of :mod:`benchmarks.tasks` and its arguments, as JSON:
``{"do": "sign_in.sign_in", "people": 20}``.  The worker answers with one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable

from benchmarks.browser import Answer, Application, Browser, Request


class Site:
    """The site that this process is.

    ``name``: a package in :mod:`benchmarks.sites`.
    """

    def __init__(self, name: str) -> None:
        os.environ["DJANGO_SETTINGS_MODULE"] = f"benchmarks.sites.{name}.settings"
        from django.core.management import call_command
        from django.core.wsgi import get_wsgi_application

        self.application: Application = get_wsgi_application()
        call_command("migrate", verbosity=0)
        # A site's own models have no migrations. Their tables come last: they refer to the others.
        call_command("migrate", verbosity=0, run_syncdb=True)
        self.people = importlib.import_module(f"benchmarks.sites.{name}.people")
        self.next_person = 0

    def add_people(self, count: int) -> list[int]:
        """Make ``count`` users, and return their numbers."""
        numbers = list(range(self.next_person, self.next_person + count))
        self.next_person += count
        self.people.add(numbers)
        return numbers

    def sign_in(
        self, n: int, ask: Callable[[Browser, Request], Answer] = Browser.ask
    ) -> tuple[Browser, dict[str, Answer]]:
        """Sign the n-th user in; returns the browser, and the answer of each step.

        :param ask: how the browser asks; it may look at what the request does.
        :raises RuntimeError: the last page does not say that this user is signed in.
        """
        from benchmarks.sites.making import address, name

        browser, answers = Browser(self.application, address(n)), {}
        sign_in = self.people.sign_in(n)
        step, request = next(sign_in)
        while True:
            answer = answers[step] = ask(browser, request)
            try:
                step, request = sign_in.send(answer)
            except StopIteration:
                break
        if not is_page_of(answers["page"], name(n)):
            raise RuntimeError(f"{name(n)} is not signed in: {answers}")
        return browser, answers


def is_page_of(answer: Answer, name: str) -> bool:
    """Return whether ``answer`` is the page of this user after a complete sign-in."""
    return answer.status == 200 and f"Signed in: {name}<" in answer.text


def main(name: str) -> None:
    # Other output must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    site = Site(name)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        arguments = json.loads(line)
        module, _, function = arguments.pop("do").rpartition(".")
        task = getattr(importlib.import_module(f"benchmarks.tasks.{module}"), function)
        print(json.dumps(task(site, **arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
