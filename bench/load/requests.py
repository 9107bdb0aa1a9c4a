"""What servers are asked, ready to be sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hupan.contract.endpoints import create_captcha, get_own_info, get_user, list_conversations
from hupan.contract.pb.hupan_pb2 import GetUser, OwnInfo

HEALTH_PATH = "/healthz"


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One HTTP request.

    Attributes:
        path: with the query, if any.
        headers: all but Host and Content-Length; a secret may be among them.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def encode(self, authority: str, prefix: str = "") -> bytes:
        """The bytes that go over an HTTP/1.1 connection to a host."""
        headers = dict(self.headers)
        if self.method != "GET":
            headers["content-length"] = str(len(self.body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{self.method} {prefix}{self.path} HTTP/1.1\r\nhost: {authority}\r\n{lines}\r\n"
        return head.encode("latin-1") + self.body


def health_request() -> LoadRequest:
    """Whether the server is up: the least that it ever answers."""
    return LoadRequest("GET", HEALTH_PATH)


def captcha_request() -> LoadRequest:
    """A captcha; needs no token."""
    return LoadRequest(create_captcha.method, create_captcha.path)


def own_account_request(token: str) -> LoadRequest:
    """The account that a token belongs to."""
    return LoadRequest(get_own_info.method, get_own_info.path, {"token": token})


def conversations_request(token: str) -> LoadRequest:
    """The list of conversations, for a client that has none."""
    return LoadRequest(list_conversations.method, list_conversations.path, {"token": token})


def own_account_id(answer: bytes) -> str:
    """The id in the answer to `own_account`."""
    return OwnInfo.FromString(answer).data.id


def other_account_request(token: str, account: str) -> LoadRequest:
    """What an account shows to the one that a token belongs to."""
    body = GetUser(id=account).SerializeToString()
    return LoadRequest(get_user.method, get_user.path, {"token": token}, body)
