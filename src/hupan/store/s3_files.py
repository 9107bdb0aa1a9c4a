"""An S3-compatible bucket, and the files of uploaded pictures in it.

Requests are signed with version 4 of Amazon's signature over method, path, host, time and content:
60 lines instead of an SDK of 20 MB. The bucket is private; pictures are read through this server.
"""

import asyncio
import hashlib
import hmac
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlsplit

from hupan.clock import Clock
from hupan.localized import LocalizedOSError
from hupan.model import StoredPicture
from hupan.store.media_files import (
    CHUNK_BYTES,
    EXTENSIONS,
    OWNER_FILE,
    PICTURE_NAME,
    open_spool,
)

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager

MAX_CONNECTIONS = 8
TIMEOUT_SECONDS = 20.0
_OK, _CREATED, _NO_CONTENT, _PARTIAL, _NOT_FOUND = 200, 201, 204, 206, 404
_STREAMED_BYTES = 1024 * 1024
_ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_PRECONDITION_FAILED, _NOT_IMPLEMENTED = 412, 501
_MAX_LIST_BYTES = 4 * 1024 * 1024
"""The maximum of a page, which has 1,000 names of at most 1,024 bytes."""
_PAGE_OBJECTS = 1000
_MAX_OWNER_BYTES = 1024
_OBJECT = re.compile(r"<Contents>.*?</Contents>", re.DOTALL)
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_SIZE = re.compile(r"<Size>([0-9]{1,15})</Size>")
_MODIFIED = re.compile(r"<LastModified>([0-9TZ:.+-]{16,40})</LastModified>")
_NEXT_TOKEN = re.compile(r"<NextContinuationToken>([^<]{1,2048})</NextContinuationToken>")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_CACHE_CONTROL = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class S3Bucket:
    """A bucket and the keys to it.

    Attributes:
        url: the URL of the service; the bucket's name is the first part of the path.
    """

    url: str
    name: str
    region: str
    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object in a list; `modified_at` is None if it cannot be read."""

    name: str
    size: int
    modified_at: int | None


def sign(
    bucket: S3Bucket, method: str, path: str, content_sha256: str, now: datetime, query: str = ""
) -> dict[str, str]:
    """Return the headers that sign a request, host included.

    Args:
        bucket: the bucket; its keys sign the request.
        method: the method of the request.
        path: escaped, with the bucket.
        content_sha256: of the body, in hex.
        now: the time in UTC.
        query: escaped, its parameters sorted by name.
    """
    time = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{time[:8]}/{bucket.region}/s3/aws4_request"
    headers = {
        "host": urlsplit(bucket.url).netloc,
        "x-amz-content-sha256": content_sha256,
        "x-amz-date": time,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{content_sha256}"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{bucket.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"{_ALGORITHM}\n{time}\n{scope}\n{hashed}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={bucket.access_key}/{scope}"
    authorization = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": authorization}


class S3Client:
    """Sends signed requests about the objects of a bucket; safe for threads."""

    def __init__(self, bucket: S3Bucket, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock
        self._pool: PoolManager | None = None

    def request(
        self,
        method: str,
        name: str,
        headers: Mapping[str, str],
        body: BinaryIO | None = None,
        content_sha256: str = EMPTY_SHA256,
        *,
        query: str = "",
        is_streamed: bool = False,
    ) -> "BaseHTTPResponse":
        """Send a request; with `is_streamed`, the content of the response is still to be read.

        Raises:
            OSError: the service does not answer.
        """
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - costs start time without a bucket

        bucket = self._bucket
        address = urlsplit(bucket.url)
        path = f"{address.path.rstrip('/')}/{quote(bucket.name)}/{name}"
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        signed = sign(bucket, method, path, content_sha256, now, query)
        url = f"{address.scheme}://{address.netloc}{path}{'?' if query else ''}{query}"
        try:
            return self._open_pool().request(
                method,
                url,
                body=body,
                headers={**headers, **signed},
                redirect=False,
                preload_content=not is_streamed,
            )
        except HTTPError as error:
            raise LocalizedOSError(
                f"存储桶没有响应（{type(error).__name__}）", f"the bucket does not answer: {error}"
            ) from error

    def stream(self, response: "BaseHTTPResponse") -> Iterator[bytes]:
        """Yield the content of a streamed response.

        Raises:
            OSError: its end is missing.
        """
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see above

        try:
            yield from response.stream(_STREAMED_BYTES)
        except HTTPError as error:
            raise LocalizedOSError(
                f"存储桶没有响应（{type(error).__name__}）", f"the bucket does not answer: {error}"
            ) from error

    def list_objects(self, prefix: str, max_objects: int) -> Iterator[S3Object]:
        """Yield the objects whose names have a prefix, page by page.

        Raises:
            OSError: the service does not respond, or sends more than a page.
        """
        token = ""
        while max_objects > 0:
            text = self._list_page(prefix, min(max_objects, _PAGE_OBJECTS), token)
            for entry in _OBJECT.findall(text):
                key, size = _KEY.search(entry), _SIZE.search(entry)
                if key and size:
                    yield S3Object(unescape(key[1]), int(size[1]), _listed_time(entry))
            more = _NEXT_TOKEN.search(text)
            if more is None:
                return
            token = unescape(more[1])
            max_objects -= _PAGE_OBJECTS

    def _list_page(self, prefix: str, max_objects: int, token: str) -> str:
        query = f"list-type=2&max-keys={max_objects}&prefix={quote(prefix, safe='')}"
        if token:
            query = f"continuation-token={quote(token, safe='')}&{query}"
        response = self.request("GET", "", {}, query=query, is_streamed=True)
        expect_status(response, _OK)
        page = bytearray()
        for piece in self.stream(response):
            page += piece
            if len(page) > _MAX_LIST_BYTES:
                raise LocalizedOSError(
                    "存储桶返回的列表过长", "the bucket returned a list that is too long"
                )
        return page.decode("utf-8", "replace")

    def _open_pool(self) -> "PoolManager":
        if self._pool is None:
            from urllib3 import PoolManager, Timeout  # noqa: PLC0415 - see above

            timeout = Timeout(connect=TIMEOUT_SECONDS / 4, read=TIMEOUT_SECONDS)
            self._pool = PoolManager(
                maxsize=MAX_CONNECTIONS, block=True, timeout=timeout, retries=False
            )
        return self._pool


class S3PictureFiles:
    """Pictures in a bucket; uploads wait in a local folder until they are drawn."""

    folders_per_round = 1  # a request each, which providers charge for

    def __init__(self, bucket: S3Bucket, spool_folder: Path, clock: Clock) -> None:
        self._client = S3Client(bucket, clock)
        self._spool_folder = spool_folder

    def spool(self) -> BinaryIO:
        return open_spool(self._spool_folder)

    async def put(self, name: str, picture: BinaryIO, content_type: str) -> None:
        await asyncio.to_thread(self._put, name, picture, content_type)

    async def find(self, name: str) -> StoredPicture | None:
        return await asyncio.to_thread(self._find, name)

    async def read(self, name: str, offset: int) -> bytes:
        return await asyncio.to_thread(self._read, name, offset)

    async def delete(self, stem: str) -> None:
        await asyncio.to_thread(self._delete, stem)

    async def list_folders(self) -> list[str]:
        """Return all beginnings of names: a bucket has no folders."""
        return [first + second for first in _BASE32 for second in _BASE32]

    async def list_files(self, folder: str, max_files: int) -> dict[str, int]:
        return await asyncio.to_thread(self._list_files, folder, max_files)

    async def belongs_to(self, owner: str, *, may_claim: bool) -> bool:
        return await asyncio.to_thread(self._belongs_to, owner, may_claim)

    def _list_files(self, folder: str, max_files: int) -> dict[str, int]:
        return {
            one.name: one.modified_at
            for one in self._client.list_objects(folder, max_files)
            if one.modified_at is not None
            and one.name.startswith(folder)  # regardless of how the service reads the prefix
            and PICTURE_NAME.fullmatch(one.name)
        }

    def _belongs_to(self, owner: str, may_claim: bool) -> bool:
        response = self._client.request("GET", OWNER_FILE, {"range": f"bytes=0-{_MAX_OWNER_BYTES}"})
        if response.status != _NOT_FOUND:
            expect_status(response, _OK, _PARTIAL)
            return response.data == owner.encode()
        if may_claim:
            self._claim(owner.encode())
        return False  # the next round reads what is there

    def _claim(self, owner: bytes) -> None:
        """Record the owner of the pictures, unless another store was faster."""
        for condition in ({"if-none-match": "*"}, {}):
            headers = {"content-length": str(len(owner)), **condition}
            hashed = hashlib.sha256(owner).hexdigest()
            response = self._client.request("PUT", OWNER_FILE, headers, BytesIO(owner), hashed)
            if response.status == _PRECONDITION_FAILED:
                return
            if response.status != _NOT_IMPLEMENTED:  # services may not support this condition
                break
        expect_status(response, _OK, _CREATED)

    def _put(self, name: str, picture: BinaryIO, content_type: str) -> None:
        size, hashed = picture.seek(0, os.SEEK_END), hashlib.sha256()
        picture.seek(0)
        while chunk := picture.read(CHUNK_BYTES):
            hashed.update(chunk)
        picture.seek(0)
        headers = {
            "content-type": content_type,
            "content-length": str(size),
            "cache-control": _CACHE_CONTROL,
        }
        response = self._client.request("PUT", name, headers, picture, hashed.hexdigest())
        expect_status(response, _OK, _CREATED)

    def _find(self, name: str) -> StoredPicture | None:
        response = self._client.request("GET", name, _range_header(0))
        if response.status == _NOT_FOUND:
            return None
        expect_status(response, _OK, _PARTIAL)
        return StoredPicture(
            name, _whole_size(response), _modified_at(response.headers), response.data
        )

    def _read(self, name: str, offset: int) -> bytes:
        response = self._client.request("GET", name, _range_header(offset))
        expect_status(response, _PARTIAL)
        return response.data

    def _delete(self, stem: str) -> None:
        for extension in EXTENSIONS:
            response = self._client.request("DELETE", f"{stem}.{extension}", {})
            expect_status(response, _OK, _NO_CONTENT, _NOT_FOUND)


def _range_header(offset: int) -> dict[str, str]:
    return {"range": f"bytes={offset}-{offset + CHUNK_BYTES - 1}", "accept-encoding": "identity"}


def _whole_size(response: "BaseHTTPResponse") -> int:
    _, _, size = response.headers.get("content-range", "").rpartition("/")
    return int(size) if size.isascii() and size.isdigit() else len(response.data)


def _modified_at(headers: "HTTPHeaderDict") -> int:
    try:
        return int(parsedate_to_datetime(headers.get("last-modified", "")).timestamp())
    except (ValueError, OverflowError):
        return 0


def _listed_time(entry: str) -> int | None:
    found = _MODIFIED.search(entry)
    if found is None:
        return None
    try:
        return int(datetime.fromisoformat(found[1]).timestamp())
    except (ValueError, OverflowError):
        return None


def expect_status(response: "BaseHTTPResponse", *statuses: int) -> None:
    if response.status not in statuses:
        raise LocalizedOSError(
            f"存储桶返回 HTTP 状态码 {response.status}",
            f"the bucket answered with HTTP status {response.status}",
        )
