"""Every error that goes over the wire: code, messages in Chinese and English, result class (wire.md 2).

Clients show the message as it is. Codes of wire.md come first; ours are positive and grouped by
the hundred: 10xx the server, 11xx the request, 12xx codes, 13xx sign-in, 14xx accounts, 15xx coins.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

ResultClass: TypeAlias = Literal["ok", "refused", "unauthenticated", "limited", "error"]
"""Class of an outcome, told in the header `x-result` (security D3)."""

SUCCESS_CODE = 1
SUCCESS_MESSAGE = "success"


@dataclass(frozen=True, slots=True)
class WireError:
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
    result: ResultClass = "refused"

    def message(self, *, english: bool, field: str = "") -> str:
        """The text for one language; `field` fills the place where a text has one."""
        return (self.en if english else self.zh).replace("{field}", field)


NOT_SIGNED_IN = WireError(-101, "未登录", "Not signed in", "unauthenticated")
VIP_ONLY = WireError(-1, "功能仅限VIP用户使用", "This feature is for VIP users only")
INVALID_FIELD = WireError(
    1100,
    "请求参数错误，{field}字段值非法",
    "Bad request: the value of {field} is not valid",
)
UNREADABLE_BODY = WireError(
    1100, "请求参数错误，请求体无法解析", "Bad request: the body cannot be read"
)
UNKNOWN_USER = WireError(4402, "该用户不存在", "This user does not exist")
BANNED = WireError(
    7100,
    "因违反相关规定，该用户被封禁",
    "This user is banned for breaking the rules",
)

SERVER_ERROR = WireError(1000, "服务器内部错误，请稍后再试", "Internal server error", "error")
STORE_UNAVAILABLE = WireError(
    1001, "服务器暂时无法保存数据，请稍后再试", "The server cannot store data now", "error"
)
BUSY = WireError(1002, "服务器繁忙，请稍后再试", "The server is busy, try again later", "limited")
SHUTTING_DOWN = WireError(
    1003, "服务器正在停止，请稍后再试", "The server is shutting down", "error"
)
UNKNOWN_ENDPOINT = WireError(1104, "接口不存在", "There is no such endpoint")
BODY_TOO_LARGE = WireError(1113, "请求体过大", "The body is too large")

WRONG_CAPTCHA = WireError(
    1201, "图形验证码错误或已失效", "The picture code is wrong, used or expired"
)
WRONG_CODE = WireError(1202, "验证码错误或已失效", "The code is wrong, used or expired")
TOO_MANY_TRIES = WireError(
    1203, "操作过于频繁，请稍后再试", "Too many tries, try again later", "limited"
)
TOO_MANY_FROM_HERE = WireError(
    1204,
    "当前网络下操作过于频繁，请稍后再试",
    "Too much comes from your network, try again later",
    "limited",
)
SENDING_STOPPED = WireError(
    1205,
    "今日验证码发送量已达上限，请明天再试",
    "No more codes are sent today, try again tomorrow",
    "limited",
)

WRONG_EMAIL_OR_PASSWORD = WireError(1301, "邮箱或密码错误", "The e-mail or the password is wrong")
SIGN_UP_CLOSED = WireError(1302, "本服务器暂未开放注册", "Sign-up is closed on this server")

PHONE_TAKEN = WireError(1401, "该手机号已被使用", "This phone number is in use")
EMAIL_TAKEN = WireError(1402, "该邮箱已被使用", "This e-mail address is in use")
PHONE_BOUND = WireError(
    1403, "已绑定手机号，如需更换请使用更换手机号", "A phone number is bound already: change it"
)
EMAIL_BOUND = WireError(
    1404, "已绑定邮箱，如需更换请使用更换邮箱", "An e-mail address is bound already: change it"
)
PHONE_NOT_BOUND = WireError(1405, "尚未绑定手机号", "No phone number is bound yet")
EMAIL_NOT_BOUND = WireError(1406, "尚未绑定邮箱", "No e-mail address is bound yet")
PROOF_NEEDED = WireError(
    1407,
    "请先用当前绑定的手机号或邮箱完成验证，或重新登录后再试",
    "First confirm the number or address that is bound now, or sign in again",
)
PASSWORD_TOO_SHORT = WireError(
    1408, "密码太短，至少需要{field}个字符", "The password needs at least {field} characters"
)
WEAK_PASSWORD = WireError(
    1409,
    "密码过于简单：请勿使用常见密码，或包含昵称、手机号、邮箱的密码",
    "The password is too common, or made of your name, number or address",
)
TOO_LATE_TO_UNDO = WireError(1410, "该更换无法撤销", "This change cannot be undone")
OLDER_PROOF_NEEDED = WireError(
    1411,
    "请用较早绑定的手机号或邮箱完成验证",
    "First confirm the number or address that was bound earlier",
)
TOO_MANY_REMARKS = WireError(
    1441, "备注数量已达上限", "There are as many remarks as one account may have"
)
REMARKS_FULL = WireError(
    1442,
    "备注总字数已达上限，请先删减其他备注",
    "Your remarks are as long as one account may keep: shorten or clear some first",
)
ACCOUNT_CANCELLED = WireError(
    1421,
    "该账号已注销，其数据清除后方可重新注册",
    "This account was cancelled: sign up again once its data is erased",
)
INVITATION_CODE_TAKEN = WireError(1431, "该邀请码已被使用", "This invitation code is in use")
INVITATION_CODE_CHANGED = WireError(
    1432, "邀请码只能修改一次", "An invitation code can be changed only once"
)

NOT_ENOUGH_COINS = WireError(1501, "金币余额不足", "There are not enough coins")
TOO_MANY_COINS = WireError(1502, "金币余额超出上限", "The balance of coins would be too high")
COIN_KEY_REUSED = WireError(
    1503, "该金币操作编号已用于其他操作", "This key was used for another change of coins"
)

WIRE_ERRORS: tuple[WireError, ...] = tuple(
    value for value in globals().values() if isinstance(value, WireError)
)
