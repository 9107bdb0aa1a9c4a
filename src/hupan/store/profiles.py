"""Names, avatars, personal data, privacy choices and remarks."""

from msgspec import Struct

from hupan.model import (
    DEFAULT_PRIVACY_CHOICE,
    NO_PERSONAL_DATA,
    AccountId,
    PersonalData,
    PrivacyChoice,
    PublicAccount,
    Remark,
)
from hupan.store.account_search import lock_name, update_search_row
from hupan.store.database import Reader, Row, Transaction

PERSONAL_DATA_COLUMNS = """
  COALESCE(p.introduction, '') AS introduction, COALESCE(p.gender, 0) AS gender,
  COALESCE(p.birthday, 0) AS birthday, COALESCE(p.province, '') AS province,
  COALESCE(p.city, '') AS city, COALESCE(p.district, '') AS district,
  COALESCE(p.location_code, '') AS location_code, COALESCE(p.updated_at, 0) AS updated_at
"""
PRIVACY_COLUMNS = "p.shows_birthday, p.shows_address, p.shows_last_active, p.shows_country"

# One read instead of three, without anything private to the owner: no number, no address, no coins.
# The viewer's remark is colocated with the viewer, maybe on another machine (decision 0017).
FIND_PROFILE_VIEW = f"""
SELECT a.id, a.name, a.name_id, a.avatar_url, a.avatar_id, a.vip_until, a.banned_until,
  a.registered_at, a.online_days, a.days_in_a_row, a.last_seen_day, a.last_active_at, a.country,
  EXISTS (SELECT 1 FROM account_medals am WHERE am.account_id = ?1) AS has_medals,
  p.introduction, p.gender, p.birthday, p.province, p.city, p.district, {PRIVACY_COLUMNS}
FROM accounts a
LEFT JOIN profiles p ON p.account_id = a.id
WHERE a.id = ?1 AND a.erase_at = 0
"""
FIND_PERSONAL_DATA = f"SELECT {PERSONAL_DATA_COLUMNS} FROM profiles p WHERE p.account_id = ?1"
FIND_PRIVACY = f"SELECT {PRIVACY_COLUMNS}, p.shows_search FROM profiles p WHERE p.account_id = ?1"
FIND_LAST_LOGIN = "SELECT max(last_seen_at) FROM devices WHERE account_id = ?1"

# The number counts changes, so what stays as it is counts nothing.
SET_NAME = """
UPDATE accounts SET name = ?2, name_id = name_id + 1 WHERE id = ?1 AND name <> ?2
RETURNING name_id
"""
SET_AVATAR = """
UPDATE accounts SET avatar_url = ?2, avatar_id = avatar_id + 1 WHERE id = ?1 AND avatar_url <> ?2
RETURNING avatar_id
"""
INSERT_PROFILE = "INSERT INTO profiles (account_id) VALUES (?1) ON CONFLICT DO NOTHING"
UPDATE_PERSONAL_DATA = """
UPDATE profiles SET
  introduction = COALESCE(?2, introduction), gender = COALESCE(?3, gender),
  birthday = COALESCE(?4, birthday), province = COALESCE(?5, province),
  city = COALESCE(?6, city), district = COALESCE(?7, district),
  location_code = COALESCE(?8, location_code), updated_at = ?9
WHERE account_id = ?1
"""
SET_PRIVACY = """
UPDATE profiles SET
  shows_birthday = ?2, shows_address = ?3, shows_last_active = ?4, shows_country = ?5,
  shows_search = ?6
WHERE account_id = ?1
"""


# Where personal data and privacy choice start in a row of FIND_PROFILE_VIEW.
_PERSONAL_DATA_START = len(PublicAccount.__struct_fields__)
_PRIVACY_START = _PERSONAL_DATA_START + len(
    ("introduction", "gender", "birthday", "province", "city", "district")
)


class ProfileView(Struct, frozen=True):
    """An account as another account sees it.

    Attributes:
        data: the personal data that others may see.
        privacy: what of that the account shows; nothing about searches.
    """

    account: PublicAccount
    data: PersonalData
    privacy: PrivacyChoice


async def find_profile_view(reader: Reader, account: AccountId) -> ProfileView | None:
    """Return an account as others see it; None if there is no such account."""
    row = await reader.fetch_one(FIND_PROFILE_VIEW, account)
    if row is None:
        return None
    public_account = PublicAccount(*row[:_PERSONAL_DATA_START])
    if row[_PERSONAL_DATA_START] is None:  # as for most accounts: no profile
        return ProfileView(public_account, NO_PERSONAL_DATA, DEFAULT_PRIVACY_CHOICE)
    return ProfileView(
        public_account,
        PersonalData(*row[_PERSONAL_DATA_START:_PRIVACY_START]),
        _to_privacy_choice(row[_PRIVACY_START:]),
    )


async def get_personal_data(reader: Reader, account: AccountId) -> PersonalData:
    """Return the personal data of an account, empty if it never set any."""
    row = await reader.fetch_one(FIND_PERSONAL_DATA, account)
    return NO_PERSONAL_DATA if row is None else PersonalData(*row)


async def get_privacy(reader: Reader, account: AccountId) -> PrivacyChoice:
    """Return the privacy choice of an account, the default if it never made one."""
    row = await reader.fetch_one(FIND_PRIVACY, account)
    return DEFAULT_PRIVACY_CHOICE if row is None else _to_privacy_choice(row)


async def find_last_login(reader: Reader, account: AccountId) -> int | None:
    """Return when an account last signed in on any device, or None."""
    row = await reader.fetch_one(FIND_LAST_LOGIN, account)
    return None if row is None or row[0] is None else int(row[0])


async def set_name(tx: Transaction, account: AccountId, name: str) -> int | None:
    """Rename an account; return how often it was renamed, None if the name is unchanged."""
    former_name = await lock_name(tx, account)
    row = await tx.fetch_one(SET_NAME, account, name)
    if row is None:
        return None
    await update_search_row(tx, account, former_name)
    return int(row[0])


async def set_avatar(tx: Transaction, account: AccountId, url: str) -> int | None:
    """Change an avatar; return how often it was changed, None if it is unchanged."""
    row = await tx.fetch_one(SET_AVATAR, account, url)
    if row is None:
        return None
    await update_search_row(tx, account)
    return int(row[0])


async def update_personal_data(
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
    """Update personal data; None leaves a value unchanged."""
    await tx.execute(INSERT_PROFILE, account)
    await tx.execute(
        UPDATE_PERSONAL_DATA,
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
    await tx.execute(INSERT_PROFILE, account)
    await tx.execute(
        SET_PRIVACY,
        account,
        _to_flag(choice.birthday),
        _to_flag(choice.address),
        _to_flag(choice.last_active),
        _to_flag(choice.country),
        _to_flag(choice.search),
    )
    await update_search_row(tx, account)


def _to_privacy_choice(columns: Row) -> PrivacyChoice:
    return PrivacyChoice(*(None if shown is None else shown == 1 for shown in columns))


def _to_flag(shown: bool | None) -> int | None:
    return None if shown is None else int(shown)


FIND_REMARK = "SELECT name, phone, others FROM remarks WHERE account_id = ?1 AND friend_id = ?2"
# One that is there already may always be changed; a new one only while there is room.
UPDATE_REMARK = """
UPDATE remarks SET name = ?3, phone = ?4, others = ?5 WHERE account_id = ?1 AND friend_id = ?2
"""
COUNT_REMARKS = "SELECT count(*) FROM remarks WHERE account_id = ?1"
INSERT_REMARK = """
INSERT INTO remarks (account_id, friend_id, name, phone, others) VALUES (?1, ?2, ?3, ?4, ?5)
"""
FIND_REMARK_SIZE = """
SELECT length(name) + length(phone) + length(others) FROM remarks
WHERE account_id = ?1 AND friend_id = ?2
"""
# What is too much already, from before there was a bound, may only become less.
CHANGE_REMARK_SIZE = """
UPDATE accounts SET remark_size = remark_size + ?2
WHERE id = ?1 AND (remark_size + ?2 <= ?3 OR ?2 <= 0)
"""
DELETE_REMARK = "DELETE FROM remarks WHERE account_id = ?1 AND friend_id = ?2"


async def find_remark(reader: Reader, account: AccountId, friend: AccountId) -> Remark | None:
    """Return the remark of an account about another one."""
    row = await reader.fetch_one(FIND_REMARK, account, friend)
    return None if row is None else Remark(*row)


async def get_remark_size(reader: Reader, account: AccountId, friend: AccountId) -> int:
    """Return the number of characters of a remark."""
    row = await reader.fetch_one(FIND_REMARK_SIZE, account, friend)
    return 0 if row is None else int(row[0])


async def change_remark_size(
    tx: Transaction, account: AccountId, delta: int, *, max_characters: int
) -> bool:
    """Count characters of an account's remarks; False, uncounted, beyond `max_characters`."""
    return await tx.execute(CHANGE_REMARK_SIZE, account, delta, max_characters) == 1


async def put_remark(
    tx: Transaction, account: AccountId, friend: AccountId, remark: Remark, *, max_remarks: int
) -> bool:
    """Insert or replace a remark; False, not stored, if a new one is beyond `max_remarks`.

    The account is locked already. Plain statements, because a query within an INSERT would cost a
    distributed database a commit in two phases.
    """
    values = (account, friend, remark.name, remark.phone, remark.others)
    if await tx.execute(UPDATE_REMARK, *values):
        return True
    row = await tx.fetch_one(COUNT_REMARKS, account)
    if row is not None and row[0] >= max_remarks:
        return False
    return await tx.execute(INSERT_REMARK, *values) == 1


async def delete_remark(tx: Transaction, account: AccountId, friend: AccountId) -> None:
    await tx.execute(DELETE_REMARK, account, friend)
