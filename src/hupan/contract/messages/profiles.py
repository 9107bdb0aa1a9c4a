"""Messages of personal data, remarks and the web surface's profiles (wire.md 4)."""

from decimal import Decimal
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from hupan.contract.messages.fields import BirthSeconds, LineText, LongText, ShortText

Gender = Annotated[int, Meta(ge=0, le=3)]
"""1 male, 2 female, 3 other; 0 is unset, as get-user-data tells it."""


class PersonalDataEdit(Struct, rename="camel"):
    """What shall be saved; absent keys stay as they are, "" and 0 take back (wire.md 4).

    Attributes:
        introduction: at most 500 characters, of one line or more.
        gender: 1 male, 2 female, 3 other.
        birthday: unix seconds, negative before 1970, not ahead of now; 0 takes it back.
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
    """All of it: always eleven keys, never null, also for a fresh account (wire.md 4).

    Attributes:
        id: the account's id as a number.
        last_login_time: unix seconds of the last sign-in on any device.
        gender: 1 male, 2 female, 3 other, 0 unset.
        birthday: unix seconds, negative before 1970, 0 unset.
        update_time: when it was last saved, or when the account was made.
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
    """The answer has a `data` of its own within `data` (wire.md 4)."""

    data: PersonalData


class RemarkEdit(Struct, rename="camel"):
    """What shall be noted; nothing but blanks forgets the remark.

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
    """Asks for somebody's homepage, in the query."""

    user_id: ShortText


class HomepageMedal(Struct, rename="camel"):
    """A medal with all that is known of it."""

    id: int
    name: str
    desc: str
    image_url: str
    sort: int


class HomepageUser(Struct, rename="camel"):
    """Somebody as anybody may see them; a user that is not there has "" and 0 (wire.md 4).

    Attributes:
        register_time: unix seconds.
        register_time_text: the same as `YYYY-MM-DD hh:mm:ss` in the server's zone.
        on_line_day: days on which the account was seen.
        continuous_on_line_day: the last of them in a row.
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
    """The caller's own account; here `avatarId` is a text (wire.md 4)."""

    user_id: str
    nickname: str
    phone: str
    avatar_id: str
    avatar_url: str
    gold_coin_amount: Decimal


class WebInfo(Struct, rename="camel"):
    """The caller in its wrapper."""

    user: WebUser
