"""Any bytes at endpoints that accept protobuf (security R23, I6)."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import pb
from tests.support.answers import read_answer
from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

PATHS = ("user/get-user", "user/edit-nickname", "user/edit-avatar", "user/medal", "user/captcha")
SERVER_ERROR = 1000
SOME = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(
    max_examples=50_000, derandomize=False, deadline=None, suppress_health_check=list(HealthCheck)
)

FIELDS = st.integers(0, 5) | st.integers(0, 2**29)
PAYLOADS = st.binary(max_size=40) | st.text(max_size=20).map(str.encode)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Draw message-like bytes: all wire types, true and false lengths, cut anywhere."""
    parts = []
    for _ in range(draw(st.integers(0, 6))):
        field, kind = draw(FIELDS), draw(st.integers(0, 7))
        payload = draw(PAYLOADS)
        told = len(payload) + draw(st.sampled_from([0, 0, 0, 1, -1, 2**31, 2**63]))
        lengths = {pb.LENGTH: pb.varint(told)}
        parts.append(pb.varint(field << 3 | kind) + lengths.get(kind, b"") + payload)
    whole = b"".join(parts)
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


BODIES = st.binary(max_size=200) | messages() | messages().map(lambda body: b" {" + body)
TYPES = st.sampled_from(["", "application/x-protobuf", "application/json", "text/plain"])


@pytest.fixture(scope="module")
def kept_wire(sandbox: Server) -> Iterator[WireClient]:
    """Yield a client whose connections stay open."""
    with WireClient(sandbox, is_kept=True) as client:
        yield client


@pytest.fixture(scope="module")
def token(kept_wire: WireClient) -> str:
    """Return the token of a session."""
    return kept_wire.account().token


def send(wire: WireClient, token: str, path: str, body: bytes, content_type: str) -> None:
    """Send a body; check that the response follows the wire rules and is no server error."""
    headers = {"content-type": content_type} if content_type else {}
    reply = wire.request("POST", f"/v1/{path}", body, token=token, headers=headers)
    assert reply.headers["x-result"] in {"ok", "refused"}
    if b'{"status":' in reply.content[:10]:  # the JSON form of a protobuf answer
        code = json.loads(reply.content)["status"]["code"]
    else:
        code = read_answer(reply.status_code, reply.headers, reply.content).code
    assert reply.status_code == 200
    assert code != SERVER_ERROR


@SOME
@given(path=st.sampled_from(PATHS), body=BODIES, content_type=TYPES)
def test_some_bodies(
    kept_wire: WireClient, token: str, path: str, body: bytes, content_type: str
) -> None:
    """For any bytes the response is one of the contract's."""
    send(kept_wire, token, path, body, content_type)


@pytest.mark.soak
@MANY
@given(path=st.sampled_from(PATHS), body=BODIES, content_type=TYPES)
def test_many_bodies(
    kept_wire: WireClient, token: str, path: str, body: bytes, content_type: str
) -> None:
    """The same holds in a long run."""
    send(kept_wire, token, path, body, content_type)
