"""Every failure that goes over the wire: code, message in zh-CN and en (wire.md 2).

Clients show the message as it is. Codes of wire.md come first; ours are positive and grouped by
the hundred: 10xx the server, 11xx the request, 12xx codes, 13xx sign-in, 14xx accounts, 15xx coins.
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
TOO_MANY_FROM_HERE = Failure(
    1204,
    "当前网络下操作过于频繁，请稍后再试",
    "Too much comes from your network, try again later",
    "limited",
)
SENDING_STOPPED = Failure(
    1205,
    "今日验证码发送量已达上限，请明天再试",
    "No more codes are sent today, try again tomorrow",
    "limited",
)

WRONG_EMAIL_OR_PASSWORD = Failure(1301, "邮箱或密码错误", "The e-mail or the password is wrong")
SIGN_UP_CLOSED = Failure(1302, "本服务器暂未开放注册", "Sign-up is closed on this server")

PHONE_TAKEN = Failure(1401, "该手机号已被使用", "This phone number is in use")
EMAIL_TAKEN = Failure(1402, "该邮箱已被使用", "This e-mail address is in use")
PHONE_BOUND = Failure(
    1403, "已绑定手机号，如需更换请使用更换手机号", "A phone number is bound already: change it"
)
EMAIL_BOUND = Failure(
    1404, "已绑定邮箱，如需更换请使用更换邮箱", "An e-mail address is bound already: change it"
)
PHONE_NOT_BOUND = Failure(1405, "尚未绑定手机号", "No phone number is bound yet")
EMAIL_NOT_BOUND = Failure(1406, "尚未绑定邮箱", "No e-mail address is bound yet")
PROOF_NEEDED = Failure(
    1407,
    "请先用当前绑定的手机号或邮箱完成验证，或重新登录后再试",
    "First confirm the number or address that is bound now, or sign in again",
)
PASSWORD_TOO_SHORT = Failure(
    1408, "密码太短，至少需要{field}个字符", "The password needs at least {field} characters"
)
WEAK_PASSWORD = Failure(
    1409,
    "密码过于简单：请勿使用常见密码，或包含昵称、手机号、邮箱的密码",
    "The password is too common, or made of your name, number or address",
)
TOO_LATE_TO_UNDO = Failure(1410, "该更换无法撤销", "This change cannot be undone")
OLDER_PROOF_NEEDED = Failure(
    1411,
    "请用较早绑定的手机号或邮箱完成验证",
    "First confirm the number or address that was bound earlier",
)
TOO_MANY_REMARKS = Failure(
    1441, "备注数量已达上限", "There are as many remarks as one account may have"
)
REMARKS_FULL = Failure(
    1442,
    "备注总字数已达上限，请先删减其他备注",
    "Your remarks are as long as one account may keep: shorten or clear some first",
)
ACCOUNT_CANCELLED = Failure(
    1421,
    "该账号已注销，其数据清除后方可重新注册",
    "This account was cancelled: sign up again once its data is erased",
)
INVITATION_CODE_TAKEN = Failure(1431, "该邀请码已被使用", "This invitation code is in use")
INVITATION_CODE_CHANGED = Failure(
    1432, "邀请码只能修改一次", "An invitation code can be changed only once"
)

NOT_ENOUGH_COINS = Failure(1501, "金币余额不足", "There are not enough coins")
TOO_MANY_COINS = Failure(1502, "金币余额超出上限", "The balance of coins would be too high")
COIN_KEY_REUSED = Failure(
    1503, "该金币操作编号已用于其他操作", "This key was used for another change of coins"
)

FAILURES: tuple[Failure, ...] = tuple(
    value for value in globals().values() if isinstance(value, Failure)
)
