"""A header has the class of every response, for proxies that only see HTTP 200 (security D3)."""

import asyncio
from collections.abc import MutableMapping
from typing import Any, TypeAlias

import pytest

from hupan.api.app import Dispatcher, Route
from hupan.api.codecs import Codec, JsonCodec, ProtobufCodec
from hupan.api.responses import RESULT_HEADERS, Cors, send_not_ready, send_shutting_down
from hupan.contract.endpoints import IgnoredBody
from hupan.contract.pb.hupan_pb2 import GetUser, OwnInfo
from hupan.errors import Busy, NotSignedIn, TooManyTries, WrongCode
from hupan.logs import AccessLog
from hupan.model import RequestContext, StoreUnavailable
from tests.support import pb
from tests.support.client import WireClient
from tests.support.raw_http import exchange, head, post_parts

Message: TypeAlias = MutableMapping[str, Any]
SHARED = [
    ("GET", "/v1/nothing", 404, "refused"),
    ("GET", "/web/v1/nothing", 404, "refused"),
    ("DELETE", "/v1/user/info", 404, "refused"),
    ("GET", "/v1/user/captcha", 404, "refused"),
    ("GET", "/healthz", 200, "ok"),
    ("HEAD", "/healthz", 200, "ok"),
    ("POST", "/healthz", 404, "refused"),
    ("GET", "/readyz", 200, "ok"),
    ("POST", "/v1/user/captcha", 200, "ok"),
    ("POST", "/v1/user/email-login", 200, "refused"),
    ("GET", "/v1/user/info", 200, "unauthenticated"),
    ("GET", "/web/v1/user/info", 200, "unauthenticated"),
    ("GET", "/web/v1/user/homepage?userId=1", 200, "ok"),
]


@pytest.mark.parametrize(("method", "path", "status", "result"), SHARED)
def test_each_answer_has_its_class(
    wire: WireClient, method: str, path: str, status: int, result: str
) -> None:
    """This covers both surfaces, endpoints, unknown paths and health (security D3)."""
    reply = wire.request(method, path)
    assert (reply.status_code, reply.headers["x-result"]) == (status, result)
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("form", ["application/x-protobuf", "application/json"])
def test_both_forms_of_an_endpoint_have_it(wire: WireClient, form: str) -> None:
    """A success, a refusal and an invalid token have it, in protobuf and in JSON (security D3)."""
    account, known = wire.account(), form.endswith("json")
    for user, token, result in [
        (account.id, account.token, "ok"),
        ("1", account.token, "refused"),
        (account.id, None, "unauthenticated"),
    ]:
        body = f'{{"id": "{user}"}}'.encode() if known else pb.text(2, user)
        reply = wire.request(
            "POST", "/v1/user/get-user", body, token=token, headers={"content-type": form}
        )
        assert reply.headers["x-result"] == result


@pytest.mark.one_engine
def test_a_body_that_is_too_large_has_it(wire: WireClient) -> None:
    """HTTP 413 has it, and so has the preflight (security D3)."""
    status, headers, _ = exchange(wire.server, *post_parts("/v1/user/captcha", body=b"x" * 70_000))
    assert (status, headers["x-result"]) == (413, "refused")
    asked = {"origin": "https://a.example", "access-control-request-method": "POST"}
    assert wire.request("OPTIONS", "/v1/user/captcha", headers=asked).headers["x-result"] == "ok"


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("start", "status"),
    [("nonsense", 400), (f"GET /{'a' * 5000} HTTP/1.1", 414)],
)
def test_a_head_that_is_refused_has_it(wire: WireClient, start: str, status: int) -> None:
    """A request refused before the API has the same values (security D3, I2)."""
    found, headers, _ = exchange(wire.server, head(start))
    assert (found, headers["x-result"]) == (status, "refused")


class _NoMedia:
    """A picture service that handles no request."""

    async def respond(self, *_request: object) -> bool:
        """Leave the request to the API."""
        return False


def dispatched(codec: Codec, error: Exception) -> list[tuple[bytes, bytes]]:
    """Return the headers of the response when the endpoint raises an error."""

    async def fails(_codec: Codec, _call: RequestContext, _body: bytes) -> bytes:
        raise error

    route = Route(codec, None, has_body=False, max_body_bytes=0, handle=fails)
    log = AccessLog(None, "text")
    table = {("app", "GET", "/v1/a"): route}
    dispatcher = Dispatcher(
        table, Cors(["*"]), log, process_number=1, web_host_prefix="w.", media=_NoMedia()
    )
    scope = {"type": "http", "method": "GET", "path": "/v1/a", "headers": []}
    return _headers(dispatcher(scope, _nothing, _collect), 200)


_sent: list[Message] = []


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _collect(message: Message) -> None:
    _sent.append(message)


def _headers(answering: Any, status: int) -> list[tuple[bytes, bytes]]:  # noqa: ANN401 - a coroutine
    _sent.clear()
    asyncio.run(answering)
    assert _sent[0]["status"] == status
    headers: list[tuple[bytes, bytes]] = _sent[0]["headers"]
    return headers


@pytest.mark.one_engine
@pytest.mark.parametrize("codec", [JsonCodec(IgnoredBody), ProtobufCodec(GetUser, OwnInfo)])
@pytest.mark.parametrize(
    ("error", "result"),
    [
        (WrongCode(), b"refused"),
        (TooManyTries(), b"limited"),
        (Busy(), b"limited"),
        (NotSignedIn(), b"unauthenticated"),
        (StoreUnavailable("disk"), b"error"),
        (RuntimeError("x"), b"error"),
    ],
)
def test_each_way_to_fail_has_its_class(codec: Codec, error: Exception, result: bytes) -> None:
    """Each error has it once, in both codecs (security D3)."""
    told = [value for name, value in dispatched(codec, error) if name == b"x-result"]
    assert told == [result]


@pytest.mark.one_engine
def test_a_server_that_cannot_serve_says_error() -> None:
    """This covers a stopping server, and one without its store (security D3)."""
    assert RESULT_HEADERS["error"] in _headers(send_shutting_down(_collect), 503)
    assert RESULT_HEADERS["error"] in _headers(send_not_ready("/v1/user/info", _collect), 200)
    assert RESULT_HEADERS["error"] in _headers(send_not_ready("/readyz", _collect), 503)
    assert RESULT_HEADERS["ok"] in _headers(send_not_ready("/healthz", _collect), 200)
