"""Invitations (wire.md 4: user/invite/*)."""

from msgspec import Struct

from hupan.contract.messages.fields import ShortText


class InvitationCode(Struct, rename="camel"):
    """The code that the caller chose."""

    code: ShortText


class InviteProgress(Struct, rename="camel"):
    """How many the caller invited, today and in all, and how many it is meant to."""

    current_number_day: int
    current_number_total: int
    target_number_day: int
    target_number_total: int
