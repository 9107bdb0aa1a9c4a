"""The common parts of every response on the wire, checked each time one is read (wire.md 1).

Also the values that tests handle: captchas, messages, accounts.
"""

import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support import pb

JSON_TYPE = "application/json; charset=utf-8"
PROTOBUF_TYPE = "application/x-protobuf"
NOT_SIGNED_IN = "未登录"
TOKEN_SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Answer:
    """A response with HTTP 200 that follows wire.md 1.5, 1.6, 1.8 and security D3.

    Attributes:
        headers: lower-case names; of a repeated one the last.
        form: `json` or `protobuf`, from the Content-Type.
        data: the JSON `data` object, or None.
        message: the whole protobuf response, or None.
    """

    headers: Mapping[str, str]
    body: bytes
    form: str
    code: int
    msg: str
    data: Mapping[str, object] | None = None
    message: pb.Message | None = None

    def text(self, key: str) -> str:
        """Return a string of the JSON data of a success."""
        assert self.code == 1, (self.code, self.msg)
        assert self.data is not None, self.body
        value = self.data[key]
        assert isinstance(value, str), (key, value)
        return value

    @property
    def pb_data(self) -> pb.Message:
        """Return the protobuf `data` of a success."""
        assert self.code == 1, (self.code, self.msg)
        assert self.message is not None, self.body
        assert self.message.has(2), self.body
        return self.message.message(2)

    @property
    def request_id(self) -> int:
        """Return the request's id from its header (wire.md 1.8)."""
        return int(self.headers["x-request-id"])


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Read a response of a known endpoint and check the rules for all of them."""
    assert status == 200, (status, body[:500])
    assert headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[1-9][0-9]*", headers["x-request-id"]), headers["x-request-id"]
    assert int(headers["x-request-id"]) < 2**53
    if headers["content-type"] == PROTOBUF_TYPE:
        answer = _read_protobuf(headers, body)
    else:
        assert headers["content-type"] == JSON_TYPE
        answer = _read_json(headers, body)
    assert headers["x-result"] in _results(answer.code), (answer.code, headers["x-result"])
    assert answer.msg
    return answer


def _results(code: int) -> set[str]:
    named = {
        1: {"ok"},
        -101: {"unauthenticated"},
        1001: {"error"},
        1004: {"error"},
        1005: {"error"},
    }
    return named.get(code, {"refused", "limited"})


def _read_protobuf(headers: Mapping[str, str], body: bytes) -> Answer:
    message = pb.decode(body)
    status = message.message(1)
    assert status.kinds() == {1: pb.VARINT, 2: pb.VARINT, 3: pb.LENGTH}
    assert status.number(1) == int(headers["x-request-id"])
    code = status.signed(2)
    assert code == 1 or set(message.kinds()) == {1}, body
    return Answer(headers, body, "protobuf", code, status.text(3), message=message)


def _read_json(headers: Mapping[str, str], body: bytes) -> Answer:
    value = json.loads(body.decode())
    assert isinstance(value, dict), value
    code, msg, data = value["code"], value["msg"], value.get("data")
    assert type(code) is int
    assert isinstance(msg, str)
    assert set(value) <= {"code", "msg", "data"}
    assert code == 1 or "data" not in value, value
    assert data is None or isinstance(data, dict), data
    return Answer(headers, body, "json", code, msg, data=data)


def refused_field(answer: Answer) -> str:
    """Return the field that a 1100 names (wire.md 2)."""
    assert answer.code == 1100, (answer.code, answer.msg)
    found = re.fullmatch(r"请求参数错误，`?([A-Za-z_-]+)`?字段值非法", answer.msg)
    assert found, answer.msg
    return found[1]


def assert_refused(answer: Answer) -> None:
    """Check that a refusal has its own positive code."""
    assert answer.code > 1, (answer.code, answer.msg)
    assert answer.data is None


@dataclass(frozen=True)
class Captcha:
    """A captcha as the client sees it, with its answer from the sandbox's outbox."""

    id: str
    picture_url: str
    answer: str

    @property
    def wrong(self) -> str:
        """Return an answer of the right length with a wrong first character."""
        alphabet = string.digits if self.answer[0].isdigit() else string.ascii_letters
        next_one = alphabet[(alphabet.index(self.answer[0]) + 1) % len(alphabet)]
        return next_one + self.answer[1:]


@dataclass(frozen=True)
class OutboxMessage:
    """A message of the sandbox's outbox."""

    id: str
    channel: str
    to: str
    code: str
    text: str


@dataclass(frozen=True)
class Account:
    """The sandbox's description of an account that it created."""

    id: str
    token: str
