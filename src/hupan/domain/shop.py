"""The coin shop: the operator's products, and orders that are paid in coins (wire.md 8.3, R09).

An order is one transaction: the piece leaves the stock, the coins leave the balance by an entry of
the journal, VIP begins. The account is locked first, then the product, so two orders never wait for
each other. A client that repeats a request within ten seconds gets the order that it made.
"""

import json
import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from hupan.clock import Clock
from hupan.domain.accounts import MAX_VIP_DAYS
from hupan.domain.coins import MAX_COIN_REASON_CHARACTERS, CoinChange, Coins
from hupan.domain.text import parse_paragraph, parse_short_line
from hupan.errors import (
    InvalidField,
    PriceChanged,
    SoldOut,
    UnknownProduct,
    UnknownUser,
)
from hupan.model import Account, AccountId, CoinType, Product
from hupan.ratelimit.stored import unwrap
from hupan.rules import CENTS_PER_COIN, DAY_SECONDS, MAX_UNIX_TIME
from hupan.store.accounts import extend_vip, lock_account
from hupan.store.database import Database, Transaction
from hupan.store.shop import (
    count_products,
    find_product,
    find_recent_order,
    insert_order,
    list_products,
    lock_product,
    lock_product_by_name,
    next_order_number,
    next_product_id,
    put_product,
    take_piece,
    trim_orders,
)

VIP_TYPE = 1
MAX_PRODUCT_TYPE = 1000
MAX_PRODUCTS = 500
MAX_ORDERS = 1_000
"""Orders of an account that are remembered; the journal of coins has all of them."""
MAX_PRICE, MAX_STOCK = 1_000_000_000, 1_000_000_000
MAX_IMAGES = 9
MAX_NAME_CHARACTERS, MAX_INFO_CHARACTERS = 32, 200
MAX_DESCRIPTION_CHARACTERS = 2_000
REPEAT_SECONDS = 10
"""How long the order of a product is the answer to every other order of it by this account."""
_IMAGE_URL = re.compile("https?://[!-~]{1,500}")


class ProductChange(Struct, frozen=True, kw_only=True):
    """What an operator sets about a product; None leaves it as it is, or at its default.

    Attributes:
        type: 1 is VIP for `cycle` days; the server delivers nothing else.
        price: whole coins.
        price_vip: for accounts with VIP; that of all others if it was never set.
        on_sale: whether clients see it.
    """

    type: int | None = None
    cycle: int | None = None
    price: int | None = None
    price_vip: int | None = None
    stock: int | None = None
    info: str | None = None
    description: str | None = None
    images: Sequence[str] | None = None
    on_sale: bool | None = None


class ShopFull(Exception):
    """The maximum number of products is reached; withdrawn ones count."""


class ProductPage(Struct, frozen=True):
    """A page of the products on sale, and their number."""

    products: list[Product]
    total: int


class CoinShop:
    """Lists products and takes orders."""

    def __init__(self, database: Database, clock: Clock, coins: Coins) -> None:
        self._database = database
        self._clock = clock
        self._coins = coins

    async def list_page(self, *, size: int, page: int) -> ProductPage:
        """Return a page of the products on sale, in the order in which they were defined."""
        products = [one for one in await self.list_all() if not one.withdrawn_at]
        start = (page - 1) * size
        return ProductPage(products[start : start + size], len(products))

    async def list_all(self) -> list[Product]:
        """Return all products, including withdrawn ones."""
        return await list_products(self._database)

    async def get(self, product: int) -> Product:
        """Return a product on sale.

        Raises:
            UnknownProduct: there is none with this id.
        """
        found = await find_product(self._database, product)
        if found is None or found.withdrawn_at:
            raise UnknownProduct
        return found

    async def order(self, account: AccountId, product: int, price: int) -> int:
        """Buy a piece of a product; return the number of the order.

        Args:
            account: the buyer.
            product: its id.
            price: the price that the client showed.

        Raises:
            UnknownProduct: there is none with this id.
            SoldOut: no piece is left.
            PriceChanged: another price applies to this account now.
            NotEnoughCoins: the balance is lower than the price.
        """
        return await self._database.run_transaction(
            lambda tx: self._order(tx, account, product, price)
        )

    async def _order(self, tx: Transaction, account_id: AccountId, product: int, price: int) -> int:
        # Every refusal is raised, so that nothing of an order stays.
        account, now = await lock_account(tx, account_id), int(self._clock.now())
        if account is None:
            raise UnknownUser
        # Another machine's clock may be ahead, and one that was wrong may have been set back.
        made = await find_recent_order(
            tx, account_id, product, now - REPEAT_SECONDS, now + REPEAT_SECONDS
        )
        if made is not None:
            return made
        found = await lock_product(tx, product)
        if found is None or found.withdrawn_at:
            raise UnknownProduct
        coins = found.price_vip if account.is_vip(now) else found.price
        if not await take_piece(tx, found.id):
            raise SoldOut
        if price != coins:
            raise PriceChanged(coins)
        number = await next_order_number(tx, account_id)
        await insert_order(tx, account_id, number, found.id, coins, now)
        await trim_orders(tx, account_id, number - MAX_ORDERS)
        await self._pay(tx, account, found, coins, number)
        await _deliver(tx, account_id, found, now)
        return number

    async def _pay(
        self, tx: Transaction, account: Account, product: Product, coins: int, number: int
    ) -> None:
        change = CoinChange(
            account=account.id,
            change_cents=-coins * CENTS_PER_COIN,
            typ=CoinType.REDEEM,
            reason=f"兑换：{product.name}"[:MAX_COIN_REASON_CHARACTERS],
            key=f"order:{number}",
        )
        unwrap(await self._coins.post(tx, change))

    async def define(self, name: str, change: ProductChange) -> Product:
        """Define a product, or change the one with this name.

        Raises:
            InvalidField: a value is invalid, or a new product has no price.
            ShopFull: the maximum is reached.
        """
        line = _parse_name(name)
        now = int(self._clock.now())

        async def write(tx: Transaction) -> Product:
            former = await lock_product_by_name(tx, line)
            if former is None:
                if await count_products(tx) >= MAX_PRODUCTS:
                    raise ShopFull
                former = _new_product(await next_product_id(tx), line, now)
            product = replace(_apply(former, change, now), updated_at=now)
            await put_product(tx, product)
            return product

        return await self._database.run_transaction(write)

    async def restock(self, name: str, *, add: int | None, set_to: int | None) -> Product:
        """Change how many pieces of a product are left.

        Raises:
            InvalidField: the name is invalid, or the stock would be out of range.
            UnknownProduct: no product has this name.
        """
        line = _parse_name(name)
        now = int(self._clock.now())

        async def write(tx: Transaction) -> Product:
            product = await lock_product_by_name(tx, line)
            if product is None:
                raise UnknownProduct
            stock = product.stock + (add or 0) if set_to is None else set_to
            if not 0 <= stock <= MAX_STOCK:
                raise InvalidField("set" if add is None else "add")
            product = replace(product, stock=stock, updated_at=now)
            await put_product(tx, product)
            return product

        return await self._database.run_transaction(write)


async def _deliver(tx: Transaction, account: AccountId, product: Product, now: int) -> None:
    """Extend VIP if that was bought; the operator delivers everything else."""
    if product.type == VIP_TYPE:
        until = await extend_vip(tx, account, now, product.cycle * DAY_SECONDS)
        if until is None or until > MAX_UNIX_TIME:
            raise InvalidField("productId")


def _parse_name(name: str) -> str:
    return parse_short_line(name, "name", min_characters=1, max_characters=MAX_NAME_CHARACTERS)


def _new_product(product: int, name: str, now: int) -> Product:
    return Product(
        id=product,
        name=name,
        type=VIP_TYPE,
        cycle=0,
        info="",
        description="",
        image_urls="[]",
        price=0,
        price_vip=0,
        stock=0,
        sold=0,
        withdrawn_at=0,
        created_at=now,
        updated_at=now,
    )


def _apply(former: Product, change: ProductChange, now: int) -> Product:
    kind = _within(change.type, former.type, "type", 1, MAX_PRODUCT_TYPE)
    price = _within(change.price, former.price, "price", 1, MAX_PRICE)
    follows = former.price_vip in (0, former.price)
    return replace(
        former,
        type=kind,
        cycle=_within(
            change.cycle, former.cycle, "days", 1 if kind == VIP_TYPE else 0, MAX_VIP_DAYS
        ),
        price=price,
        price_vip=_within(
            change.price_vip, price if follows else former.price_vip, "price-vip", 1, MAX_PRICE
        ),
        stock=_within(change.stock, former.stock, "stock", 0, MAX_STOCK),
        info=former.info
        if change.info is None
        else parse_short_line(change.info, "info", max_characters=MAX_INFO_CHARACTERS),
        description=former.description
        if change.description is None
        else parse_paragraph(
            change.description, "description", max_characters=MAX_DESCRIPTION_CHARACTERS
        ),
        image_urls=former.image_urls
        if change.images is None
        else json.dumps(_check_images(change.images)),
        withdrawn_at=former.withdrawn_at
        if change.on_sale is None
        else (0 if change.on_sale else former.withdrawn_at or now),
    )


def _within(value: int | None, former: int, field: str, minimum: int, maximum: int) -> int:
    result = former if value is None else value
    if not minimum <= result <= maximum:
        raise InvalidField(field)
    return result


def _check_images(urls: Sequence[str]) -> list[str]:
    if len(urls) > MAX_IMAGES or not all(map(_IMAGE_URL.fullmatch, urls)):
        raise InvalidField("image")
    return list(urls)
