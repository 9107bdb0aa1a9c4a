"""Names, avatars, what accounts tell of themselves and what of it they show."""

from msgspec import Struct

from hupan.model import (
    NO_CHOICE,
    NOTHING_TOLD,
    AccountId,
    PersonalData,
    PrivacyChoice,
    PublicAccount,
)
from hupan.store.engine import Reader, Row, Transaction

DATA_COLUMNS = """
  COALESCE(p.introduction, ''), COALESCE(p.gender, 0), COALESCE(p.birthday, 0),
  COALESCE(p.province, ''), COALESCE(p.city, ''), COALESCE(p.district, ''),
  COALESCE(p.location_code, ''), COALESCE(p.updated_at, 0)
"""
PRIVACY_COLUMNS = "p.shows_birthday, p.shows_address, p.shows_last_active, p.shows_country"

# One read in place of three, and nothing in it that is for the owner alone: no number, no address,
# no coins. What a viewer noted lies beside the viewer, maybe on another machine (decision 0017).
FIND_SEEN = f"""
SELECT a.id, a.name, a.name_id, a.avatar_url, a.avatar_id, a.vip_until, a.banned_until,
  a.registered_at, a.online_days, a.days_in_a_row, a.last_seen_day, a.last_active_at, a.country,
  EXISTS (SELECT 1 FROM account_medals am WHERE am.account_id = ?1),
  p.introduction, p.gender, p.birthday, p.province, p.city, p.district, {PRIVACY_COLUMNS}
FROM accounts a
LEFT JOIN profiles p ON p.account_id = a.id
WHERE a.id = ?1 AND a.erase_at = 0
"""
FIND_DATA = f"SELECT {DATA_COLUMNS} FROM profiles p WHERE p.account_id = ?1"
FIND_PRIVACY = f"SELECT {PRIVACY_COLUMNS} FROM profiles p WHERE p.account_id = ?1"
LAST_SIGN_IN = "SELECT max(last_seen_at) FROM devices WHERE account_id = ?1"

# The number counts changes, so what stays as it is counts nothing.
SET_NAME = """
UPDATE accounts SET name = ?2, name_id = name_id + 1 WHERE id = ?1 AND name <> ?2
RETURNING name_id
"""
SET_AVATAR = """
UPDATE accounts SET avatar_url = ?2, avatar_id = avatar_id + 1 WHERE id = ?1 AND avatar_url <> ?2
RETURNING avatar_id
"""
MAKE_ROW = "INSERT INTO profiles (account_id) VALUES (?1) ON CONFLICT DO NOTHING"
SAVE_DATA = """
UPDATE profiles SET
  introduction = COALESCE(?2, introduction), gender = COALESCE(?3, gender),
  birthday = COALESCE(?4, birthday), province = COALESCE(?5, province),
  city = COALESCE(?6, city), district = COALESCE(?7, district),
  location_code = COALESCE(?8, location_code), updated_at = ?9
WHERE account_id = ?1
"""
SET_PRIVACY = """
UPDATE profiles SET
  shows_birthday = ?2, shows_address = ?3, shows_last_active = ?4, shows_country = ?5
WHERE account_id = ?1
"""


# Where the row of FIND_SEEN goes on with what somebody tells, and with what they chose to show.
_TOLD = len(PublicAccount.__struct_fields__)
_CHOSEN = _TOLD + len(("introduction", "gender", "birthday", "province", "city", "district"))


class Seen(Struct, frozen=True):
    """What is known of an account when somebody looks at it.

    Attributes:
        data: what it tells of itself and others may be shown.
        choice: what of that it chose to show.
    """

    account: PublicAccount
    data: PersonalData
    choice: PrivacyChoice


async def find_seen(reader: Reader, account: AccountId) -> Seen | None:
    """An account as others find it; None if nobody has the id."""
    row = await reader.one(FIND_SEEN, account)
    if row is None:
        return None
    seen = PublicAccount(*row[:_TOLD])
    if row[_TOLD] is None:  # as most: it told nothing and chose nothing
        return Seen(seen, NOTHING_TOLD, NO_CHOICE)
    return Seen(seen, PersonalData(*row[_TOLD:_CHOSEN]), _privacy(row[_CHOSEN:]))


async def get_personal_data(reader: Reader, account: AccountId) -> PersonalData:
    """What an account tells of itself; nothing at all if it never did."""
    row = await reader.one(FIND_DATA, account)
    return NOTHING_TOLD if row is None else _data(row)


async def get_privacy(reader: Reader, account: AccountId) -> PrivacyChoice:
    """What an account chose to show; no choice at all if it never made one."""
    row = await reader.one(FIND_PRIVACY, account)
    return NO_CHOICE if row is None else _privacy(row)


async def find_last_sign_in(reader: Reader, account: AccountId) -> int | None:
    """When an account last signed in on any device, in unix seconds; None if it never did."""
    row = await reader.one(LAST_SIGN_IN, account)
    return None if row is None or row[0] is None else int(row[0])


async def set_name(tx: Transaction, account: AccountId, name: str) -> int | None:
    """Renames an account; gives how often it was renamed so far, None if this was its name."""
    row = await tx.one(SET_NAME, account, name)
    return None if row is None else int(row[0])


async def set_avatar(tx: Transaction, account: AccountId, url: str) -> int | None:
    """Changes an avatar; gives how often that was done so far, None if this was the avatar."""
    row = await tx.one(SET_AVATAR, account, url)
    return None if row is None else int(row[0])


async def save_personal_data(
    tx: Transaction,
    account: AccountId,
    *,
    introduction: str | None,
    gender: int | None,
    birthday: int | None,
    province: str | None,
    city: str | None,
    district: str | None,
    location_code: str | None,
    now: int,
) -> None:
    """Saves what is given; None leaves a value as it is."""
    await tx.run(MAKE_ROW, account)
    await tx.run(
        SAVE_DATA,
        account,
        introduction,
        gender,
        birthday,
        province,
        city,
        district,
        location_code,
        now,
    )


async def set_privacy(tx: Transaction, account: AccountId, choice: PrivacyChoice) -> None:
    """Replaces what an account chose to show."""
    await tx.run(MAKE_ROW, account)
    await tx.run(
        SET_PRIVACY,
        account,
        _column(choice.birthday),
        _column(choice.address),
        _column(choice.last_active),
        _column(choice.country),
    )


def _data(columns: Row) -> PersonalData:
    return PersonalData(*columns)


def _privacy(columns: Row) -> PrivacyChoice:
    return PrivacyChoice(*(None if shown is None else shown == 1 for shown in columns))


def _column(shown: bool | None) -> int | None:
    return None if shown is None else int(shown)
