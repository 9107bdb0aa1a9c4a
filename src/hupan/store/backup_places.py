"""Where backups are stored: a folder, or an S3-compatible bucket.

A backup has its name only once it is complete. Its name says when it was made, so neither a list
nor the deletion of old ones has to open any.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from msgspec import Struct

from hupan.clock import Clock
from hupan.localized import LocalizedOSError
from hupan.ownership import chown_to_folder_owner
from hupan.rules import DAY_SECONDS, MAX_UNIX_TIME
from hupan.store.s3_files import S3Bucket, S3Client, expect_status

_NAME = re.compile(r"hupan-([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{6}\.tar\.gz\.age")
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_PREFIX = "hupan-"
MAX_OBJECT_BYTES = 5 * 10**9
"""What one request can store in a bucket; larger backups need a folder."""
_MAX_LISTED = 100_000
_OK = 200


class StoredBackup(Struct, frozen=True):
    """A backup in a place."""

    name: str
    size: int
    created_at: int


def make_backup_name(created_at: int) -> str:
    time = datetime.fromtimestamp(created_at, UTC).strftime(_TIME_FORMAT)
    return f"{_PREFIX}{time}-{secrets.token_hex(3)}.tar.gz.age"


def parse_backup_time(name: str) -> int | None:
    """Return when a backup was made, None if the name is not that of a backup."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        time = int(datetime.strptime(found[1], _TIME_FORMAT).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
    return time if DAY_SECONDS < time < MAX_UNIX_TIME - DAY_SECONDS else None  # in any zone


def select_surplus(
    backups: Sequence[StoredBackup], keep: int, made: str = ""
) -> list[StoredBackup]:
    """Return the oldest backups beyond a number, but never the one just made.

    It can be the oldest by its name: while the clock was wrong, others got a time in the future.
    """
    ordered = sorted(
        backups, key=lambda backup: (backup.name == made, backup.created_at, backup.name)
    )
    return ordered[:-keep]


class BackupPlace(Protocol):
    """Where backups are stored. Every method blocks and may raise OSError."""

    def draft_folder(self) -> Path:
        """Return the folder in which a backup is written before it is stored; it exists."""
        ...

    def store(self, draft: Path, name: str) -> str:
        """Store a finished draft under its name, durably; return where it is."""
        ...

    def list_backups(self) -> list[StoredBackup]: ...

    def fetch(self, name: str) -> Path:
        """Return a file with a backup; `release` follows."""
        ...

    def release(self, path: Path) -> None:
        """Remove what `fetch` may have made."""
        ...

    def delete(self, name: str) -> None: ...


class FolderPlace:
    """Backups in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def draft_folder(self) -> Path:
        make_private_folder(self._folder)
        return self._folder

    def store(self, draft: Path, name: str) -> str:
        path = self._folder / name
        move_without_overwriting(draft, path)
        return str(path)

    def list_backups(self) -> list[StoredBackup]:
        if not self._folder.exists():
            return []
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                time = parse_backup_time(entry.name)
                if time is not None and entry.is_file(follow_symlinks=False):
                    found.append(StoredBackup(entry.name, entry.stat().st_size, time))
        return found

    def fetch(self, name: str) -> Path:
        return self._folder / name

    def release(self, path: Path) -> None:
        """Keep the file: it is the backup itself."""

    def delete(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


class BucketPlace:
    """Backups in a bucket; each waits in a local folder until it is stored.

    Args:
        bucket: where they are stored.
        draft_folder: where they are written first.
        clock: dates the requests.
    """

    def __init__(self, bucket: S3Bucket, draft_folder: Path, clock: Clock) -> None:
        self._bucket = bucket
        self._draft_folder = draft_folder
        self._client = S3Client(bucket, clock)

    def draft_folder(self) -> Path:
        make_private_folder(self._draft_folder)
        return self._draft_folder

    def store(self, draft: Path, name: str) -> str:
        size, sha256 = draft.stat().st_size, _hash_file(draft)
        if size > MAX_OBJECT_BYTES:
            raise LocalizedOSError(
                f"备份有 {size} 字节，超过存储桶的上限：请改用 backup_dir",
                f"the backup has {size} bytes, more than a bucket accepts: use backup_dir",
            )
        with draft.open("rb") as file:
            response = self._client.request(
                "PUT", name, {"content-length": str(size)}, file, sha256.hex()
            )
        expect_status(response, _OK, 201)
        self._compare(name, sha256)
        draft.unlink()
        return f"{self._bucket.url.rstrip('/')}/{self._bucket.name}/{name}"

    def list_backups(self) -> list[StoredBackup]:
        listed = self._client.list_objects(_PREFIX, _MAX_LISTED)
        timed = [(one, parse_backup_time(one.name)) for one in listed]
        return [StoredBackup(one.name, one.size, at) for one, at in timed if at is not None]

    def fetch(self, name: str) -> Path:
        path = self.draft_folder() / f".hupan-{secrets.token_hex(8)}.part"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                self._download(name, file)
            except BaseException:
                path.unlink()
                raise
        return path

    def release(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        expect_status(self._client.request("DELETE", name, {}), _OK, 204, 404)

    def _download(self, name: str, file: BinaryIO) -> None:
        response = self._client.request("GET", name, {}, is_streamed=True)
        expect_status(response, _OK)
        for piece in self._client.stream(response):
            file.write(piece)
            if file.tell() > MAX_OBJECT_BYTES:
                raise LocalizedOSError(
                    "存储桶返回的内容大于备份的上限",
                    "the bucket returned more data than a backup in a bucket can have",
                )

    def _compare(self, name: str, sha256: bytes) -> None:
        """Raise OSError unless the bucket returns what was stored."""
        response = self._client.request("GET", name, {}, is_streamed=True)
        expect_status(response, _OK)
        found = hashlib.sha256()
        for piece in self._client.stream(response):
            found.update(piece)
        if found.digest() != sha256:
            raise LocalizedOSError(
                "存储桶返回的内容与所存的不同",
                "the bucket returned different content than was stored",
            )


def _hash_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def make_private_folder(folder: Path) -> None:
    """Create a folder that only its owner can read, unless it exists."""
    if folder.exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        chown_to_folder_owner(descriptor, folder.parent)
    finally:
        os.close(descriptor)


def ensure_free(path: Path) -> None:
    """Raise OSError if there is something at a path."""
    if path.exists() or path.is_symlink():
        raise LocalizedOSError(f"{path} 已存在", f"{path} already exists")


def move_without_overwriting(source: Path, target: Path) -> None:
    """Rename a file to its final name, durably, unless that is taken.

    Raises:
        FileExistsError: it is.
    """
    ensure_free(target)
    source.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
