"""Messages of personal data, remarks and the web surface's profiles (wire.md 4)."""

from decimal import Decimal
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from hupan.contract.endpoints import (
    OPTIONAL_SESSION,
    PUBLIC,
    SESSION,
    IgnoredBody,
    NoData,
    Note,
    app,
    web,
)
from hupan.contract.fields import BirthSeconds, LineText, LongText, ShortText
from hupan.contract.pb.hupan_pb2 import (
    EditAvatar,
    Edited,
    EditNickname,
    GetUser,
    Medals,
    OwnInfo,
    User,
)

Gender = Annotated[int, Meta(ge=0, le=3)]
"""1 male, 2 female, 3 other; 0 is unset, as get-user-data returns it."""


class PersonalDataEdit(Struct, rename="camel"):
    """Fields to update. Omitted keys are unchanged; "" and 0 clear a value (wire.md 4).

    Attributes:
        introduction: at most 500 characters, of one or more lines.
        gender: 1 male, 2 female, 3 other.
        birthday: unix seconds, negative before 1970, not in the future; 0 clears it.
        location_code: six digits of an administrative division.
    """

    introduction: LongText | UnsetType = UNSET
    gender: Gender | UnsetType = UNSET
    birthday: BirthSeconds | UnsetType = UNSET
    province: LineText | UnsetType = UNSET
    city: LineText | UnsetType = UNSET
    district: LineText | UnsetType = UNSET
    location_code: ShortText | UnsetType = UNSET


class PersonalData(Struct, rename="camel"):
    """All personal data: always eleven keys, never null, even for a new account (wire.md 4).

    Attributes:
        id: the account's id as a number.
        last_login_time: unix seconds of the last login on any device.
        gender: 1 male, 2 female, 3 other, 0 unset.
        birthday: unix seconds, negative before 1970, 0 unset.
        update_time: when it was last saved, or when the account was created.
    """

    id: int
    user_id: str
    last_login_time: int
    introduction: str
    gender: int
    birthday: int
    province: str
    city: str
    district: str
    location_code: str
    update_time: int = field(name="update_time")  # the one key with an underscore


class PersonalDataResponse(Struct, rename="camel"):
    """Personal data in a second `data` inside `data` (wire.md 4)."""

    data: PersonalData


class RemarkEdit(Struct, rename="camel"):
    """A remark about another account; only whitespace in all fields deletes it.

    Attributes:
        friend_id: the id of another account.
        name: at most 32 characters.
        phone: free text, at most 64 characters.
        others: "" or JSON text of `[{"key", "value"}]`, at most 20 pairs.
    """

    friend_id: ShortText
    name: LineText
    phone: LineText
    others: LongText


class HomepageRequest(Struct, rename="camel"):
    """Requests the homepage of an account, in the query."""

    user_id: ShortText


class HomepageMedal(Struct, rename="camel"):
    """A medal with all its details."""

    id: int
    name: str
    desc: str
    image_url: str
    sort: int


class HomepageUser(Struct, rename="camel"):
    """A public profile; an unknown user has "" and 0 (wire.md 4).

    Attributes:
        register_time: unix seconds.
        register_time_text: the same as `YYYY-MM-DD hh:mm:ss` in the server's zone.
        on_line_day: days on which the account was active.
        continuous_on_line_day: the consecutive days up to the last active one.
        is_vip: 1 or 0.
    """

    user_id: str = ""
    nickname: str = ""
    avatar_url: str = ""
    register_time: int = 0
    register_time_text: str = ""
    on_line_day: int = 0
    continuous_on_line_day: int = 0
    medals: list[HomepageMedal] = []
    is_vip: int = 0


class Homepage(Struct, rename="camel"):
    """The user in its wrapper."""

    user: HomepageUser


class WebUser(Struct, rename="camel"):
    """The caller's own account; here `avatarId` is a string (wire.md 4)."""

    user_id: str
    nickname: str
    phone: str
    avatar_id: str
    avatar_url: str
    gold_coin_amount: Decimal


class WebInfo(Struct, rename="camel"):
    """The caller in its wrapper."""

    user: WebUser


get_own_info = app.get(
    "/v1/user/info",
    SESSION,
    IgnoredBody,
    OwnInfo,
    source="R",
    notes=(
        Note(
            "C",
            "`vip_status` (11) is not in the reference.",
            "公开文档没有 `vip_status`（11）。",
        ),
    ),
)
get_user = app.post(
    "/v1/user/get-user",
    OPTIONAL_SESSION,
    GetUser,
    User,
    limit="profile_views",
    reveals=("id",),
    sample=GetUser(id="1"),
    source="R",
    notes=(
        Note(
            "C",
            "`vip_status` (15) and `ban_reason` (21) are not in the reference.",
            "公开文档没有 `vip_status`（15）与 `ban_reason`（21）。",
        ),
        Note(
            "D",
            "A banned account is 7100 without data, so `ban_time` and `ban_reason` are never set.",
            "被封禁的账号返回 7100 且没有数据，因此 `ban_time` 与 `ban_reason` 总是为空。",
        ),
        Note(
            "D",
            "`remark_info` is present only for the token of a live session. Birthday, "
            "address, last "
            "active time and country obey the owner's privacy; `name_id` and `avatar_id` count "
            "changes ([decision 11](decisions/0011-profiles.md)).",
            "只有有效会话才有 `remark_info`；生日、所在地、活跃时间与归属地遵从本人的隐私设置；"
            "`name_id` 与 `avatar_id` 为修改次数（[决定 11](decisions/0011-profiles.md)）。",
        ),
        Note(
            "D",
            "`ipGeo` is the country in Chinese, or empty if it is not known ([decision "
            "10](decisions/0010-countries.md)).",
            "`ipGeo` 为中文国家或地区名，未知则为空（[决定 10](decisions/0010-countries.md)）。",
        ),
    ),
)
edit_nickname = app.post(
    "/v1/user/edit-nickname",
    SESSION,
    EditNickname,
    Edited,
    sample=EditNickname(name="n"),
    source="R",
    notes=(
        Note(
            "D",
            "1 to 32 visible characters after trimming; no control or direction characters.",
            "去除首尾空白后 1 至 32 个可见字符，不含控制字符与方向控制符。",
        ),
    ),
)
edit_avatar = app.post(
    "/v1/user/edit-avatar",
    SESSION,
    EditAvatar,
    Edited,
    sample=EditAvatar(url="https://a.example/a.png"),
    source="R",
    notes=(
        Note(
            "D",
            "The address of an upload of the account is stored as this server's own public "
            "address; one of this server that is not the account's is refused.",
            "地址指向本账号上传的图片时，保存为本服务器的公开地址；指向本服务器但不属于本账号的"
            "地址会被拒绝。",
        ),
        Note(
            "D",
            "An http or https URL of at most 512 characters, stored in normal form; the server "
            "never opens it. A setting can limit the hosts ([decision "
            "11](decisions/0011-profiles.md)).",
            "至多 512 个字符的 http 或 https 地址，规范化后保存，服务器从不访问；可用设置限定主机（"
            "[决定 11](decisions/0011-profiles.md)）。",
        ),
    ),
)
save_personal_data = app.post(
    "/v1/user/save-user-data",
    SESSION,
    PersonalDataEdit,
    NoData,
    sample=PersonalDataEdit(gender=1),
    source="R",
    notes=(
        Note(
            "C",
            "Absent keys stay as they are: some clients send two of the seven.",
            "缺省的键保持不变：有的客户端只发送七个中的两个。",
        ),
        Note(
            "D",
            '`gender` and `birthday` 0 and "" clear a value. `birthday` is in seconds and not in '
            "the future; it is negative before 1970, from -2208988800 (1900) on, and "
            "get-user shows it "
            "as 0 then; `locationCode` is any six digits, an administrative division rather than a "
            "postal code ([decision 11](decisions/0011-profiles.md)).",
            "`gender`、`birthday` 为 0，文本为空，即为清除。`birthday` 以秒计且不晚于现在，1970 年"
            "以前为负数，最早 -2208988800（1900 年），get-user 将其显示为 0；`locationCode` 为任意"
            "六位数字，是行政区划代码而非邮政编码（[决定 11](decisions/0011-profiles.md)）。",
        ),
    ),
)
get_personal_data = app.post(
    "/v1/user/get-user-data",
    SESSION,
    IgnoredBody,
    PersonalDataResponse,
    source="R",
    notes=(
        Note(
            "D",
            "Always eleven keys, never null; `id` is the account's id as a number.",
            "总是十一个键，从不为 null；`id` 为数字形式的账号编号。",
        ),
    ),
)
save_remark = app.post(
    "/v1/user/save-user-remarks",
    SESSION,
    RemarkEdit,
    NoData,
    limit="profile_views",
    reveals=("friendId",),
    sample=RemarkEdit(friend_id="1", name="n", phone="", others=""),
    source="C",
    notes=(
        Note(
            "D",
            "`others` has at most 20 pairs, of which only `key` and `value` are stored; an account "
            "has at most 5,000 remarks (1441) with 250,000 characters in total (1442).",
            "`others` 至多 20 对，只保留 `key` 与 `value`；每个账号至多备注 5000 人（1441），总共至"
            "多 250000 字（1442）。",
        ),
    ),
)
list_own_medals = app.post("/v1/user/medal", SESSION, IgnoredBody, Medals, source="R")
web_get_homepage = web.get(
    "/v1/user/homepage",
    PUBLIC,
    HomepageRequest,
    Homepage,
    limit="profile_views",
    reveals=("userId",),
    sample=HomepageRequest(user_id="1"),
    source="C",
    notes=(
        Note(
            "C",
            "An unknown id is a success with empty strings and `registerTime` 0.",
            "编号未知时返回成功，文本为空，`registerTime` 为 0。",
        ),
        Note(
            "D",
            "A banned account looks like an unknown one.",
            "被封禁的账号与未知编号相同。",
        ),
    ),
)
web_get_own_info = web.get(
    "/v1/user/info",
    SESSION,
    IgnoredBody,
    WebInfo,
    source="C",
    notes=(
        Note(
            "C",
            "`avatarId` is a string here.",
            "此处 `avatarId` 为文本。",
        ),
    ),
)
