"""A provider of codes on a loopback socket, for all sites: Bandwidth's API, and one more address.

    python -m benchmarks.provider [--latency SECONDS]

It prints its port, and runs until its standard input is closed. It keeps no state and does little
work, so that it takes little CPU time from the measured sites. Each code that does not begin with 0
is right. A site whose package checks codes itself posts its codes to ``/send``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from typing import Any

ANSWERS: dict[str, dict[str, Any]] = {
    "messaging": {"messageId": "14762070468292kw2fuqty55yp2b2"},
    "voice": {"callId": "c-15ac29a2-1331029c-2cb0-4a07-b215-b22865662d85"},
    "token": {"access_token": "benchmark", "token_type": "Bearer", "expires_in": 3600},
    "send": {"sent": True},
}


def answer_to(path: str, body: bytes) -> dict[str, Any]:
    """Return the answer to ``body``, chosen by the last part of ``path``."""
    kind = path.rpartition("/")[2]
    if kind == "verify":
        return {"valid": not json.loads(body)["code"].startswith("0")}
    return ANSWERS[kind]


async def serve_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float
) -> None:
    """Answer the requests of one connection, each after ``latency`` seconds, until it ends."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (h.partition(": ") for h in head)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            answer = json.dumps(answer_to(head[0].split(" ")[1], body)).encode()
            # A token is fetched once an hour: no sign-in that is measured waits for one.
            await asyncio.sleep(latency)
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the other side has hung up
    finally:
        writer.close()


async def serve(latency: float) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: serve_connection(reader, writer, latency),
        "127.0.0.1",
        backlog=512,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    # The server does not wait for the connections, which are kept alive and have no work.
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--latency", type=float, default=0)
    asyncio.run(serve(parser.parse_args().latency))
