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
            "`phone` 与 `email` 二选一，须为当前绑定、收到验证码的那一个。会话立即结束；15 天后清除"
            "数据并释放号码，此前登录返回 1421。如果它是不久前未经验证而绑定的，且晚于另一种，则"
            "返回 1411。",
        ),
    ),
)
