"""What accounts tell of themselves (wire.md 4, save-user-data and get-user-data)."""

import re

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.refusals import InvalidField
from hupan.domain.text import line, paragraph
from hupan.model import Account, AccountId, PersonalData
from hupan.store.engine import Engine
from hupan.store.profiles import find_last_sign_in, get_personal_data, save_personal_data

MOST_INTRODUCTION_CHARACTERS = 500
MOST_PLACE_CHARACTERS = 32
EARLIEST_BIRTHDAY = -2_208_988_800
"""1900-01-01 UTC: clients offer the years of birth from there (wire.md 4)."""
_LOCATION_CODE = re.compile("[0-9]{6}|")


class DataEdit(Struct, frozen=True, kw_only=True):
    """What shall be saved; None stays as it is, "" and 0 take a value back."""

    introduction: str | None = None
    gender: int | None = None
    birthday: int | None = None
    province: str | None = None
    city: str | None = None
    district: str | None = None
    location_code: str | None = None


class OwnData(Struct, frozen=True):
    """What an account tells of itself, as it sees it.

    Attributes:
        saved_at: when it was last saved; when the account was made, if it never was.
        last_sign_in_at: on any device.
    """

    data: PersonalData
    saved_at: int
    last_sign_in_at: int


class PersonalDataKeeper:
    """Keeps what accounts tell of themselves."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def find(self, account: Account) -> OwnData:
        """All of it, also for an account that told nothing yet."""
        data = await get_personal_data(self._engine, account.id)
        signed_in_at = await find_last_sign_in(self._engine, account.id)
        return OwnData(
            data, data.updated_at or account.registered_at, signed_in_at or account.registered_at
        )

    async def save(self, account: AccountId, edit: DataEdit) -> None:
        """Saves what an edit gives; an empty one changes nothing, not even the time.

        Raises:
            InvalidField: a value cannot be.
        """
        if edit == DataEdit():
            return
        now = int(self._clock.now())
        checked = _checked(edit, now)
        await self._engine.change(
            lambda tx: save_personal_data(
                tx,
                account,
                introduction=checked.introduction,
                gender=checked.gender,
                birthday=checked.birthday,
                province=checked.province,
                city=checked.city,
                district=checked.district,
                location_code=checked.location_code,
                now=now,
            )
        )


def _checked(edit: DataEdit, now: int) -> DataEdit:
    """The edit with its texts in their normal form.

    Raises:
        InvalidField: a value cannot be.
    """
    if edit.gender is not None and edit.gender not in (0, 1, 2, 3):
        raise InvalidField("gender")
    if edit.birthday is not None and not EARLIEST_BIRTHDAY <= edit.birthday <= now:
        raise InvalidField("birthday")
    if edit.location_code is not None and not _LOCATION_CODE.fullmatch(edit.location_code):
        raise InvalidField("locationCode")
    return DataEdit(
        introduction=_introduction(edit.introduction),
        gender=edit.gender,
        birthday=edit.birthday,
        province=_place(edit.province, "province"),
        city=_place(edit.city, "city"),
        district=_place(edit.district, "district"),
        location_code=edit.location_code,
    )


def _introduction(text: str | None) -> str | None:
    if text is None:
        return None
    return paragraph(text, "introduction", most_characters=MOST_INTRODUCTION_CHARACTERS)


def _place(text: str | None, field: str) -> str | None:
    return None if text is None else line(text, field, most_characters=MOST_PLACE_CHARACTERS)
