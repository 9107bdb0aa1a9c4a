"""Forms: their bodies within bounds, a token against other sites, and each submission once.

A form carries a token that the server signed. It shows that the form comes from a page of this
server, even if the browser names no origin: with `no-referrer` it sends `Origin: null`, and to a
plain http address other than loopback no `Sec-Fetch-Site`. A token that was used leads to where the
first submission led, so a double click acts once (web.md W-9, W-13).
"""

import asyncio
import hashlib
import hmac
import re
import unicodedata
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from secrets import token_bytes, token_hex
from urllib.parse import parse_qsl

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from hupan.localized import LocalizedText

TOKEN_FIELD = "form"  # noqa: S105 - the name of a field
MAX_FORM_BYTES = 64 * 1024
MAX_FORM_FIELDS = 64
MAX_UPLOADING = 2
"""Files that are received at a time; each takes up to its bound of memory."""
MAX_DISCARDED_BYTES = 64 * 1024 * 1024
"""The part of a body read after its bound: a browser shows the answer only after sending all."""
MAX_REMEMBERED_FORMS = 1000
"""Submitted forms whose outcome is remembered; the oldest is forgotten."""
_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?")


class FormRefused(Exception):
    """A form cannot be accepted.

    Attributes:
        http_status: 400, 403 or 413.
        text: the name of a text in the catalogue of all pages.
    """

    def __init__(self, http_status: int, text: str) -> None:
        super().__init__(text)
        self.http_status = http_status
        self.text = text


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """Why a field of a form is refused; "" is the form as a whole."""

    field: str
    text: LocalizedText


class FieldRefused(Exception):
    """A field has a value that cannot be accepted; the form is shown again with what was typed.

    Attributes:
        problem: the field, and why.
        http_status: 400, 409 or 503.
    """

    def __init__(self, field: str, text: LocalizedText, http_status: int = 400) -> None:
        super().__init__(text.en)
        self.problem = FieldProblem(field, text)
        self.http_status = http_status


@dataclass(frozen=True, slots=True)
class FormState:
    """What a page shows of a form that was refused; nothing when it is opened.

    Attributes:
        typed: the fields as they were typed.
        problem: why they are refused.
        http_status: the HTTP status of the page.
    """

    typed: Mapping[str, str] = field(default_factory=dict)
    problem: FieldProblem | None = None
    http_status: int = 200


def read_decimal(fields: Mapping[str, str], name: str, maximum: int) -> Decimal:
    """Return a number of a form, 0 for an empty field; full-width digits are valid (web.md W-7).

    Raises:
        FieldRefused: it is not a number, or not within 0 to `maximum`.
    """
    text = unicodedata.normalize("NFKC", fields.get(name, "")).strip()
    if not text:
        return Decimal(0)
    if not _DECIMAL.fullmatch(text) or not 0 <= Decimal(text) <= maximum:
        raise FieldRefused(
            name,
            LocalizedText(f"须为 0 到 {maximum} 之间的数", f"must be a number from 0 to {maximum}"),
        )
    return Decimal(text)


def read_integer(fields: Mapping[str, str], name: str, maximum: int) -> int:
    """Return a whole number of a form, as `read_decimal` does."""
    number = read_decimal(fields, name, maximum)
    if number != int(number):
        raise FieldRefused(name, LocalizedText("须为整数", "must be a whole number"))
    return int(number)


async def read_bounded_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        FormRefused: it is too large.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise FormRefused(413, "form_too_large")
    return bytes(body)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; blanks around a value are removed, the last of a name counts.

    Raises:
        FormRefused: it is too large, or not the body of a form.
    """
    body = await read_bounded_body(request, MAX_FORM_BYTES)
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise FormRefused(400, "form_unreadable")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
    except ValueError as error:  # UnicodeError, too
        raise FormRefused(400, "form_unreadable") from error
    return {name: value.strip() for name, value in pairs}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form; without name and content if none was chosen."""

    name: str
    content: bytes


class Uploads:
    """Reads forms with one file, within bounds."""

    def __init__(self) -> None:
        self._free = MAX_UPLOADING

    async def read_form(self, request: Request, max_bytes: int) -> tuple[dict[str, str], Upload]:
        """Return the fields of a form, and the file in its field `file`.

        Raises:
            FieldRefused: the file is larger than `max_bytes`.
            FormRefused: it is not the body of such a form, or other files are being received.
        """
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise FormRefused(400, "form_unreadable")
        if not self._free:
            raise FormRefused(503, "error_busy")
        self._free -= 1
        try:
            return await _read_upload_form(request, max_bytes)
        finally:
            self._free += 1


class _UploadParser(MultiPartParser):
    """Refuses a body that ends early, which the library accepts."""

    def __init__(self, request: Request, max_bytes: int) -> None:
        super().__init__(
            request.headers,
            self._read_stream(request, max_bytes),
            max_files=1,
            max_fields=MAX_FORM_FIELDS,
            max_part_size=MAX_FORM_BYTES,
        )
        self._is_complete = False

    def on_end(self) -> None:
        self._is_complete = True

    async def _read_stream(self, request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
        """Yield the body of a form with a file of `max_bytes`.

        Raises:
            FieldRefused: the file must be larger.
            FormRefused: the body ends early.
        """
        received, max_received = 0, max_bytes + MAX_FORM_BYTES
        async for chunk in request.stream():
            received += len(chunk)
            if received <= max_received:
                yield chunk
            elif received > max_received + MAX_DISCARDED_BYTES:
                break
        if received > max_received:
            raise _file_too_large(max_bytes)
        if not self._is_complete:
            raise FormRefused(400, "form_unreadable")


async def _read_upload_form(request: Request, max_bytes: int) -> tuple[dict[str, str], Upload]:
    try:
        form = await _UploadParser(request, max_bytes).parse()
    except (MultiPartException, UnicodeError) as error:
        raise FormRefused(400, "form_unreadable") from error
    fields, upload = {}, Upload("", b"")
    try:
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields[name] = value.strip()
            elif name == "file":
                upload = Upload(value.filename or "", await value.read())
    finally:
        await form.close()
    if len(upload.content) > max_bytes:
        raise _file_too_large(max_bytes)
    return fields, upload


def _file_too_large(max_bytes: int) -> FieldRefused:
    megabytes = max_bytes // 2**20
    return FieldRefused(
        "file",
        LocalizedText(f"文件最多 {megabytes} MB", f"The file may have at most {megabytes} MB"),
        413,
    )


class Submissions:
    """Signs the tokens of forms and accepts each token once."""

    def __init__(self) -> None:
        self._key = token_bytes(32)
        self._outcomes: OrderedDict[str, asyncio.Future[str | None]] = OrderedDict()

    def issue(self) -> str:
        """Return the token of a form that is shown now."""
        number = token_hex(16)
        return f"{number}.{self._sign(number)}"

    def check(self, fields: Mapping[str, str]) -> str:
        """Return the token of a submitted form.

        Raises:
            FormRefused: it is not a token of this server.
        """
        token = fields.get(TOKEN_FIELD, "")
        number, _, signature = token.partition(".")
        expected = self._sign(number)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise FormRefused(403, "form_expired")
        return token

    async def submit(self, token: str, act: Callable[[], Awaitable[Response]]) -> Response | str:
        """Act once for a token.

        Returns:
            The response, or where the first submission led. A refused form may be submitted again.
        """
        earlier = self._outcomes.get(token)
        if earlier is not None:
            location = await asyncio.shield(earlier)
            if location is not None:
                return location
        outcome: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._remember(token, outcome)
        location = None
        try:
            response = await act()
            location = response.headers.get("location")
        finally:
            outcome.set_result(location)
            if location is None:
                self._outcomes.pop(token, None)
        return response

    def _remember(self, token: str, outcome: asyncio.Future[str | None]) -> None:
        self._outcomes[token] = outcome
        while len(self._outcomes) > MAX_REMEMBERED_FORMS:
            self._outcomes.popitem(last=False)

    def _sign(self, number: str) -> str:
        return hmac.new(self._key, number.encode(), hashlib.sha256).hexdigest()
