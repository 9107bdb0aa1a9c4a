"""Handlers that show accounts."""

from zoneinfo import ZoneInfo

from hupan.api.services import Services
from hupan.api.times import text_time
from hupan.clock import Clock
from hupan.contract.pb.hupan_pb2 import (
    VIP_ACTIVE,
    VIP_EXPIRED,
    GetUser,
    OwnInfo,
    ProfileInfo,
    RemarkInfo,
    User,
)
from hupan.contract.table import Anything
from hupan.domain.profiles import Profile
from hupan.domain.refusals import InvalidField
from hupan.model import NOTHING_NOTED, NOTHING_TOLD, Account, Caller, PublicAccount, Remark, Viewer

CENTS_IN_A_COIN = 100


async def own_info(services: Services, caller: Caller, _request: Anything) -> OwnInfo:
    """The caller's own account."""
    account = caller.account
    answer = OwnInfo()
    data = answer.data  # filled where it lies: a message that is handed in is copied
    data.id = str(account.id)
    data.name = account.name
    data.avatar_url = account.avatar_url
    data.avatar_id = account.avatar_id
    data.phone = account.phone
    data.email = account.email
    data.coin = account.coin_cents / CENTS_IN_A_COIN
    tell_vip(data, account, services.clock)
    data.invitation_code = account.invitation_code
    return answer


async def get_user(services: Services, viewer: Viewer | None, request: GetUser) -> User:
    """The side of somebody that the viewer may see; remarks for a viewer with a session alone."""
    if not request.id:
        raise InvalidField("id")
    profile = await services.profiles.show(request.id, viewer)
    account = profile.account
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
    tell_vip(data, account, services.clock)
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
    told.birthday_timestamp = max(data.birthday, 0)  # the field is unsigned (wire.md 4)
    told.city = data.city
    told.district = data.district
    told.address = " ".join(filter(None, (data.province, data.city, data.district)))


def tell_vip(
    told: OwnInfo.Data | User.Data, account: Account | PublicAccount, clock: Clock
) -> None:
    """Whether an account has VIP; an empty message says that it never had."""
    if account.vip_until == 0:
        return
    has_it = account.is_vip(clock.now())
    told.is_vip = int(has_it)
    told.vip_expired_time = account.vip_until
    told.vip_status = VIP_ACTIVE if has_it else VIP_EXPIRED
