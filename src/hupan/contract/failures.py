"""Every failure that goes over the wire: code, message in zh-CN and en (wire.md 2).

Clients show the message as it is. Codes of wire.md come first; ours are positive and grouped by
the hundred: 10xx the server, 11xx the request, 12xx codes, 13xx sign-in, 14xx accounts.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Result: TypeAlias = Literal["ok", "refused", "unauthenticated", "limited", "error"]
"""Class of an outcome, told in the header `x-result` (security D3)."""

SUCCESS_CODE = 1
SUCCESS_MESSAGE = "success"


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which a request fails.

    Attributes:
        code: the number clients see.
        zh: message in Chinese, the default.
        en: message in English, by Accept-Language.
        result: class of the outcome.
    """

    code: int
    zh: str
    en: str
    result: Result = "refused"

    def message(self, *, english: bool, field: str = "") -> str:
        """The text for one language; `field` fills the place where a text has one."""
        return (self.en if english else self.zh).replace("{field}", field)


NOT_SIGNED_IN = Failure(-101, "未登录", "Not signed in", "unauthenticated")
VIP_ONLY = Failure(-1, "功能仅限VIP用户使用", "This feature is for VIP users only")
INVALID_FIELD = Failure(
    1100,
    "请求参数错误，{field}字段值非法",
    "Bad request: the value of {field} is not valid",
)
UNREADABLE_BODY = Failure(
    1100, "请求参数错误，请求体无法解析", "Bad request: the body cannot be read"
)
UNKNOWN_USER = Failure(4402, "该用户不存在", "This user does not exist")
BANNED = Failure(
    7100,
    "因违反相关规定，该用户被封禁",
    "This user is banned for breaking the rules",
)

SERVER_ERROR = Failure(1000, "服务器内部错误，请稍后再试", "Internal server error", "error")
STORE_UNAVAILABLE = Failure(
    1001, "服务器暂时无法保存数据，请稍后再试", "The server cannot store data now", "error"
)
BUSY = Failure(1002, "服务器繁忙，请稍后再试", "The server is busy, try again later", "limited")
STOPPING = Failure(1003, "服务器正在停止，请稍后再试", "The server is shutting down", "error")
NO_SUCH_ENDPOINT = Failure(1104, "接口不存在", "There is no such endpoint")
BODY_TOO_LARGE = Failure(1113, "请求体过大", "The body is too large")

WRONG_CAPTCHA = Failure(
    1201, "图形验证码错误或已失效", "The picture code is wrong, used or expired"
)
WRONG_CODE = Failure(1202, "验证码错误或已失效", "The code is wrong, used or expired")
TOO_MANY_TRIES = Failure(
    1203, "操作过于频繁，请稍后再试", "Too many tries, try again later", "limited"
)

WRONG_EMAIL_OR_PASSWORD = Failure(1301, "邮箱或密码错误", "The e-mail or the password is wrong")
SIGN_UP_CLOSED = Failure(1302, "本服务器暂未开放注册", "Sign-up is closed on this server")

PHONE_TAKEN = Failure(1401, "该手机号已被使用", "This phone number is in use")
EMAIL_TAKEN = Failure(1402, "该邮箱已被使用", "This e-mail address is in use")

FAILURES: tuple[Failure, ...] = tuple(
    value for value in globals().values() if isinstance(value, Failure)
)
