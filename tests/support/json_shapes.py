"""The exact shape of a JSON answer: its keys and the type of each value."""

import json
from collections.abc import Mapping
from decimal import Decimal

import httpx

from tests.support.answers import read_answer
from tests.support.client import Body, WireClient

SUCCESS = {"code": 1, "msg": "success"}
Shape = Mapping[str, type]


def reply_to(
    wire: WireClient, path: str, body: Body = b"", *, token: str | None = None
) -> dict[str, object]:
    """Send a POST to `/v1/<path>` and return the whole JSON response."""
    return whole(wire.request("POST", f"/v1/{path}", body, token=token))


def whole(reply: httpx.Response) -> dict[str, object]:
    """Return a whole JSON response; decimal numbers are exact."""
    read_answer(reply.status_code, reply.headers, reply.content)
    value = json.loads(reply.content, parse_float=Decimal)
    assert isinstance(value, dict), value
    return value


def data_of(reply: dict[str, object], *keys: str) -> dict[str, object]:
    """Return the data of a success; check its exact keys."""
    assert {"code": reply["code"], "msg": reply["msg"]} == SUCCESS, reply
    data = reply["data"]
    assert isinstance(data, dict), reply
    assert set(data) == set(keys), data
    return data


def part(data: Mapping[str, object], key: str) -> dict[str, object]:
    """Return the object under a key."""
    value = data[key]
    assert isinstance(value, dict), value
    return value


def parts(data: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """Return the list of objects under a key."""
    value = data[key]
    assert isinstance(value, list), value
    assert all(isinstance(item, dict) for item in value), value
    return value


def check_shape(value: Mapping[str, object], shape: Shape) -> None:
    """Check the exact keys, each with a value of its exact type."""
    assert {key: type(item) for key, item in value.items()} == dict(shape), value


def amount(value: object) -> Decimal:
    """Return an amount of coins: a number with at most two decimals (wire.md 4)."""
    assert isinstance(value, int | Decimal), value
    assert not isinstance(value, bool), value
    exact = Decimal(value)
    assert exact == round(exact, 2), value
    return exact


def whole_number(value: object) -> int:
    """Return a number that is an integer."""
    assert type(value) is int, value
    return value


def text(value: object) -> str:
    """Return a string."""
    assert type(value) is str, value
    return value
