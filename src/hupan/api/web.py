"""Handlers of what only the web surface has."""

from hupan.api.call import Call
from hupan.api.coins import coin_amount
from hupan.api.services import Services
from hupan.api.times import text_time
from hupan.contract.messages.web import (
    Homepage,
    HomepageMedal,
    HomepageUser,
    HomepageWanted,
    WebInfo,
    WebUser,
)
from hupan.contract.table import Anything
from hupan.domain.refusals import Banned, UnknownUser
from hupan.model import Caller, Medal


async def homepage(services: Services, _call: Call, request: HomepageWanted) -> Homepage:
    """Somebody's public side; of an id that nobody has, and of a banned account, an empty one.

    An unknown id is a success here (wire.md 4), and a banned account is not shown: 7100 belongs to
    get-user (wire.md 2).
    """
    try:
        profile = await services.profiles.show(request.user_id, None)
    except (UnknownUser, Banned):
        return Homepage(HomepageUser())
    account = profile.account
    return Homepage(
        HomepageUser(
            user_id=str(account.id),
            nickname=account.name,
            avatar_url=account.avatar_url,
            register_time=account.registered_at,
            register_time_text=text_time(account.registered_at, services.zone),
            on_line_day=account.online_days,
            continuous_on_line_day=profile.days_in_a_row,
            medals=[_medal(medal) for medal in profile.medals],
            is_vip=int(account.is_vip(services.clock.now())),
        )
    )


async def info(_services: Services, caller: Caller, _request: Anything) -> WebInfo:
    """The caller's own account."""
    account = caller.account
    return WebInfo(
        WebUser(
            user_id=str(account.id),
            nickname=account.name,
            phone=account.phone,
            avatar_id=str(account.avatar_id),
            avatar_url=account.avatar_url,
            gold_coin_amount=coin_amount(account.coin_cents),
        )
    )


def _medal(medal: Medal) -> HomepageMedal:
    return HomepageMedal(
        id=medal.id,
        name=medal.name,
        desc=medal.description,
        image_url=medal.image_url,
        sort=medal.sort,
    )
