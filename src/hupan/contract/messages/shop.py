"""Messages of the coin shop, tasks and VIP (wire.md 8.3: coin/*, vip/*)."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from hupan.contract.messages.fields import PageNumber, PageSize

ProductId = Annotated[int, Meta(ge=1, le=2**53 - 1)]
WholeCoins = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class ProductsRequest(Struct):
    """Requests one page of the products on sale."""

    size: PageSize
    page: PageNumber


class ListedProduct(Struct, rename="camel"):
    """A product of the coin shop.

    Attributes:
        type: 1 is VIP for `cycle` days.
        image_urls: the JSON text of a list of URLs.
        price: whole coins.
        price_vip: for accounts with VIP.
        stock: pieces that are left.
        sale: pieces that were sold.
        del_time: always 0: what is not on sale is not listed.
        create_time: unix seconds.
        last_update: unix seconds.
    """

    id: int
    type: int
    cycle: int
    info: str
    name: str
    image_urls: str
    price: int
    price_vip: int
    stock: int
    sale: int
    description: str
    del_time: int
    create_time: int
    last_update: int


class ProductList(Struct, rename={"products": "list"}):
    """One page of the products on sale, and the number of all of them."""

    products: list[ListedProduct]
    total: int


class ProductRequest(Struct):
    """Requests a product."""

    id: ProductId


class ProductDetail(Struct):
    """The product in its wrapper."""

    product: ListedProduct


class OrderRequest(Struct, rename="camel"):
    """Buys one piece of a product.

    Attributes:
        price: the one that holds for the caller now, with or without VIP.
    """

    product_id: ProductId
    price: WholeCoins


class CreatedOrder(Struct):
    """The order; a repetition within ten seconds is the same one.

    Attributes:
        id: 1 for the account's first, then ascending.
    """

    id: int


class TaskInfo(Struct, rename="camel"):
    """What the caller did of what earns coins.

    Attributes:
        ads_watch_number: always 0.
        avatar_edit_number: 1 once the avatar was changed.
        nickname_edit_number: 1 once the nickname was changed.
        raffle_times: always 0.
    """

    ads_watch_number: int
    avatar_edit_number: int
    nickname_edit_number: int
    raffle_times: int


class VipProduct(Struct, rename="camel"):
    """VIP for sale outside the coin shop.

    Attributes:
        price: in the operator's currency.
        price_original: the price before a reduction.
        day: how many days of VIP it is.
        product_id: the operator's own.
    """

    id: int
    name: str
    description: str
    price: Decimal
    price_original: Decimal
    day: int
    product_id: str


class VipProducts(Struct, rename={"products": "list", "qr_code_url": "qrCodeUrl"}):
    """VIP for sale, as the operator defined it.

    Attributes:
        products: empty by default.
        qr_code_url: a picture of a code to pay with, "" for none.
    """

    products: list[VipProduct]
    qr_code_url: str


class VipBenefit(Struct):
    """What VIP brings.

    Attributes:
        target: where a client leads to.
    """

    id: int
    name: str
    description: str
    target: str
    sort: int


class VipBenefits(Struct, rename={"benefits": "list"}):
    """What VIP brings, as the operator defined it.

    Attributes:
        benefits: empty by default.
    """

    benefits: list[VipBenefit]
