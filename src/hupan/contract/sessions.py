"""Messages of logging in (wire.md 4: verification-login, email-login)."""

from msgspec import Struct

from hupan.contract.endpoints import (
    ALLOW_LOGGED_OUT,
    PUBLIC,
    AuditEvent,
    IgnoredBody,
    NoData,
    Note,
    app,
)
from hupan.contract.fields import CodeText, ContactText, DeviceIdText, PasswordText, PlatformText


class CodeLogin(Struct, rename="camel"):
    """Logs in with an SMS code.

    Attributes:
        mobile: `1` and ten digits, a leading +86 or 86 is dropped; others by setting.
        captcha: the code of six digits.
        device_id: opaque; a login replaces the session of the same device, and without a device id
            it replaces none.
        platform: free text, shown in the list of devices; by default a word of User-Agent.
    """

    mobile: ContactText
    captcha: CodeText
    device_id: DeviceIdText = ""
    platform: PlatformText = ""


class EmailLogin(Struct, rename="camel"):
    """Logs in with an e-mail address and a password.

    Attributes:
        device_id: opaque; a login replaces the session of the same device, and without a device id
            it replaces none.
        platform: free text, shown in the list of devices; by default a word of User-Agent.
    """

    email: ContactText
    password: PasswordText
    device_id: DeviceIdText = ""
    platform: PlatformText = ""


class LoginToken(Struct, rename="camel"):
    """The token of the new session.

    Attributes:
        token: 8-4-4-4-12 lower-case hexadecimal digits (wire.md 5).
    """

    token: str


code_login = app.post(
    "/v1/user/verification-login",
    PUBLIC,
    CodeLogin,
    LoginToken,
    event=AuditEvent("sign-in-by-code", target=("mobile",), device="device_id"),
    secrets=("captcha",),
    sample=CodeLogin(mobile="13911112222", captcha="12345"),
    source="R",
    notes=(
        Note(
            "C",
            "`deviceId` and `platform` are free text and may be absent; a login without deviceId "
            "replaces no other session, and without platform a word of User-Agent is shown.",
            "`deviceId` 与 `platform` 为任意文本，可以缺省；没有 deviceId 的登录不替换其他登录，没"
            "有 platform 时取 User-Agent 中的一个词。",
        ),
        Note(
            "D",
            "An unused number becomes a new account, unless sign-up is closed (1302). A new login "
            "replaces the session of the same device.",
            "无人使用的号码成为新账号，除非关闭注册（1302）；同一设备再次登录会替换原会话。",
        ),
    ),
)
email_login = app.post(
    "/v1/user/email-login",
    PUBLIC,
    EmailLogin,
    LoginToken,
    event=AuditEvent("sign-in-by-password", target=("email",), device="device_id"),
    secrets=("password",),
    sample=EmailLogin(
        email="a@example.com",
        password="no such one",  # noqa: S106 - of no account
    ),
    source="R",
    notes=(
        Note(
            "D",
            "Wrong address, wrong password and no password get the same response (1301) "
            "in the same "
            "time.",
            "邮箱错误、密码错误、未设密码的响应（1301）与用时均相同。",
        ),
    ),
)
logout = app.post(
    "/v1/user/logout",
    ALLOW_LOGGED_OUT,
    IgnoredBody,
    NoData,
    event=AuditEvent("sign-out"),
    source="R",
    notes=(
        Note(
            "D",
            "Ends the session of the token, regardless of the device in the body. It succeeds "
            "again with a token that has already logged out.",
            "结束该令牌的会话，与请求体中的设备无关；已退出的令牌再次退出仍返回成功。",
        ),
    ),
)
