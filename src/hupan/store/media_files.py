"""Files of uploaded pictures in a local folder.

A file is complete before it has its name: it is written under another one, flushed to the disk and
renamed, and the folder is flushed too. So what was acknowledged outlives a power cut (security D7).
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, Protocol

from hupan.model import StoredPicture

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_FAN_OUT_CHARACTERS = 2
"""A folder for each beginning of a name: at most 1,024, each with few enough files."""
_DRAFTS = "drafts"
CHUNK_BYTES = 128 * 1024
_COPY_BYTES = 1024 * 1024
EXTENSIONS = ("png", "jpg", "webp")


class PictureFiles(Protocol):
    """Where pictures are stored."""

    def spool(self) -> BinaryIO:
        """Open a file for an upload or a picture; it has no name and vanishes when it is closed.

        Blocks.
        """
        ...

    async def put(self, name: str, picture: BinaryIO, content_type: str) -> None:
        """Store a spooled picture; it is durable when this returns.

        Raises:
            OSError: it could not be stored.
        """
        ...

    async def find(self, name: str) -> StoredPicture | None:
        """Return a picture, None if there is none.

        Raises:
            OSError: it cannot be read.
        """
        ...

    async def read(self, name: str, offset: int) -> bytes:
        """Return up to `CHUNK_BYTES` of a picture, and never nothing.

        Nothing stays open between two calls, however slowly a client reads.

        Raises:
            OSError: it cannot be read.
        """
        ...

    async def delete(self, stem: str) -> None:
        """Delete a picture by its name without extension, and what a crash left of writing it.

        Raises:
            OSError: it could not be deleted.
        """
        ...


def open_spool(folder: Path) -> BinaryIO:
    """Open a file without a name in a folder that is created, with its parent, if it is missing."""
    if not folder.exists():
        folder.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        folder.mkdir(_FOLDER_MODE, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


class LocalPictureFiles:
    """Pictures in a folder of this machine, or of a file server that all machines mount."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts = folder / _DRAFTS

    def spool(self) -> BinaryIO:
        return open_spool(self._drafts)

    async def put(self, name: str, picture: BinaryIO, content_type: str) -> None:
        del content_type  # follows from the name
        await asyncio.to_thread(self._put, name, picture)

    async def find(self, name: str) -> StoredPicture | None:
        return await asyncio.to_thread(self._find, name)

    async def read(self, name: str, offset: int) -> bytes:
        return await asyncio.to_thread(self._read, name, offset)

    async def delete(self, stem: str) -> None:
        await asyncio.to_thread(self._delete, stem)

    def _path(self, name: str) -> Path:
        return self._folder / name[:_FAN_OUT_CHARACTERS] / name

    def _put(self, name: str, picture: BinaryIO) -> None:
        path, draft = self._path(name), self._drafts / name
        if not path.parent.exists():
            path.parent.mkdir(_FOLDER_MODE, exist_ok=True)
            _flush_folder(self._folder)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            picture.seek(0)
            shutil.copyfileobj(picture, file, _COPY_BYTES)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        _flush_folder(path.parent)

    def _find(self, name: str) -> StoredPicture | None:
        try:
            with self._open(name) as file:
                status = os.fstat(file.fileno())
                start = file.read(CHUNK_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return StoredPicture(name, status.st_size, int(status.st_mtime), start)

    def _read(self, name: str, offset: int) -> bytes:
        with self._open(name) as file:
            file.seek(offset)
            chunk = file.read(CHUNK_BYTES)
        if not chunk:  # as a bucket does; a reader that waits for the rest would ask for ever
            raise OSError(f"{name} has become shorter")
        return chunk

    def _open(self, name: str) -> BinaryIO:
        return os.fdopen(os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW), "rb")

    def _delete(self, stem: str) -> None:
        for extension in EXTENSIONS:
            name = f"{stem}.{extension}"
            for path in (self._drafts / name, self._path(name)):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
