"""Joins a line of the table of endpoints with its handler.

The type of the handler follows from the line: who may call, what is read, what is answered. The
type checker refuses a handler that does not fit its line.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, overload

from google.protobuf.message import Message

from hupan.api.access import any_token, anybody, may_have_left, signed_in, vip
from hupan.api.auth_acts import ACTS, Act, Story
from hupan.api.call import Call
from hupan.api.codec import MOST_JSON_BYTES, MOST_PROTOBUF_BYTES, Codec, JsonCodec, ProtobufCodec
from hupan.api.gates import LOOKS, Gates
from hupan.api.json_form import JsonFormCodec
from hupan.api.looks import Looks
from hupan.api.query import QueryCodec
from hupan.api.services import Services
from hupan.api.tries import Passing
from hupan.contract.table import (
    Anything,
    AnyToken,
    Endpoint,
    MayHaveLeft,
    Public,
    Request,
    Response,
    SignedIn,
    VipOnly,
)
from hupan.counting import Meter
from hupan.domain.refusals import Banned, NotSignedIn
from hupan.model import Caller, Viewer

PublicHandler: TypeAlias = Callable[[Services, Call, Request], Awaitable[Response]]
ViewerHandler: TypeAlias = Callable[[Services, Viewer | None, Request], Awaitable[Response]]
MaybeHandler: TypeAlias = Callable[[Services, Caller | None, Request], Awaitable[Response]]
SignedInHandler: TypeAlias = Callable[[Services, Caller, Request], Awaitable[Response]]
Answer: TypeAlias = Callable[[Codec, Call, bytes], Awaitable[bytes]]
Guard: TypeAlias = Callable[[Services, Call], Awaitable[Call | Caller | Viewer | None]]

GUARDS: dict[type, Guard] = {
    Public: anybody,
    AnyToken: any_token,
    SignedIn: signed_in,
    VipOnly: vip,
    MayHaveLeft: may_have_left,
}


@dataclass(frozen=True, slots=True)
class Route:
    """What the dispatcher finds for (surface, method, path).

    Attributes:
        codec: the form that the endpoint speaks.
        json_form: the other form of a protobuf endpoint with a documented request, else None.
        has_body: whether a body is read; a GET has its query instead.
        most_bytes: the largest body taken (security I1).
        answer: reads the body or the query, asks the handler, writes the answer.
        meter: counts its requests.
    """

    codec: Codec
    json_form: Codec | None
    has_body: bool
    most_bytes: int
    answer: Answer
    meter: Meter = field(default_factory=Meter)


class Routes:
    """The routes of one server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.table: dict[tuple[str, str, str], Route] = {}

    @overload
    def on(
        self,
        endpoint: Endpoint[Public, Request, Response],
        handler: PublicHandler[Request, Response],
    ) -> None: ...
    @overload
    def on(
        self,
        endpoint: Endpoint[AnyToken, Request, Response],
        handler: ViewerHandler[Request, Response],
    ) -> None: ...
    @overload
    def on(
        self,
        endpoint: Endpoint[MayHaveLeft, Request, Response],
        handler: MaybeHandler[Request, Response],
    ) -> None: ...
    @overload
    def on(
        self,
        endpoint: Endpoint[SignedIn, Request, Response] | Endpoint[VipOnly, Request, Response],
        handler: SignedInHandler[Request, Response],
    ) -> None: ...
    def on(self, endpoint: Endpoint[Any, Any, Any], handler: Callable[..., Any]) -> None:
        """Routes an endpoint to its handler.

        Raises:
            ValueError: the endpoint has a handler already.
        """
        if endpoint.key in self.table:
            raise ValueError(f"two handlers for {endpoint.key}")
        self.table[endpoint.key] = _route(endpoint, _answer(endpoint, handler, self._services))


def _route(endpoint: Endpoint[Any, Any, Any], answer: Answer) -> Route:
    is_post = endpoint.method == "POST"
    if not issubclass(endpoint.response, Message):
        json = JsonCodec(endpoint.request) if is_post else QueryCodec(endpoint.request)
        return Route(json, None, is_post, MOST_JSON_BYTES, answer)
    codec = ProtobufCodec(endpoint.request, endpoint.response)
    has_json_form = issubclass(endpoint.request, Message)
    json_form = JsonFormCodec(endpoint.request, endpoint.response) if has_json_form else None
    return Route(codec, json_form, is_post, MOST_PROTOBUF_BYTES, answer)


def _answer(
    endpoint: Endpoint[Any, Any, Any], handler: Callable[..., Any], services: Services
) -> Answer:
    """Access first, then the body, then the handler; what authenticates leaves a line (L2)."""
    guard = _guard(endpoint)
    read = _read_nothing if endpoint.request is Anything else _read
    act = ACTS.get(endpoint)

    async def answer(codec: Codec, call: Call, body: bytes) -> bytes:
        try:
            who = await guard(services, call)
        except (NotSignedIn, Banned) as refusal:
            services.auth_events.token_refused(call, refusal)
            raise
        response = await handler(services, who, read(codec, body))
        return codec.write(response, call.number)

    async def noted(act: Act, codec: Codec, call: Call, body: bytes) -> bytes:
        story = Story(call)
        try:
            async with Passing(services.gates.tries.get(endpoint.path), call):
                story.who = await guard(services, call)
                story.request = read(codec, body)
                response = await handler(services, story.who, story.request)
        except Exception as error:
            services.auth_events.ended(act, story, error)
            raise
        services.auth_events.ended(act, story, response)
        return codec.write(response, call.number)

    return answer if act is None else partial(noted, act)


def _guard(endpoint: Endpoint[Any, Any, Any]) -> Guard:
    """Who may call, and how often; what it gives is the handler's second parameter.

    Raises:
        TypeError: the line has no guard (security Z1: deny by default).
    """
    guard = GUARDS.get(type(endpoint.access))
    if guard is None:
        raise TypeError(f"no guard for {endpoint.path}")
    looks_of = LOOKS.get(endpoint)
    return guard if looks_of is None else partial(_counted, guard, looks_of)


async def _counted(
    guard: Guard, looks_of: Callable[[Gates], Looks], services: Services, call: Call
) -> Call | Caller | Viewer | None:
    """Asks a guard about a request that counts, by where it comes from and by who calls."""
    looks = looks_of(services.gates)
    now = looks.enter(call)
    who = await guard(services, call)
    looks.meet(who, now)
    return who


_ANYTHING = Anything()


def _read_nothing(codec: Codec, body: bytes) -> Anything:
    """An endpoint without a documented body takes anything (wire.md 1.4)."""
    del codec, body
    return _ANYTHING


def _read(codec: Codec, body: bytes) -> Any:  # noqa: ANN401 - the line knows the type
    return codec.read(body)
