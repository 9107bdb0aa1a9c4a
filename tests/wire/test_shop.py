"""The coin shop (wire.md 8.3 coin/shop/*): products of operators, lists and orders (R09)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.answers import Account, Answer, refused_field
from tests.support.client import WireClient
from tests.support.commands import run_hupan
from tests.support.json_shapes import data_of, parts, reply_to
from tests.support.servers import Server
from tests.support.stores import STORES, EngineName

pytestmark = pytest.mark.slow

LIST, DETAIL = "coin/shop/product-recommend", "coin/shop/product-detail"
ORDER, RECORD = "coin/shop/order-create", "user/gold-coin-increase-decrease-record"
PAGE = {"size": 20, "page": 1}
NOW = 2_000_000_000
DAY_SECONDS = 86_400
REDEEM = 6


class Shop:
    """A sandbox, its data folder and the operator's command line."""

    def __init__(self, folder: Path, wire: WireClient) -> None:
        self.folder = folder
        self.wire = wire

    def product(self, *arguments: str) -> None:
        """Run `hupan product` as an operator does, while the server runs."""
        command = ("product", *arguments, "--data-dir", str(self.folder))
        done = run_hupan(*command, environment=STORES.environment(self.folder))
        assert done.returncode == 0, done.stderr

    def product_id(self, name: str) -> int:
        """Return the id of a product on sale."""
        token = self.wire.account().token
        data = data_of(reply_to(self.wire, LIST, PAGE, token=token), "list", "total")
        found = [one["id"] for one in parts(data, "list") if one["name"] == name]
        assert len(found) == 1
        assert isinstance(found[0], int)
        return found[0]

    def buy(self, account: Account, product: int, price: int) -> Answer:
        """Order a piece."""
        return self.wire.post(ORDER, {"productId": product, "price": price}, token=account.token)

    def coins(self, account: Account) -> float:
        """Return the balance of coins."""
        return self.wire.own_info(account.token).pb_data.double(8)

    def entries(self, account: Account) -> list[dict[str, object]]:
        """Return the coin record."""
        reply = reply_to(self.wire, RECORD, PAGE, token=account.token)
        return parts(data_of(reply, "goldCoinRecord", "total"), "goldCoinRecord")


@pytest.fixture(scope="module")
def shop(engine: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Yield a running sandbox whose products the test defines."""
    del engine  # the other engine has a separate server
    folder = tmp_path_factory.mktemp("shop")
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as wire:
        wire.set_clock(set=NOW)
        yield Shop(folder, wire)
        assert server.is_running


def order_id(answer: Answer) -> object:
    """Return the id of a successful order."""
    assert (answer.code, answer.data is not None) == (1, True), answer.msg
    assert answer.data is not None
    assert set(answer.data) == {"id"}
    return answer.data["id"]


GOLDEN = (
    '{"id":%d,"type":1,"cycle":30,"info":"三十天","name":"月卡","imageUrls":'
    '"[\\"https://a.example/1.png\\", \\"https://a.example/2.png\\"]","price":100,"priceVip":80,'
    '"stock":7,"sale":0,"description":"第一行\\n第二行","delTime":0,"createTime":%d,'
    '"lastUpdate":%d}'
)


def test_products_are_listed(shop: Shop) -> None:
    """A product has all its keys in the list and alone, byte for byte (wire.md 8.3)."""
    token = shop.wire.account().token
    images = ("--image", "https://a.example/1.png", "--image", "https://a.example/2.png")
    prices = ("--price", "100", "--price-vip", "80", "--days", "30", "--stock", "7")
    texts = ("--info", "三十天", "--description", "第一行\n第二行")
    shop.product("define", "月卡", *prices, *texts, *images)
    product = shop.product_id("月卡")
    reply = shop.wire.request("POST", f"/v1/{DETAIL}", {"id": product}, token=token)
    made = reply.json()["data"]["product"]
    golden = GOLDEN % (product, made["createTime"], made["lastUpdate"])
    assert reply.content.decode() == f'{{"code":1,"data":{{"product":{golden}}},"msg":"success"}}'
    reply = shop.wire.request("POST", f"/v1/{LIST}", PAGE, token=token)
    whole = f'{{"code":1,"data":{{"list":[{golden}],"total":1}},"msg":"success"}}'
    assert reply.content.decode() == whole
    reply = shop.wire.request("POST", f"/v1/{LIST}", {"size": 1, "page": 2}, token=token)
    assert reply.content == b'{"code":1,"data":{"list":[],"total":1},"msg":"success"}'
    shop.product("define", "月卡", "--withdrawn")
    reply = shop.wire.request("POST", f"/v1/{LIST}", PAGE, token=token)
    assert reply.content == b'{"code":1,"data":{"list":[],"total":0},"msg":"success"}'
    assert shop.wire.post(DETAIL, {"id": product}, token=token).code == 1511
    assert shop.wire.post(ORDER, {"productId": product, "price": 100}, token=token).code == 1511


def test_vip_is_bought(shop: Shop) -> None:
    """An entry of type 6 takes the coins; VIP begins and is extended at the VIP price (R09)."""
    shop.product(
        "define", "年卡", "--price", "50", "--price-vip", "40", "--days", "365", "--stock", "9"
    )
    product, buyer = shop.product_id("年卡"), shop.wire.account(coins=100)
    first = order_id(shop.buy(buyer, product, 50))
    own = shop.wire.own_info(buyer.token).pb_data
    assert (own.double(8), own.number(9), own.number(11)) == (50.0, 1, 1)
    assert abs(own.number(10) - (NOW + 365 * DAY_SECONDS)) < 3600
    assert order_id(shop.buy(buyer, product, 50)) == first  # repeated within ten seconds
    shop.wire.set_clock(advance=11)
    assert (answer := shop.buy(buyer, product, 50)).code == 1513
    assert "40" in answer.msg
    second = order_id(shop.buy(buyer, product, 40))
    assert second != first
    own = shop.wire.own_info(buyer.token).pb_data
    assert own.double(8) == 10.0
    assert abs(own.number(10) - (NOW + 730 * DAY_SECONDS)) < 3600
    changes = [(one["typ"], one["changeAmount"]) for one in shop.entries(buyer)]
    assert changes[:2] == [(REDEEM, -40), (REDEEM, -50)]
    shop.wire.set_clock(advance=11)
    assert shop.buy(buyer, product, 40).code == 1501
    assert shop.coins(buyer) == 10.0


def test_refusals_change_nothing(shop: Shop) -> None:
    """A wrong price, too few coins and no stock have different codes, and cost nothing."""
    shop.product("define", "徽章", "--type", "2", "--price", "10", "--stock", "1")
    product = shop.product_id("徽章")
    poor, rich = shop.wire.account(coins=9.99), shop.wire.account(coins=30)
    assert shop.buy(poor, product, 10).code == 1501
    for price in (0, 9, 11, 2**53 - 1):
        assert shop.buy(rich, product, price).code == 1513
    assert shop.coins(rich) == 30.0
    order_id(shop.buy(rich, product, 10))
    assert (shop.coins(rich), shop.wire.own_info(rich.token).pb_data.number(9)) == (20.0, 0)
    assert shop.buy(poor, product, 10).code == 1512
    shop.product("stock", "徽章", "--add", "1")
    assert shop.buy(poor, product, 10).code == 1501
    assert len(shop.entries(poor)) == 1
    assert shop.buy(rich, 999_999, 10).code == 1511


NOT_WHOLE: list[object] = [None, "1", 1.5, True, [], {}, -1, 2**53, 10**30]


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("path", "field", "good"),
    [
        (LIST, "size", PAGE),
        (LIST, "page", PAGE),
        (DETAIL, "id", {"id": 1}),
        (ORDER, "productId", {"productId": 1, "price": 1}),
        (ORDER, "price", {"productId": 1, "price": 1}),
    ],
)
def test_bad_fields_are_named(
    wire: WireClient, path: str, field: str, good: dict[str, object]
) -> None:
    """A missing, mistyped or out-of-range field is 1100 with its name (wire.md 2)."""
    token = wire.account(coins=5).token
    for value in NOT_WHOLE:
        answer = wire.post(path, {**good, field: value}, token=token)
        assert refused_field(answer) == field, value
    missing = {name: value for name, value in good.items() if name != field}
    assert refused_field(wire.post(path, missing, token=token)) == field
