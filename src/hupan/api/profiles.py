"""Handlers that return and edit profiles, personal data, remarks and medals, on both surfaces."""

from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec import UnsetType

from hupan.api.app import Services, handles
from hupan.api.codecs import format_time
from hupan.api.coins import cents_to_coins
from hupan.clock import Clock
from hupan.contract import profiles
from hupan.contract.endpoints import IgnoredBody, NoData
from hupan.contract.pb import hupan_pb2
from hupan.contract.pb.hupan_pb2 import (
    VIP_ACTIVE,
    VIP_EXPIRED,
    EditAvatar,
    Edited,
    EditNickname,
    GetUser,
    OwnInfo,
    ProfileInfo,
    RemarkInfo,
    User,
)
from hupan.contract.profiles import (
    Homepage,
    HomepageMedal,
    HomepageRequest,
    HomepageUser,
    PersonalData,
    PersonalDataEdit,
    PersonalDataResponse,
    RemarkEdit,
    WebInfo,
    WebUser,
)
from hupan.domain.profiles import PersonalDataUpdate, Profile
from hupan.errors import Banned, InvalidField, UnknownUser
from hupan.model import (
    NO_PERSONAL_DATA,
    NO_REMARK,
    Account,
    Caller,
    Medal,
    PublicAccount,
    Remark,
    RequestContext,
    Viewer,
)
from hupan.rules import CENTS_PER_COIN


@handles(profiles.get_own_info)
async def get_own_info(services: Services, caller: Caller, _request: IgnoredBody) -> OwnInfo:
    """Return the caller's own account."""
    account = caller.account
    response = OwnInfo()
    data = response.data  # set in place: protobuf copies a message that is assigned
    data.id = str(account.id)
    data.name = account.name
    data.avatar_url = avatar_url(services, account)
    data.avatar_id = account.avatar_id
    data.phone = account.phone
    data.email = account.email
    data.coin = account.coin_cents / CENTS_PER_COIN
    fill_vip(data, account, services.clock)
    data.invitation_code = account.invitation_code
    return response


@handles(profiles.get_user)
async def get_user(services: Services, viewer: Viewer | None, request: GetUser) -> User:
    """Return the profile that the viewer may see; the remark needs a live session."""
    if not request.id:
        raise InvalidField("id")
    profile = await services.profiles.show(request.id, viewer)
    account = profile.account
    response = User()
    data = response.data
    data.id = str(account.id)
    data.name = account.name
    data.name_id = account.name_id
    data.avatar_url = avatar_url(services, account)
    data.avatar_id = account.avatar_id
    for medal in profile.medals:
        data.medal.add(id=medal.id, name=medal.name, sort=medal.sort)
    data.register_time = format_time(account.registered_at, services.zone)
    data.online_day = account.online_days
    data.continuous_online_day = profile.days_in_a_row
    fill_vip(data, account, services.clock)
    if profile.remark is not None:
        fill_remark(data.remark_info, profile.remark)
    fill_profile(data.profile_info, profile, services.zone)
    data.ipGeo = profile.country
    return response


def avatar_url(services: Services, account: Account | PublicAccount) -> str:
    """Return the address of an account's picture; there is always one (wire.md 8.4)."""
    return services.media.addresses.shown(account.id, account.avatar_url)


def fill_remark(message: RemarkInfo, remark: Remark) -> None:
    """Set the viewer's remark; present but empty when there is none."""
    message.SetInParent()
    if remark is not NO_REMARK:
        message.remark_name = remark.name
        message.phone_number = remark.phone
        message.extra_remark = remark.others


def fill_profile(message: ProfileInfo, profile: Profile, zone: ZoneInfo) -> None:
    """Set the personal data that the viewer may see; the address joins all its parts."""
    message.SetInParent()
    if profile.last_active_at:
        message.last_active_time = format_time(profile.last_active_at, zone)
    data = profile.data
    if data is NO_PERSONAL_DATA:  # most accounts
        return
    message.introduction = data.introduction
    message.gender = data.gender
    message.birthday_timestamp = max(data.birthday, 0)  # the field is unsigned (wire.md 4)
    message.city = data.city
    message.district = data.district
    message.address = " ".join(filter(None, (data.province, data.city, data.district)))


def fill_vip(
    message: OwnInfo.Data | User.Data, account: Account | PublicAccount, clock: Clock
) -> None:
    """Set the VIP fields, unless the account never had VIP."""
    if account.vip_until == 0:
        return
    is_vip = account.is_vip(clock.now())
    message.is_vip = int(is_vip)
    message.vip_expired_time = account.vip_until
    message.vip_status = VIP_ACTIVE if is_vip else VIP_EXPIRED


@handles(profiles.edit_nickname)
async def edit_nickname(services: Services, caller: Caller, request: EditNickname) -> Edited:
    """Change the caller's nickname."""
    await services.profile_edits.change_nickname(caller.account.id, request.name)
    return Edited()


@handles(profiles.edit_avatar)
async def edit_avatar(services: Services, caller: Caller, request: EditAvatar) -> Edited:
    """Change the caller's avatar."""
    await services.profile_edits.change_avatar(caller.account.id, request.url)
    return Edited()


Value = TypeVar("Value")


@handles(profiles.save_personal_data)
async def save_personal_data(
    services: Services, caller: Caller, request: PersonalDataEdit
) -> NoData:
    """Save the fields that the request has."""
    edit = PersonalDataUpdate(
        introduction=_value_or_none(request.introduction),
        gender=_value_or_none(request.gender),
        birthday=_value_or_none(request.birthday),
        province=_value_or_none(request.province),
        city=_value_or_none(request.city),
        district=_value_or_none(request.district),
        location_code=_value_or_none(request.location_code),
    )
    await services.personal_data.save(caller.account.id, edit)
    return NoData()


@handles(profiles.get_personal_data)
async def get_personal_data(
    services: Services, caller: Caller, _request: IgnoredBody
) -> PersonalDataResponse:
    """Return the caller's personal data; its id is the account's: each account has one."""
    own = await services.personal_data.get(caller.account)
    return PersonalDataResponse(
        PersonalData(
            id=caller.account.id,
            user_id=str(caller.account.id),
            last_login_time=own.last_sign_in_at,
            introduction=own.data.introduction,
            gender=own.data.gender,
            birthday=own.data.birthday,
            province=own.data.province,
            city=own.data.city,
            district=own.data.district,
            location_code=own.data.location_code,
            update_time=own.saved_at,
        )
    )


def _value_or_none(value: Value | UnsetType) -> Value | None:
    return None if isinstance(value, UnsetType) else value


@handles(profiles.save_remark)
async def save_remark(services: Services, caller: Caller, request: RemarkEdit) -> NoData:
    """Save a remark about another account."""
    if not request.friend_id:
        raise InvalidField("friendId")
    remark = Remark(request.name, request.phone, request.others)
    await services.remarks.save(caller.account.id, request.friend_id, remark)
    return NoData()


@handles(profiles.list_own_medals)
async def list_own_medals(
    services: Services, caller: Caller, _request: IgnoredBody
) -> hupan_pb2.Medals:
    """List the caller's medals by `sort`, without a data wrapper (wire.md 3)."""
    response = hupan_pb2.Medals()
    for medal in await services.medals.list_for_account(caller.account.id):
        response.medal.add(id=medal.id, name=medal.name, sort=medal.sort)
    return response


@handles(profiles.web_get_homepage)
async def web_get_homepage(
    services: Services, _context: RequestContext, request: HomepageRequest
) -> Homepage:
    """Return a public profile; an empty one of an unknown id or a banned account.

    An unknown id is a success here (wire.md 4), and 7100 belongs to get-user (wire.md 2).
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
            avatar_url=avatar_url(services, account),
            register_time=account.registered_at,
            register_time_text=format_time(account.registered_at, services.zone),
            on_line_day=account.online_days,
            continuous_on_line_day=profile.days_in_a_row,
            medals=[_homepage_medal(medal) for medal in profile.medals],
            is_vip=int(account.is_vip(services.clock.now())),
        )
    )


@handles(profiles.web_get_own_info)
async def web_get_own_info(services: Services, caller: Caller, _request: IgnoredBody) -> WebInfo:
    """Return the caller's own account."""
    account = caller.account
    return WebInfo(
        WebUser(
            user_id=str(account.id),
            nickname=account.name,
            phone=account.phone,
            avatar_id=str(account.avatar_id),
            avatar_url=avatar_url(services, account),
            gold_coin_amount=cents_to_coins(account.coin_cents),
        )
    )


def _homepage_medal(medal: Medal) -> HomepageMedal:
    return HomepageMedal(
        id=medal.id,
        name=medal.name,
        desc=medal.description,
        image_url=medal.image_url,
        sort=medal.sort,
    )
