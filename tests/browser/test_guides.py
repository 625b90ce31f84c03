"""The script of docs/single-page-app.md, on the site that the tutorial and this guide build.

The blocks of both pages are pasted into a new project, as a reader does it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from django_bandwidth_mfa.simulator import Simulator
from tests.code_blocks import ROOT, blocks

from .demo import PASSWORD, START_SECONDS, answers, free_ports
from .test_sign_in import wrong

TUTORIAL, GUIDE = "docs/tutorial.md", "docs/single-page-app.md"

ADD_ADA = f"""
from django.contrib.auth.models import User
from django.utils import timezone
from django_bandwidth_mfa.models import Phone

ada = User.objects.create_superuser("ada", password={PASSWORD!r})
Phone.objects.create(
    user=ada, number="+12025550142", is_primary=True, confirmed_at=timezone.now()
)
"""


@dataclass(frozen=True)
class Site:
    """The site of the guide, and the simulator that sends its codes."""

    url: str
    simulator: Simulator

    def newest_code(self) -> str:
        return self.simulator.inbox[0]["code"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The project of the tutorial, in which ``ada`` has a phone, with the page of the guide."""
    folder = tmp_path_factory.mktemp("guide")
    with Simulator() as simulator:
        environment = environment_of_site(simulator)
        run(folder, environment, "-m", "django", "startproject", "mysite", ".")
        paste_blocks(folder)
        run(folder, environment, "manage.py", "migrate")
        run(folder, environment, "manage.py", "shell", "-c", ADD_ADA)
        [port] = free_ports(1)
        command = [sys.executable, "manage.py", "runserver", "--noreload", str(port)]
        log = folder / "site.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            running = Site(f"http://127.0.0.1:{port}", simulator)
            wait_until_it_answers(f"{running.url}/admin/login/", process, log)
            yield running
        finally:
            process.terminate()
            process.wait(timeout=10)


def environment_of_site(simulator: Simulator) -> dict[str, str]:
    """Return the environment of the site: the lines ``export`` of the tutorial."""
    ours = ("BANDWIDTH_", "DJANGO_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    [lines] = [
        block.text for block in blocks("sh", pages=[TUTORIAL]) if "_ACCOUNT_ID=" in block.text
    ]
    words = [word for word in shlex.split(lines) if word != "export"]
    exported = dict(word.split("=", 1) for word in words)
    addresses = {
        "BANDWIDTH_MFA_BASE_URL": simulator.base_url,
        "BANDWIDTH_MFA_TOKEN_URL": simulator.token_url,
    }
    return {**inherited, **exported, **addresses, "PYTHONPATH": str(ROOT)}


def paste_blocks(folder: Path) -> None:
    """Add each block of Python to the file that its first line names, and make the template."""
    for block in blocks("python", pages=[TUTORIAL, GUIDE]):
        with (folder / block.label).open("a") as file:
            file.write(block.text)
    [page] = blocks("html", pages=[GUIDE])
    (folder / "templates").mkdir()
    (folder / "templates/app.html").write_text(page.text)


def run(folder: Path, environment: Mapping[str, str], *arguments: str) -> None:
    """Run Python in ``folder``.

    :raises RuntimeError: it failed; the message has its output.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{arguments} failed:\n{done.stdout}{done.stderr}")


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the page ``url`` is shown.

    :raises RuntimeError: the process ended, or a minute has passed.
    """
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if answers(url):
            return
        time.sleep(0.1)
    raise RuntimeError(f"No answer from {url}:\n{log.read_text()}")


def give_password(page: Page, password: str) -> None:
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def type_code(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Continue").click()


def test_the_script_of_the_guide_signs_a_member_in(page: Page, site: Site) -> None:
    """Fails when a line of the script is broken: tried with each address, with the CSRF token, and
    without the second ``getState``."""
    message = page.get_by_role("alert")
    page.goto(f"{site.url}/app/")
    expect(message).to_have_text("anonymous")
    expect(page.get_by_label("Code")).to_be_hidden()
    give_password(page, "not the password")
    expect(message).to_have_text("The username or the password is wrong.")
    give_password(page, PASSWORD)
    expect(message).to_have_text("parked")
    expect(page.get_by_label("Password")).to_be_hidden()
    page.reload()
    expect(message).to_have_text("parked")
    type_code(page, wrong(site.newest_code()))
    expect(message).to_contain_text("That is not the code we sent.")
    type_code(page, site.newest_code())
    expect(message).to_have_text("verified")
    expect(page.get_by_label("Code")).to_be_hidden()
    assert len(site.simulator.inbox) == 1
    page.goto(f"{site.url}/transfer/")
    expect(page.locator("body")).to_contain_text("You typed a code at ")
