"""Cleanup of a bucket deletes objects without a row (wire.md 8.4), as in a folder.

The story: a database was restored from a backup, and the bucket kept every picture of the
month in between, even those of accounts that had requested erasure.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from hupan.clock import SystemClock
from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.media import Media, PictureAddresses, UploadTokens
from hupan.domain.media_sweep import GRACE_SECONDS, MIN_AGE_SECONDS, PictureSweep
from hupan.domain.redrawing import Redrawer
from hupan.domain.sessions import SessionPolicy
from hupan.ratelimit.stored import StoredLimiter
from hupan.rng import SystemRandomSource
from hupan.rules import MediaRules
from hupan.store.media import put_picture
from hupan.store.s3_files import S3Bucket, S3Client, S3PictureFiles
from tests.support.buckets import bucket_server, make_bucket
from tests.support.world import World, open_world

pytestmark = pytest.mark.one_engine

KNOWN, STRAY, OTHER = (f"xy{letter * 24}.png" for letter in "abc")
FOREIGN = ("hupan-20261126T120000Z-abcdef.tar.gz.age", "xyz/photo.png", f"xy{'A' * 24}.png", "xy")


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedMotoServer]:
    """Yield a server of the S3 protocol."""
    with bucket_server() as server:
        yield server


@pytest.fixture
def bucket(server: ThreadedMotoServer, request: pytest.FixtureRequest) -> S3Bucket:
    """Return a bucket of one test."""
    return make_bucket(server, request.node.name.replace("_", "-").replace("[", "-").strip("]"))


class SweptBucket:
    """The picture service of one store, with its bucket."""

    def __init__(self, world: World, bucket: S3Bucket, folder: Path, owner: str = "this") -> None:
        self.world = world
        self.client = S3Client(bucket, SystemClock())
        self.files = S3PictureFiles(bucket, folder / "spool", SystemClock())
        self.owner = owner
        limiter, addresses = StoredLimiter(enabled=True), PictureAddresses("https://lake.example")
        tokens = UploadTokens(SecretBox(b"k" * KEY_BYTES), world.clock)
        self.media = Media(
            *(world.engine, world.clock, SessionPolicy(), limiter, self.files, Redrawer()),
            *(SystemRandomSource(), MediaRules((), 3), tokens, addresses),
        )

    def put(self, name: str) -> None:
        """Write an object."""
        headers = {"content-length": "1"}
        assert (
            self.client.request("PUT", name, headers, io.BytesIO(b"x"), SHA256_OF_X).status == 200
        )

    def names(self) -> set[str]:
        """Return the names of all objects."""
        return {one.name for one in self.client.list_objects("", 10_000)}

    async def sweep(self, beginning: str = "xy") -> int:
        """Clean the names with a prefix; return how many objects were found."""
        sweep = PictureSweep(self.world.engine, self.world.clock, self.files, self.owner)
        assert beginning in await self.files.list_folders()
        return await sweep._sweep(beginning)  # noqa: SLF001 - one round of a thousand

    async def know(self, name: str) -> None:
        """Insert the row of a picture."""
        account = await self.world.account_id()
        await self.world.engine.run_transaction(
            lambda tx: put_picture(tx, account, name, name, 1, 1)
        )


SHA256_OF_X = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


@pytest.mark.slow
async def test_objects_without_rows_are_deleted_after_a_week(
    bucket: S3Bucket, tmp_path: Path
) -> None:
    """Objects with a row, other files and other prefixes stay (8.4)."""
    async with open_world(tmp_path / "db") as world:
        swept = SweptBucket(world, bucket, tmp_path)
        for name in (KNOWN, STRAY, f"zz{'a' * 24}.png", *FOREIGN):
            swept.put(name)
        await swept.know(KNOWN)
        everything = swept.names()
        world.clock.time = SystemClock().now() + MIN_AGE_SECONDS - 60
        assert [await swept.sweep() for _ in range(2)] == [0, 0]  # claimed, but all young
        assert swept.names() == everything | {"owner"}
        world.clock.time += 120
        assert await swept.sweep() == 1
        await swept.media.delete_due()
        assert swept.names() == everything | {"owner"}
        world.clock.time += GRACE_SECONDS + 60
        await swept.media.delete_due()
        assert swept.names() == (everything | {"owner"}) - {STRAY}
        assert await world.count("picture_removals") == 0


@pytest.mark.slow
async def test_a_bucket_of_another_store_is_left_alone(bucket: S3Bucket, tmp_path: Path) -> None:
    """A bucket without any object of this store, or claimed by another one, is not cleaned."""
    async with open_world(tmp_path / "db") as world:
        swept = SweptBucket(world, bucket, tmp_path)
        world.clock.time = SystemClock().now() + 2 * MIN_AGE_SECONDS
        swept.put(STRAY)
        assert [await swept.sweep() for _ in range(2)] == [0, 0]
        assert "owner" not in swept.names()
        other = SweptBucket(world, bucket, tmp_path, "other")
        await swept.know(OTHER)
        swept.put(OTHER)
        assert [await other.sweep() for _ in range(2)] == [0, 1]
        assert [await swept.sweep() for _ in range(2)] == [0, 0]
        await swept.files.delete("owner")
        swept.files._claim(b"this")  # noqa: SLF001 - at the same time as the other
        assert await swept.files.belongs_to("other", may_claim=False)


@pytest.mark.slow
async def test_long_lists_come_in_pages(
    bucket: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pages are read, up to a maximum; a service that ignores the prefix is harmless (8.4)."""
    monkeypatch.setattr("hupan.store.s3_files._PAGE_OBJECTS", 3)
    async with open_world(tmp_path / "db") as world:
        swept = SweptBucket(world, bucket, tmp_path)
        names = [f"xy{letter * 24}.png" for letter in "abcdefgh"]
        for name in (*names, f"zz{'a' * 24}.png"):
            swept.put(name)
        listed = await swept.files.list_files("xy", 100)
        assert sorted(listed) == names
        assert all(abs(at - SystemClock().now()) < 3600 for at in listed.values())
        assert sorted(await swept.files.list_files("xy", 4)) == names[:4]
        listing = S3Client.list_objects
        monkeypatch.setattr(
            S3Client, "list_objects", lambda self, _prefix, most: listing(self, "", most)
        )
        assert sorted(await swept.files.list_files("xy", 100)) == names


@pytest.mark.slow
async def test_a_bucket_that_is_away_deletes_nothing(tmp_path: Path) -> None:
    """The round ends with an error (wire.md 8.4)."""
    async with open_world(tmp_path / "db") as world:
        gone = S3Bucket("http://127.0.0.1:1", "pictures", "us-east-1", "a", "b")
        with pytest.raises(OSError, match="does not answer"):
            await SweptBucket(world, gone, tmp_path).sweep()
        assert await world.count("picture_removals") == 0
