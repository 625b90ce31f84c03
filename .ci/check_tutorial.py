"""Follow docs/tutorial.md in a new folder, word by word, and sign in over HTTP.

The commands and the code are those of the page, with two differences. The ports are free ones. The
page that asks for a new code asks sooner, so that the program need not wait for a minute. The
argument is a folder that contains the wheel of the app.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

PAGE = Path(__file__).parent.parent / "docs/tutorial.md"
PASSWORD = "correct-horse-battery"
NUMBER = "+1 202 555 0142"


def free_ports() -> tuple[int, int]:
    """Return two unused ports of the loopback address."""
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        return first.getsockname()[1], second.getsockname()[1]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Repeat until ``condition`` holds. End the program if it does not hold within a minute."""
    for _ in range(240):
        try:
            if condition():
                print("ok  ", what)
                return
        except requests.RequestException:
            pass
        time.sleep(0.25)
    sys.exit(f"FAIL {what}")


def expect(is_true: bool, what: str) -> None:
    print("ok  " if is_true else "FAIL", what)
    if not is_true:
        sys.exit(1)


class Reader:
    """A reader who follows the page, with two terminals and a browser."""

    def __init__(self, folder: Path, wheels: str) -> None:
        self.site_port, self.simulator_port = free_ports()
        self.site = f"http://127.0.0.1:{self.site_port}"
        self.folder = folder
        self.typed: list[str] = []
        self.started: list[subprocess.Popen[bytes]] = []
        self.browser = requests.Session()
        links = os.environ.get("PIP_FIND_LINKS", "")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BANDWIDTH_MFA_", "DJANGO_", "VIRTUAL_ENV"))
        } | {"PIP_FIND_LINKS": f"{wheels} {links}".strip()}
        self.text = PAGE.read_text().replace("max_age=60", "max_age=5")
        for shown, port in (("8000", self.site_port), ("8001", self.simulator_port)):
            self.text = re.sub(rf"(?<=[: ]){shown}\b", str(port), self.text)

    def follow(self) -> None:
        """Do what each block of code says, in the order of the page."""
        for section in re.split(r"^## ", self.text, flags=re.MULTILINE)[1:]:
            print("==", section.partition("\n")[0])
            for language, block in re.findall(r"^```(\w+)\n(.*?)^```", section, re.M | re.S):
                (self.write if language == "python" else self.type)(block)
            if section.startswith("4."):
                wait_until(lambda: self.get("/admin/login/").ok, "the site answers")
            elif section.startswith("5."):
                self.add_a_phone()
            elif section.startswith("6."):
                self.sign_in_with_a_code()
            elif section.startswith("7."):
                self.open_the_page_that_asks_again()

    def write(self, block: str) -> None:
        """Add a block of Python to the file that its first line names."""
        [name] = re.findall(r"^# (\S+\.py)$", block.partition("\n")[0])
        with (self.folder / "bank" / name).open("a") as file:
            file.write("\n" + block)

    def type(self, block: str) -> None:
        """Type a block into a terminal. A server that its last command starts keeps running."""
        in_second_terminal = block.startswith("# In the second terminal")
        is_server = in_second_terminal or "runserver" in block
        if in_second_terminal:
            self.run(block, self.folder / "bank", wait=False)
            return
        # A terminal keeps its folder and its variables, so those commands are repeated.
        kept = re.findall(r"^(?:cd|export|\.) .*", "\n".join(self.typed), re.MULTILINE)
        self.typed.append(block)
        self.run("\n".join([*kept, block]), self.folder, wait=not is_server)

    def run(self, script: str, folder: Path, *, wait: bool) -> None:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not wait:
            self.started.append(process)
        elif process.wait():
            sys.exit(f"FAIL this ended with an error:\n{script}")

    def stop(self) -> None:
        """End the servers."""
        for process in self.started:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    # In the browser

    def get(self, path: str) -> requests.Response:
        return self.browser.get(self.site + path, timeout=10)

    def post(self, path: str, *, on: str = "", **data: str) -> requests.Response:
        """Fill in a form of the page ``on``, and send it to ``path``.

        Without ``on``, the form is on the page ``path``.
        """
        page = self.get(on or path).text
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        return self.browser.post(self.site + path, data=hidden | data, timeout=10)

    def newest_code(self) -> str:
        inbox = f"http://127.0.0.1:{self.simulator_port}/inbox.json"
        return str(requests.get(inbox, timeout=10).json()[0]["code"])

    def give_password(self, path: str) -> requests.Response:
        return self.post(path, username="ada", password=PASSWORD)

    def add_a_phone(self) -> None:
        page = self.give_password("/admin/login/?next=/admin/")
        expect(page.url.endswith("/admin/"), "the password alone is enough without a phone")
        expect("Add a phone" in self.get("/mfa/phones/").text, "a page offers to add one")
        expect("Send me a code" in self.get("/mfa/phones/add/").text, "the next one to send a code")
        page = self.post("/mfa/phones/add/", number=NUMBER, channel="sms")
        expect(page.url.endswith("/mfa/phones/confirm/"), "a code is sent")
        page = self.post("/mfa/phones/confirm/", code=self.newest_code())
        expect("I have saved these codes" in page.text, "the code brings recovery codes")
        codes = re.findall(r"\b[0-9A-Z]{4}(?:-[0-9A-Z]{4}){2}\b", page.text)
        expect(len(set(codes)) == 10, "ten of them")
        page = self.post("/mfa/recovery-codes/saved/", on="/mfa/recovery-codes/", saved="on")
        expect(page.ok, "ticking leads on")

    def sign_in_with_a_code(self) -> None:
        self.post("/admin/logout/", on="/admin/")
        page = self.give_password("/admin/login/?next=/admin/")
        expect(page.url.endswith("/mfa/verify/"), "the password leads to the code page")
        expect(self.get("/admin/").url.endswith("/mfa/verify/"), "the admin is shut until the code")
        page = self.post("/mfa/verify/", code=self.newest_code())
        expect(page.url.endswith("/admin/"), "the code opens the admin")
        expect("Log out" in page.text, "whose head has the button to log out")

    def open_the_page_that_asks_again(self) -> None:
        wait_until(lambda: "/mfa/verify/" in self.get("/transfer/").url, "a new code is asked for")
        code_page = self.get("/transfer/").url.removeprefix(self.site)
        expect("Text me the code" in self.get(code_page).text, "the page offers to send one")
        self.post("/mfa/send/", on=code_page, channel="sms")
        page = self.post(code_page, code=self.newest_code())
        expect("You typed a code at" in page.text, "the page is shown after it")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(Path(folder), str(Path(sys.argv[1]).resolve()))
        try:
            reader.follow()
        finally:
            reader.stop()


if __name__ == "__main__":
    main()
