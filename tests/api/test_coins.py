"""The record of coins over HTTP, on both surfaces (wire.md 4)."""

import json

import httpx
import pytest

from hupan.api.coins import cents_to_coins
from tests.wire.answers import read_answer, refused_field
from tests.wire.client import WireClient

PATH = "user/gold-coin-increase-decrease-record"
NOTHING = b'{"code":1,"data":{"goldCoinRecord":[],"total":0},"msg":"success"}'
FIRST_PAGE = {"size": 20, "page": 1}
OUT_OF_RANGE = {
    "size": [0, -1, 101, 2**31, 2**53, 2**63, 10**30],
    "page": [0, -1, 10_001, 2**31, 2**53, 2**63, 10**30],
}
NO_NUMBER: list[object] = [None, "1", "", 1.0, 1.5, True, [], [1], {}]


def web(
    wire: WireClient, query: str, token: str | None, path: str = f"/web/v1/{PATH}"
) -> httpx.Response:
    """Ask for the record as a browser does."""
    return wire.request("GET", path + query, token=token)


def test_an_account_without_coins_has_no_record(wire: WireClient) -> None:
    """The list is empty and not null, on any page, byte for byte."""
    token = wire.account().token
    assert wire.request("POST", f"/v1/{PATH}", FIRST_PAGE, token=token).content == NOTHING
    last = {"size": 100, "page": 10_000}
    assert wire.request("POST", f"/v1/{PATH}", last, token=token).content == NOTHING
    assert web(wire, "?size=20&page=1", token).content == NOTHING


@pytest.mark.parametrize(
    ("coins", "amount"),
    [
        (0.01, "0.01"),
        (2, "2"),
        (55.01, "55.01"),
        (55.1, "55.1"),
        (200.00, "200"),
        (1_000_000, "1000000"),
        (9_999_999_999_999.99, "9999999999999.99"),
    ],
)
def test_amounts_have_at_most_two_decimals(wire: WireClient, coins: float, amount: str) -> None:
    """A record is the golden, byte for byte: 2 and not 2.00, 55.01 without noise."""
    account = wire.account(coins=coins)
    reply = wire.request("POST", f"/v1/{PATH}", FIRST_PAGE, token=account.token)
    created = json.loads(reply.content)["data"]["goldCoinRecord"][0]["createTime"]
    assert type(created) is int
    golden = (
        '{"code":1,"data":{"goldCoinRecord":[{"id":1,"userId":"%s","typ":2,"beforeAmount":0,'
        '"afterAmount":%s,"changeAmount":%s,"reason":"初始金币","remark":"","createTime":%d}],'
        '"total":1},"msg":"success"}'
    )
    assert reply.content == (golden % (account.id, amount, amount, created)).encode()
    assert web(wire, "?size=20&page=1", account.token).content == reply.content
    assert wire.own_info(account.token).pb_data.double(8) == coins


@pytest.mark.parametrize(
    ("cents", "amount"),
    [(-1, "-0.01"), (-50, "-0.5"), (-200, "-2"), (-20_000, "-200"), (0, "0"), (10, "0.1")],
)
def test_what_was_taken_is_negative(cents: int, amount: str) -> None:
    """Amounts below zero are written as exactly."""
    assert str(cents_to_coins(cents)) == amount


def test_the_second_page_of_one_entry_is_empty(wire: WireClient) -> None:
    """Behind the last page the list is empty and the total stays."""
    token = wire.account(coins=1).token
    data = wire.post(PATH, {"size": 1, "page": 2}, token=token).data
    assert data == {"goldCoinRecord": [], "total": 1}


def test_nobody_reads_another_record(wire: WireClient) -> None:
    """An account sees its own entries alone, whatever ids the request names."""
    rich, poor = wire.account(coins=5), wire.account()
    body = {**FIRST_PAGE, "userId": rich.id}
    assert wire.post(PATH, body, token=poor.token).data == {"goldCoinRecord": [], "total": 0}


@pytest.mark.one_engine
@pytest.mark.parametrize("field", ["size", "page"])
def test_a_bad_field_of_a_body_is_named(wire: WireClient, field: str) -> None:
    """Missing, null, of another type or out of range: 1100 with its name (security I5)."""
    token = wire.account().token
    missing = {name: value for name, value in FIRST_PAGE.items() if name != field}
    assert refused_field(wire.post(PATH, missing, token=token)) == field
    for value in [*NO_NUMBER, *OUT_OF_RANGE[field]]:
        assert refused_field(wire.post(PATH, {**FIRST_PAGE, field: value}, token=token)) == field


@pytest.mark.one_engine
@pytest.mark.parametrize("field", ["size", "page"])
def test_a_bad_field_of_a_query_is_named(wire: WireClient, field: str) -> None:
    """The web surface refuses the same, in the query (wire.md 1.1, security I5)."""
    token = wire.account().token
    other = "page=1" if field == "size" else "size=1"
    values = ["", "x", "1.0", "2e1", "null", "true", *map(str, OUT_OF_RANGE[field])]
    for query in [f"?{other}", *(f"?{other}&{field}={value}" for value in values)]:
        reply = web(wire, query, token)
        answer = read_answer(reply.status_code, reply.headers, reply.content)
        assert refused_field(answer) == field, query


@pytest.mark.one_engine
def test_the_web_surface_is_found_by_host_too(wire: WireClient) -> None:
    """The host name of the web client leads to the same record (wire.md 1.1)."""
    account = wire.account(coins=0.5)
    reply = wire.request(
        "GET",
        f"/v1/{PATH}?size=1&page=1",
        token=account.token,
        headers={"host": "chat-web-go.example.org"},
    )
    assert reply.json()["data"]["goldCoinRecord"][0]["afterAmount"] == 0.5


@pytest.mark.one_engine
def test_the_record_needs_a_session(wire: WireClient) -> None:
    """Without a token, or with one that opens nothing, both surfaces say -101 (wire.md 1.7)."""
    for token in (None, "", "0" * 36):
        assert wire.post(PATH, FIRST_PAGE, token=token).code == -101
        reply = web(wire, "?size=20&page=1", token)
        assert reply.json() == {"code": -101, "msg": "未登录"}


@pytest.mark.one_engine
def test_each_surface_has_its_method(wire: WireClient) -> None:
    """The record is POST on the app surface and GET on the web surface alone (wire.md 1.1)."""
    token = wire.account().token
    assert web(wire, "?size=20&page=1", token, f"/v1/{PATH}").status_code == 404
    assert wire.request("POST", f"/web/v1/{PATH}", FIRST_PAGE, token=token).status_code == 404


def test_the_door_refuses_what_is_no_balance(wire: WireClient) -> None:
    """An account is not made with coins below zero, beyond the bounds or with three decimals."""
    for coins in (-1, 0.001, 10**13, 10**30, "NaN"):
        assert wire.request("POST", "/sandbox/accounts", {"coins": coins}).status_code == 400
