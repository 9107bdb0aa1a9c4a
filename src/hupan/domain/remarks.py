"""What accounts note about each other (wire.md 4, save-user-remarks)."""

import re

import msgspec
from msgspec import Struct

from hupan.domain.account_ids import read_account_id
from hupan.domain.outcome import granted
from hupan.domain.refusals import (
    InvalidField,
    Refusal,
    RemarksFull,
    TooManyRemarks,
    UnknownUser,
)
from hupan.domain.text import line, paragraph
from hupan.model import AccountId, Remark
from hupan.store.accounts import find_account, hold_account
from hupan.store.engine import Engine, Transaction
from hupan.store.remarks import find_remark_size, put_remark, remove_remark, resize_remarks

MOST_REMARKS = 5_000
MOST_CHARACTERS = 250_000
"""Of all remarks of one account together, 50 for each: at most 1 MB (security X5)."""
MOST_NAME_CHARACTERS = 32
MOST_PHONE_CHARACTERS = 64
MOST_OTHERS = 20
AROUND_PASTED_NUMBERS = (
    " \t\u00a0\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
"""What a list of contacts puts around a number: blanks and marks of its direction."""
MOST_KEY_CHARACTERS = 32
MOST_VALUE_CHARACTERS = 200


class Other(Struct, frozen=True):
    """One further thing that is noted."""

    key: str
    value: str


_NUMBER = re.compile(r"[0-9+*#() .\-]{1,64}")
_others = msgspec.json.Decoder(list[Other])


class Remarks:
    """Keeps what accounts note; only who noted it ever sees it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def save(self, account: AccountId, friend_id: str, remark: Remark) -> None:
        """Keeps a remark in place of the one before; one that says nothing is forgotten.

        Raises:
            InvalidField: a text cannot be, or the remark is about the account itself.
            UnknownUser: nobody has the id.
            TooManyRemarks: the account has as many as are kept.
            RemarksFull: they are as long as is kept, all together.
        """
        checked = _checked(remark)
        friend = read_account_id(friend_id)
        if friend == account:
            raise InvalidField("friendId")

        async def change(tx: Transaction) -> Refusal | None:
            await hold_account(tx, account)
            if await find_account(tx, friend) is None:
                return UnknownUser()
            await _keep(tx, account, friend, checked)
            return None

        granted(await self._engine.change(change))


async def _keep(tx: Transaction, account: AccountId, friend: AccountId, remark: Remark) -> None:
    """Write a remark; what it raises undoes the change."""
    size = len(remark.name) + len(remark.phone) + len(remark.others)
    change = size - await find_remark_size(tx, account, friend)
    if not await resize_remarks(tx, account, change, most=MOST_CHARACTERS):
        raise RemarksFull
    if remark == Remark():
        await remove_remark(tx, account, friend)
    elif not await put_remark(tx, account, friend, remark, most=MOST_REMARKS):
        raise TooManyRemarks


def _checked(remark: Remark) -> Remark:
    return Remark(
        name=line(remark.name, "name", most_characters=MOST_NAME_CHARACTERS),
        phone=line(
            _without_direction(remark.phone), "phone", most_characters=MOST_PHONE_CHARACTERS
        ),
        others=_checked_others(remark.others),
    )


def _without_direction(phone: str) -> str:
    """A number without what a list of contacts puts around it; any other text as it is."""
    number = phone.strip(AROUND_PASTED_NUMBERS)
    return number if _NUMBER.fullmatch(number) else phone


def _checked_others(text: str) -> str:
    """The JSON text of `others` with its two keys alone; "" when nothing is left in it.

    Raises:
        InvalidField: it is no list of key and value, too long, or holds a text that cannot be.
    """
    if not text.strip():
        return ""
    try:
        others = _others.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidField("others") from error
    if len(others) > MOST_OTHERS:
        raise InvalidField("others")
    kept = [other for other in map(_checked_other, others) if other != Other("", "")]
    return msgspec.json.encode(kept).decode() if kept else ""


def _checked_other(other: Other) -> Other:
    return Other(
        line(other.key, "others", most_characters=MOST_KEY_CHARACTERS),
        paragraph(other.value, "others", most_characters=MOST_VALUE_CHARACTERS),
    )
