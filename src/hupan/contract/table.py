"""What a line of the table of endpoints is made of.

A request or response type that is a msgspec Struct travels as JSON, a protobuf Message as protobuf
(wire.md 1.3), so no column names the codec.
"""

from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from google.protobuf.message import Message
from msgspec import Struct

Surface: TypeAlias = Literal["app", "web"]
Method: TypeAlias = Literal["GET", "POST"]


class Public:
    """Anybody may call."""


class AnyToken:
    """A token that is not empty is asked for; only a valid one says who calls (wire.md 4, `t`)."""


class SignedIn:
    """The token of a live session is needed (wire.md 4, `T`)."""


class VipOnly:
    """The token of a live session is needed, and VIP in force (wire.md 4, `T, VIP`)."""


class MayHaveLeft:
    """The token of a live session, or one that signed out: doing so twice succeeds (T5)."""


PUBLIC = Public()
ANY_TOKEN = AnyToken()
SIGNED_IN = SignedIn()
VIP = VipOnly()
MAY_HAVE_LEFT = MayHaveLeft()

Access = TypeVar("Access", Public, AnyToken, SignedIn, VipOnly, MayHaveLeft)
Request = TypeVar("Request", bound=Struct | Message)
Response = TypeVar("Response", bound=Struct | Message)


class Anything(Struct):
    """The request of an endpoint without a documented body: anything is taken (wire.md 1.4)."""


class Done(Struct):
    """The response of an endpoint that has nothing to say but success: no `data` key."""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Access, Request, Response]):
    """One line of the table.

    Attributes:
        surface: which of the two servers the client believes it talks to (wire.md 1.1).
        method: the only HTTP method that is routed.
        path: the whole path, always static.
        access: who may call.
        request: what the body is read as.
        response: what `data` (JSON) or the whole answer (protobuf) is written from.
    """

    surface: Surface
    method: Method
    path: str
    access: Access
    request: type[Request]
    response: type[Response]

    @property
    def key(self) -> tuple[Surface, str, str]:
        """What the dispatcher looks up: (surface, method, path)."""
        return self.surface, self.method, self.path


@dataclass(frozen=True, slots=True)
class Lines:
    """Writes the lines of one surface: `app.post("/v1/…", PUBLIC, EmailLogin, LoginToken)`."""

    surface: Surface

    def post(
        self, path: str, access: Access, request: type[Request], response: type[Response]
    ) -> Endpoint[Access, Request, Response]:
        """A line for a POST."""
        return Endpoint(self.surface, "POST", path, access, request, response)

    def get(
        self, path: str, access: Access, request: type[Request], response: type[Response]
    ) -> Endpoint[Access, Request, Response]:
        """A line for a GET."""
        return Endpoint(self.surface, "GET", path, access, request, response)
