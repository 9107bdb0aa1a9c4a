"""The fields of a line in the table of endpoints (wire.md 4); the lines are in their area's file.

The table is shared by the server, clients, documentation and tests. A line says everything about an
endpoint that is not code. A request or response type that is a msgspec Struct travels as JSON, a
protobuf Message as protobuf (wire.md 1.3).
"""

from dataclasses import dataclass, field
from typing import (
    Generic,
    Literal,
    NamedTuple,
    Required,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
)

from google.protobuf.message import Message
from msgspec import Struct

Source: TypeAlias = Literal["R", "C", "D"]
"""Origin of a fact: R, the published reference; C, the code of real clients; D, our decision."""


class Note(NamedTuple):
    """One known deviation or decision."""

    source: Source
    en: str
    zh: str


SUCCESS_CODE = 1
SUCCESS_MESSAGE = "success"

Surface: TypeAlias = Literal["app", "web"]
Method: TypeAlias = Literal["GET", "POST"]
RequestLimit: TypeAlias = Literal[
    "captchas", "profile_views", "invitation_codes", "sent_codes", "upstream", "introspection"
]
"""What is limited by address and account in addition to failed attempts at secrets (E4, E5).

`profile_views` are all requests whose response reveals whether an account has an id;
`invitation_codes` those that reveal whether a code leads to one. `upstream` are requests that are
forwarded to a message server, `introspection` those of servers about tokens; no endpoint has these.
"""


class Public:
    """No token is needed."""


class OptionalSession:
    """Any non-empty token passes; only a valid one identifies the viewer (wire.md 4, `t`)."""


class RequiredSession:
    """The token of a live session is needed (wire.md 4, `T`)."""


class RequiredVip:
    """The token of a live session with active VIP is needed (wire.md 4, `T, VIP`)."""


class AllowLoggedOut:
    """The token of a live or logged-out session: logging out twice succeeds (T5)."""


PUBLIC = Public()
OPTIONAL_SESSION = OptionalSession()
SESSION = RequiredSession()
VIP = RequiredVip()
ALLOW_LOGGED_OUT = AllowLoggedOut()

Access = TypeVar("Access", Public, OptionalSession, RequiredSession, RequiredVip, AllowLoggedOut)
Request = TypeVar("Request", bound=Struct | Message)
Response = TypeVar("Response", bound=Struct | Message)


class IgnoredBody(Struct):
    """The request of an endpoint without a documented body: anything is accepted (wire.md 1.4)."""


class AddressedHost(IgnoredBody):
    """The host that the client addressed, from its header; body and query are ignored."""

    host: str = ""


class NoData(Struct):
    """The response of an endpoint that returns only success: no `data` key."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """The audit event of an endpoint that authenticates or changes credentials (security L2).

    Attributes:
        name: the event's name in docs/events.md.
        target: the fields of the request that may name the contact; the first that is set counts.
        device: the field that names a device, "" for the caller's own.
    """

    name: str
    target: tuple[str, ...] = ()
    device: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Access, Request, Response]):
    """One line of the table.

    Attributes:
        surface: the server that the client addresses, of two (wire.md 1.1).
        method: the only HTTP method that is routed.
        path: the whole path, always static.
        access: the callers that are allowed.
        request: the type of the body, or of the query of a GET.
        response: the type of `data` (JSON) or of the whole response (protobuf).
        source: where the endpoint comes from.
        notes: known deviations and decisions.
        event: the audit event, None for an endpoint that leaves none.
        secrets: the fields of the request whose type is a secret (fields.py).
        reveals: fields, by their name on the wire, whose answer shows something of others, such as
            whether an account has an id; `limit` counts every request.
        harmless: fields, by their name on the wire, whose answer shows nothing that the caller may
            not know; the names that a guard knows as such need no mention.
        limit: what is counted in addition to failed attempts at secrets.
        json_data: the type of `data` for a client that sends JSON to a protobuf endpoint, where
            that client reads another form than wire.md 1.3; its defaults are the response.
        upstream: whether a message server answers instead if there is one (wire.md 8.5).
        sample: a request of the right form, for tests; None if the body is ignored.
    """

    surface: Surface
    method: Method
    path: str
    access: Access
    request: type[Request]
    response: type[Response]
    source: Source = field(kw_only=True)
    notes: tuple[Note, ...] = field(default=(), kw_only=True)
    event: AuditEvent | None = field(default=None, kw_only=True)
    secrets: tuple[str, ...] = field(default=(), kw_only=True)
    reveals: tuple[str, ...] = field(default=(), kw_only=True)
    harmless: tuple[str, ...] = field(default=(), kw_only=True)
    limit: RequestLimit | None = field(default=None, kw_only=True)
    json_data: type[Struct] | None = field(default=None, kw_only=True)
    upstream: bool = field(default=False, kw_only=True)
    sample: Request | None = field(default=None, kw_only=True, compare=False)

    @property
    def key(self) -> tuple[Surface, str, str]:
        """The key of routing: (surface, method, path)."""
        return self.surface, self.method, self.path


class _Details(TypedDict, total=False):
    """The keyword arguments of an `Endpoint`, but for `sample`, which depends on its types."""

    source: Required[Source]
    notes: tuple[Note, ...]
    event: AuditEvent
    secrets: tuple[str, ...]
    reveals: tuple[str, ...]
    harmless: tuple[str, ...]
    limit: RequestLimit
    json_data: type[Struct]
    upstream: bool


@dataclass(frozen=True, slots=True)
class EndpointBuilder:
    """Makes the endpoints of one surface: `app.post("/v1/…", PUBLIC, EmailLogin, LoginToken)`."""

    surface: Surface

    def post(
        self,
        path: str,
        access: Access,
        request: type[Request],
        response: type[Response],
        *,
        sample: Request | None = None,
        **details: Unpack[_Details],
    ) -> Endpoint[Access, Request, Response]:
        """Make an endpoint with method POST."""
        return Endpoint(
            self.surface, "POST", path, access, request, response, sample=sample, **details
        )

    def get(
        self,
        path: str,
        access: Access,
        request: type[Request],
        response: type[Response],
        *,
        sample: Request | None = None,
        **details: Unpack[_Details],
    ) -> Endpoint[Access, Request, Response]:
        """Make an endpoint with method GET."""
        return Endpoint(
            self.surface, "GET", path, access, request, response, sample=sample, **details
        )


app = EndpointBuilder("app")
web = EndpointBuilder("web")
