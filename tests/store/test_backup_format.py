"""Ends and times of foreign archives, and which backups are kept (security L6)."""

import io
import tracemalloc
import zlib

import msgspec
import pytest

from hupan.store.backup_format import (
    MANIFEST_NAME,
    ArchiveReader,
    ArchiveWriter,
    BackupError,
    decode_manifest,
)
from hupan.store.backup_places import StoredBackup, parse_backup_time, select_surplus

MEGABYTE = 1024 * 1024


class _Bytes(io.RawIOBase):
    """A file in memory."""

    def __init__(self, data: bytes = b"") -> None:
        self.file = io.BytesIO(data)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # any buffer will do
        """Read the next bytes."""
        return self.file.readinto(buffer)

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # any buffer will do
        """Write bytes."""
        return self.file.write(data)


@pytest.mark.slow
def test_a_bomb_behind_the_end_takes_no_memory() -> None:
    """An archive that continues after its end is refused before the rest is decompressed."""
    target = _Bytes()
    writer = ArchiveWriter(target)
    writer.add(MANIFEST_NAME, b"{}")
    writer.finish()
    gzip = zlib.compressobj(6, zlib.DEFLATED, 31)
    parts = [gzip.compress(zlib.decompress(target.file.getvalue(), 31))]
    parts += [gzip.compress(bytes(MEGABYTE)) for _ in range(48)]
    bomb = b"".join([*parts, gzip.flush()])
    reader = ArchiveReader(_Bytes(bomb), len(bomb))
    assert reader.next_member().kind == "manifest"
    tracemalloc.start()
    try:
        with pytest.raises(BackupError):
            reader.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MEGABYTE


@pytest.mark.parametrize("moment", [0, 1, 253_402_300_799])
def test_a_moment_that_some_zone_cannot_show_is_refused(moment: int) -> None:
    """The backup's author chose the time, and it is shown in the configured zone."""
    manifest = {
        "format": 1,
        "hupan": "0.1.0",
        "created_at": 1_800_000_000,
        "engine": "sqlite",
        "migrations": [1],
        "tables": [],
        "key_fingerprint": 1,
    }
    assert decode_manifest(msgspec.json.encode(manifest)).created_at == 1_800_000_000
    with pytest.raises(BackupError):
        decode_manifest(msgspec.json.encode({**manifest, "created_at": moment}))


@pytest.mark.parametrize("time", ["99991231T235959Z", "00010101T000000Z", "20261301T000000Z"])
def test_a_file_with_such_a_moment_is_no_backup(time: str) -> None:
    """Such a file is neither listed nor deleted."""
    assert parse_backup_time("hupan-20261126T120000Z-0123ab.tar.gz.age") == 1_795_694_400
    assert parse_backup_time(f"hupan-{time}-0123ab.tar.gz.age") is None


def test_the_backup_just_made_stays() -> None:
    """It stays even if a wrong clock made earlier backups look newer."""
    backups = [StoredBackup(name, 1, time) for name, time in (("b", 90), ("a", 95), ("now", 10))]
    assert [one.name for one in select_surplus(backups, 1, "now")] == ["b", "a"]
    assert [one.name for one in select_surplus(backups, 2, "now")] == ["b"]
    assert [one.name for one in select_surplus(backups, 2)] == ["now"]
    assert select_surplus(backups, 3, "now") == []
