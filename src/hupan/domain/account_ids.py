"""Ids of accounts as clients write them (wire.md 5)."""

import re

from hupan.domain.refusals import UnknownUser
from hupan.model import AccountId

_ID = re.compile("[1-9][0-9]{0,14}")


def read_account_id(text: str) -> AccountId:
    """The id that a text names; whether somebody has it is another question.

    Raises:
        UnknownUser: nobody can have it.
    """
    if not _ID.fullmatch(text):
        raise UnknownUser
    return AccountId(int(text))
