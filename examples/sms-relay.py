"""Relay between Hupan and an SMS provider that Hupan cannot call itself; standard library only.

Hupan posts JSON with `to`, `text` and `code`, signed over timestamp and body. Replace `deliver`
with the call that your provider describes.
"""

import argparse
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MAX_BODY_BYTES = 16_384
MAX_AGE_SECONDS = 300


def deliver(to: str, text: str) -> bool:
    """Send one SMS; return whether the provider took it."""
    sys.stderr.write(f"would send {len(text)} characters to a number that ends in {to[-4:]}\n")
    return True


def is_from_hupan(secret: bytes, timestamp: str, signature: str, body: bytes) -> bool:
    """Return whether the request is fresh, and its signer knows the secret."""
    expected = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    is_signed = hmac.compare_digest(expected.encode(), signature.encode())
    return is_signed and abs(time.time() - int(timestamp)) <= MAX_AGE_SECONDS


def make_handler(secret: bytes) -> type[BaseHTTPRequestHandler]:
    class Relay(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(min(length, MAX_BODY_BYTES))
            timestamp = self.headers.get("X-Timestamp", "")
            if not is_from_hupan(secret, timestamp, self.headers.get("X-Signature", ""), body):
                self.answer(403, b"not signed")
                return
            message = json.loads(body)
            self.answer(
                *((200, b"ok") if deliver(message["to"], message["text"]) else (200, b"no"))
            )

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing: the lines would have the addresses of requests."""

    return Relay


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--secret-file", type=Path, required=True)
    options = parser.parse_args()
    secret = options.secret_file.read_bytes().strip()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), make_handler(secret))
    sys.stdout.write(f"listening on 127.0.0.1:{options.port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
