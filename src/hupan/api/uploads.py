"""Reads the form of an upload: a token, a key and one file, in any order (wire.md 8.4).

Every part is bounded before it is used, and the file goes to the disk as it arrives. A token that
precedes the file is checked before the file is read.

A process reads a bounded number of uploads at once. If all places are taken, the slowest upload
loses its place: a client that holds places with uploads that hardly progress does not prevent
others from uploading.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hupan.api.codecs import ClientDisconnected, Receive, Send
from hupan.background import ensure_task
from hupan.domain.media import (
    ETAG_BLOCK_BYTES,
    MAX_UPLOAD_TOKEN_CHARACTERS,
    UploadHolder,
    content_etag,
    parse_upload_key,
)
from hupan.errors import (
    Busy,
    InvalidPictureKey,
    InvalidUploadToken,
    UnreadableUpload,
    UploadTooLarge,
)

MAX_UPLOADS_AT_ONCE = 32
"""Uploads of one process; each has a file of up to 8 MiB and 512 KiB of memory."""
MAX_UPLOADS_PER_HOST = 8
GRACE_SECONDS = 1.0
"""A younger upload keeps its place."""
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_FIELDS_BYTES = 64 * 1024
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 2 * MAX_FIELDS_BYTES
"""The maximum of the whole body: the file, other fields, and what separates them."""
MAX_PARTS = 32
MAX_PART_HEADERS, MAX_PART_HEADER_BYTES = 8, 4096
MAX_UPLOAD_SECONDS = 60.0
"""From the headers to the end of the body."""
FLUSH_BYTES = 256 * 1024
_MAX_KEY_BYTES = 1024
_FIELD_BOUNDS = {"token": MAX_UPLOAD_TOKEN_CHARACTERS, "key": _MAX_KEY_BYTES}

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # a client causes its warnings


class UploadForm:
    """The form of one upload, filled while its body arrives.

    Args:
        boundary: the boundary between the parts.
        verify: checks a token.
        open_spool: opens a file for the upload; blocks.

    Raises:
        UnreadableUpload: the boundary is not valid.
    """

    def __init__(
        self,
        boundary: bytes,
        verify: Callable[[str], UploadHolder],
        open_spool: Callable[[], BinaryIO],
    ) -> None:
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
                max_header_count=MAX_PART_HEADERS,
                max_header_size=MAX_PART_HEADER_BYTES,
            )
        except FormParserError as error:
            raise UnreadableUpload from error
        self._verify = verify
        self._open_spool = open_spool
        self._part_count = 0
        self._header_name, self._header_value = bytearray(), bytearray()
        self._part_name: str | None = None
        self._field = bytearray()
        self._field_bytes = 0
        self._seen: set[str] = set()
        self._is_complete = False
        self._pending = bytearray()
        self._block = hashlib.sha1()  # noqa: S324 - what upload clients compare with
        self._block_bytes = 0
        self._block_digests: list[bytes] = []
        self._holder: UploadHolder | None = None
        self._key: str | None = None
        self._deadline: asyncio.Timeout | None = None
        self._is_given_up = False
        self.file: BinaryIO | None = None
        self.size = 0
        self.received = 0

    @property
    def is_reading(self) -> bool:
        """Whether the body is being read."""
        return self._deadline is not None and not self._is_given_up

    @property
    def is_signed_in(self) -> bool:
        """Whether a valid token has arrived."""
        return self._holder is not None

    def give_up(self) -> None:
        """Make `read` end now, as busy."""
        if self._deadline is not None:
            self._is_given_up = True
            self._deadline.reschedule(asyncio.get_running_loop().time())

    async def read(self, receive: Receive, send: Send) -> None:
        """Read the body.

        Raises:
            ClientDisconnected: the connection ended first.
            TimeoutError: the body takes too long.
            UnreadableUpload, UploadTooLarge, InvalidUploadToken, UploadFailed: it is refused.
            Busy: it gave its place up.
        """
        await ensure_task()
        try:
            async with asyncio.timeout(MAX_UPLOAD_SECONDS) as self._deadline:
                await self._read_body(receive, getattr(send, "restart_wait", None))
        except TimeoutError as error:
            raise (Busy if self._is_given_up else error) from None
        finally:
            self._deadline = None
        if not self._is_complete:
            raise UnreadableUpload

    async def _read_body(self, receive: Receive, restart_wait: Callable[[], None] | None) -> None:
        has_more = True
        while has_more:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise ClientDisconnected
            chunk: bytes = event.get("body", b"")
            has_more = event.get("more_body", False)
            self.received += len(chunk)
            if self.received > MAX_UPLOAD_BYTES:
                raise UploadTooLarge
            self._parse(chunk)
            if len(self._pending) >= FLUSH_BYTES or not has_more:
                await asyncio.to_thread(self._flush)
                if restart_wait is not None:
                    restart_wait()

    def result(self) -> tuple[UploadHolder, str, str, BinaryIO]:
        """Return the owner of the upload, its key, its hash and its file.

        Raises:
            InvalidUploadToken: there is no token.
            InvalidPictureKey: the key is not valid.
            UnreadableUpload: there is no file.
        """
        if self._holder is None:
            raise InvalidUploadToken
        if self.file is None or not self.size:
            raise UnreadableUpload
        last = [self._block.digest()] if self._block_bytes else []
        etag = content_etag([*self._block_digests, *last])
        return self._holder, parse_upload_key(self._key, etag), etag, self.file

    def close(self) -> None:
        """Delete the file."""
        if self.file is not None:
            self.file.close()

    def _parse(self, chunk: bytes) -> None:
        if self._is_complete or not chunk:
            return
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise UnreadableUpload from error

    def _begin_part(self) -> None:
        self._part_count += 1
        if self._part_count > MAX_PARTS:
            raise UnreadableUpload
        self._part_name = None
        self._field.clear()

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            kind, options = parse_options_header(bytes(self._header_value))
            if kind != b"form-data":
                raise UnreadableUpload
            self._part_name = options.get(b"name", b"").decode("latin-1") or None
        self._header_name.clear()
        self._header_value.clear()

    def _end_headers(self) -> None:
        name = self._part_name
        if name is None or name in self._seen:
            raise UnreadableUpload
        if name in ("token", "key", "file"):
            self._seen.add(name)

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._part_name == "file":
            self.size += end - start
            if self.size > MAX_FILE_BYTES:
                raise UploadTooLarge
            self._pending += data[start:end]
            return
        self._field_bytes += end - start
        if self._field_bytes > MAX_FIELDS_BYTES:
            raise UnreadableUpload
        if self._part_name in _FIELD_BOUNDS:
            self._field += data[start:end]

    def _end_part(self) -> None:
        name = self._part_name
        if name not in _FIELD_BOUNDS:
            return
        try:
            text = self._field.decode()
        except UnicodeDecodeError as error:
            raise (InvalidUploadToken if name == "token" else InvalidPictureKey) from error
        if len(self._field) > _FIELD_BOUNDS[name]:
            raise InvalidUploadToken if name == "token" else InvalidPictureKey
        if name == "token":
            self._holder = self._verify(text)
        else:
            self._key = text

    def _end(self) -> None:
        self._is_complete = True

    def _flush(self) -> None:
        """Write what has arrived of the file; runs in a thread while nothing is parsed."""
        if not self._pending and self.file is not None:
            return
        if self.file is None:
            self.file = self._open_spool()
        self.file.write(self._pending)
        self.file.flush()
        self._hash(memoryview(self._pending))
        self._pending = bytearray()

    def _hash(self, data: memoryview) -> None:
        while data:
            part = data[: ETAG_BLOCK_BYTES - self._block_bytes]
            self._block.update(part)
            self._block_bytes += len(part)
            data = data[len(part) :]
            if self._block_bytes == ETAG_BLOCK_BYTES:
                self._block_digests.append(self._block.digest())
                self._block, self._block_bytes = hashlib.sha1(), 0  # noqa: S324 - as above


class UploadPlace:
    """The place of one upload."""

    def __init__(self, host: str, form: UploadForm, taken_at: float) -> None:
        self.host = host
        self.form = form
        self.taken_at = taken_at


class UploadPlaces:
    """The places of a process, with a bound per host."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._places: set[UploadPlace] = set()

    def take(self, host: str, form: UploadForm) -> UploadPlace:
        """Take a place, perhaps that of another upload.

        Raises:
            Busy: none is free, and none of the others is slow.
        """
        now = self._now()
        rivals = [place for place in self._places if place.host == host]
        if len(rivals) < MAX_UPLOADS_PER_HOST:
            rivals = list(self._places) if len(self._places) >= MAX_UPLOADS_AT_ONCE else []
        if rivals:
            self._free_slowest(rivals, now)
        place = UploadPlace(host, form, now)
        self._places.add(place)
        return place

    def free(self, place: UploadPlace) -> None:
        """Return a place; does nothing if it was given up."""
        self._places.discard(place)

    def _free_slowest(self, rivals: list[UploadPlace], now: float) -> None:
        slow = [
            place
            for place in rivals
            if place.form.is_reading and now - place.taken_at >= GRACE_SECONDS
        ]
        if not slow:
            raise Busy
        # A stranger before an account: a token that came first is known already.
        slowest = min(
            slow,
            key=lambda place: (
                place.form.is_signed_in,
                place.form.received / (now - place.taken_at),
            ),
        )
        self._places.discard(slowest)
        slowest.form.give_up()
