"""Admin operations on the coin shop: define products, list them, change their stock."""

import json
from collections.abc import Sequence
from typing import TypedDict

from hupan.admin.views import AdminRow
from hupan.domain.shop import MAX_PRODUCTS, CoinShop, ProductChange, ShopFull
from hupan.errors import UnknownProduct
from hupan.model import Product
from hupan.opening import OperationRefused


class ProductOptions(TypedDict, total=False):
    """The values that an operator sets about a product, as in `ProductChange`."""

    type: int | None
    cycle: int | None
    price: int | None
    price_vip: int | None
    stock: int | None
    info: str | None
    description: str | None
    images: Sequence[str] | None
    on_sale: bool | None


class ShopAdmin:
    """Defines, lists and restocks products; its refusals say what to do."""

    def __init__(self, shop: CoinShop) -> None:
        self._shop = shop

    async def define(self, name: str, change: ProductOptions) -> AdminRow:
        """Define a product, or change the one with this name; None leaves a value as it is.

        Raises:
            OperationRefused: the maximum is reached.
        """
        try:
            return _product_row(await self._shop.define(name, ProductChange(**change)))
        except ShopFull as error:
            raise OperationRefused(
                f"已有 {MAX_PRODUCTS} 个商品，不能再增加，请修改现有商品",
                f"there can be at most {MAX_PRODUCTS} products: change one of them",
            ) from error

    async def list_all(self) -> list[AdminRow]:
        """Return all products, including withdrawn ones."""
        return [_product_row(product) for product in await self._shop.list_all()]

    async def restock(self, name: str, *, add: int | None, set_to: int | None) -> AdminRow:
        """Change how many pieces are left.

        Raises:
            OperationRefused: there is no product with this name.
        """
        try:
            return _product_row(await self._shop.restock(name, add=add, set_to=set_to))
        except UnknownProduct as error:
            raise OperationRefused(
                "没有这个商品，请先用 hupan product define 定义",
                "no such product: define it first with hupan product define",
            ) from error


def _product_row(product: Product) -> AdminRow:
    return {
        "id": product.id,
        "name": product.name,
        "type": product.type,
        "days": product.cycle,
        "price": product.price,
        "priceVip": product.price_vip,
        "stock": product.stock,
        "sold": product.sold,
        "onSale": product.withdrawn_at == 0,
        "info": product.info,
        "description": product.description,
        "images": json.loads(product.image_urls),
    }
