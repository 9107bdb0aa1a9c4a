"""A chat with one room, in memory, behind Hupan (docs/message-server.md).

POST /v1/msg/say says the text of its body; GET /v1/msg/recent lists the last 100.
"""

import hashlib
import hmac
import json
import os
import sys
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

SECRET = os.environ["HUPAN_UPSTREAM_SECRET"].encode()
SIGNED = ("user-id", "time", "device-id", "nickname", "request-id")
MAX_AGE_SECONDS, MAX_TEXT_BYTES = 60, 4096
messages: deque[dict[str, str]] = deque(maxlen=100)
seen: deque[str] = deque(maxlen=10_000)


class Chat(BaseHTTPRequestHandler):
    """Answers what Hupan passes on."""

    protocol_version = "HTTP/1.1"

    def is_genuine(self) -> bool:
        """Whether Hupan signed this request just now, and it is not an old one once more."""
        values = [self.headers.get(f"x-hupan-{name}", "") for name in SIGNED]
        text = "\n".join([self.command, self.path, *values]).encode()
        expected = hmac.new(SECRET, text, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, self.headers.get("x-hupan-signature", "")):
            return False
        is_new = abs(time.time() - int(values[1])) <= MAX_AGE_SECONDS and values[-1] not in seen
        seen.append(values[-1])
        return is_new

    def answer(self, code: int, data: object = None, status: int = 200) -> None:
        body = json.dumps({"code": code, "msg": "success" if code == 1 else "no", "data": data})
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        text = self.rfile.read(min(int(self.headers.get("content-length", 0)), MAX_TEXT_BYTES))
        if not self.is_genuine():
            return self.answer(-1, status=403)
        if self.path == "/v1/msg/say":
            sender = unquote(self.headers["x-hupan-nickname"])
            messages.append({"from": sender, "text": text.decode(errors="replace")})
        return self.answer(1, list(messages))

    do_GET = do_POST


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Chat).serve_forever()
