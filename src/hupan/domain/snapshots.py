"""Snapshots of a sandbox: its data and pictures at one moment, as one file (K-7).

The file is lines of JSON: a header; for each table an object with its columns, then an array for
each row; an object for each captured message, for the credentials of each account that the sandbox
created, and for each piece of a picture; at last the SHA-256 of all lines before. Every line is
checked before anything is restored.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeAlias

import msgspec
from msgspec import Struct

from hupan import __version__
from hupan.crypto import SecretBox
from hupan.domain.media import Media, is_picture_name
from hupan.localized import LocalizedError
from hupan.store.database import Conflict, Database, Row, Transaction, Value
from hupan.store.snapshots import (
    MAX_ROWS,
    RESTORED_COUNTERS,
    TooManyRows,
    is_row_of,
    read_counters,
    read_tables,
    replace_tables,
    schema_digest,
    snapshot_tables,
)
from hupan.store.tables import Table

MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024
_FORMAT, _FORMAT_VERSION = "hupan-snapshot", 1
_MAX_NUMBER = 2**63 - 1
_CHUNK_BYTES = 96 * 1024
_STEM_CHARACTERS = 26


class InvalidSnapshot(LocalizedError):
    """A file is not a snapshot that can be restored here; the text says why."""


class SnapshotTooLarge(LocalizedError):
    """The data is more than a snapshot can hold."""

    def __init__(self) -> None:
        megabytes = MAX_SNAPSHOT_BYTES // 2**20
        super().__init__(
            f"数据过多，快照最多 {megabytes} MB、{MAX_ROWS} 行",
            f"too much data: a snapshot has at most {megabytes} MB and {MAX_ROWS} rows",
        )


Counters: TypeAlias = dict[str, int]
Tables: TypeAlias = dict[str, list[Row]]


class SandboxState(Struct, frozen=True, rename="camel"):
    """The state of a sandbox outside its store.

    Attributes:
        saved_at: when it was saved, by the clock of the machine.
        now: the time of the sandbox.
        seeded: the numbers that seeding continues from.
        seed: the seed of the random sources.
        positions: the position of each random source.
    """

    saved_at: int
    now: float
    is_frozen: bool
    seeded: dict[str, int]
    seed: str
    positions: dict[str, int]


class SnapshotHeader(Struct, frozen=True, rename="camel"):
    """The first line of a file.

    Attributes:
        hupan: the version that wrote it.
        schema: identifies the version of the tables.
        key: identifies the key of the sandbox, without which no session of a snapshot is valid.
        accounts: their number.
        counters: the counters of the store.
    """

    format: str
    version: int
    hupan: str
    schema: str
    key: str
    accounts: int
    counters: dict[str, int]
    state: SandboxState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot in memory.

    Attributes:
        tables: the rows of each table.
        messages: the captured messages, as JSON objects.
        credentials: the credentials of accounts that the sandbox created, as JSON objects.
        pictures: the pictures by file name.
    """

    header: SnapshotHeader
    tables: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    messages: Sequence[dict[str, int | str]] = ()
    credentials: Sequence[dict[str, str]] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)


class SnapshotLine(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A line that is not a row: one of the kinds that its fields name."""

    table: str = ""
    columns: list[str] = []
    message: dict[str, int | str] = {}
    account: dict[str, str] = {}
    picture: str = ""
    piece: str = ""


class SumLine(Struct, forbid_unknown_fields=True):
    """The last line."""

    sha256: str


_encode = msgspec.json.encode
_decode_header = msgspec.json.Decoder(SnapshotHeader).decode
_decode_row = msgspec.json.Decoder(list[int | str | None]).decode
_decode_line = msgspec.json.Decoder(SnapshotLine).decode
_decode_sum = msgspec.json.Decoder(SumLine).decode
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, KeyError)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return the file of a snapshot.

    Raises:
        SnapshotTooLarge
    """
    body = bytearray()
    for line in _lines(snapshot):
        body += line + b"\n"
        if len(body) > MAX_SNAPSHOT_BYTES - 1024:
            raise SnapshotTooLarge
    return bytes(body) + _encode(SumLine(sha256(body).hexdigest())) + b"\n"


def _lines(snapshot: Snapshot) -> Iterator[bytes]:
    yield _encode(snapshot.header)
    for table in snapshot_tables():
        rows = snapshot.tables.get(table.name, ())
        if rows:
            columns = [column.name for column in table.columns]
            yield _encode(SnapshotLine(table=table.name, columns=columns))
            yield from map(_encode, rows)
    for message in snapshot.messages:
        yield _encode(SnapshotLine(message=message))
    for account in snapshot.credentials:
        yield _encode(SnapshotLine(account=account))
    for name, content in snapshot.pictures.items():
        for start in range(0, len(content), _CHUNK_BYTES):
            piece = b64encode(content[start : start + _CHUNK_BYTES]).decode()
            yield _encode(SnapshotLine(picture=name, piece=piece))


def _broken(where: object) -> InvalidSnapshot:
    return InvalidSnapshot(f"快照文件已损坏：{where}", f"the snapshot is damaged: {where}")


def decode_header(file: bytes) -> SnapshotHeader:
    """Return the first line of a file, which was checked before.

    Raises:
        InvalidSnapshot
    """
    try:
        header = _decode_header(file.partition(b"\n")[0])
    except _UNREADABLE as error:
        raise InvalidSnapshot("这不是快照文件", "this is not a snapshot") from error
    if header.format != _FORMAT:
        raise InvalidSnapshot("这不是快照文件", "this is not a snapshot")
    return header


def decode_snapshot(file: bytes, key: str) -> Snapshot:
    """Return the snapshot in a file, after checking every line.

    Args:
        file: the file, which may come from anywhere.
        key: that of this sandbox, as in the header of its snapshots.

    Raises:
        InvalidSnapshot: it is damaged, or of another version or key.
    """
    header = decode_header(file)
    _check_header(header, key)
    body, _, last = file.removesuffix(b"\n").rpartition(b"\n")
    try:
        expected = _decode_sum(last).sha256
    except _UNREADABLE as error:
        raise _broken("sha256") from error
    if sha256(body + b"\n").hexdigest() != expected:
        raise _broken("sha256")
    return _SnapshotReader(header).read(body.split(b"\n")[1:])


def _check_header(header: SnapshotHeader, key: str) -> None:
    if (header.version, header.schema) != (_FORMAT_VERSION, schema_digest()):
        shown = header.hupan if header.hupan.isprintable() else "?"
        raise InvalidSnapshot(
            f"快照来自另一版本（{shown[:20]}），无法在 {__version__} 中恢复，请重新保存",
            f"the snapshot is of another version ({ascii(shown[:20])[1:-1]}) and cannot be "
            f"restored in {__version__}: save it again",
        )
    if header.key != key:
        raise InvalidSnapshot(
            "快照来自密钥不同的沙盒，其中的登录不会有效；请用新的数据目录启动两个沙盒",
            "the snapshot is of a sandbox with another key, so its sessions would not be valid: "
            "start both with a new data directory",
        )
    known = set(RESTORED_COUNTERS)
    state = header.state
    numbers = [*header.counters.values(), *state.seeded.values(), *state.positions.values()]
    if not set(header.counters) <= known or not all(0 <= n <= _MAX_NUMBER // 2 for n in numbers):
        raise _broken("counters")


class _SnapshotReader:
    """Reads the lines of a snapshot in their order."""

    def __init__(self, header: SnapshotHeader) -> None:
        self._header = header
        self._known = {table.name: table for table in snapshot_tables()}
        self._table: Table | None = None
        self._tables: dict[str, list[Row]] = {}
        self._messages: list[dict[str, int | str]] = []
        self._credentials: list[dict[str, str]] = []
        self._pictures: dict[str, bytearray] = {}
        self._row_count = 0

    def read(self, lines: Sequence[bytes]) -> Snapshot:
        """Return the snapshot.

        Raises:
            InvalidSnapshot: a line is not valid.
        """
        for number, line in enumerate(lines, 2):
            try:
                if line.startswith(b"["):
                    self._read_row(line)
                else:
                    self._read_line(_decode_line(line))
            except _UNREADABLE as error:
                raise _broken(f"{number}") from error
        return Snapshot(
            self._header,
            self._tables,
            self._messages,
            self._credentials,
            {name: bytes(content) for name, content in self._pictures.items()},
        )

    def _read_row(self, line: bytes) -> None:
        table = self._table
        self._row_count += 1
        if table is None or self._row_count > MAX_ROWS:
            raise ValueError("too many rows")
        values: list[Value] = [*_decode_row(line)]
        for index, column in enumerate(table.columns[: len(values)]):
            value = values[index]
            if column.type == "BLOB" and isinstance(value, str):
                values[index] = b64decode(value, validate=True)
        if not is_row_of(table, values):
            raise ValueError("not a row of this table")
        self._tables[table.name].append(tuple(values))

    def _read_line(self, line: SnapshotLine) -> None:
        if line.table:
            self._table = table = self._known[line.table]
            if line.columns != [column.name for column in table.columns]:
                raise ValueError("other columns")
            self._tables.setdefault(table.name, [])
        elif line.picture:
            if not is_picture_name(line.picture):
                raise ValueError("not the name of a picture")
            piece = b64decode(line.piece, validate=True)
            self._pictures.setdefault(line.picture, bytearray()).extend(piece)
        elif line.message:
            self._messages.append(line.message)
        elif line.account:
            self._credentials.append(line.account)
        else:
            raise ValueError("an empty line")


@dataclass(frozen=True, slots=True)
class StoreSnapshots:
    """Reads and replaces what a sandbox stores."""

    database: Database
    media: Media
    secret_box: SecretBox

    @property
    def key(self) -> str:
        """Return what identifies the key of this sandbox."""
        return self.secret_box.mac(_FORMAT).hex()[:16]

    def make_header(self, state: SandboxState, accounts: int, counters: Counters) -> SnapshotHeader:
        """Return the header of a snapshot of this sandbox and version."""
        return SnapshotHeader(
            format=_FORMAT,
            version=_FORMAT_VERSION,
            hupan=__version__,
            schema=schema_digest(),
            key=self.key,
            accounts=accounts,
            counters=counters,
            state=state,
        )

    async def capture(self) -> tuple[Tables, Counters, dict[str, bytes]]:
        """Return tables, counters and pictures.

        Raises:
            SnapshotTooLarge: there is too much.
        """

        async def read(tx: Transaction) -> tuple[Tables, Counters]:
            return await read_tables(tx), await read_counters(tx)

        try:
            tables, counters = await self.database.run_transaction(read)
        except TooManyRows:
            raise SnapshotTooLarge from None
        pictures: dict[str, bytes] = {}
        left = MAX_SNAPSHOT_BYTES
        for name in _picture_names(tables):
            content = await self.media.load(name, left)
            if content is not None:
                pictures[name] = content
                left -= len(content)
        return tables, counters, pictures

    async def restore(self, snapshot: Snapshot) -> None:
        """Replace everything in one transaction.

        Raises:
            InvalidSnapshot: its rows contradict each other; nothing is changed.
            UploadFailed: its pictures cannot be written; the data is as before.
        """
        await self._put_pictures(snapshot)
        stems = [name[:_STEM_CHARACTERS] for name in snapshot.pictures]
        try:
            await self.database.run_transaction(
                lambda tx: replace_tables(tx, snapshot.tables, snapshot.header.counters, stems)
            )
        except Conflict as error:
            raise InvalidSnapshot(
                "快照中的数据自相矛盾", "the data in the snapshot is inconsistent"
            ) from error
        await self._put_pictures(snapshot)  # one may have been deleted just before

    async def _put_pictures(self, snapshot: Snapshot) -> None:
        for name, content in snapshot.pictures.items():
            await self.media.put_back(name, content)


def _picture_names(tables: Mapping[str, Sequence[Row]]) -> list[str]:
    table = next(table for table in snapshot_tables() if table.name == "pictures")
    index = [column.name for column in table.columns].index("name")
    return sorted({str(row[index]) for row in tables["pictures"] if row[index]})
