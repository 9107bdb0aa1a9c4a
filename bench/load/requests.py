"""The requests of a load, encoded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hupan.contract.endpoints import create_captcha, get_own_info, get_user
from hupan.contract.pb.hupan_pb2 import GetUser, OwnInfo

HEALTH_PATH = "/healthz"


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One HTTP request.

    Attributes:
        path: with the query, if any.
        headers: all but Host and Content-Length; may contain a secret.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def encode(self, authority: str, prefix: str = "") -> bytes:
        """Return the bytes of the request for an HTTP/1.1 connection to a host."""
        headers = dict(self.headers)
        if self.method != "GET":
            headers["content-length"] = str(len(self.body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{self.method} {prefix}{self.path} HTTP/1.1\r\nhost: {authority}\r\n{lines}\r\n"
        return head.encode("latin-1") + self.body


def health_request() -> LoadRequest:
    """Return a request for the health check, the cheapest endpoint."""
    return LoadRequest("GET", HEALTH_PATH)


def captcha_request() -> LoadRequest:
    """Return a request for a captcha; needs no token."""
    return LoadRequest(create_captcha.method, create_captcha.path)


def own_account_request(token: str) -> LoadRequest:
    """Return a request for the account of a token."""
    return LoadRequest(get_own_info.method, get_own_info.path, {"token": token})


def own_account_id(answer: bytes) -> str:
    """Return the id in a response to `own_account_request`."""
    return OwnInfo.FromString(answer).data.id


def other_account_request(token: str, account: str) -> LoadRequest:
    """Return a request for another account's profile."""
    body = GetUser(id=account).SerializeToString()
    return LoadRequest(get_user.method, get_user.path, {"token": token}, body)
