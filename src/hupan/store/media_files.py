"""Files of uploaded pictures in a local folder.

A file is complete before it has its name: it is written under another one, flushed to the disk and
renamed, and the folder is flushed too. So what was acknowledged outlives a power cut (security D7).
"""

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

from hupan.localized import LocalizedOSError
from hupan.model import StoredPicture

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_FAN_OUT_CHARACTERS = 2
"""A folder for each beginning of a name: at most 1,024, each with few enough files."""
DRAFTS_FOLDER = "drafts"
OWNER_FILE = "owner"
"""Names the store that pictures belong to; no picture has this name."""
PICTURE_NAME = re.compile(r"[a-z2-7]{26}\.(?:png|jpg|webp)")
_FOLDER = re.compile(rf"[a-z2-7]{{{_FAN_OUT_CHARACTERS}}}|{DRAFTS_FOLDER}")
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
        """Return the next bytes of a picture: at least one, at most `CHUNK_BYTES`.

        No file stays open between two calls, however slowly a client reads.

        Raises:
            OSError: it cannot be read.
        """
        ...

    async def delete(self, stem: str) -> None:
        """Delete a picture by its name without extension, and remains of interrupted writes.

        Raises:
            OSError: it could not be deleted.
        """
        ...


class PictureFolders(Protocol):
    """Folders of pictures, as far as they can be listed.

    Attributes:
        folders_per_round: how many are looked through in a minute.
    """

    folders_per_round: int

    async def list_folders(self) -> list[str]:
        """Return the folders that may exist: the beginnings of names, and that of drafts."""
        ...

    async def list_files(self, folder: str, max_files: int) -> dict[str, int]:
        """Return the names of pictures in a folder, and when each was written.

        Raises:
            OSError: it cannot be read.
        """
        ...

    async def belongs_to(self, owner: str, *, may_claim: bool) -> bool:
        """Return whether the folders belong to a store; it claims them first if it may.

        Raises:
            OSError: that cannot be read.
        """
        ...


def open_spool(folder: Path) -> BinaryIO:
    """Open an unnamed file in a folder; create the folder and its parent if they are missing."""
    if not folder.exists():
        folder.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        folder.mkdir(_FOLDER_MODE, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


class LocalPictureFiles:
    """Pictures in a folder of this machine, or of a file server that all machines mount."""

    folders_per_round = 8

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts = folder / DRAFTS_FOLDER

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

    async def list_folders(self) -> list[str]:
        return await asyncio.to_thread(self._list_folders)

    async def list_files(self, folder: str, max_files: int) -> dict[str, int]:
        return await asyncio.to_thread(self._list_files, folder, max_files)

    async def belongs_to(self, owner: str, *, may_claim: bool) -> bool:
        return await asyncio.to_thread(self._belongs_to, owner, may_claim)

    def _list_folders(self) -> list[str]:
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(name for name in names if _FOLDER.fullmatch(name))

    def _list_files(self, folder: str, max_files: int) -> dict[str, int]:
        files = {}
        with os.scandir(self._folder / folder) as entries:
            for entry in islice(entries, max_files):
                if PICTURE_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):
                        files[entry.name] = int(entry.stat(follow_symlinks=False).st_mtime)
        return files

    def _belongs_to(self, owner: str, may_claim: bool) -> bool:
        path = self._folder / OWNER_FILE
        try:
            return path.read_text("ascii") == owner
        except FileNotFoundError:
            if not may_claim:
                return False
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
            with os.fdopen(descriptor, "w") as file:
                file.write(owner)
        return False  # the next round reads what is there

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
        if not chunk:  # as a bucket does; a reader that waits for the rest would ask forever
            raise LocalizedOSError(f"{name} 被截短了", f"{name} has become shorter")
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
