"""Run the README's demo command in a fresh copy of the working copy, and sign in over HTTP."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent


def copy_files(folder: Path) -> None:
    """Copy the files that a clone would contain, with the changes that are not committed yet."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():  # git lists a deleted file until the next commit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def free_ports() -> tuple[int, int]:
    """Return two unused ports of the loopback address."""
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        return first.getsockname()[1], second.getsockname()[1]


def main() -> int:
    command = subprocess.run(
        [HERE / "readme-command", "demo"], check=True, capture_output=True, text=True
    ).stdout.strip()
    port, simulator_port = free_ports()
    command += f" --port {port} --simulator-port {simulator_port} --no-browser"
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name, "copy"), Path(name, "log")
        folder.mkdir()
        copy_files(folder)
        with log.open("wb") as output:
            demo = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        urls = [f"http://127.0.0.1:{number}" for number in (port, simulator_port)]
        try:
            failed = subprocess.run(
                [sys.executable, HERE / "sign_in.py", *urls], check=False
            ).returncode
        finally:
            os.killpg(demo.pid, signal.SIGINT)
            try:
                demo.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(demo.pid, signal.SIGKILL)
                demo.wait()
        if failed:
            print(log.read_text(errors="replace"))
    return failed


if __name__ == "__main__":
    sys.exit(main())
