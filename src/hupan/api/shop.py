"""Handlers of the coin shop, tasks and VIP (wire.md 8.3)."""

from decimal import Decimal

from hupan.api.coins import cents_to_coins
from hupan.api.routing import Services
from hupan.contract.endpoints import IgnoredBody
from hupan.contract.messages.shop import (
    TaskInfo,
    VipBenefit,
    VipBenefits,
    VipProduct,
    VipProducts,
)
from hupan.model import Benefit, Caller, VipOffer
from hupan.rules import CENTS_PER_COIN


async def get_task_info(_services: Services, caller: Caller, _request: IgnoredBody) -> TaskInfo:
    """Return which of the first changes, which earn coins, the caller has made."""
    account = caller.account
    return TaskInfo(
        ads_watch_number=0,
        avatar_edit_number=int(account.avatar_id > 0),
        nickname_edit_number=int(account.name_id > 0),
        raffle_times=0,
    )


async def list_vip_products(
    services: Services, _caller: Caller, _request: IgnoredBody
) -> VipProducts:
    """List the VIP that the operator sells outside the coin shop."""
    page = services.client_info.vip_page
    return VipProducts([_vip_product(offer) for offer in page.products], page.qr_code_url)


async def list_vip_benefits(
    services: Services, _caller: Caller, _request: IgnoredBody
) -> VipBenefits:
    """List what VIP brings."""
    return VipBenefits(
        [_vip_benefit(benefit) for benefit in services.client_info.vip_page.benefits]
    )


def _vip_product(offer: VipOffer) -> VipProduct:
    return VipProduct(
        id=offer.id,
        name=offer.name,
        description=offer.description,
        price=_price(offer.price),
        price_original=_price(offer.price_original),
        day=offer.day,
        product_id=offer.product_id,
    )


def _price(amount: float) -> Decimal:
    return cents_to_coins(round(amount * CENTS_PER_COIN))


def _vip_benefit(benefit: Benefit) -> VipBenefit:
    return VipBenefit(
        id=benefit.id,
        name=benefit.name,
        description=benefit.description,
        target=benefit.target,
        sort=benefit.sort,
    )
