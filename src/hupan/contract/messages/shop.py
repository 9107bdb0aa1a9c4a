"""Messages of the coin shop, tasks and VIP (wire.md 8.3: coin/*, vip/*)."""

from decimal import Decimal

from msgspec import Struct


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
