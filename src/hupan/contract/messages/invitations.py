"""Messages of invitations (wire.md 4: user/invite/*)."""

from msgspec import Struct

from hupan.contract.messages.fields import ShortText


class InvitationCode(Struct, rename="camel"):
    """The code that the caller chose.

    Attributes:
        code: 4 to 16 letters and digits; small letters count as capitals.
    """

    code: ShortText


class InviteProgress(Struct, rename="camel"):
    """How many the caller invited, today and in all, and how many it is meant to.

    Attributes:
        current_number_day: since midnight in the server's zone.
    """

    current_number_day: int
    current_number_total: int
    target_number_day: int
    target_number_total: int
