"""What accounts tell of themselves (wire.md 4: save-user-data, get-user-data)."""

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


class OwnPersonalData(Struct, rename="camel"):
    """The answer has a `data` of its own within `data` (wire.md 4)."""

    data: PersonalData
