"""Snapshots by name: kept as files, saved, restored, listed, downloaded and uploaded (K-7)."""

import asyncio
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from hupan.clock import AdjustableClock
from hupan.domain.snapshots import (
    MAX_SNAPSHOT_BYTES,
    InvalidSnapshot,
    SandboxState,
    Snapshot,
    SnapshotHeader,
    SnapshotTooLarge,
    StoreSnapshots,
    decode_header,
    decode_snapshot,
    encode_snapshot,
)
from hupan.library_errors import localize_reason
from hupan.sandbox.known_accounts import KnownAccount, KnownAccounts
from hupan.sandbox.outbox import CapturedMessage, MessageCapture
from hupan.sandbox.randomness import SandboxRandomness
from hupan.sandbox.routes import (
    MAX_TIME,
    BadRequest,
    EmptyBody,
    check_known,
    file_response,
    json_response,
    read_json_body,
)
from hupan.sandbox.seeding import Seeder

MAX_SNAPSHOTS = 100
MAX_TOTAL_BYTES = 512 * 1024 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_NAME_CHARACTERS = 64
SNAPSHOT_SUFFIX = ".snapshot"
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME_CHARACTERS - 1}}}")
_DRAFT_PREFIX = ".draft-"
_CONTENT_TYPE = "application/x-ndjson"


class SnapshotInfo(Struct, frozen=True, rename="camel"):
    """A snapshot in a list.

    Attributes:
        saved_at: when it was saved, by the machine's clock.
        now: the time that the sandbox returns to.
        size: the size of its file in bytes.
    """

    name: str
    saved_at: int
    now: int
    accounts: int
    size: int


class UnknownSnapshot(BadRequest):
    """No snapshot has this name."""

    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"没有名为 {name} 的快照", f"there is no snapshot {name}")


class InvalidName(BadRequest):
    """The name of a snapshot is not a plain one."""

    def __init__(self) -> None:
        super().__init__(
            "快照名须为 1 到 64 个字母、数字、点、横线或下划线，以字母或数字开头",
            "the name of a snapshot has 1 to 64 letters, digits, dots, dashes and underscores, and "
            "begins with a letter or digit",
        )


class TooLarge(BadRequest):
    """A snapshot is too large."""

    status = 413


class NoRoom(BadRequest):
    """There are too many snapshots."""

    status = 409


class SnapshotFolder:
    """The files of snapshots; one that has its name is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list_names(self) -> list[str]:
        """Return the names in their order."""
        names = (
            path.name.removesuffix(SNAPSHOT_SUFFIX)
            for path in self._folder.glob(f"*{SNAPSHOT_SUFFIX}")
        )
        return sorted(name for name in names if _NAME.fullmatch(name))

    def read(self, name: str) -> bytes:
        """Return a file.

        Raises:
            UnknownSnapshot
        """
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise UnknownSnapshot(name) from None

    def describe(self, name: str) -> SnapshotInfo | None:
        """Return the header in the first line of a file; None if it cannot be read."""
        try:
            with self._path(name).open("rb") as file:
                header = decode_header(file.readline(MAX_HEADER_BYTES))
                size = os.fstat(file.fileno()).st_size
        except (OSError, InvalidSnapshot):
            return None
        return _info(name, header, size)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, durable when this returns.

        Raises:
            NoRoom: there would be too many, or too much in all.
        """
        self._check_room(name, len(content))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f"{_DRAFT_PREFIX}{secrets.token_hex(8)}"
        try:
            with os.fdopen(
                os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._path(name))
        finally:
            draft.unlink(missing_ok=True)
        self._flush()

    def delete(self, name: str) -> None:
        """Delete a file.

        Raises:
            UnknownSnapshot
        """
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            raise UnknownSnapshot(name) from None
        self._flush()

    def _check_room(self, name: str, size: int) -> None:
        sizes = {other: self._path(other).stat().st_size for other in self.list_names()}
        sizes[name] = size
        if len(sizes) > MAX_SNAPSHOTS or sum(sizes.values()) > MAX_TOTAL_BYTES:
            megabytes = MAX_TOTAL_BYTES // 2**20
            raise NoRoom(
                f"快照最多 {MAX_SNAPSHOTS} 个、共 {megabytes} MB，请先删除一些",
                f"there can be at most {MAX_SNAPSHOTS} snapshots with {megabytes} MB in total: "
                "delete some",
            )

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SNAPSHOT_SUFFIX}"

    def _flush(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Saves and restores the whole state of a sandbox.

    Attributes:
        restart_random: runs a function that moves the random sources while nothing draws from them.
        after_restore: clears the data from before the restore from memory.
    """

    folder: SnapshotFolder
    store: StoreSnapshots
    clock: AdjustableClock
    seeder: Seeder
    outbox_messages: MessageCapture
    known_accounts: KnownAccounts
    randomness: SandboxRandomness
    restart_random: Callable[[Callable[[], None]], None]
    deliver_outbox: Callable[[], Awaitable[None]]
    after_restore: Callable[[], Awaitable[None]]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def list_all(self) -> list[SnapshotInfo]:
        """Return all snapshots by name."""
        return await asyncio.to_thread(lambda: list(self._describe_all()))

    async def save(self, name: str) -> SnapshotInfo:
        """Save the state under a name; another snapshot of this name is replaced.

        Raises:
            BadRequest: there is too much, or no room.
        """
        _check_name(name)
        async with self._lock, self.seeder.lock:
            await self.deliver_outbox()
            try:
                tables, counters, pictures = await self.store.capture()
                accounts = len(tables["accounts"])
                header = self.store.make_header(self._read_state(), accounts, counters)
                messages = [msgspec.to_builtins(entry) for entry in self.outbox_messages.export()]
                known = [msgspec.to_builtins(one) for one in self.known_accounts.export()]
                snapshot = Snapshot(header, tables, messages, known, pictures)
                content = await asyncio.to_thread(encode_snapshot, snapshot)
            except SnapshotTooLarge as error:
                raise TooLarge(error.localized.zh, error.localized.en) from error
            return await self._write(name, content)

    async def restore(self, name: str) -> SnapshotInfo:
        """Replace the state by that of a snapshot.

        Raises:
            BadRequest: there is none of this name, or it cannot be restored.
        """
        _check_name(name)
        async with self._lock, self.seeder.lock:
            content = await asyncio.to_thread(self.folder.read, name)
            snapshot, messages, known = await asyncio.to_thread(self._decode, content)
            try:
                await self.store.restore(snapshot)
            except InvalidSnapshot as error:
                raise BadRequest(error.localized.zh, error.localized.en) from error
            self._restore_memory(snapshot.header.state, messages)
            self.known_accounts.restore(known)
            await self.after_restore()
        return _info(name, snapshot.header, len(content))

    async def put(self, name: str, content: bytes) -> SnapshotInfo:
        """Keep a file as a snapshot, after checking all of it.

        Raises:
            BadRequest: it is not a snapshot, or there is no room.
        """
        _check_name(name)
        await asyncio.to_thread(self._decode, content)
        async with self._lock:
            return await self._write(name, content)

    async def get(self, name: str) -> bytes:
        """Return the file of a snapshot.

        Raises:
            UnknownSnapshot
        """
        _check_name(name)
        return await asyncio.to_thread(self.folder.read, name)

    async def delete(self, name: str) -> None:
        """Delete a snapshot.

        Raises:
            UnknownSnapshot
        """
        _check_name(name)
        async with self._lock:
            await asyncio.to_thread(self.folder.delete, name)

    def _describe_all(self) -> Iterator[SnapshotInfo]:
        for name in self.folder.list_names():
            info = self.folder.describe(name)
            if info is not None:
                yield info

    async def _write(self, name: str, content: bytes) -> SnapshotInfo:
        await asyncio.to_thread(self.folder.write, name, content)
        return _info(name, decode_header(content), len(content))

    def _read_state(self) -> SandboxState:
        return SandboxState(
            int(time.time()),
            self.clock.now(),
            self.clock.is_frozen,
            self.seeder.export(),
            self.randomness.seed,
            self.randomness.export(),
        )

    def _decode(self, content: bytes) -> tuple[Snapshot, list[CapturedMessage], list[KnownAccount]]:
        try:
            snapshot = decode_snapshot(content, self.store.key)
            if not 0 <= snapshot.header.state.now <= MAX_TIME:
                raise BadRequest("快照的时间超出范围", "the time of the snapshot is out of range")
            messages = msgspec.convert(list(snapshot.messages), type=list[CapturedMessage])
            known = msgspec.convert(list(snapshot.credentials), type=list[KnownAccount])
        except InvalidSnapshot as error:
            raise BadRequest(error.localized.zh, error.localized.en) from error
        except msgspec.ValidationError as error:
            reason = localize_reason(error)
            raise BadRequest(
                f"快照中的消息无效：{reason.zh}", f"a message is not valid: {reason.en}"
            ) from error
        return snapshot, messages, known

    def _restore_memory(self, state: SandboxState, messages: list[CapturedMessage]) -> None:
        self.clock.reset()
        self.clock.set(state.now)
        if state.is_frozen:
            self.clock.freeze()
        self.seeder.restore(state.seeded)
        self.outbox_messages.restore(messages)
        if state.seed == self.randomness.seed:
            self.restart_random(lambda: self.randomness.restore(state.positions))


def _info(name: str, header: SnapshotHeader, size: int) -> SnapshotInfo:
    return SnapshotInfo(name, header.state.saved_at, int(header.state.now), header.accounts, size)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidName


@dataclass(frozen=True, slots=True)
class SnapshotRoutes:
    """The routes of snapshots."""

    snapshots: Snapshots

    async def list_all(self, request: Request) -> Response:
        """Return the snapshots by name."""
        check_known("parameter", request.query_params, ())
        return json_response(await self.snapshots.list_all())

    async def save(self, request: Request) -> Response:
        """Save the state: → {name, savedAt, now, accounts, size}."""
        await read_json_body(request, EmptyBody)
        return json_response(await self.snapshots.save(request.path_params["name"]))

    async def restore(self, request: Request) -> Response:
        """Restore a state: → {name, savedAt, now, accounts, size}."""
        await read_json_body(request, EmptyBody)
        return json_response(await self.snapshots.restore(request.path_params["name"]))

    async def get(self, request: Request) -> Response:
        """Return the file of a snapshot."""
        check_known("parameter", request.query_params, ())
        name = request.path_params["name"]
        content = await self.snapshots.get(name)
        return file_response(content, _CONTENT_TYPE, f"{name}{SNAPSHOT_SUFFIX}")

    async def put(self, request: Request) -> Response:
        """Keep a file that GET returned: → {name, savedAt, now, accounts, size}."""
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_SNAPSHOT_BYTES:
                megabytes = MAX_SNAPSHOT_BYTES // 2**20
                raise TooLarge(f"快照最多 {megabytes} MB", f"a snapshot has at most {megabytes} MB")
        name = request.path_params["name"]
        return json_response(await self.snapshots.put(name, bytes(content)))

    async def delete(self, request: Request) -> Response:
        """Delete a snapshot: → {}."""
        await self.snapshots.delete(request.path_params["name"])
        return json_response({})
