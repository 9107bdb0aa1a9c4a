"""Servers that imitate Aliyun and Tencent Cloud, and check the signature of each request.

Written from the providers' pages on request signing, independently of the code under test.
"""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

from tests.support.http_servers import HOST, Seen

KEY_ID = "AKIDexampleexample"
KEY_SECRET = "canary-Qian-Dao-9-secret"
ALIYUN_OK = {"Code": "OK", "Message": "OK", "RequestId": "r", "BizId": "900619746936498440^0"}
ALIYUN_WRONG_SIGNATURE = {"Code": "SignatureDoesNotMatch", "Message": "Specified signature"}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _authorization(seen: Seen, scheme: str) -> dict[str, str]:
    value = seen.headers["authorization"]
    assert value.startswith(f"{scheme} ")
    parts = value.removeprefix(f"{scheme} ").split(",")
    return dict(part.strip().split("=", 1) for part in parts)


def aliyun_accepts(seen: Seen) -> bool:
    """Return whether the signature fits the request, and covers all required parts."""
    given = _authorization(seen, "ACS3-HMAC-SHA256")
    names = given["SignedHeaders"].split(";")
    must = {"host"} | {name for name in seen.headers if name.startswith("x-acs-")}
    pairs = sorted(parse_qsl(urlsplit(seen.target).query, strict_parsing=True))
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(text, safe='-_.~')}" for name, text in pairs
    )
    lines = [seen.method, urlsplit(seen.target).path, query]
    lines += [f"{name}:{seen.headers[name].strip()}" for name in names]
    lines += ["", ";".join(names), seen.headers["x-acs-content-sha256"]]
    to_sign = "ACS3-HMAC-SHA256\n" + _sha256("\n".join(lines).encode())
    expected = hmac.new(KEY_SECRET.encode(), to_sign.encode(), "sha256").hexdigest()
    return (
        names == sorted(must)
        and given["Credential"] == KEY_ID
        and seen.headers["x-acs-content-sha256"] == _sha256(seen.body)
        and hmac.compare_digest(given["Signature"], expected)
    )


def tencent_accepts(seen: Seen) -> bool:
    """Return whether the signature fits the request."""
    given = _authorization(seen, "TC3-HMAC-SHA256")
    key_id, date, service, ending = given["Credential"].split("/")
    stamp = int(seen.headers["x-tc-timestamp"])
    if date != datetime.fromtimestamp(stamp, UTC).date().isoformat() or service != "sms":
        return False
    names = given["SignedHeaders"].split(";")
    lines = [seen.method, seen.target, ""]
    lines += [f"{name}:{seen.headers[name].strip().lower()}" for name in names]
    lines += ["", ";".join(names), _sha256(seen.body)]
    scope = f"{date}/{service}/{ending}"
    to_sign = "\n".join(["TC3-HMAC-SHA256", str(stamp), scope, _sha256("\n".join(lines).encode())])
    key = b"TC3" + KEY_SECRET.encode()
    for part in (date, service, ending):
        key = hmac.digest(key, part.encode(), "sha256")
    expected = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    return (
        {"content-type", "host"} <= set(names)
        and key_id == KEY_ID
        and hmac.compare_digest(given["Signature"], expected)
    )


def tencent_state(code: str = "Ok", message: str = "send success") -> dict[str, object]:
    """Return Tencent Cloud's result for one message."""
    state = {"SerialNo": "5000:1045", "PhoneNumber": "+8613800138000", "Fee": 1}
    state |= {"SessionContext": "m-1", "Code": code, "Message": message, "IsoCode": "CN"}
    return {"Response": {"SendStatusSet": [state], "RequestId": "a0aabda6"}}


def tencent_error(code: str, message: str = "no") -> dict[str, object]:
    """Return Tencent Cloud's response to a refused request."""
    return {"Response": {"Error": {"Code": code, "Message": message}, "RequestId": "r"}}


@dataclass
class Cloud:
    """One provider: its response to a signed request, or a body as bytes."""

    provider: str
    status: int = 200
    answer: object = None
    seen: list[Seen] = field(default_factory=list)

    def respond(self, seen: Seen) -> tuple[int, bytes]:
        """Answer a request."""
        self.seen.append(seen)
        accepts = aliyun_accepts if self.provider == "aliyun" else tencent_accepts
        if not accepts(seen):
            if self.provider == "aliyun":
                return 400, json.dumps(ALIYUN_WRONG_SIGNATURE).encode()
            return 200, json.dumps(tencent_error("AuthFailure.SignatureFailure")).encode()
        if isinstance(self.answer, bytes):
            return self.status, self.answer
        usual = ALIYUN_OK if self.provider == "aliyun" else tencent_state()
        return self.status, json.dumps(usual if self.answer is None else self.answer).encode()


@contextmanager
def serving_cloud(cloud: Cloud) -> Iterator[str]:
    """Serve until the block ends; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = cloud.respond(Seen(self.command, self.path, headers, body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
