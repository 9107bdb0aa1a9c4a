"""Decoders are safe from crashes and from a slower fallback (security I4, I6)."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import threading
import msgspec
from hupan.api.codecs import JsonCodec, ProtobufCodec, ProtobufJsonCodec, decode_json
from hupan.contract.sessions import CodeLogin
from hupan.contract.pb.hupan_pb2 import GetUser, OwnInfo
from hupan.errors import InvalidField, UnreadableBody

codecs = [
    JsonCodec(CodeLogin),
    ProtobufJsonCodec(GetUser, OwnInfo),
    ProtobufCodec(GetUser, OwnInfo),
]
nests = []
for size in (10_000, 60_000):
    nests += [b"[" * size, b'{"a":' * (size // 5), b'{"mobile":' + b"[" * size]
    nests += [b"\\x0b" * size]
    nests += [b'{"a":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}"]
    nests += [b"\\x0a\\x7f" * (size // 2)]
readers = [codec.decode for codec in codecs]
# Reads values of any type, as no endpoint does: one that goes down every nest by itself.
anything = msgspec.json.Decoder(dict[str, object])
readers.append(lambda nest: decode_json(anything, frozenset(), nest))
refused = 0

def read():
    global refused
    for reader in readers:
        for nest in nests:
            try:
                reader(nest)
            except (UnreadableBody, InvalidField):
                refused += 1

for kib in (64, 128, 256):
    threading.stack_size(kib * 1024)
    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
print(refused)
"""


@pytest.mark.one_engine
def test_deep_nests_on_threads_with_little_stack() -> None:
    """Nesting of 10 and 60 KB is refused on stacks of 64, 128 and 256 KiB, by every codec (I4)."""
    done = subprocess.run(  # noqa: S603 - our own program, fixed arguments
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3 * 12 * 3


@pytest.mark.one_engine
def test_no_other_decoder_of_protobuf_is_taken() -> None:
    """If the protobuf library falls back to pure Python, the server does not start (I6)."""
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    done = subprocess.run(
        [sys.executable, "-c", "import hupan.api.codecs"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )
    assert done.returncode != 0
    assert "upb" in done.stderr
