"""Orders of the coin shop: one transaction each, however often they are sent (R09, J3)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hupan.admin.shop import ShopAdmin
from hupan.domain.coins import CoinChange, Coins
from hupan.domain.shop import MAX_ORDERS, MAX_PRODUCTS, CoinShop, ProductChange
from hupan.errors import (
    AppError,
    InvalidField,
    NotEnoughCoins,
    PriceChanged,
    SoldOut,
    UnknownProduct,
)
from hupan.model import AccountId, CoinType, Product
from hupan.opening import OperationRefused
from hupan.store.database import Transaction
from hupan.store.shop import insert_order
from tests.support.world import World, open_world

CLIENTS, PIECES, PRICE, TURNS = 64, 10, 10, 3
COUNT_ORDERS = "SELECT count(*), min(number), max(number) FROM product_orders WHERE account_id = ?1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a store and a clock that stands still."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


class Seller:
    """The shop of a world, with products and accounts with coins."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.coins = Coins(world.engine, world.clock)
        self.shop = CoinShop(world.engine, world.clock, self.coins)

    async def product(self, name: str = "月卡", **values: int) -> Product:
        """Define a product."""
        change = replace(ProductChange(price=PRICE, cycle=30, stock=PIECES), **values)
        return await self.shop.define(name, change)

    async def buyer(self, coins: int) -> AccountId:
        """Return an account with the given coins."""
        account = (await self.world.account()).id
        await self.coins.change(
            CoinChange(
                account=account,
                change_cents=coins * 100,
                typ=CoinType.REWARD,
                reason="r",
                key="given",
            )
        )
        return account

    async def order(
        self, account: AccountId, product: Product, price: int = PRICE
    ) -> int | type[AppError]:
        """Return the number of the order, or its refusal."""
        try:
            return await self.shop.order(account, product.id, price)
        except AppError as refused:
            return type(refused)


async def test_the_last_ten_pieces(world: World) -> None:
    """64 clients send each request three times at once: ten are sold, no coin is lost (R09, J3)."""
    seller = Seller(world)
    product = await seller.product()
    buyers = [await seller.buyer(25) for _ in range(CLIENTS)]
    results = await asyncio.gather(
        *(seller.order(buyer, product) for _ in range(TURNS) for buyer in buyers)
    )
    sold = 0
    for number, buyer in enumerate(buyers):
        mine = {results[number + CLIENTS * turn] for turn in range(TURNS)}
        page = await seller.coins.list_page(buyer, size=10, page=1)
        if mine == {1}:
            assert [entry.change_cents for entry in page.entries] == [-100 * PRICE, 2500]
            sold += 1
        else:
            assert mine == {SoldOut}
            assert [entry.change_cents for entry in page.entries] == [2500]
    assert sold == PIECES
    left = await seller.shop.get(product.id)
    assert (left.stock, left.sold) == (0, PIECES)
    assert await seller.coins.list_faults() == []


async def test_a_repetition_is_the_same_order(world: World) -> None:
    """Within ten seconds, with any price, it is the same order; later it is a new one (R09)."""
    seller = Seller(world)
    product, other = await seller.product(), await seller.product("年卡")
    buyer = await seller.buyer(100)
    assert await seller.order(buyer, product) == 1
    world.clock.time += 10
    assert await seller.order(buyer, product, PRICE + 1) == 1
    assert await seller.order(buyer, other) == 2
    world.clock.time += 1
    assert await seller.order(buyer, product) == 3
    assert (await seller.shop.get(product.id)).sold == 2
    assert (await seller.coins.list_page(buyer, size=1, page=1)).entries[0].after_cents == 7000


async def test_orders_dated_by_a_wrong_clock_stop_no_other(world: World) -> None:
    """A clock that was ahead and set back does not turn a new order into an old one (R09)."""
    seller = Seller(world)
    product, buyer = await seller.product(), await seller.buyer(100)
    world.clock.time += 1_000
    assert await seller.order(buyer, product) == 1
    world.clock.time -= 5
    assert await seller.order(buyer, product) == 1
    world.clock.time -= 995
    assert await seller.order(buyer, product) == 2
    assert await seller.order(buyer, product) == 2
    assert (await seller.shop.get(product.id)).sold == 2


async def test_a_refused_order_may_be_made_later(world: World) -> None:
    """A refusal for lack of coins is not stored: with enough coins the same order succeeds."""
    seller = Seller(world)
    product, buyer = await seller.product(), await seller.buyer(9)
    assert await seller.order(buyer, product) is NotEnoughCoins
    assert (await seller.shop.get(product.id)).stock == PIECES
    assert await seller.order(buyer, product, 9) is PriceChanged
    change = CoinChange(
        account=buyer, change_cents=100, typ=CoinType.REWARD, reason="r", key="more"
    )
    await seller.coins.change(change)
    assert await seller.order(buyer, product) == 1
    await seller.shop.define(product.name, ProductChange(on_sale=False))
    assert await seller.order(await seller.buyer(50), product) is UnknownProduct


async def test_prices_follow_vip(world: World) -> None:
    """A VIP pays the VIP price from the order after the one that granted VIP (wire.md 8.3)."""
    seller = Seller(world)
    product, buyer = await seller.product(price_vip=7), await seller.buyer(100)
    assert await seller.order(buyer, product, 7) is PriceChanged
    assert await seller.order(buyer, product) == 1
    world.clock.time += 11
    assert await seller.order(buyer, product) is PriceChanged
    assert await seller.order(buyer, product, 7) == 2
    world.clock.time += 61 * 86_400
    assert await seller.order(buyer, product) == 3


async def test_products_are_changed_by_name(world: World) -> None:
    """Other fields stay; the VIP price follows the price until it is set."""
    seller = Seller(world)
    product = await seller.product()
    assert (product.price, product.price_vip, product.type) == (PRICE, PRICE, 1)
    changed = await seller.shop.define("月卡", ProductChange(price=20))
    assert (changed.id, changed.price, changed.price_vip) == (product.id, 20, 20)
    changed = await seller.shop.define("月卡", ProductChange(price_vip=15, info="i"))
    changed = await seller.shop.define("月卡", ProductChange(price=30))
    assert (changed.price, changed.price_vip, changed.info) == (30, 15, "i")
    assert (await seller.shop.restock("月卡", add=-3, set_to=None)).stock == PIECES - 3
    assert (await seller.shop.restock("月卡", add=None, set_to=5)).stock == 5


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("price", ProductChange(cycle=1)),
        ("price", ProductChange(cycle=1, price=0)),
        ("days", ProductChange(price=1)),
        ("days", ProductChange(price=1, cycle=36_501)),
        ("type", ProductChange(price=1, cycle=1, type=0)),
        ("stock", ProductChange(price=1, cycle=1, stock=-1)),
        ("price-vip", ProductChange(price=1, cycle=1, price_vip=10**10)),
        ("image", ProductChange(price=1, cycle=1, images=["javascript:x"])),
        ("image", ProductChange(price=1, cycle=1, images=["https://a.example/"] * 10)),
        ("info", ProductChange(price=1, cycle=1, info="x" * 201)),
    ],
)
@pytest.mark.one_engine
async def test_no_product_is_half_defined(world: World, field: str, change: ProductChange) -> None:
    """An invalid value is refused by its name, and nothing is defined."""
    seller = Seller(world)
    with pytest.raises(InvalidField, match=field):
        await seller.shop.define("x", change)
    assert await seller.shop.list_all() == []
    for add, set_to in ((1, None), (None, 1)):
        with pytest.raises(UnknownProduct):
            await seller.shop.restock("x", add=add, set_to=set_to)


@pytest.mark.one_engine
async def test_names_are_found_in_each_form(world: World) -> None:
    """Each command finds a name with combining signs by its normal form (NFC)."""
    seller = Seller(world)
    product = await seller.product("cafe\u0301")
    assert (await seller.product(" caf\u00e9 ")).id == product.id
    for name in ("cafe\u0301", " caf\u00e9 "):
        assert (await seller.shop.restock(name, add=0, set_to=None)).id == product.id


@pytest.mark.one_engine
async def test_the_refusal_names_the_command(world: World) -> None:
    """The refusal of an unknown product names the command that defines one."""
    with pytest.raises(OperationRefused, match="hupan product define"):
        await ShopAdmin(Seller(world).shop).restock("x", add=1, set_to=None)


@pytest.mark.slow
@pytest.mark.one_engine
async def test_products_are_bounded(world: World) -> None:
    """One more is refused, changes of existing ones are not (security X5)."""
    seller = Seller(world)
    for number in range(MAX_PRODUCTS):
        await seller.product(f"p{number}")
    with pytest.raises(OperationRefused, match=str(MAX_PRODUCTS)):
        await ShopAdmin(seller.shop).define("one more", {"price": 1, "cycle": 1})
    assert (await seller.product("p0", price=3)).price == 3


@pytest.mark.slow
@pytest.mark.one_engine
async def test_orders_are_bounded(world: World) -> None:
    """The oldest orders of an account are deleted; numbers go on (security X5)."""
    seller = Seller(world)
    product, buyer = await seller.product(), await seller.buyer(100)
    for number in range(1, MAX_ORDERS + 1):

        async def put(tx: Transaction, number: int = number) -> None:
            await insert_order(tx, buyer, number, product.id, 1, 0)

        await world.engine.run_transaction(put)
    assert await seller.order(buyer, product) == MAX_ORDERS + 1
    row = await world.engine.fetch_one(COUNT_ORDERS, buyer)
    assert row == (MAX_ORDERS, 2, MAX_ORDERS + 1)
