"""Tiny ASGI apps, and a process that serves one: `python apps.py '<json>'`."""

import asyncio
import functools
import json
import os
import resource
import sys
from typing import cast

from hupan.api.responses import send_response
from hupan.server.connection import ASGIApp, Receive, RequestCycle, Scope, Send, ServerLimits
from hupan.server.workers import run_server


async def _lifespan(receive: Receive, send: Send, refusal: str) -> None:
    await receive()
    if refusal:
        await send({"type": "lifespan.startup.failed", "message": refusal})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    sys.stderr.write("app ended\n")
    await send({"type": "lifespan.shutdown.complete"})


async def _whole_body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _at_once(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in one step with the listener's own calls, and say whether that was possible."""
    exchange = cast("RequestCycle", send)
    body = exchange.read_buffered_body()
    how = "waited" if body is None else "here"
    if body is None:
        body = await _whole_body(receive) or b""
    answer = f"{scope['path']} {len(body)} {how}".encode()
    if scope["path"] == "/once/big":
        answer = b"x" * (1 << 20)
    length = b"content-length: %d\r\n" % len(answer)
    if not exchange.send_direct(200, length, answer):
        sys.stderr.write("app must wait\n")
        await send_response(200, [(b"content-length", b"%d" % len(answer))], answer, send)


async def app(refusal: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path, the length of the body and the process id; `/wait/<s>` waits first.

    `/big` answers with 16 MiB; `/once/` answers in one step; `/headers` with the received headers.
    """
    if scope["type"] == "lifespan":
        await _lifespan(receive, send, refusal)
        return
    if scope["path"].startswith("/once/"):
        await _at_once(scope, receive, send)
        return
    body = await _whole_body(receive)
    if body is None:
        sys.stderr.write("app heard disconnect\n")
        return
    path = scope["path"]
    if path.startswith("/wait/"):
        sys.stderr.write("app waits\n")
        await asyncio.sleep(float(path.removeprefix("/wait/")))
    answer = f"{path} {len(body)} {os.getpid()}".encode()
    if path == "/big":
        answer = b"x" * (1 << 24)
    if path == "/headers":
        answer = b" ".join([name + b"=" + value for name, value in scope["headers"]])
    length = str(len(answer)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": answer})


def make(refusal: str) -> ASGIApp:
    """Return an app that refuses to start when there is a refusal."""
    return functools.partial(app, refusal)


def _print_urls(urls: list[str]) -> None:
    sys.stdout.write(json.dumps(urls) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Serve as the first argument says."""
    said = json.loads(sys.argv[1])
    if "files" in said:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (said["files"], hard))
    return run_server(
        functools.partial(make, said.get("refusal", "")),
        host=said.get("host", "127.0.0.1"),
        port=said.get("port", 0),
        workers=said.get("workers", 1),
        limits=ServerLimits(**said.get("limits", {})),
        on_listening=_print_urls,
    )


if __name__ == "__main__":
    sys.exit(main())
