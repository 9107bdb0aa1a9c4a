"""A chat room over the socket, in memory, behind Hupan (docs/message-server.md).

A client sends {"cmd": "say", "data": …}; everybody in the room gets it. Needs websockets.
"""

import asyncio
import hashlib
import hmac
import json
import os
import sys
import time
from collections import deque
from http import HTTPStatus
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

SECRET = os.environ["HUPAN_UPSTREAM_SECRET"].encode()
SIGNED = ("user-id", "time", "device-id", "nickname", "request-id")
MAX_AGE_SECONDS = 60
seen: deque[str] = deque(maxlen=10_000)


def check(connection: ServerConnection, request: Request) -> Response | None:
    """Refuse what Hupan did not sign just now, and repeated requests."""
    values = [request.headers.get(f"x-hupan-{name}", "") for name in SIGNED]
    text = "\n".join(["GET", request.path, *values]).encode()
    expected = hmac.new(SECRET, text, hashlib.sha256).hexdigest()
    is_signed = hmac.compare_digest(expected, request.headers.get("x-hupan-signature", ""))
    is_old = is_signed and abs(time.time() - int(values[1])) > MAX_AGE_SECONDS
    if not is_signed or is_old or values[-1] in seen:
        return connection.respond(HTTPStatus.FORBIDDEN, "no\n")
    seen.append(values[-1])
    return None


async def talk(connection: ServerConnection) -> None:
    """Send a message of one member to all."""
    headers = connection.request.headers if connection.request else {}
    sender = unquote(headers["x-hupan-nickname"])
    room: Server = connection.server
    try:
        async for message in connection:
            command = json.loads(message)
            if command["cmd"] == "say":
                broadcast(room.connections, json.dumps({"from": sender, "said": command["data"]}))
    except ConnectionClosed:
        pass  # Hupan closes it when the session ends


async def main() -> None:
    async with serve(talk, "127.0.0.1", int(sys.argv[1]), process_request=check) as server:
        await server.serve_forever()


asyncio.run(main())
