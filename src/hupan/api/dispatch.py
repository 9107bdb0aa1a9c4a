"""From a request to its answer: raw ASGI, one dict look-up (wire.md 1.1).

HTTP 200 for every outcome of a known endpoint: most clients drop the body of anything else, and
several delete the stored token on a 401 (wire.md 1.5).
"""

from codecs import BOM_UTF8
from collections.abc import Mapping
from itertools import count
from time import perf_counter

from hupan.api.access_log import AccessLog
from hupan.api.answering import NO_STORE, RESULT_HEADERS, answer_at_once, respond
from hupan.api.body import BodyTooLarge, ClientGone, Receive, Scope, Send, read_body
from hupan.api.call import Call, Headers, read_token, wants_english
from hupan.api.codec import JSON_TYPE, Codec, json_failure
from hupan.api.cors import Cors, is_preflight
from hupan.api.failures import MissingToken, failure_of
from hupan.api.routing import Route
from hupan.contract.failures import BODY_TOO_LARGE, NO_SUCH_ENDPOINT, SUCCESS_CODE, Failure, Result
from hupan.counting import Meter

_WEB_PREFIX = "/web"
_NUMBERS_OF_A_PROCESS = 2**36
_PROCESSES = 2**17


class Dispatcher:
    """The ASGI application of `/v1` on both surfaces.

    Attributes:
        strays: counts the requests of no endpoint.
    """

    def __init__(
        self,
        table: Mapping[tuple[str, str, str], Route],
        cors: Cors,
        log: AccessLog,
        *,
        process_number: int,
        web_host_prefix: str,
    ) -> None:
        self._table = table
        self._cors = cors
        self._log = log
        self._web_host_prefix = web_host_prefix.encode()
        self.strays = Meter()
        # Unique among the last 131,072 processes of the store, and below 2^53 (wire.md 1.8).
        self._numbers = count(process_number % _PROCESSES * _NUMBERS_OF_A_PROCESS + 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        headers: Headers = scope["headers"]
        first = dict(headers)
        route = self._table.get(self._key(scope, first))
        number = next(self._numbers)
        if route is None:
            await self._answer_unrouted(scope, first, number, send)
            return
        peer = (scope.get("client") or ("",))[0]
        call = Call(number, read_token(headers, first), wants_english(first), headers, peer)
        try:
            body = (
                await read_body(receive, send, route.most_bytes)
                if route.has_body
                else scope.get("query_string", b"")
            )
        except ClientGone:
            return
        except BodyTooLarge:
            route.meter.count(BODY_TOO_LARGE.result)
            failed = (BODY_TOO_LARGE, 413)
            await self._answer_outside(*failed, call.number, call.english, first, send)
            return
        await self._answer(route, call, body, scope, first, send)

    async def _answer(
        self,
        route: Route,
        call: Call,
        body: bytes,
        scope: Scope,
        first: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        began = perf_counter()
        codec = _codec(route, body, first)
        content_type = codec.content_type
        result: Result = "ok"
        code = SUCCESS_CODE
        try:
            answer = await route.answer(codec, call, body)
        except Exception as error:  # noqa: BLE001 - every failure has an answer of its own
            failure, field = failure_of(error, call.number)
            message, result = failure.message(english=call.english, field=field), failure.result
            if isinstance(error, MissingToken):  # JSON on every endpoint (wire.md 1.7)
                content_type, answer = JSON_TYPE, json_failure(failure.code, message)
            else:
                answer = codec.fail(failure.code, message, call.number)
            code = failure.code
        route.meter.note(result, perf_counter() - began)
        self._log.note(call.number, scope["path"], result, code)
        await self._send(200, content_type, answer, result, call.number, first, send)

    async def _answer_unrouted(
        self, scope: Scope, first: Mapping[bytes, bytes], number: int, send: Send
    ) -> None:
        if is_preflight(scope["method"], first):
            answered = (b"content-length", b"0"), NO_STORE, RESULT_HEADERS["ok"]
            headers = [*answered, *self._cors.preflight(first)]
            await respond(204, headers, b"", send)
            return
        self.strays.count(NO_SUCH_ENDPOINT.result)
        await self._answer_outside(NO_SUCH_ENDPOINT, 404, number, wants_english(first), first, send)

    async def _answer_outside(
        self,
        failure: Failure,
        http_status: int,
        number: int,
        english: bool,
        first: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        """Answers with one of the few HTTP statuses that are not 200 (wire.md 1.5)."""
        body = json_failure(failure.code, failure.message(english=english))
        await self._send(http_status, JSON_TYPE, body, failure.result, number, first, send)

    async def _send(
        self,
        http_status: int,
        content_type: bytes,
        body: bytes,
        result: Result,
        number: int,
        first: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        if b"origin" not in first and answer_at_once(
            send, http_status, content_type, body, result, number
        ):
            return
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", b"%d" % number),
            RESULT_HEADERS[result],
            NO_STORE,
        ]
        if b"origin" in first:
            headers += self._cors.headers(first)
        await respond(http_status, headers, body, send)

    def _key(self, scope: Scope, first: Mapping[bytes, bytes]) -> tuple[str, str, str]:
        """Surface, method and path: the web surface by host name or by prefix (wire.md 1.1)."""
        path: str = scope["path"]
        if path.startswith(_WEB_PREFIX + "/"):
            return "web", scope["method"], path.removeprefix(_WEB_PREFIX)
        is_web = first.get(b"host", b"").lower().startswith(self._web_host_prefix)
        return ("web" if is_web else "app"), scope["method"], path


def _codec(route: Route, body: bytes, first: Mapping[bytes, bytes]) -> Codec:
    """The JSON form only where the type says JSON and the body looks like it (wire.md 1.3)."""
    if route.json_form is None:
        return route.codec
    if not body.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
        return route.codec
    content_type = first.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return route.json_form if content_type == b"application/json" else route.codec
