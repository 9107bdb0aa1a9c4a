"""Handlers that show accounts."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hupan.api.services import Services
from hupan.contract.pb.hupan_pb2 import (
    VIP_ACTIVE,
    VIP_EXPIRED,
    VIP_NONE,
    GetUser,
    OwnInfo,
    ProfileInfo,
    RemarkInfo,
    User,
    VipStatus,
)
from hupan.contract.table import Anything
from hupan.domain.profiles import Profile
from hupan.domain.refusals import InvalidField
from hupan.model import NOTHING_NOTED, NOTHING_TOLD, Account, Caller, Remark

CENTS_IN_A_COIN = 100


async def own_info(services: Services, caller: Caller, _request: Anything) -> OwnInfo:
    """The caller's own account."""
    account, now = caller.account, services.clock.now()
    answer = OwnInfo()
    data = answer.data  # filled where it lies: a message that is handed in is copied
    data.id = str(account.id)
    data.name = account.name
    data.avatar_url = account.avatar_url
    data.avatar_id = account.avatar_id
    data.phone = account.phone
    data.email = account.email
    data.coin = account.coin_cents / CENTS_IN_A_COIN
    data.is_vip = int(account.is_vip(now))
    data.vip_expired_time = account.vip_until
    data.vip_status = vip_status(account, now)
    data.invitation_code = account.invitation_code
    return answer


async def get_user(services: Services, viewer: Caller | None, request: GetUser) -> User:
    """The side of somebody that the viewer may see; remarks for a viewer with a session alone."""
    if not request.id:
        raise InvalidField("id")
    viewer_id = viewer.account.id if viewer else None
    profile = await services.profiles.show(request.id, viewer_id)
    account, now = profile.account, services.clock.now()
    answer = User()
    data = answer.data  # as above
    data.id = str(account.id)
    data.name = account.name
    data.name_id = account.name_id
    data.avatar_url = account.avatar_url
    data.avatar_id = account.avatar_id
    for medal in profile.medals:
        data.medal.add(id=medal.id, name=medal.name, sort=medal.sort)
    data.register_time = text_time(account.registered_at, services.zone)
    data.online_day = account.online_days
    data.continuous_online_day = profile.days_in_a_row
    data.is_vip = int(account.is_vip(now))
    data.vip_expired_time = account.vip_until
    data.vip_status = vip_status(account, now)
    if profile.remark is not None:
        tell_remark(data.remark_info, profile.remark)
    tell_profile(data.profile_info, profile, services.zone)
    data.ipGeo = profile.country
    return answer


def tell_remark(told: RemarkInfo, remark: Remark) -> None:
    """What the viewer noted; there without a content when that is nothing."""
    told.SetInParent()
    if remark is not NOTHING_NOTED:
        told.remark_name = remark.name
        told.phone_number = remark.phone
        told.extra_remark = remark.others


def tell_profile(told: ProfileInfo, profile: Profile, zone: ZoneInfo) -> None:
    """What somebody tells, as far as it is shown; the address is all parts of the place."""
    told.SetInParent()
    if profile.last_active_at:
        told.last_active_time = text_time(profile.last_active_at, zone)
    data = profile.data
    if data is NOTHING_TOLD:  # as most
        return
    told.introduction = data.introduction
    told.gender = data.gender
    told.birthday_timestamp = data.birthday
    told.city = data.city
    told.district = data.district
    told.address = " ".join(filter(None, (data.province, data.city, data.district)))


def vip_status(account: Account, now: float) -> VipStatus.ValueType:
    """Never, now, or no more."""
    if account.vip_until == 0:
        return VIP_NONE
    return VIP_ACTIVE if account.is_vip(now) else VIP_EXPIRED


def text_time(unix_seconds: int, zone: ZoneInfo) -> str:
    """A time as text in the server's zone (wire.md 1.11)."""
    moment = datetime.fromtimestamp(unix_seconds, zone).replace(tzinfo=None)
    return moment.isoformat(" ", "seconds")  # `strftime` takes twice as long
