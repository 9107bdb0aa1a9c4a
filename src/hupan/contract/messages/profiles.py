"""Messages of personal data, remarks and the web surface's profiles (wire.md 4)."""

from decimal import Decimal
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from hupan.contract.messages.fields import BirthSeconds, LineText, LongText, ShortText

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
    """All personal data: always eleven keys, never null, also for a new account (wire.md 4).

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
