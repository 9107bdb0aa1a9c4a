"""How coins came and went (wire.md 4 gold-coin-increase-decrease-record, security L8, J3)."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.servers import Server
from tests.wire import pb
from tests.wire.answers import refused_field
from tests.wire.client import WireClient
from tests.wire.records import Account
from tests.wire.seeds import seed
from tests.wire.shapes import amount, data_of, parts, reply_to, whole_number

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


def busy(wire: WireClient) -> Account:
    """Return an account that has got coins, and did what may bring some more."""
    account = wire.account(coins=12.34, nickname="before")
    name, url = pb.text(3, "湖畔"), pb.text(2, "https://example.com/a.png")
    assert wire.post("user/edit-nickname", name, token=account.token).code == 1
    assert wire.post("user/edit-avatar", url, token=account.token).code == 1
    return account


@pytest.fixture(scope="module")
def bank() -> Iterator[tuple[WireClient, str]]:
    """A sandbox for this file alone, and the token of its richest member."""
    with Server("sandbox") as server, WireClient(server) as wire:
        tokens = [member.token for member in seed(wire, "coins", 5)]
        yield wire, max(tokens, key=lambda token: page_of(wire, token)[1])


def test_fresh_account_has_no_entry(wire: WireClient) -> None:
    """Without any coin the list is empty and the total 0 (wire.md 4)."""
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
    """Check that before and change make after, and each entry goes on where the last ended."""
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


def test_entries(wire: WireClient, bank: tuple[WireClient, str]) -> None:
    """Each entry has nine keys of the documented types (wire.md 4)."""
    check_entries(wire, busy(wire).token)
    check_entries(*bank)


def test_the_chain_is_whole(wire: WireClient, bank: tuple[WireClient, str]) -> None:
    """Coins are neither lost nor made between two entries, and never below zero (J3)."""
    check_chain(wire, busy(wire).token)
    check_chain(*bank)


@pytest.mark.parametrize("coins", [0.01, 0.1, 0.29, 1.15, 55.01, 57, 1_000_000.99])
def test_amounts_have_two_decimals(wire: WireClient, coins: float) -> None:
    """Amounts are numbers, exact to two decimals (wire.md 4, 5)."""
    account = wire.account(coins=coins)
    entries, _ = page_of(wire, account.token)
    assert amount(entries[0]["afterAmount"]) == Decimal(str(coins))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_are_the_whole(bank: tuple[WireClient, str], size: int) -> None:
    """Page by page nothing is missing and nothing stands twice; the total is the same (R09)."""
    wire, token = bank
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
    """The key createTime is the unix second of the change (wire.md 1.11)."""
    own_wire.set_clock(set=NOW)
    account = own_wire.account(coins=1)
    entries, _ = page_of(own_wire, account.token)
    assert 0 <= whole_number(entries[0]["createTime"]) - NOW < 60


def test_everybody_sees_his_own(wire: WireClient) -> None:
    """Nobody's entries stand in another's list, whatever the body says (security J8, Z3)."""
    rich, poor = wire.account(coins=100), wire.account()
    body: dict[str, object] = {"size": 100, "page": 1, "userId": rich.id}
    data = data_of(reply_to(wire, RECORD, body, token=poor.token), "goldCoinRecord", "total")
    assert all(entry["userId"] == poor.id for entry in parts(data, "goldCoinRecord"))
    assert all(amount(entry["afterAmount"]) != 100 for entry in parts(data, "goldCoinRecord"))


@pytest.mark.parametrize(("size", "page"), [(1, 1), (100, 10_000), (20, 1)])
def test_bounds_are_inside(wire: WireClient, size: int, page: int) -> None:
    """A size of 1 to 100 and a page of 1 to 10,000 are in range (security I5)."""
    entries, total = page_of(wire, wire.account().token, size, page)
    assert len(entries) <= min(size, total)


@pytest.mark.one_engine
@pytest.mark.parametrize("field", ["size", "page"])
@pytest.mark.parametrize("value", [0, -1, 10_001, 2**31, 2**53, 2**63, 10**30, 1.0, "1", True])
def test_out_of_range_is_named(wire: WireClient, field: str, value: object) -> None:
    """Anything else is named (wire.md 2, security I5)."""
    body = {"size": 20, "page": 1, field: value}
    assert refused_field(wire.post(RECORD, body, token=wire.account().token)) == field
