"""Handlers that show accounts."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hupan.api.services import Services
from hupan.contract.pb.hupan_pb2 import (
    VIP_ACTIVE,
    VIP_EXPIRED,
    VIP_NONE,
    GetUser,
    Medal,
    OwnInfo,
    User,
    VipStatus,
)
from hupan.contract.table import Anything
from hupan.domain.refusals import InvalidField
from hupan.model import Account, Caller

CENTS_IN_A_COIN = 100


async def own_info(services: Services, caller: Caller, _request: Anything) -> OwnInfo:
    """The caller's own account."""
    account, now = caller.account, services.clock.now()
    return OwnInfo(
        data=OwnInfo.Data(
            id=str(account.id),
            name=account.name,
            avatar_url=account.avatar_url,
            avatar_id=account.avatar_id,
            phone=account.phone,
            email=account.email,
            coin=account.coin_cents / CENTS_IN_A_COIN,
            is_vip=int(account.is_vip(now)),
            vip_expired_time=account.vip_until,
            vip_status=vip_status(account, now),
            invitation_code=account.invitation_code,
        )
    )


async def get_user(services: Services, _viewer: Caller | None, request: GetUser) -> User:
    """Somebody's public side."""
    if not request.id:
        raise InvalidField("id")
    profile = await services.profiles.show(request.id)
    account, now = profile.account, services.clock.now()
    return User(
        data=User.Data(
            id=str(account.id),
            name=account.name,
            name_id=account.name_id,
            avatar_url=account.avatar_url,
            avatar_id=account.avatar_id,
            medal=[
                Medal(id=medal.id, name=medal.name, sort=medal.sort) for medal in profile.medals
            ],
            register_time=text_time(account.registered_at, services.zone),
            online_day=account.online_days,
            continuous_online_day=profile.days_in_a_row,
            is_vip=int(account.is_vip(now)),
            vip_expired_time=account.vip_until,
            vip_status=vip_status(account, now),
        )
    )


def vip_status(account: Account, now: float) -> VipStatus.ValueType:
    """Never, now, or no more."""
    if account.vip_until == 0:
        return VIP_NONE
    return VIP_ACTIVE if account.is_vip(now) else VIP_EXPIRED


def text_time(unix_seconds: int, zone: ZoneInfo) -> str:
    """A time as text in the server's zone (wire.md 1.11)."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC).astimezone(zone):%Y-%m-%d %H:%M:%S}"
