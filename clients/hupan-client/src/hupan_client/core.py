"""What the synchronous and the asynchronous client share: requests and answers, without network.

A `Core` knows the address, the token and the language. It turns a `Call` into a `WireRequest`, and
an answer into the result of the call or an error.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from hupan_client.calls import Call, Form
from hupan_client.errors import Refusal, UnreadableAnswer, find_refusal_type
from hupan_client.messages import LoginToken, UploadedPicture, UploadToken
from hupan_client.protobuf import NotProtobuf, decode_message

SUCCESS_CODE = 1
HTTP_OK = 200
_MAX_ID_DIGITS = 16
JSON_TYPE = "application/json"
PROTOBUF_TYPE = "application/x-protobuf"
UPLOAD_PATH = "/media/upload"
MAX_ANSWER_BYTES = 8 * 1024 * 1024
KEEP_ALIVE_SECONDS = 3.0
"""Shorter than a server keeps an idle connection: a POST is not sent on one that just closes."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request; `repr` has neither its headers nor its body."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """One HTTP answer; `repr` leaves its body out."""

    http_status: int
    content_type: str
    body: bytes = field(repr=False)
    request_id: str = ""
    result: str = ""

    @classmethod
    def of(cls, http_status: int, headers: Mapping[str, str], body: bytes) -> Self:
        """Return what counts of an answer; the names in `headers` have no case."""
        names = ("content-type", "x-request-id", "x-result")
        content_type, request_id, result = (headers.get(name, "") for name in names)
        return cls(http_status, content_type, body, request_id, result)


class AnswerTooLarge(UnreadableAnswer):
    """The answer is larger than anything that the contract knows."""


class _Status(Struct, frozen=True):
    number: Annotated[int, 1] = 0
    code: Annotated[int, 2] = 0
    msg: Annotated[str, 3] = ""


class _ProtobufEnvelope(Struct, frozen=True):
    status: Annotated[_Status | None, 1] = None


class _JsonEnvelope(Struct, frozen=True):
    code: int
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _UploadError(Struct, frozen=True):
    error: str
    code: int


_decode_uploaded = msgspec.json.Decoder(UploadedPicture).decode
_decode_upload_error = msgspec.json.Decoder(_UploadError).decode
_decode_json = msgspec.json.Decoder(_JsonEnvelope).decode


class ServerUrl:
    """Where a server is.

    Args:
        text: like `http://127.0.0.1:8480`, without `/v1`.
    """

    def __init__(self, text: str) -> None:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            msg = "the url must be like http://127.0.0.1:8480"
            raise ValueError(msg)
        if parts.username is not None or parts.password is not None:
            raise ValueError("the url must not contain a user or password")
        self.text = text.rstrip("/")
        self.host = parts.hostname
        self.is_tls = parts.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, where no proxy is asked."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


class Core:
    """Address, token and language of a client.

    Args:
        url: where the server is.
        token: the token of a session, or "".
        language: `zh-CN` or `en`; None leaves it to the server.
    """

    def __init__(self, url: ServerUrl, token: str = "", language: str | None = None) -> None:
        self.url = url
        self.language = language
        self.token = token

    def __repr__(self) -> str:
        return f"Core({self.url.text!r})"

    @property
    def token(self) -> str:
        """The token of the session, "" for none."""
        return self._token

    @token.setter
    def token(self, token: str) -> None:
        # It goes into a header: a line break would become another header.
        if not token.isascii() or any(c.isspace() or not c.isprintable() for c in token):
            raise ValueError("a token has no blanks and only ASCII characters")
        self._token = token

    def build(self, call: Call[Result]) -> WireRequest:
        """Return the request of a call."""
        prefix = "/web" if call.surface == "web" else ""
        query = f"?{urlencode(call.query)}" if call.query else ""
        headers = {}
        if call.method == "POST":
            headers["content-type"] = JSON_TYPE if call.form == "json" else PROTOBUF_TYPE
        if self.language:
            headers["accept-language"] = self.language
        if call.sends_token and self._token:
            headers["token"] = self._token
        url = f"{self.url.text}{prefix}{call.path}{query}"
        return WireRequest(call.method, url, headers, call.body)

    def build_upload(self, upload: UploadToken, key: str, picture: bytes) -> WireRequest:
        """Return the request that uploads a picture (wire.md 8.4); it has no token of a session."""
        boundary = secrets.token_hex(16)
        fields = (("token", "", upload.token.encode()), ("key", "", key.encode()))
        file = ("file", '; filename="picture"\r\ncontent-type: application/octet-stream', picture)
        body = bytearray()
        for name, more, content in (*fields, file):
            head = f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'
            body += head.encode() + content + b"\r\n"
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        if self.language:
            headers["accept-language"] = self.language
        body += f"--{boundary}--\r\n".encode()
        return WireRequest("POST", f"{self.url.text}{UPLOAD_PATH}", headers, bytes(body))

    def read_upload(self, answer: WireAnswer) -> UploadedPicture:
        """Return what was uploaded.

        Raises:
            Refusal: the server did not take it.
            UnreadableAnswer: the answer is not that of an upload.
        """
        try:
            if answer.http_status == HTTP_OK:
                return _decode_uploaded(answer.body)
            failure = _decode_upload_error(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            msg = f"the answer to an upload is not the contract's: {error}"
            raise UnreadableAnswer(msg, answer.http_status) from None
        raise _refusal(failure.code, failure.error, answer)

    def read(self, call: Call[Result], answer: WireAnswer) -> Result:
        """Return the result of a call, and keep or drop the token that it is about.

        Raises:
            Refusal: the server said no.
            UnreadableAnswer: the answer is not the contract's.
        """
        try:
            result = _read_answer(call, answer)
        except (msgspec.MsgspecError, NotProtobuf, UnicodeDecodeError, RecursionError) as error:
            msg = f"the answer to {call.path} is not the contract's: {error}"
            raise UnreadableAnswer(msg, answer.http_status) from None
        if call.is_login and isinstance(result, LoginToken):
            self._keep(result, answer)
        elif call.ends_session:
            self._token = ""
        return result

    def _keep(self, login: LoginToken, answer: WireAnswer) -> None:
        try:
            self.token = login.token
        except ValueError:
            raise UnreadableAnswer("the token has odd characters", answer.http_status) from None


def _read_answer(call: Call[Result], answer: WireAnswer) -> Result:
    form = _form_of(answer)
    if form == "protobuf":
        status = decode_message(_ProtobufEnvelope, answer.body).status
        if status is None:
            raise NotProtobuf("the status is missing")
        code, message, data = status.code, status.msg, answer.body
    else:
        envelope = _decode_json(answer.body)
        code, message, data = envelope.code, envelope.msg, bytes(envelope.data)
    if code != SUCCESS_CODE:
        raise _refusal(code, message, answer)
    if answer.http_status != HTTP_OK:
        msg = f"the answer to {call.path} has HTTP status {answer.http_status}"
        raise UnreadableAnswer(msg, answer.http_status)
    if form != call.form:
        msg = f"the answer to {call.path} is {form}, not {call.form}"
        raise UnreadableAnswer(msg, answer.http_status)
    return call.read(data)


def _form_of(answer: WireAnswer) -> Form:
    """Return the form of an answer: of its type, or of its first character where it has none."""
    content_type = answer.content_type.partition(";")[0].strip().lower()
    if content_type == PROTOBUF_TYPE:
        return "protobuf"
    if content_type == JSON_TYPE or answer.body[:1] == b"{":
        return "json"
    msg = f"HTTP status {answer.http_status} with {content_type or 'no type'}: is this Hupan?"
    raise UnreadableAnswer(msg, answer.http_status)


def _refusal(code: int, message: str, answer: WireAnswer) -> Refusal:
    number = answer.request_id
    is_number = number.isascii() and number.isdecimal() and len(number) <= _MAX_ID_DIGITS
    request_id = int(number) if is_number else 0
    refusal_type = find_refusal_type(code, message)
    return refusal_type(message, code, request_id, answer.result, answer.http_status)
