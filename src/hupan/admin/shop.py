"""Admin operations on the coin shop: define products, list them, change their stock."""

import json
from collections.abc import Sequence
from typing import TypedDict

from hupan.admin.views import AdminRow
from hupan.domain.shop import CoinShop, ProductChange
from hupan.model import Product


class ProductOptions(TypedDict, total=False):
    """The values of a product that an operator names; those of `ProductChange`."""

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
    """Defines, lists and restocks products; raises the errors of the domain."""

    def __init__(self, shop: CoinShop) -> None:
        self._shop = shop

    async def define(self, name: str, change: ProductOptions) -> AdminRow:
        """Define a product, or change the one with this name; None leaves a value as it is."""
        return _product_row(await self._shop.define(name, ProductChange(**change)))

    async def list_all(self) -> list[AdminRow]:
        """Return all products, also those that were withdrawn."""
        return [_product_row(product) for product in await self._shop.list_all()]

    async def restock(self, name: str, *, add: int | None, set_to: int | None) -> AdminRow:
        """Change how many pieces are left."""
        return _product_row(await self._shop.restock(name, add=add, set_to=set_to))


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
