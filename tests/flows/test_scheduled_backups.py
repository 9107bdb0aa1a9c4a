"""A server makes backups by itself, in a folder or in a bucket (security L6)."""

import asyncio
import hashlib
import io
import os
import pickle
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from hupan.admin.backups import create_backup, opened_backup, verify_backup
from hupan.admin.database import migrate_database
from hupan.admin.restores import RestoreOptions, prepare_restore, restore_backup
from hupan.clock import SystemClock
from hupan.config import Settings, load_settings
from hupan.crypto import load_or_create_key
from hupan.domain.backups import BackupFailedError, run_backup_process
from hupan.opening import make_backup_place, make_picture_files
from hupan.store.backup_places import BucketPlace, make_backup_name
from hupan.store.s3_files import S3Bucket, S3Client
from hupan.store.sqlite import connect
from tests.support.backups import BackupKey, contents, succeed
from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]
METRIC = "hupan_backup_timestamp_seconds"
PATIENCE_SECONDS = 90.0
PICTURE = f"{'a' * 26}.png"
INSERT_PICTURE = "INSERT INTO pictures VALUES (1, ?1, ?1, ?2, 1, 1)"


def last_backup(port: int) -> float:
    """Return the time of the newest backup from `/metrics`."""
    reply = httpx.get(f"http://{LOOPBACK}:{port}/metrics", trust_env=False, timeout=30)
    (line,) = (one for one in reply.text.splitlines() if one.startswith(METRIC))
    return float(line.split()[1])


def test_a_server_makes_its_backups(tmp_path: Path) -> None:
    """The first one comes soon after the start; the metric has its time."""
    key, data, port = BackupKey(tmp_path), tmp_path / "data", free_port()
    environment = {
        "HUPAN_BACKUP_PUBLIC_KEY": key.public,
        "HUPAN_BACKUP_HOURS": "24",
        "HUPAN_METRICS_PORT": str(port),
    }
    begin = int(time.time())
    with Server("serve", "--data-dir", str(data), environment=environment):
        assert last_backup(port) == 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not last_backup(port):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert begin <= last_backup(port) <= time.time()
    (name,) = contents(data / "backups")
    here = ["--data-dir", str(data)]
    assert name in succeed("backup", "list", *here)
    found = succeed("backup", "verify", name, "--key-file", str(key.file), *here)
    assert str(data / "backups" / name) in "".join(found.split())  # long lines are folded
    assert [entry for entry in contents(data) if entry.startswith(".")] == []


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3Bucket]:
    """Yield an empty bucket on a real S3 server."""
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    bucket = S3Bucket(f"http://{host}:{port}", "backups", "us-east-1", "AKIDEXAMPLE", "secret")
    assert S3Client(bucket, SystemClock()).request("PUT", "", {}).status == 200
    yield bucket
    server.stop()


async def test_backups_in_a_bucket(bucket: S3Bucket, tmp_path: Path) -> None:
    """They are stored, listed, read by name, and deleted beyond the number to keep."""
    key, data = BackupKey(tmp_path), tmp_path / "data"
    settings = replace(
        load_settings({"data_dir": str(data)}, {}),
        backup_public_key=key.public,
        backup_s3_url=bucket.url,
        backup_s3_bucket=bucket.name,
        backup_s3_access_key=bucket.access_key,
        backup_s3_secret_key=bucket.secret_key,
        backup_keep=2,
    )
    place = make_backup_place(settings)
    olds = [make_backup_name(1_700_000_000 + number) for number in range(3)]
    client = S3Client(bucket, SystemClock())
    for name in (*olds, "notes.txt"):
        assert client.request("PUT", name, {}, io.BytesIO()).status == 200
    with pytest.raises(BackupFailedError, match="no store"):
        await run_backup_process(pickle.dumps(settings))
    assert {backup.name for backup in place.list_backups()} == set(olds)
    await migrate_database(settings)
    load_or_create_key(settings.secret_key_path)
    made = await run_backup_process(pickle.dumps(settings))
    names = {backup.name for backup in place.list_backups()}
    (name,) = names - set(olds)
    assert (name in made, names - {name}) == (True, {olds[2]})
    with opened_backup(settings, name) as file:
        summary = await verify_backup(file, key.identity)
    assert summary.accounts == 0
    assert [entry for entry in contents(data) if entry.endswith((".part", ".age"))] == []


def test_a_download_that_fails_leaves_no_file(
    bucket: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing backup, or one without an end, does not fill the disk."""
    place, name = BucketPlace(bucket, tmp_path, SystemClock()), make_backup_name(1_600_000_000)
    with pytest.raises(OSError, match="404"):
        place.fetch(name)
    content = io.BytesIO(bytes(2000))
    sha256 = hashlib.sha256(bytes(2000)).hexdigest()
    client = S3Client(bucket, SystemClock())
    assert client.request("PUT", name, {}, content, sha256).status == 200
    monkeypatch.setattr("hupan.store.backup_places.MAX_OBJECT_BYTES", 1999)
    with pytest.raises(OSError, match="more data than a backup in a bucket"):
        place.fetch(name)
    assert contents(tmp_path) == []
    place.delete(name)


async def test_pictures_in_a_bucket(bucket: S3Bucket, tmp_path: Path) -> None:
    """They are read from the bucket of pictures, and restored into a folder or a bucket."""
    key, data, file = BackupKey(tmp_path), tmp_path / "data", tmp_path / "a.age"
    picture = bytes(range(256)) * 1200
    plain = replace(load_settings({"data_dir": str(data)}, {}), backup_public_key=key.public)
    settings = in_bucket(plain, bucket)
    await migrate_database(settings)
    load_or_create_key(settings.secret_key_path)
    files = make_picture_files(settings)
    with files.spool() as spooled:
        spooled.write(picture)
        await files.put(PICTURE, spooled, "image/png")
    connection = connect(settings.database_path)
    connection.execute(INSERT_PICTURE, (PICTURE, len(picture))).fetchall()
    connection.execute(INSERT_PICTURE, (f"{'b' * 26}.png", 7)).fetchall()
    connection.close()
    end = (await create_backup(settings, file)).end
    assert (end.pictures, end.picture_bytes, end.missing_pictures) == (1, len(picture), 1)
    await files.delete(PICTURE.removesuffix(".png"))
    for target in (plain, settings):
        copy = replace(target, data_dir=tmp_path / f"copy{len(target.media_s3_url)}")
        with file.open("rb") as opened:
            await prepare_restore(copy, opened, key.identity)
            options = RestoreOptions(accept_faults=True)
            await restore_backup(copy, opened, key.identity, options)
        found = await make_picture_files(copy).find(PICTURE)
        assert found is not None
        assert found.size == len(picture)
    assert (tmp_path / "copy0" / "media" / "aa" / PICTURE).read_bytes() == picture


class Stalled:
    """A store whose pictures are in a bucket that accepts requests and never answers."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.key = BackupKey(folder)
        self.is_asked, self._may_end, self._is_over = (asyncio.Event() for _ in range(3))

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Settings]:
        """Yield the settings of the store."""
        async with await asyncio.start_server(self._stall, LOOPBACK, 0) as server:
            url = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
            plain = load_settings({"data_dir": str(self.data)}, {})
            settings = in_bucket(
                replace(plain, backup_public_key=self.key.public),
                S3Bucket(url, "pictures", "us-east-1", "AKIDEXAMPLE", "secret"),
            )
            await migrate_database(settings)
            load_or_create_key(settings.secret_key_path)
            connection = connect(settings.database_path)
            connection.execute(INSERT_PICTURE, (PICTURE, 7)).fetchall()
            connection.close()
            yield settings

    async def wait_until_asked(self) -> None:
        """Wait until a backup has begun and leaves drafts."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.is_asked.wait()
        assert self.drafts()

    async def end(self) -> None:
        """Close the waiting connection."""
        self._may_end.set()
        await self._is_over.wait()

    def drafts(self) -> list[str]:
        """Return the files of an unfinished backup."""
        return [name for name in contents(self.data) if ".backup-" in name or ".hupan-" in name]

    async def _stall(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.is_asked.set()
        await self._may_end.wait()
        writer.close()
        await writer.wait_closed()
        self._is_over.set()


async def test_a_stopped_backup_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that stops ends the backup; the copy of the database is removed."""
    monkeypatch.setattr("hupan.domain.backups.END_SECONDS", PATIENCE_SECONDS)
    stalled = Stalled(tmp_path)
    async with stalled.run() as settings:
        making = asyncio.create_task(run_backup_process(pickle.dumps(settings)))
        await stalled.wait_until_asked()
        making.cancel()
        await asyncio.sleep(0)  # the process gets its signal
        ending = asyncio.create_task(stalled.end())
        with pytest.raises(asyncio.CancelledError):
            await making
        await ending
        assert stalled.drafts() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_command_that_is_ended_leaves_no_files(
    tmp_path: Path, number: signal.Signals
) -> None:
    """This applies to `kill`, a closed terminal and Ctrl-C."""
    stalled = Stalled(tmp_path)
    async with stalled.run() as settings:
        process = await asyncio.create_subprocess_exec(
            *("env", "--default-signal"),  # the parent process may ignore some
            *(sys.executable, "-m", "hupan", "backup", "create", "--data-dir", str(stalled.data)),
            env={
                **os.environ,
                "HUPAN_BACKUP_PUBLIC_KEY": stalled.key.public,
                "HUPAN_MEDIA_S3_URL": settings.media_s3_url,
                "HUPAN_MEDIA_S3_BUCKET": settings.media_s3_bucket,
                "HUPAN_MEDIA_S3_ACCESS_KEY": settings.media_s3_access_key,
                "HUPAN_MEDIA_S3_SECRET_KEY": settings.media_s3_secret_key,
            },
        )
        await stalled.wait_until_asked()
        process.send_signal(number)
        ending = asyncio.create_task(stalled.end())
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 128 + number
        await ending
        assert stalled.drafts() == []


def in_bucket(settings: Settings, bucket: S3Bucket) -> Settings:
    """Return the settings of a server whose pictures are in a bucket."""
    return replace(
        settings,
        media_s3_url=bucket.url,
        media_s3_bucket=bucket.name,
        media_s3_access_key=bucket.access_key,
        media_s3_secret_key=bucket.secret_key,
    )
