"""Stores of earlier versions are upgraded in one step (security R13)."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from hupan.config import load_settings
from hupan.opening import StartRefused, prepared_store
from hupan.store.database import Reader, Row
from hupan.store.integrity import check_file, check_rows
from hupan.store.migrate import load_migrations, migrate_file
from hupan.store.postgres import open_postgres
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.sqlite import SqliteDatabase, connect
from hupan.store.tables import list_tables, read_schema_files
from tests.support.backups import BackupKey, contents, invoke, succeed
from tests.support.stores import Databases

FOLDER = Path(__file__).parents[1] / "released"
RELEASES = sorted(path.name.removesuffix(".db.gz") for path in FOLDER.glob("*.db.gz"))
LASTING = (
    """
    SELECT id, name, phone, email, coin_cents, vip_until, banned_until, invitation_code
    FROM accounts ORDER BY id
    """,
    "SELECT kind, value, account_id FROM identities ORDER BY value, kind",
    "SELECT account_id, number, key, after_cents FROM coin_entries ORDER BY account_id, number",
    "SELECT account_id, medal_id FROM account_medals ORDER BY account_id, medal_id",
    "SELECT account_id, token_hash, device_id FROM sessions ORDER BY account_id, token_hash",
)


async def lasting(reader: Reader) -> list[list[Row]]:
    """Return what an upgrade must not change."""
    return [[tuple(row) for row in await reader.fetch_all(sql)] for sql in LASTING]


def released_file(release: str, path: Path) -> Path:
    """Return a store as a version left it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(gzip.decompress((FOLDER / f"{release}.db.gz").read_bytes()))
    path.chmod(0o600)
    return path


async def read_file(path: Path) -> list[list[Row]]:
    """Return the lasting content of a file of any version."""
    database = SqliteDatabase(path)
    try:
        return await lasting(database)
    finally:
        await database.close()


def test_every_release_has_its_stores() -> None:
    """There is one for each engine."""
    assert "0.1.0-15" in RELEASES
    assert {f"{release}.postgres.sql.gz" for release in RELEASES} == {
        path.name for path in FOLDER.glob("*.postgres.sql.gz")
    }


@pytest.mark.parametrize("release", RELEASES)
async def test_a_file_is_taken_to_this_version(release: str, tmp_path: Path) -> None:
    """All data is there afterwards, and sound."""
    path = released_file(release, tmp_path / "hupan.db")
    before = await read_file(path)
    assert len(before[0]) > 20
    migrate_file(path)
    assert await read_file(path) == before
    assert await check_file(path) == []


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES)
async def test_a_server_is_taken_to_this_version(release: str, databases: Databases) -> None:
    """PostgreSQL gives the same result."""
    name = databases.make(template="template1")
    url = databases.cluster.url(name)
    connection = await asyncpg.connect(url)
    dump = gzip.decompress((FOLDER / f"{release}.postgres.sql.gz").read_bytes()).decode()
    await connection.execute(dump)
    await connection.execute("SET search_path TO public")
    before = [[tuple(row) for row in await connection.fetch(sql)] for sql in LASTING]
    assert len(before[0]) > 20
    await connection.close()
    database = await open_postgres(PostgresDsn(url), PoolSize(max_connections=4), migrate=True)
    try:
        assert await lasting(database) == before
        assert await check_rows(database) == []
    finally:
        await database.close()
        databases.drop(name)


def digests(folder: Path) -> dict[str, str]:
    """Return a digest of each file; check that the lock is empty."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in contents(folder)
        if not name.endswith(".lock")
    }


def test_an_older_program_changes_nothing(tmp_path: Path) -> None:
    """It refuses a newer store before it writes, and leaves the files unchanged (R13)."""
    path = released_file(RELEASES[-1], tmp_path / "data" / "hupan.db")
    migrate_file(path)
    connection = connect(path)
    connection.execute("INSERT INTO migrations VALUES (9999, 'later', 'x', 1)").fetchall()
    connection.close()
    (path.parent / "secret.key").write_bytes(bytes(32))
    (path.parent / "secret.key").chmod(0o600)
    before = digests(path.parent)
    settings = load_settings({"data_dir": str(path.parent)}, {})
    with (
        pytest.raises(StartRefused, match="newer Hupan"),
        prepared_store(settings, is_sandbox=True),
    ):
        pass
    here = ["--data-dir", str(path.parent)]
    for command in (("upgrade",), ("upgrade", "--check"), ("backup", "create")):
        done = invoke(*command, *here)
        assert done.exit_code == 1, done.output
    after = digests(path.parent)
    after.pop("operators.log")
    assert after == before


def test_a_check_says_what_an_upgrade_does(tmp_path: Path) -> None:
    """It names migrations, the kept copy and its lifetime; the store is unchanged (R13)."""
    path = released_file("0.1.0-15", tmp_path / "data" / "hupan.db")
    here = ["--data-dir", str(path.parent)]
    before = digests(path.parent)
    plan = json.loads(succeed("upgrade", "--check", "--json", *here))
    names = [f"{one.number:04}_{one.name}" for one in load_migrations() if one.number > 15]
    assert (plan["applied"], plan["known"]) == (15, load_migrations()[-1].number)
    assert plan["missing"] == names
    assert plan["kept_copy"] == f"{path}.before-0016"
    assert plan["seconds"] > 0
    assert plan["faults"] == []
    assert digests(path.parent) == before
    assert "0016_session_ends" in succeed("upgrade", "--check", *here)
    assert f"已应用 {len(names)} 个迁移" in succeed("upgrade", *here)
    assert Path(plan["kept_copy"]).exists()
    assert "无需升级" in succeed("upgrade", "--check", *here)


@pytest.mark.slow
def test_a_backup_of_an_older_store_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the same migrations as the store would (security R13, L6)."""
    path = released_file("0.1.0-15", tmp_path / "data" / "hupan.db")
    before = asyncio.run(read_file(path))
    (path.parent / "secret.key").write_bytes(bytes(32))
    (path.parent / "secret.key").chmod(0o600)
    key = BackupKey(tmp_path)
    monkeypatch.setenv("HUPAN_BACKUP_PUBLIC_KEY", key.public)
    with older_program("0016"):
        succeed("backup", "create", str(tmp_path / "a.age"), "--data-dir", str(path.parent))
    copy = tmp_path / "copy"
    options = ["--key-file", str(key.file), "--keep-sessions", "--data-dir", str(copy)]
    succeed("restore", str(tmp_path / "a.age"), *options)
    assert asyncio.run(read_file(copy / "hupan.db")) == before
    assert contents(copy) == ["hupan.db", "hupan.db.lock", "operators.log", "secret.key"]


@contextmanager
def older_program(before: str) -> Iterator[None]:
    """Hide the newer migrations and the pictures, as in an older program."""
    known = [(name, sql) for name, sql in read_schema_files() if name < before]
    with pytest.MonkeyPatch.context() as patch:
        for module in ("tables", "migrate", "backups"):
            patch.setattr(f"hupan.store.{module}.read_schema_files", lambda *_: known)
        patch.setenv("HUPAN_BACKUP_PICTURES", "false")
        list_tables.cache_clear()
        yield
    list_tables.cache_clear()
