"""What `hupan connect --install` changed, with the bytes that it found; kept until it is undone."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from hupan.connect.files import (
    ConnectRefused,
    FileContent,
    digest_of,
    read_file,
    sync_folder,
    write_file,
)
from hupan.library_errors import localize_reason

Part = Literal["hosts", "system", "browsers", "java"]
PARTS: Final[tuple[Part, ...]] = ("hosts", "system", "browsers", "java")
_MODE, _FOLDER_MODE = 0o600, 0o700
_WAIT_SECONDS, _POLL_SECONDS = 30.0, 0.1


class Entry(msgspec.Struct, frozen=True):
    """One file that was changed.

    Attributes:
        group: what is changed and undone together: a database's folder, or the file itself.
        before: the name of its backup; "" if there was no file.
        after: the name of the copy of our version; "" if a system command wrote the file.
        folders: those that were made for it.
        is_users: whether it is in the user's home, where root acts as the user.
    """

    part: Part
    path: str
    group: str
    before: str
    after: str
    mode: int
    uid: int
    gid: int
    folders: tuple[str, ...] = ()
    is_users: bool = False


class Record(msgspec.Struct, frozen=True):
    """Everything that was changed.

    Attributes:
        authority: the SHA-256 of the certificate.
        links: those in the folder that the system's command fills, before it ran.
    """

    authority: str
    address: str
    entries: tuple[Entry, ...] = ()
    links: dict[str, str] = {}


class RecordFolder:
    """The folder of a record, in that of the authority."""

    def __init__(self, authority_folder: Path) -> None:
        self.path = authority_folder / "installed"
        self._record = self.path / "record.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other processes out.

        Raises:
            ConnectRefused: it belongs to another user, or another process uses it.
        """
        descriptor = self._open_lock()
        try:
            yield
        finally:
            os.close(descriptor)

    def _open_lock(self) -> int:
        """Return the locked file, open; not one that another process removed meanwhile."""
        path = self.path / "lock"
        while True:
            self.make()
            self.check_owner()
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, _MODE)
            try:
                _lock(descriptor)
                if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                    return descriptor
            except ConnectRefused:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def make(self) -> None:
        """Make the folder."""
        self.path.mkdir(mode=_FOLDER_MODE, exist_ok=True)

    def exists(self) -> bool:
        """Return whether there is something to undo.

        Raises:
            ConnectRefused: it belongs to another user.
        """
        self.check_owner()
        return self.path.is_dir()

    def check_owner(self) -> None:
        """Refuse a folder of another user: what is in it is written with our rights.

        Raises:
            ConnectRefused: it belongs to another user, or is a link.
        """
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return
        if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
            raise ConnectRefused(
                f"{self.path} 属于另一位用户：请以安装时的用户运行（若当时用了 sudo，请再用 sudo）",
                f"{self.path} belongs to another user: run this as the user that installed it, "
                "with sudo if it was used then",
            )

    def load(self) -> Record | None:
        """Return what was changed; None if nothing is installed.

        Raises:
            ConnectRefused: the file belongs to another user, or is damaged.
        """
        self.check_owner()
        content = read_file(self._record)
        if content is None:
            return None
        try:
            return msgspec.json.decode(content.data, type=Record)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            reason = localize_reason(error)
            raise ConnectRefused(
                f"{self._record} 已损坏，备份在同一目录中：{reason.zh}",
                f"{self._record} is damaged; the backups are in the same folder: {reason.en}",
            ) from error

    def save(self, record: Record) -> None:
        """Store a record, all of it or nothing, before anything else happens."""
        content = msgspec.json.format(msgspec.json.encode(record))
        write_file(self._record, FileContent(content, _MODE, os.geteuid(), os.getegid()))

    def back_up(self, path: Path, content: FileContent) -> str:
        """Store the bytes of a file, and return the name of the backup."""
        name = f"{digest_of(str(path).encode())[:16]}-{content.digest[:16]}"
        write_file(self.path / name, FileContent(content.data, _MODE, os.geteuid(), os.getegid()))
        return name

    def backup(self, entry: Entry) -> FileContent | None:
        """Return what a file was before; None if there was none."""
        return self._kept(entry, entry.before)

    def result(self, entry: Entry) -> FileContent | None:
        """Return the content that we wrote to a file; None if unknown."""
        return self._kept(entry, entry.after)

    def _kept(self, entry: Entry, name: str) -> FileContent | None:
        """Return a backup.

        Raises:
            ConnectRefused: it is missing.
        """
        if not name:
            return None
        content = read_file(self.path_of(name))
        if content is None:
            raise ConnectRefused(
                f"缺少 {entry.path} 的备份 {name}", f"the backup {name} of {entry.path} is missing"
            )
        return FileContent(content.data, entry.mode, entry.uid, entry.gid)

    def path_of(self, name: str) -> Path:
        """Return where a backup is."""
        return self.path / Path(name).name

    def clear(self) -> None:
        """Forget everything: the record first, because backups without it do no harm."""
        self._record.unlink(missing_ok=True)
        sync_folder(self.path)
        for path in self.path.iterdir():
            path.unlink()
        self.path.rmdir()


def _lock(descriptor: int) -> None:
    """Wait until no other process, and no tool of a killed one, uses it."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise ConnectRefused(
                    "另一个 hupan connect 正在运行，请稍后再试",
                    "another hupan connect is running; try again when it has finished",
                ) from error
            time.sleep(_POLL_SECONDS)
        else:
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - the library's own way
            return
