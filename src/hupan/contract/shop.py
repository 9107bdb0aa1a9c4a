"""Messages of the coin shop, tasks and VIP (wire.md 8.3: coin/*, vip/*)."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from hupan.contract.endpoints import SESSION, IgnoredBody, Note, app
from hupan.contract.fields import PageNumber, PageSize

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
        price: the one that applies to the caller now, with or without VIP.
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
    """Which of the actions that earn coins the caller has done.

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
        price: the price in the operator's currency.
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
    """A benefit of VIP.

    Attributes:
        target: the page that a client opens.
    """

    id: int
    name: str
    description: str
    target: str
    sort: int


class VipBenefits(Struct, rename={"benefits": "list"}):
    """The benefits of VIP, as the operator defined them.

    Attributes:
        benefits: empty by default.
    """

    benefits: list[VipBenefit]


_COIN_SHOP = (
    Note(
        "D",
        "The products are the operator's (`hupan product`); `type` 1 is VIP for `cycle` days, and "
        "the operator delivers everything else. Prices are whole coins.",
        "商品由管理员定义（`hupan product`）；`type` 为 1 即会员 `cycle` 天，其他类型由管理员发放。"
        "价格为整数金币。",
    ),
)
_LIST_VIP = (
    Note(
        "D",
        "From the file `vip_page_file`; empty without it. VIP for coins is sold in the coin shop.",
        "取自 `vip_page_file` 文件，未设置时为空；以金币购买会员见金币商城。",
    ),
)
list_products = app.post(
    "/v1/coin/shop/product-recommend",
    SESSION,
    ProductsRequest,
    ProductList,
    sample=ProductsRequest(size=20, page=1),
    source="C",
    notes=_COIN_SHOP,
)
get_product = app.post(
    "/v1/coin/shop/product-detail",
    SESSION,
    ProductRequest,
    ProductDetail,
    sample=ProductRequest(id=1),
    source="C",
    notes=_COIN_SHOP,
)
create_order = app.post(
    "/v1/coin/shop/order-create",
    SESSION,
    OrderRequest,
    CreatedOrder,
    sample=OrderRequest(product_id=1, price=1),
    source="C",
    notes=(
        Note(
            "D",
            "`price` must be the one that applies to the caller now (1513). An order of the same "
            "product within ten seconds is the same order, so a repeated request costs nothing "
            "([decision 39](decisions/0039-first-screen.md)).",
            "`price` 须为本人当前的价格（1513）；十秒内再次购买同一商品视为同一订单，重复的请求不再"
            "扣费（[决定 39](decisions/0039-first-screen.md)）。",
        ),
    ),
)
get_task_info = app.post(
    "/v1/coin/task/my-task-info",
    SESSION,
    IgnoredBody,
    TaskInfo,
    source="C",
    notes=(
        Note(
            "D",
            "`avatarEditNumber` and `nicknameEditNumber` are 1 once the caller made such a change, "
            "since only the first earns coins; the other two are always 0.",
            "修改过头像或昵称后，`avatarEditNumber` 或 `nicknameEditNumber` 为 1，因为只有首次修改"
            "奖励金币；另外两个总是 0。",
        ),
    ),
)
list_vip_products = app.post(
    "/v1/vip/vip-product-list",
    SESSION,
    IgnoredBody,
    VipProducts,
    source="C",
    notes=_LIST_VIP,
)
list_vip_benefits = app.get(
    "/v1/vip/vip-benefits-list",
    SESSION,
    IgnoredBody,
    VipBenefits,
    source="C",
    notes=_LIST_VIP,
)
