"""The ASGI application of `/v1`: routes a request and sends its response (wire.md 1.1, 1.5).

Every outcome of a known endpoint is HTTP 200: most clients drop the body of anything else, and
several delete the stored token on a 401 (wire.md 1.5).
"""

from codecs import BOM_UTF8
from collections.abc import Mapping
from itertools import count
from time import perf_counter

from hupan.api.codecs import (
    JSON_TYPE,
    PROTOBUF_TYPE,
    ClientDisconnected,
    Codec,
    Receive,
    Scope,
    Send,
    encode_json_error,
    encode_protobuf_error,
    read_body,
)
from hupan.api.context import Headers, RequestContext, read_token, wants_english
from hupan.api.errors import log_and_map_error
from hupan.api.responses import (
    NO_STORE,
    RESULT_HEADERS,
    Cors,
    is_preflight,
    send_direct,
    send_response,
)
from hupan.api.routing import Route
from hupan.api.upstream import PROTOBUF_TYPES, Upstream
from hupan.contract.endpoints import SUCCESS_CODE
from hupan.errors import (
    AppError,
    BodyTooLarge,
    MissingToken,
    NotAnAccountEndpoint,
    ResultClass,
    UnknownEndpoint,
    UpstreamOverloaded,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from hupan.logs import AccessLog
from hupan.metrics import EndpointMetrics

_WEB_PREFIX = "/web"
_OUTSIDE_AREAS = frozenset({"msg", "group", "community", "sticker", "disk", "live"})
_UPSTREAM_LABEL = "/v1/*"
_HTTP_STATUSES: Mapping[type[AppError], int] = {
    BodyTooLarge: 413,
    UpstreamUnavailable: 502,
    UpstreamOverloaded: 503,
    UpstreamTimedOut: 504,
}
"""Of what ends a request that is handed on; all else is 200 (wire.md 1.5)."""
_REQUEST_IDS_PER_PROCESS = 2**36
_PROCESS_NUMBERS = 2**17


class Dispatcher:
    """The ASGI application of `/v1` on both surfaces.

    Attributes:
        unrouted: the counters of requests without an endpoint.
        outside: those of requests for messages, groups and the like (wire.md 8.2).
        upstream: hands requests on to a message server, None without one (wire.md 8.5).
    """

    def __init__(
        self,
        table: Mapping[tuple[str, str, str], Route],
        cors: Cors,
        log: AccessLog,
        *,
        process_number: int,
        web_host_prefix: str,
        upstream: Upstream | None = None,
    ) -> None:
        self._table = table
        self.upstream = upstream
        self._cors = cors
        self._log = log
        self._web_host_prefix = web_host_prefix.encode()
        self.unrouted = EndpointMetrics()
        self.outside = EndpointMetrics()
        # Unique among the last 131,072 processes of the store, and below 2^53 (wire.md 1.8).
        self._request_ids = count(process_number % _PROCESS_NUMBERS * _REQUEST_IDS_PER_PROCESS + 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        headers: Headers = scope["headers"]
        header_map = dict(headers)
        key = self._route_key(scope, header_map)
        route = self._table.get(key)
        request_id = next(self._request_ids)
        if route is None:
            if not await self._hand_on(key, scope, header_map, request_id, receive, send):
                await self._respond_unrouted(scope, header_map, request_id, send)
            return
        peer = (scope.get("client") or ("",))[0]
        context = RequestContext(
            request_id, read_token(headers, header_map), wants_english(header_map), headers, peer
        )
        try:
            body = (
                await read_body(receive, send, route.max_body_bytes)
                if route.has_body
                else scope.get("query_string", b"")
            )
        except ClientDisconnected:
            return
        except BodyTooLarge as error:
            route.metrics.increment(error.result)
            await self._send_http_error(error, 413, request_id, header_map, send)
            return
        await self._respond(route, context, body, scope, header_map, send)

    async def _respond(
        self,
        route: Route,
        context: RequestContext,
        body: bytes,
        scope: Scope,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        started_at = perf_counter()
        codec = _select_codec(route, body, header_map)
        content_type = codec.content_type
        result: ResultClass = "ok"
        code = SUCCESS_CODE
        try:
            encoded = await route.handle(codec, context, body)
        except Exception as error:  # noqa: BLE001 - every failure has a response of its own
            failure = log_and_map_error(error, context.request_id)
            message = failure.message(english=context.english)
            code, result = failure.code, failure.result
            if isinstance(failure, MissingToken):  # JSON on every endpoint (wire.md 1.7)
                content_type, encoded = JSON_TYPE, encode_json_error(code, message)
            else:
                encoded = codec.encode_error(code, message, context.request_id)
        route.metrics.observe(result, perf_counter() - started_at)
        self._log.record(context.request_id, scope["path"], result, code)
        await self._send(200, content_type, encoded, result, context.request_id, header_map, send)

    async def _hand_on(
        self,
        key: tuple[str, str, str],
        scope: Scope,
        header_map: Mapping[bytes, bytes],
        request_id: int,
        receive: Receive,
        send: Send,
    ) -> bool:
        """Let the message server respond, where there is one for this path (wire.md 8.5)."""
        surface, method, path = key
        upstream = self.upstream
        if (
            upstream is None
            or not upstream.rules.takes(surface, path)
            or is_preflight(method, header_map)
        ):
            return False
        headers: Headers = scope["headers"]
        peer = (scope.get("client") or ("",))[0]
        token, english = read_token(headers, header_map), wants_english(header_map)
        context = RequestContext(request_id, token, english, headers, peer)
        started_at = perf_counter()
        result: ResultClass = "ok"
        code = SUCCESS_CODE
        try:
            await upstream.hand_on(
                surface, path, scope, context, receive, send, self._cors.headers(header_map)
            )
        except Exception as error:  # noqa: BLE001 - every failure has a response of its own
            failure = log_and_map_error(error, request_id)
            code, result = failure.code, failure.result
            is_protobuf = upstream.rules.is_protobuf(surface, path, _content_type(header_map))
            await self._send_in_form(
                failure,
                _HTTP_STATUSES.get(type(failure), 200),
                # JSON on every endpoint (wire.md 1.7)
                is_protobuf=is_protobuf and not isinstance(failure, MissingToken),
                request_id=request_id,
                header_map=header_map,
                send=send,
            )
        upstream.metrics.observe(result, perf_counter() - started_at)
        self._log.record(request_id, _UPSTREAM_LABEL, result, code)  # the path is the client's text
        return True

    async def _respond_unrouted(
        self, scope: Scope, header_map: Mapping[bytes, bytes], request_id: int, send: Send
    ) -> None:
        if is_preflight(scope["method"], header_map):
            headers = [
                (b"content-length", b"0"),
                NO_STORE,
                RESULT_HEADERS["ok"],
                *self._cors.preflight_headers(header_map),
            ]
            await send_response(204, headers, b"", send)
            return
        area = _outside_area(scope["path"])
        if area:
            self.outside.increment(NotAnAccountEndpoint.result)
            failure: AppError = NotAnAccountEndpoint()
            # The rest of the path is the client's own text.
            self._log.record(request_id, f"/v1/{area}/*", failure.result, failure.code)
        else:
            self.unrouted.increment(UnknownEndpoint.result)
            failure = UnknownEndpoint()
        is_protobuf = bool(area) and _content_type(header_map) in PROTOBUF_TYPES
        await self._send_in_form(
            failure,
            404,
            is_protobuf=is_protobuf,
            request_id=request_id,
            header_map=header_map,
            send=send,
        )

    async def _send_in_form(
        self,
        failure: AppError,
        http_status: int,
        *,
        is_protobuf: bool,
        request_id: int,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        """Respond about a path that is no endpoint, in the form that its client reads."""
        if not is_protobuf:
            await self._send_http_error(failure, http_status, request_id, header_map, send)
            return
        message = failure.message(english=wants_english(header_map))
        body = encode_protobuf_error(failure.code, message, request_id)
        await self._send(
            http_status, PROTOBUF_TYPE, body, failure.result, request_id, header_map, send
        )

    async def _send_http_error(
        self,
        failure: AppError,
        http_status: int,
        request_id: int,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        """Respond with one of the few HTTP statuses other than 200 (wire.md 1.5)."""
        message = failure.message(english=wants_english(header_map))
        body = encode_json_error(failure.code, message)
        await self._send(http_status, JSON_TYPE, body, failure.result, request_id, header_map, send)

    async def _send(
        self,
        http_status: int,
        content_type: bytes,
        body: bytes,
        result: ResultClass,
        request_id: int,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        if b"origin" not in header_map and send_direct(
            send, http_status, content_type, body, result, request_id
        ):
            return
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", b"%d" % request_id),
            RESULT_HEADERS[result],
            NO_STORE,
        ]
        if b"origin" in header_map:
            headers += self._cors.headers(header_map)
        await send_response(http_status, headers, body, send)

    def _route_key(self, scope: Scope, header_map: Mapping[bytes, bytes]) -> tuple[str, str, str]:
        """Return surface, method and path; host name or prefix select web (wire.md 1.1)."""
        path: str = scope["path"]
        if path.startswith(_WEB_PREFIX + "/"):
            return "web", scope["method"], path.removeprefix(_WEB_PREFIX)
        is_web = header_map.get(b"host", b"").lower().startswith(self._web_host_prefix)
        return ("web" if is_web else "app"), scope["method"], path


def _select_codec(route: Route, body: bytes, header_map: Mapping[bytes, bytes]) -> Codec:
    """Choose the JSON form only where content type and body both say JSON (wire.md 1.3).

    For an endpoint whose JSON clients are known, the body alone decides (wire.md 8.2).
    """
    if route.json_codec is None:
        return route.codec
    if not body.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
        return route.codec
    if route.needs_json_type and _content_type(header_map) != b"application/json":
        return route.codec
    return route.json_codec


def _content_type(header_map: Mapping[bytes, bytes]) -> bytes:
    return header_map.get(b"content-type", b"").partition(b";")[0].strip().lower()


def _outside_area(path: str) -> str:
    """Return the part of the public service that a path belongs to, "" for none of them."""
    version, _, rest = path.removeprefix(_WEB_PREFIX).removeprefix("/").partition("/")
    area, slash, name = rest.partition("/")
    return area if version == "v1" and name and area in _OUTSIDE_AREAS and slash else ""
