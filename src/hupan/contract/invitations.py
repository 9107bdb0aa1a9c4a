"""Messages of invitations (wire.md 4: user/invite/*)."""

from msgspec import Struct

from hupan.contract.endpoints import SESSION, IgnoredBody, NoData, Note, app
from hupan.contract.fields import ShortText


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
        current_number_day: the number since midnight in the server's time zone.
    """

    current_number_day: int
    current_number_total: int
    target_number_day: int
    target_number_total: int


get_invite_progress = app.post(
    "/v1/user/invite/invite-progress",
    SESSION,
    IgnoredBody,
    InviteProgress,
    source="C",
    notes=(
        Note(
            "C",
            "The numbers are the whole server's: accounts registered today and in total, and the "
            'targets of the settings. With `invite_progress = "account"` they are the caller\'s '
            "own invitees.",
            "数字属于整个服务器：今日与累计注册的账号数，以及设置中的目标。"
            '`invite_progress = "account"` 时为本人邀请的人数。',
        ),
        Note(
            "D",
            "No request names an inviter, so an operator links accounts when creating them "
            "([decision 8](decisions/0008-invitations.md)).",
            "没有请求会指明邀请人，因此由管理员在新建账号时关联（[决定 "
            "8](decisions/0008-invitations.md)）。",
        ),
    ),
)
change_invitation_code = app.post(
    "/v1/user/invite/change-user-invite-code",
    SESSION,
    InvitationCode,
    NoData,
    limit="invitation_codes",
    reveals=("code",),
    sample=InvitationCode(code="ABC12345"),
    source="C",
    notes=(
        Note(
            "D",
            "Chooses the caller's own code, 4 to 16 letters and digits, once; the former code "
            "stays valid ([decision 8](decisions/0008-invitations.md)).",
            "自选邀请码，4 至 16 位字母与数字，只能改一次；原邀请码仍然有效（[决定 "
            "8](decisions/0008-invitations.md)）。",
        ),
    ),
)
