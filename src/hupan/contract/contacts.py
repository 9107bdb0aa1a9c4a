"""Messages that bind or change a contact, or reset a password (wire.md 4)."""

from msgspec import Struct

from hupan.contract.endpoints import PUBLIC, SESSION, AuditEvent, NoData, Note, app
from hupan.contract.fields import CodeText, ContactText, NewPasswordText


class PhoneProof(Struct, rename="camel"):
    """A phone number and the code that was sent to it.

    Attributes:
        captcha: the code of six digits, not the answer to a captcha.
    """

    phone: ContactText
    captcha: CodeText


class EmailProof(Struct, rename="camel"):
    """An e-mail address and the code that was sent to it.

    Attributes:
        captcha: the code of six digits, not the answer to a captcha.
    """

    email: ContactText
    captcha: CodeText


class PasswordResetRequest(Struct, rename="camel"):
    """An e-mail address, the code that was sent to it, and the new password.

    Attributes:
        captcha: the code of six digits, not the answer to a captcha.
        password: at least 8 characters, or 15 if so configured; common ones are refused.
    """

    email: ContactText
    captcha: CodeText
    password: NewPasswordText


_BIND_CONTACT = (
    Note(
        "D",
        "The code must have been sent to the new contact. Only a correct code reveals that the "
        "contact belongs to another account ([decision 12](decisions/0012-contacts.md)).",
        "验证码须发往新的号码或邮箱；验证码正确后才会告知已被他人使用（[决定 "
        "12](decisions/0012-contacts.md)）。",
    ),
)
_CHANGE_CONTACT = (
    Note(
        "D",
        "With the contact that is bound now, the request is a proof, valid for ten minutes. With "
        "a new one it changes the contact, after such a proof or within 15 minutes of login; "
        "otherwise 1407. A change ends the account's other sessions. While the other contact "
        "was bound recently and without proof, a proof is required; otherwise 1411 ([decision "
        "12](decisions/0012-contacts.md)).",
        "填写当前绑定的号码或邮箱即为验证，十分钟内有效；填写新的则为更换，须先验证或在登录 15 "
        "分钟之内，否则 1407。更换会结束该账号的其他会话。若另一种在不久前未经验证绑定，则须先"
        "验证，否则 1411（[决定 12](decisions/0012-contacts.md)）。",
    ),
)
bind_phone = app.post(
    "/v1/user/bing-phone",
    SESSION,
    PhoneProof,
    NoData,
    event=AuditEvent("phone-bind", target=("phone",)),
    secrets=("captcha",),
    sample=PhoneProof(phone="13911112222", captcha="12345"),
    source="R",
    notes=_BIND_CONTACT,
)
bind_email = app.post(
    "/v1/user/bing-email",
    SESSION,
    EmailProof,
    NoData,
    event=AuditEvent("email-bind", target=("email",)),
    secrets=("captcha",),
    sample=EmailProof(email="a@example.com", captcha="12345"),
    source="R",
    notes=_BIND_CONTACT,
)
change_phone = app.post(
    "/v1/user/change-phone-check",
    SESSION,
    PhoneProof,
    NoData,
    event=AuditEvent("phone-change", target=("phone",)),
    secrets=("captcha",),
    sample=PhoneProof(phone="13911112222", captcha="12345"),
    source="R",
    notes=_CHANGE_CONTACT,
)
change_email = app.post(
    "/v1/user/change-email-check",
    SESSION,
    EmailProof,
    NoData,
    event=AuditEvent("email-change", target=("email",)),
    secrets=("captcha",),
    sample=EmailProof(email="a@example.com", captcha="12345"),
    source="R",
    notes=_CHANGE_CONTACT,
)
reset_password = app.post(
    "/v1/user/forget-password",
    PUBLIC,
    PasswordResetRequest,
    NoData,
    event=AuditEvent("password-reset", target=("email",)),
    secrets=("captcha", "password"),
    sample=PasswordResetRequest(
        email="a@example.com",
        captcha="12345",
        password="the lake at seven",  # noqa: S106 - of no account
    ),
    source="R",
    notes=(
        Note(
            "D",
            "Also sets the first password. Ends every session; common passwords are refused "
            "([decision 12](decisions/0012-contacts.md)).",
            "也用于首次设置密码；结束所有会话，拒绝常见密码（[决定 "
            "12](decisions/0012-contacts.md)）。",
        ),
    ),
)
