"""Handlers of the coin shop, tasks and VIP (wire.md 8.3)."""

from decimal import Decimal

from hupan.api.app import Services, handles
from hupan.api.coins import cents_to_coins
from hupan.contract import shop
from hupan.contract.endpoints import IgnoredBody
from hupan.contract.shop import (
    CreatedOrder,
    ListedProduct,
    OrderRequest,
    ProductDetail,
    ProductList,
    ProductRequest,
    ProductsRequest,
    TaskInfo,
    VipBenefit,
    VipBenefits,
    VipProduct,
    VipProducts,
)
from hupan.model import Benefit, Caller, Product, VipOffer
from hupan.rules import CENTS_PER_COIN


@handles(shop.list_products)
async def list_products(
    services: Services, _caller: Caller, request: ProductsRequest
) -> ProductList:
    """List one page of the products on sale."""
    page = await services.shop.list_page(size=request.size, page=request.page)
    return ProductList([_product(one) for one in page.products], page.total)


@handles(shop.get_product)
async def get_product(
    services: Services, _caller: Caller, request: ProductRequest
) -> ProductDetail:
    """Return a product on sale."""
    return ProductDetail(_product(await services.shop.get(request.id)))


@handles(shop.create_order)
async def create_order(services: Services, caller: Caller, request: OrderRequest) -> CreatedOrder:
    """Buy a piece of a product."""
    number = await services.shop.order(caller.account.id, request.product_id, request.price)
    return CreatedOrder(number)


def _product(product: Product) -> ListedProduct:
    return ListedProduct(
        id=product.id,
        type=product.type,
        cycle=product.cycle,
        info=product.info,
        name=product.name,
        image_urls=product.image_urls,
        price=product.price,
        price_vip=product.price_vip,
        stock=product.stock,
        sale=product.sold,
        description=product.description,
        del_time=product.withdrawn_at,
        create_time=product.created_at,
        last_update=product.updated_at,
    )


@handles(shop.get_task_info)
async def get_task_info(_services: Services, caller: Caller, _request: IgnoredBody) -> TaskInfo:
    """Return which of the first changes, which earn coins, the caller has made."""
    account = caller.account
    return TaskInfo(
        ads_watch_number=0,
        avatar_edit_number=int(account.avatar_id > 0),
        nickname_edit_number=int(account.name_id > 0),
        raffle_times=0,
    )


@handles(shop.list_vip_products)
async def list_vip_products(
    services: Services, _caller: Caller, _request: IgnoredBody
) -> VipProducts:
    """List the VIP that the operator sells outside the coin shop."""
    page = services.client_info.vip_page
    return VipProducts([_vip_product(offer) for offer in page.products], page.qr_code_url)


@handles(shop.list_vip_benefits)
async def list_vip_benefits(
    services: Services, _caller: Caller, _request: IgnoredBody
) -> VipBenefits:
    """List the benefits of VIP."""
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
