"""Messages of account deletion (wire.md 4: cancel-user)."""

from msgspec import Struct

from hupan.contract.endpoints import SESSION, AuditEvent, NoData, Note, app
from hupan.contract.fields import CodeText, ContactText


class AccountCancellation(Struct, rename="camel"):
    """Cancels the caller's account; exactly one of `phone` and `email` is set.

    Attributes:
        captcha: the code of six digits that was sent to that bound contact.
    """

    captcha: CodeText
    phone: ContactText = ""
    email: ContactText = ""


cancel_account = app.post(
    "/v1/user/cancel-user",
    SESSION,
    AccountCancellation,
    NoData,
    event=AuditEvent("cancel", target=("phone", "email")),
    secrets=("captcha",),
    sample=AccountCancellation(phone="13911112222", captcha="12345"),
    source="C",
    notes=(
        Note(
            "D",
            "One of `phone` and `email`: bound, and the one that the code was sent to. "
            "Sessions end "
            "at once; after 15 days data is erased and the number is free, until then login is "
            "1421. A contact that was bound recently, after the other one and without proof, is "
            "1411.",
            "`phone` 与 `email` 二选一，须为当前绑定且收到验证码者。会话立即结束；15 天后清除数据并"
            "释放号码，此前登录答复 1421。若所填者绑定较晚，且在不久前未经验证，则为 1411。",
        ),
    ),
)
