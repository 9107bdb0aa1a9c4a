"""Messages of invitations (wire.md 4: user/invite/*)."""

from msgspec import Struct

from hupan.contract.messages.fields import ShortText


class InvitationCode(Struct, rename="camel"):
    """The new invitation code of the caller.

    Attributes:
        code: 4 to 16 letters and digits; lower case counts as upper case.
    """

    code: ShortText


class InviteProgress(Struct, rename="camel"):
    """How many accounts registered on the server, today and in total, and its targets.

    With `invite_progress = "account"` these are the accounts that the caller invited.

    Attributes:
        current_number_day: since midnight in the server's time zone.
    """

    current_number_day: int
    current_number_total: int
    target_number_day: int
    target_number_total: int
