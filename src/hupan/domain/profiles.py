"""Profiles, personal data, privacy, avatars, nicknames and remarks (security D4, U1).

Other users see what an account chose to show, or the server's default (security D4).
"""

import re
from collections.abc import Callable, Collection
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal, TypeAlias
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hupan.clock import Clock
from hupan.domain.accounts import parse_account_id
from hupan.domain.coins import CoinChange, Coins
from hupan.domain.media import AvatarPictures
from hupan.domain.text import is_clean, parse_line, parse_nickname, parse_paragraph
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import AppError, Banned, InvalidField, RemarksFull, TooManyRemarks, UnknownUser
from hupan.model import (
    DEFAULT_PRIVACY_CHOICE,
    NO_REMARK,
    Account,
    AccountId,
    CoinType,
    Medal,
    PersonalData,
    PrivacyChoice,
    PublicAccount,
    Remark,
    Viewer,
)
from hupan.ratelimit.stored import unwrap
from hupan.rules import ProfileEditRules
from hupan.store.accounts import find_account, list_account_medals, lock_account
from hupan.store.database import Database, Transaction
from hupan.store.profiles import (
    ProfileView,
    change_remark_size,
    delete_remark,
    find_last_login,
    find_profile_view,
    find_remark,
    get_personal_data,
    get_privacy,
    get_remark_size,
    put_remark,
    set_avatar,
    set_name,
    set_privacy,
    update_personal_data,
)


class VisibleFields(Struct, frozen=True):
    """The fields of `PrivacyChoice` that others see."""

    birthday: bool = True
    address: bool = True
    last_active: bool = True
    country: bool = True
    search: bool = True


ALL_VISIBLE = VisibleFields()


class Privacy:
    """Privacy choices of accounts. The wire has no endpoint for them: operators set them."""

    def __init__(self, database: Database, default: VisibleFields) -> None:
        self._database = database
        self._default = default

    async def update_choice(
        self, account: AccountId, update: Callable[[PrivacyChoice], PrivacyChoice]
    ) -> None:
        """Replace the choice of an account by one derived from it, in one transaction.

        Raises:
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> None:
            if await lock_account(tx, account) is None:
                raise UnknownUser
            await set_privacy(tx, account, update(await get_privacy(tx, account)))

        await self._database.run_transaction(change)

    async def get_choice(self, account: AccountId) -> PrivacyChoice:
        return await get_privacy(self._database, account)

    def visible_fields(self, choice: PrivacyChoice) -> VisibleFields:
        """Return what others see of an account with this choice."""
        default = self._default
        if choice is DEFAULT_PRIVACY_CHOICE:
            return default
        return VisibleFields(
            birthday=default.birthday if choice.birthday is None else choice.birthday,
            address=default.address if choice.address is None else choice.address,
            last_active=default.last_active if choice.last_active is None else choice.last_active,
            country=default.country if choice.country is None else choice.country,
            search=default.search if choice.search is None else choice.search,
        )


def hide_private_fields(data: PersonalData, visible: VisibleFields) -> PersonalData:
    """Return personal data without the hidden fields."""
    if not visible.birthday:
        data = replace(data, birthday=0)
    if not visible.address:
        data = replace(data, province="", city="", district="", location_code="")
    return data


MAX_AVATAR_URL_CHARACTERS = 512
MAX_PORT = 65_535
DEFAULT_PORTS = {"http": 80, "https": 443}

# Fragments and user names do not match.
_AVATAR_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE | re.ASCII,
)
_UNSAFE_IN_URL = re.compile(r"[\s\\<>\"`]|%(?![0-9A-Fa-f]{2})")
_HOST_LABEL = re.compile("(?!-)[0-9a-z_-]{1,63}(?<!-)")
_LOOKS_NUMERIC = re.compile("[0-9]+|0x[0-9a-f]*")
_MAX_HOST_CHARACTERS = 253
_SAFE_IN_PATH = "/:@!$&()*+,;=~%"
_SAFE_IN_QUERY = _SAFE_IN_PATH + "?[]|"


def parse_avatar_url(text: str, field: str, hosts: Collection[str] = ()) -> str:
    """Normalize an http or https URL of at most 512 characters.

    Scheme and host become lower case, a default port is removed, and non-ASCII characters are
    escaped; the query stays.

    Args:
        text: the URL as received.
        field: its name on the wire.
        hosts: allowed hosts, `*.` before a name for all its subdomains; empty for any host.

    Raises:
        InvalidField: it is not such a URL, or contains something misleading or harmful.
    """
    parts = _AVATAR_URL.fullmatch(text) if len(text) <= MAX_AVATAR_URL_CHARACTERS else None
    if parts is None or not _is_safe(text):
        raise InvalidField(field)
    scheme = parts["scheme"].lower()
    host = _normalize_host(parts["host"].lower())
    if host is None or not _is_allowed_host(host, hosts):
        raise InvalidField(field)
    port = int(parts["port"] or DEFAULT_PORTS[scheme])
    shown_port = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    path = quote(parts["path"] or "/", _SAFE_IN_PATH)
    query = f"?{quote(parts['query'], _SAFE_IN_QUERY)}" if parts["query"] else ""
    url = f"{scheme}://{host}{shown_port}{path}{query}"
    if not 0 < port <= MAX_PORT or len(url) > MAX_AVATAR_URL_CHARACTERS:
        raise InvalidField(field)
    return url


def _is_safe(text: str) -> bool:
    if not is_clean(text) or _UNSAFE_IN_URL.search(text):
        return False
    return is_clean(unquote(text, errors="ignore"))  # escapes may be of another encoding


def _normalize_host(host: str) -> str | None:
    # `xn--` names stand for other scripts, where letters look alike. Numbers are addresses only in
    # the form with four parts.
    if host.startswith("["):
        return _normalize_ipv6(host[1:-1])
    labels = host.split(".")
    if _LOOKS_NUMERIC.fullmatch(labels[-1]):
        return _normalize_ipv4(host)
    well_formed = all(_HOST_LABEL.fullmatch(label) and label[:4] != "xn--" for label in labels)
    return host if well_formed and len(host) <= _MAX_HOST_CHARACTERS else None


def _normalize_ipv4(text: str) -> str | None:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        return None


def _normalize_ipv6(text: str) -> str | None:
    try:
        return f"[{IPv6Address(text)}]"
    except AddressValueError:
        return None


def _is_allowed_host(host: str, hosts: Collection[str]) -> bool:
    if not hosts:
        return True
    return any(
        host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed
        for allowed in hosts
    )


class Profile(Struct, frozen=True):
    """An account as a viewer sees it; "" and 0 if absent or hidden.

    Attributes:
        days_in_a_row: the current streak of days online.
        last_active_at: the time of the last activity, in unix seconds.
        country: the country of the last sign-in.
        remark: the viewer's remark; None for a viewer without a session.
    """

    account: PublicAccount
    days_in_a_row: int
    medals: list[Medal]
    data: PersonalData
    last_active_at: int
    country: str
    remark: Remark | None


class Profiles:
    """Profiles of accounts as others see them."""

    def __init__(
        self, database: Database, clock: Clock, calendar: DayCalendar, privacy: Privacy
    ) -> None:
        self._calendar = calendar
        self._database = database
        self._clock = clock
        self._privacy = privacy

    async def show(self, user_id: str, viewer: Viewer | None) -> Profile:
        """Return what a viewer may see of an account; its owner sees everything (security D4).

        Args:
            user_id: the account's id as clients write it.
            viewer: None for a viewer without a session.

        Raises:
            UnknownUser: no account has this id.
            Banned: the account is banned (wire.md 2, 7100).
        """
        found = await find_profile_view(self._database, parse_account_id(user_id))
        if found is None:
            raise UnknownUser
        account, now = found.account, self._clock.now()
        if account.is_banned(now):
            raise Banned
        visible = self._visible_fields(found, viewer)
        return Profile(
            account,
            self._calendar.current_streak(account, now),
            await list_account_medals(self._database, account.id) if account.has_medals else [],
            hide_private_fields(found.data, visible),
            account.last_active_at if visible.last_active else 0,
            account.country if visible.country else "",
            await self._remark(account.id, viewer),
        )

    def _visible_fields(self, found: ProfileView, viewer: Viewer | None) -> VisibleFields:
        if viewer is not None and viewer.id == found.account.id:
            return ALL_VISIBLE
        return self._privacy.visible_fields(found.privacy)

    async def _remark(self, account: AccountId, viewer: Viewer | None) -> Remark | None:
        if viewer is None:
            return None
        if not viewer.has_remarks:  # the usual case: saves a read
            return NO_REMARK
        return await find_remark(self._database, viewer.id, account) or NO_REMARK


MAX_REMARKS = 5_000
MAX_TOTAL_REMARK_CHARACTERS = 250_000
"""The maximum of all remarks of an account together, 50 for each: at most 1 MB (security X5)."""
MAX_REMARK_NAME_CHARACTERS = 32
MAX_REMARK_PHONE_CHARACTERS = 64
MAX_REMARK_FIELDS = 20
PASTED_NUMBER_PADDING = (
    " \t\u00a0\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
"""What contact lists put around a number: spaces and direction marks."""
MAX_REMARK_KEY_CHARACTERS = 32
MAX_REMARK_VALUE_CHARACTERS = 200


class RemarkField(Struct, frozen=True):
    """An additional key and value of a remark."""

    key: str
    value: str


_PHONE_LIKE = re.compile(r"[0-9+*#() .\-]{1,64}")
_remark_fields_decoder = msgspec.json.Decoder(list[RemarkField])


class Remarks:
    """Private remarks of accounts about others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, account: AccountId, friend_id: str, remark: Remark) -> None:
        """Replace the remark about an account; an empty one is deleted.

        Raises:
            InvalidField: a text is invalid, or the remark is about the account itself.
            UnknownUser: no account has this id.
            TooManyRemarks: the account has the maximum number of remarks.
            RemarksFull: all remarks together would be too long.
        """
        checked = _validate_remark(remark)
        friend = parse_account_id(friend_id)
        if friend == account:
            raise InvalidField("friendId")

        async def change(tx: Transaction) -> AppError | None:
            await lock_account(tx, account)
            if await find_account(tx, friend) is None:
                return UnknownUser()
            await _write_remark(tx, account, friend, checked)
            return None

        unwrap(await self._database.run_transaction(change))


async def _write_remark(
    tx: Transaction, account: AccountId, friend: AccountId, remark: Remark
) -> None:
    # An exception rolls the transaction back.
    size = len(remark.name) + len(remark.phone) + len(remark.others)
    change = size - await get_remark_size(tx, account, friend)
    if not await change_remark_size(
        tx, account, change, max_characters=MAX_TOTAL_REMARK_CHARACTERS
    ):
        raise RemarksFull
    if remark == Remark():
        await delete_remark(tx, account, friend)
    elif not await put_remark(tx, account, friend, remark, max_remarks=MAX_REMARKS):
        raise TooManyRemarks


def _validate_remark(remark: Remark) -> Remark:
    return Remark(
        name=parse_line(remark.name, "name", max_characters=MAX_REMARK_NAME_CHARACTERS),
        phone=parse_line(
            _strip_pasted_padding(remark.phone), "phone", max_characters=MAX_REMARK_PHONE_CHARACTERS
        ),
        others=_validate_others(remark.others),
    )


def _strip_pasted_padding(phone: str) -> str:
    number = phone.strip(PASTED_NUMBER_PADDING)
    return number if _PHONE_LIKE.fullmatch(number) else phone


def _validate_others(text: str) -> str:
    # Only the keys `key` and `value` are stored; "" if nothing is left.
    if not text.strip():
        return ""
    try:
        others = _remark_fields_decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidField("others") from error
    if len(others) > MAX_REMARK_FIELDS:
        raise InvalidField("others")
    kept = [other for other in map(_validate_other, others) if other != RemarkField("", "")]
    return msgspec.json.encode(kept).decode() if kept else ""


def _validate_other(other: RemarkField) -> RemarkField:
    return RemarkField(
        parse_line(other.key, "others", max_characters=MAX_REMARK_KEY_CHARACTERS),
        parse_paragraph(other.value, "others", max_characters=MAX_REMARK_VALUE_CHARACTERS),
    )


MAX_INTRODUCTION_CHARACTERS = 500
MAX_PLACE_CHARACTERS = 32
MIN_BIRTHDAY = -2_208_988_800
"""1900-01-01 UTC: clients offer years of birth from there (wire.md 4)."""
_LOCATION_CODE = re.compile("[0-9]{6}|")


class PersonalDataUpdate(Struct, frozen=True, kw_only=True):
    """Fields to change; None leaves a field unchanged, "" and 0 clear it."""

    introduction: str | None = None
    gender: int | None = None
    birthday: int | None = None
    province: str | None = None
    city: str | None = None
    district: str | None = None
    location_code: str | None = None


class OwnPersonalData(Struct, frozen=True):
    """An account's own view of its personal data.

    Attributes:
        saved_at: when it was last saved; the registration time if never.
        last_sign_in_at: on any device.
    """

    data: PersonalData
    saved_at: int
    last_sign_in_at: int


class PersonalDataService:
    """Personal data that accounts enter about themselves."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, account: Account) -> OwnPersonalData:
        data = await get_personal_data(self._database, account.id)
        signed_in_at = await find_last_login(self._database, account.id)
        return OwnPersonalData(
            data, data.updated_at or account.registered_at, signed_in_at or account.registered_at
        )

    async def save(self, account: AccountId, update: PersonalDataUpdate) -> None:
        """Save an update; an empty one changes nothing, not even the time.

        Raises:
            InvalidField: a value is invalid.
        """
        if update == PersonalDataUpdate():
            return
        now = int(self._clock.now())
        checked = _validate_update(update, now)
        await self._database.run_transaction(
            lambda tx: update_personal_data(
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


def _validate_update(update: PersonalDataUpdate, now: int) -> PersonalDataUpdate:
    if update.gender is not None and update.gender not in (0, 1, 2, 3):
        raise InvalidField("gender")
    if update.birthday is not None and not MIN_BIRTHDAY <= update.birthday <= now:
        raise InvalidField("birthday")
    if update.location_code is not None and not _LOCATION_CODE.fullmatch(update.location_code):
        raise InvalidField("locationCode")
    return PersonalDataUpdate(
        introduction=_parse_introduction(update.introduction),
        gender=update.gender,
        birthday=update.birthday,
        province=_parse_place(update.province, "province"),
        city=_parse_place(update.city, "city"),
        district=_parse_place(update.district, "district"),
        location_code=update.location_code,
    )


def _parse_introduction(text: str | None) -> str | None:
    if text is None:
        return None
    return parse_paragraph(text, "introduction", max_characters=MAX_INTRODUCTION_CHARACTERS)


def _parse_place(text: str | None, field: str) -> str | None:
    return None if text is None else parse_line(text, field, max_characters=MAX_PLACE_CHARACTERS)


EditedField: TypeAlias = Literal["nickname", "avatar"]

_REWARD_REASONS: dict[EditedField, str] = {"nickname": "首次修改昵称", "avatar": "首次修改头像"}


class ProfileEdits:
    """Changes nicknames and avatars, and rewards the first change of each."""

    def __init__(
        self,
        database: Database,
        coins: Coins,
        rules: ProfileEditRules,
        pictures: AvatarPictures,
    ) -> None:
        self._database = database
        self._coins = coins
        self._pictures = pictures
        self._avatar_hosts = rules.avatar_hosts
        self._reward_cents: dict[EditedField, int] = {
            "nickname": rules.first_nickname_cents,
            "avatar": rules.first_avatar_cents,
        }

    async def change_nickname(self, account: AccountId, name: str) -> None:
        """Change a nickname; the current one changes and counts nothing.

        Raises:
            InvalidField: it is not a valid nickname.
        """
        new = parse_nickname(name, "name")

        async def change(tx: Transaction) -> None:
            await self._reward(tx, account, "nickname", await set_name(tx, account, new))

        await self._database.run_transaction(change)

    async def change_avatar(self, account: AccountId, url: str) -> None:
        """Change an avatar; the current one changes and counts nothing.

        An upload of the account is stored as its public address (wire.md 8.4).

        Raises:
            InvalidField: it is not an allowed URL.
        """
        parse_avatar_url(url, "url")
        url = self._pictures.addresses.without_client_base(url)

        async def change(tx: Transaction) -> None:
            locked = await lock_account(tx, account)
            new = None if locked is None else await self._pictures.resolve(tx, locked, url)
            if new is None:
                new = parse_avatar_url(url, "url", self._avatar_hosts)
            await self._reward(tx, account, "avatar", await set_avatar(tx, account, new))

        await self._database.run_transaction(change)

    async def _reward(
        self, tx: Transaction, account: AccountId, field: EditedField, change_count: int | None
    ) -> None:
        # A full balance does not prevent the change.
        cents = self._reward_cents[field]
        if change_count != 1 or cents == 0:
            return
        reward = CoinChange(
            account=account,
            change_cents=cents,
            typ=CoinType.FIRST_EDIT,
            reason=_REWARD_REASONS[field],
            key=f"first-{field}",
        )
        await self._coins.post(tx, reward)
