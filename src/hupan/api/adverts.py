"""Handler of advertisements."""

from hupan.api.services import Services
from hupan.contract.messages.adverts import AdvertsShown
from hupan.contract.table import Anything
from hupan.model import Caller


async def adverts_shown(services: Services, caller: Caller, _request: Anything) -> AdvertsShown:
    """Whether to show the caller advertisements; never to VIP (wire.md 4)."""
    adverts, is_vip = services.adverts, caller.account.is_vip(services.clock.now())
    return AdvertsShown(
        android_code_id=adverts.android_code_id,
        bottom_height=adverts.bottom_height,
        ios_code_id=adverts.ios_code_id,
        is_show=int(adverts.shown and not is_vip),
    )
