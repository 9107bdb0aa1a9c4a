"""The record of coins (wire.md 4 gold-coin-increase-decrease-record, security L8, J3).

The record of coins over HTTP, on both surfaces (wire.md 4).
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import httpx
import pytest

from hupan.api.coins import cents_to_coins
from tests.support import pb
from tests.support.answers import Account, read_answer, refused_field
from tests.support.client import WireClient
from tests.support.json_shapes import amount, data_of, parts, reply_to, whole_number
from tests.support.seeding import seed
from tests.support.servers import Server
from tests.support.stores import EngineName

RECORD = "user/gold-coin-increase-decrease-record"
NOW = 2_000_000_000
TYPES = {2, 3, 4, 6, 7, 8, 9}
KEYS = {
    "id",
    "userId",
    "typ",
    "beforeAmount",
    "afterAmount",
    "changeAmount",
    "reason",
    "remark",
    "createTime",
}
Page = tuple[list[dict[str, object]], int]


def page_of(wire: WireClient, token: str, size: int = 100, page: int = 1) -> Page:
    """Return the entries of one page and the total."""
    reply = reply_to(wire, RECORD, {"size": size, "page": page}, token=token)
    data = data_of(reply, "goldCoinRecord", "total")
    return parts(data, "goldCoinRecord"), whole_number(data["total"])


def active_account(wire: WireClient) -> Account:
    """Return an account that received coins, and perhaps earned more."""
    account = wire.account(coins=12.34, nickname="before")
    name, url = pb.text(3, "湖畔"), pb.text(2, "https://example.com/a.png")
    assert wire.post("user/edit-nickname", name, token=account.token).code == 1
    assert wire.post("user/edit-avatar", url, token=account.token).code == 1
    return account


@pytest.fixture(scope="module")
def rich_member(engine: EngineName) -> Iterator[tuple[WireClient, str]]:
    """Yield a sandbox for this file only, and the token of its richest member."""
    del engine  # the other engine has a separate server
    with Server("sandbox") as server, WireClient(server) as wire:
        tokens = [member.token for member in seed(wire, "coins", 5)]
        yield wire, max(tokens, key=lambda token: page_of(wire, token)[1])


def test_fresh_account_has_no_entry(wire: WireClient) -> None:
    """Without coins the list is empty and the total 0 (wire.md 4)."""
    account = wire.account(coins=0)
    assert wire.own_info(account.token).pb_data.double(8) == 0
    assert page_of(wire, account.token) == ([], 0)


def all_entries(wire: WireClient, token: str) -> list[dict[str, object]]:
    """Return all entries, newest first."""
    first, total = page_of(wire, token)
    pages = [page_of(wire, token, 100, page)[0] for page in range(2, -(-total // 100) + 1)]
    entries = first + [entry for page in pages for entry in page]
    assert len(entries) == total
    return entries


def check_chain(wire: WireClient, token: str) -> None:
    """Check that before plus change is after, and each entry continues the previous one."""
    entries = all_entries(wire, token)
    assert len({entry["id"] for entry in entries}) == len(entries)
    for entry in entries:
        before, after = amount(entry["beforeAmount"]), amount(entry["afterAmount"])
        assert abs(after - before) == abs(amount(entry["changeAmount"]))
        assert min(before, after) >= 0
    for newer, older in pairwise(entries):
        assert amount(newer["beforeAmount"]) == amount(older["afterAmount"])
        assert whole_number(newer["createTime"]) >= whole_number(older["createTime"])
    assert amount(entries[-1]["beforeAmount"]) == 0
    told = wire.own_info(token).pb_data.double(8)
    assert amount(entries[0]["afterAmount"]) == Decimal(str(told))


def check_entries(wire: WireClient, token: str) -> None:
    """Check that each entry has nine keys of the documented types."""
    user_id = wire.own_info(token).pb_data.text(1)
    for entry in all_entries(wire, token):
        assert set(entry) == KEYS
        assert entry["userId"] == user_id
        assert 0 < whole_number(entry["id"]) < 2**53
        assert whole_number(entry["createTime"]) > 0
        assert type(entry["reason"]) is str
        assert type(entry["remark"]) is str
        assert entry["typ"] in TYPES


def test_entries(wire: WireClient, rich_member: tuple[WireClient, str]) -> None:
    """Each entry has nine keys of the documented types (wire.md 4)."""
    check_entries(wire, active_account(wire).token)
    check_entries(*rich_member)


def test_the_chain_is_whole(wire: WireClient, rich_member: tuple[WireClient, str]) -> None:
    """No coins are lost or created between two entries, and no balance is negative (J3)."""
    check_chain(wire, active_account(wire).token)
    check_chain(*rich_member)


@pytest.mark.parametrize("coins", [0.01, 0.1, 0.29, 1.15, 55.01, 57, 1_000_000.99])
def test_amounts_have_two_decimals(wire: WireClient, coins: float) -> None:
    """Amounts are numbers, exact to two decimals (wire.md 4, 5)."""
    account = wire.account(coins=coins)
    entries, _ = page_of(wire, account.token)
    assert amount(entries[0]["afterAmount"]) == Decimal(str(coins))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_are_the_whole(rich_member: tuple[WireClient, str], size: int) -> None:
    """The pages have every entry once; the total is constant (R09)."""
    wire, token = rich_member
    entries = all_entries(wire, token)
    total = len(entries)
    last = -(-total // size)
    pages = {
        page: page_of(wire, token, size, page) for page in {*range(1, min(last, 30) + 1), last}
    }
    for page, (found, told) in pages.items():
        assert found == entries[(page - 1) * size : page * size]
        assert told == total
    assert page_of(wire, token, size, last + 1) == ([], total)
    assert page_of(wire, token, size, 10_000) == ([], total)


def test_time_is_the_servers(own_wire: WireClient) -> None:
    """`createTime` is the unix second of the change (wire.md 1.11)."""
    own_wire.set_clock(set=NOW)
    account = own_wire.account(coins=1)
    entries, _ = page_of(own_wire, account.token)
    assert 0 <= whole_number(entries[0]["createTime"]) - NOW < 60


def test_lists_only_own_entries(wire: WireClient) -> None:
    """A list has only the caller's entries, even if the body names another (security J8, Z3)."""
    rich, poor = wire.account(coins=100), wire.account()
    body: dict[str, object] = {"size": 100, "page": 1, "userId": rich.id}
    data = data_of(reply_to(wire, RECORD, body, token=poor.token), "goldCoinRecord", "total")
    assert all(entry["userId"] == poor.id for entry in parts(data, "goldCoinRecord"))
    assert all(amount(entry["afterAmount"]) != 100 for entry in parts(data, "goldCoinRecord"))


@pytest.mark.parametrize(("size", "page"), [(1, 1), (100, 10_000), (20, 1)])
def test_bounds_are_inside(wire: WireClient, size: int, page: int) -> None:
    """A size of 1 to 100 and a page of 1 to 10,000 are accepted (security I5)."""
    entries, total = page_of(wire, wire.account().token, size, page)
    assert len(entries) <= min(size, total)


@pytest.mark.one_engine
@pytest.mark.parametrize("field", ["size", "page"])
@pytest.mark.parametrize("value", [0, -1, 10_001, 2**31, 2**53, 2**63, 10**30, 1.0, "1", True])
def test_out_of_range_is_named(wire: WireClient, field: str, value: object) -> None:
    """Other values are named (wire.md 2, security I5)."""
    body = {"size": 20, "page": 1, field: value}
    assert refused_field(wire.post(RECORD, body, token=wire.account().token)) == field


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
    """Request the record as a browser does."""
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
    """A record equals the golden, byte for byte: 2 and not 2.00, 55.01 without noise."""
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
    """Negative amounts are exact, too."""
    assert str(cents_to_coins(cents)) == amount


def test_the_second_page_of_one_entry_is_empty(wire: WireClient) -> None:
    """After the last page the list is empty and the total unchanged."""
    token = wire.account(coins=1).token
    data = wire.post(PATH, {"size": 1, "page": 2}, token=token).data
    assert data == {"goldCoinRecord": [], "total": 1}


def test_the_record_of_another_account_is_not_readable(wire: WireClient) -> None:
    """An account sees only its own entries, even if the request names other ids."""
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
    """The web surface refuses the same values in the query (wire.md 1.1, security I5)."""
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
    """Without a valid token both surfaces return -101 (wire.md 1.7)."""
    for token in (None, "", "0" * 36):
        assert wire.post(PATH, FIRST_PAGE, token=token).code == -101
        reply = web(wire, "?size=20&page=1", token)
        assert reply.json() == {"code": -101, "msg": "未登录"}


@pytest.mark.one_engine
def test_each_surface_has_its_method(wire: WireClient) -> None:
    """The record is POST on the app surface and GET on the web surface only (wire.md 1.1)."""
    token = wire.account().token
    assert web(wire, "?size=20&page=1", token, f"/v1/{PATH}").status_code == 404
    assert wire.request("POST", f"/web/v1/{PATH}", FIRST_PAGE, token=token).status_code == 404


def test_the_route_refuses_an_invalid_balance(wire: WireClient) -> None:
    """Negative balances, balances out of bounds and three decimals are refused."""
    for coins in (-1, 0.001, 10**13, 10**30, "NaN"):
        assert wire.request("POST", "/sandbox/accounts", {"coins": coins}).status_code == 400
