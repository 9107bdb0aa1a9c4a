"""A backup that is cut, altered or foreign is refused in one sentence; nothing is left of it."""

import gzip
import io
import random
import tarfile
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from hupan.admin.backups import Checker, read_backup
from hupan.age import DecryptingReader, Identity
from hupan.store.backup_format import PART_BYTES, ArchiveWriter
from hupan.store.database import Row
from tests.support.backups import PASSPHRASE, BackupKey, contents, invoke, succeed

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]
Members = dict[str, bytes]
MAX_MESSAGE_CHARACTERS = 200
FLAT_BYTES = 48 * 1024 * 1024


class Sample:
    """A sound backup, its members and the key to it."""

    def __init__(self, folder: Path) -> None:
        self.key = BackupKey(folder)
        data = folder / "data"
        options = ["--data-dir", str(data)]
        succeed("database", "migrate", *options)
        for number in range(3):
            phone = f"139{number:08}"
            succeed("account", "create", "--phone", phone, "--nickname", "湖" * 12, *options)
        file = folder / "sound.age"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HUPAN_BACKUP_PUBLIC_KEY", self.key.public)
            succeed("backup", "create", str(file), *options)
        self.file = file.read_bytes()
        opened = DecryptingReader(io.BytesIO(self.file), self.key.identity).read()
        with tarfile.open(fileobj=io.BytesIO(opened)) as archive:
            self.members = {
                member.name: content.read()
                for member in archive.getmembers()
                if (content := archive.extractfile(member)) is not None
            }

    def changed(self, **parts: object) -> bytes:
        """Return the backup with another value in its manifest."""
        manifest = {**msgspec.json.decode(self.members["backup.json"]), **parts}
        return self.encrypt({**self.members, "backup.json": msgspec.json.encode(manifest)})

    def with_end(self, change: Callable[[dict[str, object]], object]) -> bytes:
        """Return the backup with another end."""
        end = msgspec.json.decode(self.members["end.json"])
        change(end)
        return self.encrypt({**self.members, "end.json": msgspec.json.encode(end)})

    def encrypt(self, members: Mapping[str, bytes]) -> bytes:
        return self.key.encrypt(members.items())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Return one sound backup for all tests of the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HUPAN_DATABASE", raising=False)
        return Sample(tmp_path_factory.mktemp("sample"))


def cut(sample: Sample) -> Iterator[tuple[str, bytes]]:
    """Yield the backup cut anywhere."""
    size = len(sample.file)
    for length in [0, 1, 21, 22, 60, 180, 200, 220, *range(300, size, size // 8), size - 1]:
        yield f"cut at {length}", sample.file[:length]
    yield "without its first byte", sample.file[1:]
    yield "longer", sample.file + b"x"
    yield "twice", sample.file * 2


def flipped(sample: Sample) -> Iterator[tuple[str, bytes]]:
    """Yield the backup with one bit flipped, anywhere."""
    chance = random.Random(20)  # noqa: S311 - where to damage a file
    for place in [0, 21, 30, 100, 190, 215, *chance.sample(range(len(sample.file)), 12)]:
        damaged = bytearray(sample.file)
        damaged[place] ^= 1 << chance.randrange(8)
        yield f"flipped at {place}", bytes(damaged)


def of_others(sample: Sample) -> Iterator[tuple[str, bytes]]:
    """Yield backups of another version, or made by an attacker with the public key."""
    members, end = sample.members, len(sample.members) - 1
    items = list(members.items())
    accounts = "tables/accounts/000000.jsonl"
    manifest = msgspec.json.decode(members["backup.json"])
    yield "of another format", sample.changed(format=2)
    yield "of a newer version", sample.changed(migrations=[*manifest["migrations"], 9999])
    yield "of no version", sample.changed(migrations=[])
    yield "with a gap", sample.changed(migrations=manifest["migrations"][:-2])
    yield "with other tables", sample.changed(tables=manifest["tables"][1:])
    yield (
        "with an unknown type",
        sample.changed(
            tables=[{**manifest["tables"][0], "columns": [{"name": "a", "type": "REAL"}]}]
        ),
    )
    yield "with a forged version", sample.changed(hupan="\x1b[2Jgone")
    yield "with a forged time", sample.changed(created_at=2**62)
    yield "with another key", sample.changed(key_fingerprint=1)
    yield "with a short key", sample.encrypt({**members, "secret.key": bytes(31)})
    yield "with no manifest", sample.encrypt(dict(items[1:]))
    yield "with a manifest of nonsense", sample.encrypt({**members, "backup.json": b"[" * 1000})
    yield (
        "with a member too much",
        sample.encrypt(
            {**dict(items[:end]), "tables/no_such/000000.jsonl": b"[1]\n", **dict(items[end:])}
        ),
    )
    for name in ("../../etc/passwd", "/etc/passwd", "media/../a.png", "tables/accounts/1.jsonl"):
        yield f"with {name}", sample.encrypt({**dict(items[:end]), name: b"", "end.json": b""})
    yield "out of order", sample.key.encrypt([*items[:2], items[end], *items[2:end]])
    yield "with two manifests", sample.key.encrypt([items[0], *items])
    yield "without its end", sample.encrypt(dict(items[:end]))
    yield "with something after its end", sample.key.encrypt([*items, items[end]])
    yield (
        "without accounts",
        sample.encrypt({name: data for name, data in items if name != accounts}),
    )
    yield "with an account twice", sample.encrypt({**members, accounts: members[accounts] * 2})
    yield (
        "with a number changed",
        sample.encrypt(
            {**members, accounts: members[accounts].replace(b"[1000001,", b"[1000002,")}
        ),
    )
    for wrong in (b"[]\n", b"{}\n", b'["a"]\n', b"[" * 100_000 + b"\n", b"\xff\n", b"9" * 5000):
        yield f"with rows {wrong[:6]!r}", sample.encrypt({**members, accounts: wrong})
    big = members[accounts].replace(b"[1000001,", b"[9223372036854775808,")
    yield "with a number beyond 64 bits", sample.encrypt({**members, accounts: big})
    yield "with wrong sums", sample.with_end(lambda end: end.update(pictures=1))
    yield "with no totals", sample.with_end(lambda end: end.update(tables={}))
    yield "of nothing", sample.encrypt({})
    yield "not packed", _raw(sample, b"backup.json" * 200)
    yield "with a link", _raw(sample, gzip.compress(_link()))


def _raw(sample: Sample, content: bytes) -> bytes:
    """Return a backup with the given decrypted content."""

    def write(archive: ArchiveWriter) -> None:
        archive._target.write(content)  # noqa: SLF001 - the class would not write this

    return sample.key.encrypt_archive(write)


def _link() -> bytes:
    header = tarfile.TarInfo("backup.json")
    header.type, header.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return header.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)


@pytest.mark.parametrize("broken", [cut, flipped, of_others])
def test_a_broken_backup_is_refused(
    sample: Sample, tmp_path: Path, broken: Callable[[Sample], Iterator[tuple[str, bytes]]]
) -> None:
    """Each is refused in one sentence without a traceback, and leaves no folder (L6, R20)."""
    file, target = tmp_path / "broken.age", tmp_path / "target"
    names = []
    for name, data in broken(sample):
        file.write_bytes(data)
        options = ["--key-file", str(sample.key.file), "--data-dir", str(target)]
        done = invoke("restore", str(file), *options)
        assert done.exit_code == 1, (name, done.output)
        assert isinstance(done.exception, SystemExit), (name, done.exception)
        lines = done.stderr.strip().split("\n")
        assert len(lines) == 1, (name, lines)
        assert 0 < len(lines[0]) <= MAX_MESSAGE_CHARACTERS, (name, lines)
        assert contents(tmp_path) == ["broken.age"], name
        names.append(name)
    assert len(names) >= 18


def test_the_wrong_key_is_named(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another key, a passphrase instead of a key, no key, and a file without one are named."""
    file, target = tmp_path / "sound.age", tmp_path / "target"
    file.write_bytes(sample.file)
    other = tmp_path / "other.key"
    other.write_text(Identity.generate().secret_text(), "utf-8")
    other.chmod(0o600)
    here = ["restore", str(file), "--data-dir", str(target)]
    assert "私钥不符" in invoke(*here, "--key-file", str(other)).stderr
    assert "--key-file" in invoke(*here).stderr
    other.write_text("no key", "utf-8")
    assert "AGE-SECRET-KEY-1" in invoke(*here, "--key-file", str(other)).stderr
    other.chmod(0o644)
    assert "0600" in invoke(*here, "--key-file", str(other)).stderr
    monkeypatch.setenv("HUPAN_BACKUP_PASSPHRASE", PASSPHRASE)
    assert "由公钥加密" in invoke(*here).stderr
    assert not target.exists()


def test_a_bomb_takes_no_memory(sample: Sample, tmp_path: Path) -> None:
    """Content that expands endlessly is refused; memory stays flat meanwhile."""

    def write(archive: ArchiveWriter) -> None:
        for name, data in sample.members.items():
            if name == "end.json":
                break
            archive.add(name, data)
        picture = bytes(30 * 1024 * 1024)
        for number in range(4):
            archive.add(f"media/{number:026}.png", picture)

    file = tmp_path / "bomb.age"
    file.write_bytes(sample.key.encrypt_archive(write))
    tracemalloc.start()
    try:
        done = invoke("backup", "verify", str(file), "--key-file", str(sample.key.file))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (done.exit_code, "解压后过大" in done.stderr) == (1, True)
    assert peak < FLAT_BYTES


class _LargestTaken(Checker):
    """Record the largest number of rows received at once."""

    rows = 0

    def take_rows(self, table: str, rows: list[Row]) -> None:
        """Record their number."""
        super().take_rows(table, rows)
        self.rows = max(self.rows, len(rows))


async def test_many_short_rows_are_not_in_memory_at_once(sample: Sample) -> None:
    """A public key suffices to choose the rows, which need far more memory than their text."""
    table = {"name": "a", "columns": [{"name": "a", "type": "TEXT"}], "primary_key": ["a"]}
    manifest = {**msgspec.json.decode(sample.members["backup.json"]), "tables": [table]}
    count, row = 400_000, b'["a"]\n'
    members = {
        "backup.json": msgspec.json.encode(manifest),
        "secret.key": sample.members["secret.key"],
        "tables/a/000000.jsonl": row * count,
        "end.json": msgspec.json.encode(
            {
                "tables": {"a": {"rows": count, "sums": [count]}},
                "pictures": 0,
                "picture_bytes": 0,
                "missing_pictures": 0,
                "faults": [],
            }
        ),
    }
    taken = _LargestTaken()
    with tempfile.TemporaryFile() as file:
        file.write(sample.encrypt(members))
        file.seek(0)
        summary = await read_backup(file, sample.key.identity, taken, "there")
    assert summary.end.tables["a"].rows == count
    assert 0 < taken.rows <= 2 * PART_BYTES // len(row)
