"""Pictures in a bucket, on a real S3 server (wire.md 8.4)."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth  # type: ignore[import-untyped]  # it ships no types
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]  # botocore has no types
from botocore.credentials import Credentials  # type: ignore[import-untyped]  # botocore has no types
from moto.server import ThreadedMotoServer

from hupan.clock import SystemClock
from hupan.store.media_files import CHUNK_BYTES
from hupan.store.s3_files import S3Bucket, S3PictureFiles, sign
from tests.support.buckets import bucket_server, make_bucket
from tests.support.ports import LOOPBACK

NAME = "abcdefghijklmnopqrstuvwxyz.png"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedMotoServer]:
    """Yield an S3 server on loopback."""
    with bucket_server() as server:
        yield server


@pytest.fixture(scope="module")
def bucket(server: ThreadedMotoServer) -> S3Bucket:
    """Return a bucket on that server."""
    return make_bucket(server, "pictures")


def files_in(bucket: S3Bucket, folder: Path) -> S3PictureFiles:
    """Return the files of a bucket."""
    return S3PictureFiles(bucket, folder, SystemClock())


@pytest.mark.slow
async def test_a_picture_in_a_bucket(bucket: S3Bucket, tmp_path: Path) -> None:
    """It is stored, found, read in pieces and deleted."""
    files = files_in(bucket, tmp_path)
    data = bytes(range(256)) * 1200
    with files.spool() as spooled:
        spooled.write(data)
        await files.put(NAME, spooled, "image/png")
    found = await files.find(NAME)
    assert found is not None
    assert (found.size, found.start) == (len(data), data[:CHUNK_BYTES])
    assert found.modified_at > 1_700_000_000
    rest = [await files.read(NAME, offset) for offset in range(CHUNK_BYTES, len(data), CHUNK_BYTES)]
    assert found.start + b"".join(rest) == data
    await files.delete(NAME.removesuffix(".png"))
    assert await files.find(NAME) is None
    await files.delete(NAME.removesuffix(".png"))


async def test_a_bucket_that_is_not_there(bucket: S3Bucket, tmp_path: Path) -> None:
    """A failed write is an error, never a success."""
    other = S3Bucket(bucket.url, "missing", bucket.region, "a", "b")
    with pytest.raises(OSError, match="404"):
        await files_in(other, tmp_path).put(NAME, io.BytesIO(b"x"), "image/png")
    gone = S3Bucket(f"http://{LOOPBACK}:1", "pictures", bucket.region, "a", "b")
    with pytest.raises(OSError, match="does not answer"):
        await files_in(gone, tmp_path).find(NAME)


@pytest.mark.slow
@pytest.mark.parametrize("query", ["", "list-type=2&prefix=hupan-"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_signature(method: str, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It equals that of Amazon's own library."""
    bucket = S3Bucket("https://s3.example.com:9000", "pictures", "eu-west-1", "AKID", "secret/+")
    now = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: now.replace(tzinfo=None))
    request = AWSRequest(
        method, f"{bucket.url}/pictures/{NAME}?{query}", {"X-Amz-Content-SHA256": EMPTY}
    )
    S3SigV4Auth(Credentials("AKID", "secret/+"), "s3", "eu-west-1").add_auth(request)
    ours = sign(bucket, method, f"/pictures/{NAME}", EMPTY, now, query)
    assert ours["authorization"] == request.headers["Authorization"]
