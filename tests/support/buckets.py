"""An S3 server on loopback, and buckets on it."""

from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

from hupan.clock import SystemClock
from hupan.store.s3_files import S3Bucket, S3Client
from tests.support.ports import LOOPBACK


@contextmanager
def bucket_server() -> Iterator[ThreadedMotoServer]:
    """Start the server."""
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def make_bucket(server: ThreadedMotoServer, name: str) -> S3Bucket:
    """Create a bucket."""
    host, port = server.get_host_and_port()
    bucket = S3Bucket(f"http://{host}:{port}", name, "us-east-1", "AKIDEXAMPLE", "secret")
    assert S3Client(bucket, SystemClock()).request("PUT", "", {}).status == 200
    return bucket
