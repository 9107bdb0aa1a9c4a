"""The archive inside a backup: a gzipped tar file whose members have a fixed order and bounds.

`backup.json`, `secret.key`, the rows of each table as JSON lines, the pictures, `end.json`. Its
reader must not trust it: the holder of a public key can make one. So each name, type and length is
checked before its content is read, and memory does not grow with the archive (decision 45).
"""

import io
import re
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from hupan.localized import LocalizedError
from hupan.rules import DAY_SECONDS, MAX_UNIX_TIME
from hupan.store.copying import MODULUS, TableTotals
from hupan.store.database import Row
from hupan.store.tables import Table

FORMAT = 1
MANIFEST_NAME, KEY_NAME, END_NAME = "backup.json", "secret.key", "end.json"
TABLE_FOLDER, PICTURE_FOLDER = "tables", "media"
PART_BYTES = 1024 * 1024
"""A member with rows ends after this number of bytes."""
_BLOCK_BYTES = 512
_PIECE_BYTES = 64 * 1024
_KIND = re.compile(
    r"(?P<manifest>backup\.json)|(?P<key>secret\.key)|(?P<end>end\.json)"
    r"|tables/(?P<table>[a-z][a-z0-9_]{0,50})/[0-9]{6}\.jsonl"
    r"|media/(?P<picture>[a-z0-9]{26}\.(?:png|jpg|webp))"
)
_MAX_BYTES = {
    "manifest": 1024 * 1024,
    "key": 32,
    "end": 1024 * 1024,
    "table": 16 * 1024 * 1024,
    "picture": 32 * 1024 * 1024,
}
_ORDER = ("manifest", "key", "table", "picture", "end")
MIN_CONTENT_BYTES, MAX_EXPANSION = 64 * 1024 * 1024, 100
"""More than both, the second times the size of the file, is not a backup but a bomb."""
MAX_LISTED_FAULTS = 100
_MAX_NAMED_TABLES = 5
_PLAIN_NAME = re.compile("[a-z][a-z0-9_]{0,50}")  # it may be shown on a terminal
_VERSION = re.compile("[0-9A-Za-z.+-]{1,40}")


class BackupError(LocalizedError):
    """A backup cannot be made, read or restored; the text says why."""


class Manifest(Struct, frozen=True):
    """What a backup declares before its content.

    Attributes:
        format: the version of this format.
        hupan: the version of the program that made it.
        created_at: the moment that it shows, in unix seconds.
        engine: the engine of the store that was backed up.
        migrations: numbers of the schema files that were applied to it.
        tables: the layout of each table, in the order of the rows.
        key_fingerprint: the fingerprint of the secret key.
    """

    format: int
    hupan: str
    created_at: int
    engine: str
    migrations: tuple[int, ...]
    tables: tuple[Table, ...]
    key_fingerprint: int


class End(Struct, frozen=True):
    """What a backup must contain, written after its content.

    Attributes:
        tables: rows and sums of each table, as the database counted them.
        pictures: how many files of pictures there are.
        picture_bytes: their size.
        missing_pictures: pictures whose file was not there.
        faults: what the integrity check of the rows found.
    """

    tables: dict[str, TableTotals]
    pictures: int
    picture_bytes: int
    missing_pictures: int
    faults: tuple[str, ...]


class Member(Struct, frozen=True):
    """A file in the archive.

    Attributes:
        kind: the kind of its content: "manifest", "key", "table", "picture" or "end".
        name: the name of the table or the picture.
    """

    kind: str
    name: str
    size: int


class ArchiveWriter:
    """Writes an archive, member by member."""

    def __init__(self, target: io.RawIOBase) -> None:
        self._target = target
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, 31)
        self._left = self._padding = 0

    def begin(self, name: str, size: int) -> None:
        """Begin a member; exactly its size must follow by `write`."""
        header = tarfile.TarInfo(name)
        header.size, header.mode = size, 0o600
        self._compress(header.tobuf(tarfile.USTAR_FORMAT))
        self._left, self._padding = size, -size % _BLOCK_BYTES

    def write(self, data: bytes) -> None:
        """Write the next bytes of a member."""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("a member is longer than its recorded size")
        self._compress(data)
        if not self._left:
            self._compress(bytes(self._padding))

    def add(self, name: str, data: bytes) -> None:
        """Write a whole member."""
        self.begin(name, len(data))
        self.write(data)

    def finish(self) -> None:
        """Write the end of the archive."""
        self._compress(bytes(2 * _BLOCK_BYTES))
        self._target.write(self._gzip.flush())

    def _compress(self, data: bytes) -> None:
        if packed := self._gzip.compress(data):
            self._target.write(packed)


class ArchiveReader:
    """Reads an archive, member by member, in bounded memory.

    Args:
        source: the decrypted content.
        file_bytes: the size of the whole backup, which bounds what it may expand to.
    """

    def __init__(self, source: io.RawIOBase, file_bytes: int) -> None:
        self._source = source
        self._gzip = zlib.decompressobj(31)
        self._buffer = bytearray()
        self._allowance = max(MIN_CONTENT_BYTES, MAX_EXPANSION * file_bytes)
        self._left = self._padding = 0
        self._rank = -1

    def next_member(self) -> Member:
        """Skip what is left of the current member and return the next one.

        Raises:
            BackupError: it is not a member that a backup may have here.
        """
        self.skip()
        block = self._take(_BLOCK_BYTES)
        try:
            header = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeError, ValueError) as error:
            raise _malformed() from error
        found = _KIND.fullmatch(header.name)
        if found is None or header.type != tarfile.REGTYPE or header.pax_headers:
            raise _malformed()
        kind, name = next((kind, text) for kind, text in found.groupdict().items() if text)
        rank = _ORDER.index(kind)
        is_in_order = rank >= self._rank and (rank > self._rank or kind in ("table", "picture"))
        if not is_in_order or not 0 <= header.size <= _MAX_BYTES[kind]:
            raise _malformed()
        self._rank = rank
        self._left, self._padding = header.size, -header.size % _BLOCK_BYTES
        return Member(kind, name, header.size)

    def read(self, max_bytes: int = _PIECE_BYTES) -> bytes:
        """Return the next bytes of the member, b"" at its end."""
        piece = self._take(min(self._left, max_bytes)) if self._left else b""
        self._left -= len(piece)
        return piece

    def read_all(self) -> bytes:
        """Return what is left of the member, whose size is bounded by its kind."""
        return self.read(self._left)

    def skip(self) -> None:
        """Skip the rest of the member."""
        while self.read():
            pass
        self._take(self._padding)
        self._padding = 0

    def finish(self) -> None:
        """Check that nothing follows the last member.

        Raises:
            BackupError: something does.
        """
        self.skip()
        rest = self._take(2 * _BLOCK_BYTES)
        while not (self._buffer or self._gzip.eof) and self._expand():
            pass
        is_over = self._gzip.eof and not self._gzip.unused_data and not self._source.read(1)
        if any(rest) or self._buffer or not is_over:
            raise _malformed()

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._expand():
                raise _malformed()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _expand(self) -> bool:
        """Decompress one more piece; return whether there was any."""
        if self._gzip.eof:
            return False
        packed = self._gzip.unconsumed_tail or self._source.read(_PIECE_BYTES)
        try:
            piece = self._gzip.decompress(packed, _PIECE_BYTES)
        except zlib.error as error:
            raise _malformed() from error
        self._allowance -= len(piece)
        if self._allowance < 0:
            raise BackupError(
                "备份解压后过大，不是湖畔写入的备份",
                "the backup expands to too much data: Hupan did not write it",
            )
        self._buffer += piece
        return bool(packed)


def _malformed() -> BackupError:
    return BackupError(
        "备份的内容无法识别：不是湖畔写入的备份，或由更新的版本写入",
        "the content of the backup is not known: Hupan did not write it, or a newer version did",
    )


_VALUE_TYPES: Mapping[str, Any] = {
    "INTEGER": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None,
    "TEXT": str | None,
    "BLOB": bytes | None,
}
_ENCODER = msgspec.json.Encoder()


class RowCodec:
    """Rows of one table as JSON lines: an array for each, bytes in base64."""

    def __init__(self, table: Table) -> None:
        types = tuple(_VALUE_TYPES[column.type] for column in table.columns)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(tuple[types])  # type: ignore[valid-type]  # known when the table is
        self._is_number = [column.type == "INTEGER" for column in table.columns]

    def encode(self, row: Row) -> bytes:
        return _ENCODER.encode(tuple(row)) + b"\n"

    def decode(self, lines: bytes) -> list[Row]:
        """Return the rows of a member.

        Raises:
            BackupError: they do not belong to this table.
        """
        try:
            return [self._decoder.decode(line) for line in lines.splitlines()]
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise _malformed() from error

    def add_totals(self, sums: list[int], rows: Sequence[Row]) -> None:
        """Add to the sums what the database's own statement would count."""
        for row in rows:
            for index, (value, is_number) in enumerate(zip(row, self._is_number, strict=True)):
                if value is not None:
                    sums[index] += _remainder(value) if is_number else _length(value)


def _remainder(value: int) -> int:
    """Return the remainder as SQL has it, with the sign of the value."""
    return value % MODULUS if value >= 0 else -(-value % MODULUS)


def _length(value: str | bytes) -> int:
    """Return the length as SQLite has it, to the first NUL of a text."""
    length = _text_length(value) if isinstance(value, str) else len(value)
    return length % MODULUS


def _text_length(value: str) -> int:
    return value.index("\0") if "\0" in value else len(value)


class Inspector:
    """Checks the order and the completeness of an archive while its members are read.

    Attributes:
        end: what the archive must contain, once it was read.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._codecs = {table.name: RowCodec(table) for table in manifest.tables}
        self._sums = {table.name: [0] * len(table.columns) for table in manifest.tables}
        self._rows = dict.fromkeys(self._codecs, 0)
        self._pictures: int = 0
        self._picture_bytes: int = 0

    def decode_rows(self, name: str, lines: bytes) -> list[Row]:
        """Return the rows of a member of a table, and count them."""
        if name not in self._codecs:
            raise _malformed()
        rows = self._codecs[name].decode(lines)
        self._rows[name] += len(rows)
        self._codecs[name].add_totals(self._sums[name], rows)
        return rows

    def count_picture(self, size: int) -> None:
        self._pictures += 1
        self._picture_bytes += size

    def check_end(self, end: End) -> None:
        """Raise BackupError unless exactly what the end says was read."""
        found = {
            name: TableTotals(self._rows[name], tuple(sums)) for name, sums in self._sums.items()
        }
        if found != end.tables:
            raise differing_error([name for name in found if found[name] != end.tables.get(name)])
        if (end.pictures, end.picture_bytes) != (self._pictures, self._picture_bytes):
            raise BackupError("备份中的图片不完整", "pictures of the backup are missing")


def differing_error(tables: Sequence[str]) -> BackupError:
    """Return the error about tables whose rows are not those that were counted."""
    names = ", ".join(sorted(tables)[:_MAX_NAMED_TABLES])
    return BackupError(
        f"备份的行数或校验和不一致：{names}",
        f"row counts or checksums of the backup do not match: {names}",
    )


def decode_manifest(data: bytes) -> Manifest:
    """Return what a backup declares.

    Raises:
        BackupError: it is of another version, or malformed.
    """
    version = _decode(data, _Version).format
    if version != FORMAT:
        raise BackupError(
            f"备份的格式版本为 {version}，本程序只能读取 {FORMAT}，请升级程序",
            f"the backup has format {version}, and this program reads {FORMAT}: upgrade it",
        )
    manifest = _decode(data, Manifest)
    types = {column.type for table in manifest.tables for column in table.columns}
    names = {manifest.engine, *(table.name for table in manifest.tables)}
    if (
        not types <= {"INTEGER", "TEXT", "BLOB"}
        or not all(map(_PLAIN_NAME.fullmatch, names))
        or not _VERSION.fullmatch(manifest.hupan)
        or not DAY_SECONDS < manifest.created_at < MAX_UNIX_TIME - DAY_SECONDS  # in any zone
    ):
        raise _malformed()
    return manifest


def decode_end(data: bytes) -> End:
    return _decode(data, End)


Kind = TypeVar("Kind", bound=Struct)


class _Version(Struct, frozen=True):
    format: int


def _decode(data: bytes, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _malformed() from error
