"""Pictures: the upload host, its directory, and the media host, on our own port (wire.md 8.4).

Clients have the names of three hosts built in; each is also a path below `/media/`:

| host | path | below `/media/` |
|---|---|---|
| api.qiniu.com | GET /v4/query | GET /media/v4/query |
| upload*.qiniup.com | POST / | POST /media/upload |
| chat-img.jwznb.com | GET /KEY | GET /media/KEY |

`POST /` with a form is an upload on any host: clients that read a host name of our own in the
answer to the query send it there. These are not answers of the API: they have HTTP statuses that
mean what they say, and errors of the upload host's form.
"""

import json
import logging
import re
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from hupan.api.app import Services, handles, log_and_map_error
from hupan.api.codecs import (
    JSON_TYPE,
    ClientDisconnected,
    Receive,
    Scope,
    Send,
    wants_english,
)
from hupan.api.responses import NO_STORE, RESULT_HEADERS, Cors, send_response
from hupan.api.uploads import MAX_UPLOAD_BYTES, UploadForm, UploadPlaces
from hupan.contract import media
from hupan.contract.endpoints import SUCCESS_CODE, IgnoredBody
from hupan.contract.media import UploadToken
from hupan.domain.default_avatars import draw_default_avatar
from hupan.domain.media import (
    CONTENT_TYPES,
    MEDIA_PATH,
    PUBLIC_PICTURE_HOST,
    default_avatar_account,
)
from hupan.errors import (
    AppError,
    Banned,
    BrokenPicture,
    Busy,
    ForbiddenPictureKey,
    InvalidPictureKey,
    InvalidUploadToken,
    NotSignedIn,
    PictureTooLarge,
    ResultClass,
    StorageFailed,
    TooManyUploads,
    UnknownPicture,
    UnknownPictureKind,
    UnreadableUpload,
    UploadFailed,
    UploadTooLarge,
)
from hupan.logs import AccessLog
from hupan.metrics import EndpointMetrics
from hupan.model import Caller, Headers, RequestContext, StoredPicture

RESULT_OK: ResultClass = "ok"
MediaPart: TypeAlias = Literal["query", "upload", "picture"]
QUERY_HOST = "api.qiniu.com"
QUERY_PATH = "v4/query"
UPLOAD_PATHS = ("upload", "upload/")
PUBLIC_UPLOAD_HOST = "upload-z2.qiniup.com"
"""Answered to clients that found us by that name: the one that they fall back to."""
QUERY_TTL_SECONDS = 86_400
_UPLOAD_HOST = re.compile(r"upload[a-z0-9-]{0,40}\.qiniup\.com")
_BOUNDARY = re.compile(
    rb"multipart/form-data *;(?:.*;)? *boundary=(?:\"([^\"]{1,70})\"|([!-:<-~]{1,70})) *(?:;.*)?",
    re.IGNORECASE,
)
HTTP_STATUSES: Final[Mapping[type[AppError], int]] = {
    UnreadableUpload: 400,
    InvalidPictureKey: 400,
    InvalidUploadToken: 401,
    NotSignedIn: 401,
    Banned: 403,
    ForbiddenPictureKey: 403,
    UnknownPicture: 404,
    UploadTooLarge: 413,
    UnknownPictureKind: 415,
    PictureTooLarge: 422,
    BrokenPicture: 422,
    TooManyUploads: 429,
    Busy: 503,
    UploadFailed: 503,
    StorageFailed: 503,
}
_log = logging.getLogger("hupan.media")
_STABLE = b"public, max-age=31536000, immutable"
_REPLACEABLE = b"public, max-age=86400"
"""An address with a client's key: the client may upload another picture with the same key."""
_SAFE_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"content-disposition", b"inline"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),
]
"""A picture is a picture and never a page, for every browser (security U4)."""


class MediaTarget(NamedTuple):
    """What a request addresses.

    Attributes:
        path: the path of a picture.
        is_public_host: whether the client used the host name that it has built in.
    """

    part: MediaPart
    path: str
    is_public_host: bool


class _Representation(NamedTuple):
    content_type: bytes
    etag: bytes
    modified_at: int
    size: int
    cache: bytes


@handles(media.get_upload_token)
async def get_upload_token(
    services: Services, caller: Caller, _request: IgnoredBody
) -> UploadToken:
    """Return a token for uploads."""
    return UploadToken(services.media.tokens.issue(caller.session))


def match_media(method: str, path: str, header_map: Mapping[bytes, bytes]) -> MediaTarget | None:
    """Return what a request without an endpoint addresses, None if it is not for pictures."""
    host = header_map.get(b"host", b"").decode("latin-1").lower().partition(":")[0].rstrip(".")
    is_get, is_post = method in ("GET", "HEAD"), method == "POST"
    if path.startswith(MEDIA_PATH):
        rest, is_public_host = path.removeprefix(MEDIA_PATH), host == QUERY_HOST
        is_query, is_upload, is_picture = rest == QUERY_PATH, rest in UPLOAD_PATHS, True
    else:
        rest, is_public_host = path.removeprefix("/"), True
        is_query = host == QUERY_HOST and rest == QUERY_PATH
        is_form = header_map.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
        is_upload = rest == "" and (_UPLOAD_HOST.fullmatch(host) is not None or is_form)
        is_picture = host == PUBLIC_PICTURE_HOST
    if is_get and is_query:
        return MediaTarget("query", "", is_public_host)
    if is_post and is_upload:
        return MediaTarget("upload", "", is_public_host)
    if is_get and is_picture:
        return MediaTarget("picture", rest, is_public_host)
    return None


class MediaApp:
    """Responds to requests for pictures.

    Attributes:
        metrics: the counters of its parts.
    """

    def __init__(self, services: Services, cors: Cors, log: AccessLog) -> None:
        self._media = services.media
        self._resolver = services.client_resolver
        self._cors = cors
        self._log = log
        self._places = UploadPlaces()
        self.metrics: dict[MediaPart, EndpointMetrics] = {
            "query": EndpointMetrics(),
            "upload": EndpointMetrics(),
            "picture": EndpointMetrics(),
        }

    async def respond(
        self,
        scope: Scope,
        header_map: Mapping[bytes, bytes],
        request_id: int,
        receive: Receive,
        send: Send,
    ) -> bool:
        """Respond to a request if it is for a picture; return whether it was."""
        target = match_media(scope["method"], scope["path"], header_map)
        if target is None:
            return False
        answer: dict[str, object] | None = None
        status, result, code = 200, RESULT_OK, SUCCESS_CODE
        try:
            if target.part == "query":
                answer = self._upload_hosts(target)
            elif target.part == "upload":
                answer = await self._upload(scope, header_map, request_id, receive, send)
            else:
                await self._send_picture(target.path, header_map, send)
        except ClientDisconnected:
            return True
        except Exception as error:  # noqa: BLE001 - every failure has its response
            is_late = isinstance(error, TimeoutError)
            failure = UnreadableUpload() if is_late else log_and_map_error(error, request_id)
            status = 408 if is_late else HTTP_STATUSES.get(type(failure), 500)
            result, code = failure.result, failure.code
            english = wants_english(header_map)
            answer = {"error": failure.message(english=english), "code": failure.code}
        if answer is not None:
            await self._send_json(status, answer, result, request_id, header_map, send)
        if target.part != "picture":  # a page with many users fetches hundreds
            self._log.record(request_id, f"{MEDIA_PATH}{target.part}", result, code)
        self.metrics[target.part].increment(result)
        return True

    def _upload_hosts(self, target: MediaTarget) -> dict[str, object]:
        """Return the hosts in both forms that clients read (wire.md 8.4)."""
        host = PUBLIC_UPLOAD_HOST if target.is_public_host else self._own_upload_host()
        up = {"domains": [host]}
        hosts = [{"region": "z2", "ttl": QUERY_TTL_SECONDS, "up": up}]
        return {"hosts": hosts, "up": up, "ttl": QUERY_TTL_SECONDS}

    def _own_upload_host(self) -> str:
        address = urlsplit(self._media.addresses.base)
        host = address.netloc or PUBLIC_UPLOAD_HOST
        return f"{host}{address.path}{MEDIA_PATH}{UPLOAD_PATHS[0]}" if address.path else host

    async def _upload(
        self,
        scope: Scope,
        header_map: Mapping[bytes, bytes],
        request_id: int,
        receive: Receive,
        send: Send,
    ) -> dict[str, object]:
        content_type = _BOUNDARY.fullmatch(header_map.get(b"content-type", b""))
        if content_type is None:
            raise UnreadableUpload
        length = header_map.get(b"content-length", b"").lstrip(b"0")  # a head may be full of them
        if length.isdigit() and int(length) > MAX_UPLOAD_BYTES:
            raise UploadTooLarge
        peer = (scope.get("client") or ("",))[0]
        context = RequestContext(request_id, "", english=False, headers=scope["headers"], peer=peer)
        host = self._resolver.resolve_origin(context).host
        form = UploadForm(
            content_type[1] or content_type[2], self._media.tokens.verify, self._media.spool
        )
        place = self._places.take(host, form)
        try:
            await form.read(receive, send)
            holder, key, etag, file = form.result()
            await self._media.store(holder, key, file)
        finally:
            form.close()
            self._places.free(place)
        return {"key": key, "hash": etag, "fsize": form.size}

    async def _send_picture(self, path: str, header_map: Mapping[bytes, bytes], send: Send) -> None:
        account = default_avatar_account(path)
        if account:
            drawing = draw_default_avatar(account)
            shown = _Representation(b"image/png", b'"d1"', 0, len(drawing), _STABLE)
            await self._send_representation(shown, drawing, header_map, send)
            return
        picture = await self._media.find(path)
        if picture is None:
            raise UnknownPicture
        stem, _, extension = picture.name.partition(".")
        shown = _Representation(
            CONTENT_TYPES[extension].encode(),
            b'"%b"' % stem.encode(),
            picture.modified_at,
            picture.size,
            _STABLE if path == picture.name else _REPLACEABLE,
        )
        if await self._send_representation(shown, picture.start, header_map, send):
            await self._send_rest(picture, send)

    async def _send_representation(
        self, shown: _Representation, start: bytes, header_map: Mapping[bytes, bytes], send: Send
    ) -> bool:
        """Send headers and first bytes, or that nothing changed; return whether bytes follow."""
        headers = [
            (b"cache-control", shown.cache),
            (b"etag", shown.etag),
            *_SAFE_HEADERS,
            RESULT_HEADERS["ok"],
            *self._cors.headers(header_map),
        ]
        if shown.modified_at:
            date = formatdate(shown.modified_at, usegmt=True).encode()
            headers.append((b"last-modified", date))
        if _is_unchanged(shown, header_map):
            await send_response(304, headers, b"", send)
            return False
        headers += [
            (b"content-type", shown.content_type),
            (b"content-length", b"%d" % shown.size),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        has_more = len(start) < shown.size
        await send({"type": "http.response.body", "body": start, "more_body": has_more})
        return has_more

    async def _send_rest(self, picture: StoredPicture, send: Send) -> None:
        """Send what follows the first bytes; end the connection if the picture is gone."""
        restart_wait = getattr(send, "restart_wait", None)
        offset = len(picture.start)
        while offset < picture.size:
            try:
                chunk = await self._media.read(picture, offset)
            except OSError as error:
                _log.warning("a picture was deleted while it was sent: %s", error)
                return
            offset += len(chunk)
            has_more = offset < picture.size
            await send({"type": "http.response.body", "body": chunk, "more_body": has_more})
            if restart_wait is not None:
                restart_wait()

    async def _send_json(
        self,
        http_status: int,
        answer: dict[str, object],
        result: ResultClass,
        request_id: int,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        body = json.dumps(answer, ensure_ascii=False).encode()
        headers = [
            (b"content-type", JSON_TYPE),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", b"%d" % request_id),
            (b"x-content-type-options", b"nosniff"),
            RESULT_HEADERS[result],
            NO_STORE,
            *self._cors.headers(header_map),
        ]
        await send_response(http_status, headers, body, send)


def _is_unchanged(shown: _Representation, header_map: Mapping[bytes, bytes]) -> bool:
    """Return whether the client has this picture already (RFC 9110 13.1)."""
    tags = header_map.get(b"if-none-match")
    if tags is not None:
        listed = [tag.strip().removeprefix(b"W/") for tag in tags[:1024].split(b",")]
        return shown.etag in listed or b"*" in listed
    since = header_map.get(b"if-modified-since", b"")
    if not since or not shown.modified_at:
        return False
    try:
        return parsedate_to_datetime(since.decode("latin-1")).timestamp() >= shown.modified_at
    except (ValueError, OverflowError):
        return False
