"""Everything that can go wrong, as one tree.

`HupanError` is the root. Below it are `ConnectionFailed` (no answer came), `UnreadableAnswer` (an
answer came that is not the contract's) and `Refusal`: the server understood and said no. Each code
has its class, below the class of its hundred, so one `except` catches as much as you want.
No error carries a token, a password or a body.
"""

import re
from functools import lru_cache


class HupanError(Exception):
    """The root of all errors of this package."""


class ConnectionFailed(HupanError):
    """No answer came: the server is not reachable, closed the connection or took too long.

    A POST may have been carried out nevertheless. It is never sent again by itself.

    Attributes:
        is_timeout: whether it took too long.
    """

    def __init__(self, message: str, *, is_timeout: bool = False) -> None:
        super().__init__(message)
        self.is_timeout = is_timeout


class UnreadableAnswer(HupanError):
    """An answer came that is not the contract's.

    Attributes:
        http_status: the status of the answer.
    """

    def __init__(self, message: str, http_status: int = 200) -> None:
        super().__init__(message)
        self.http_status = http_status


class SessionEnded(HupanError):
    """The socket was closed since its session has ended: log in again."""


class SocketClosed(HupanError):
    """The socket is closed.

    Attributes:
        code: the code of the closing frame, 1006 without one.
    """

    def __init__(self, message: str, code: int = 1006) -> None:
        super().__init__(message)
        self.code = code


class SocketRefused(HupanError):
    """The server did not accept what was sent on the socket; after a login: the token."""


class Refusal(HupanError):
    """The server said no, or a code that this version does not know.

    Attributes:
        code: the code of the answer (wire.md 2).
        message: the text of the answer, in the language that was asked for.
        zh: the text in Chinese.
        en: the text in English.
        request_id: names the request in the server's log, 0 if the answer had none.
        result: the class of the outcome: `refused`, `unauthenticated`, `limited`, `error`.
        http_status: 200 for nearly all refusals.
    """

    code: int = 0
    zh: str = ""
    en: str = ""

    def __init__(
        self,
        message: str,
        code: int = 0,
        request_id: int = 0,
        result: str = "",
        http_status: int = 200,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.request_id = request_id
        self.result = result
        self.http_status = http_status
        self.zh, self.en = type(self).zh, type(self).en
        named = match_text(type(self), message)
        if named is not None:
            self.zh, self.en = self.zh.format_map(named), self.en.format_map(named)
            self._keep(named)
        elif not self.en or "{" in self.en:
            self.zh = self.en = message

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"

    def _keep(self, named: dict[str, str]) -> None:
        """Keep what the text names; 0 where a number should be and is not."""
        for name, text in named.items():
            is_number = isinstance(getattr(type(self), name), int)
            setattr(self, name, (int(text) if text.isdecimal() else 0) if is_number else text)


def match_text(refusal_type: type[Refusal], message: str) -> dict[str, str] | None:
    """Return what the text of a refusal names; None if it is not the text of this class."""
    found = (pattern.fullmatch(message) for pattern in _patterns(refusal_type.zh, refusal_type.en))
    return next((match.groupdict() for match in found if match), None)


@lru_cache(maxsize=128)
def _patterns(*texts: str) -> list[re.Pattern[str]]:
    return [
        re.compile(re.sub(r"\\\{(\w+)\\\}", r"`?(?P<\1>.*?)`?", re.escape(text)), re.DOTALL)
        for text in texts
        if text
    ]


class ServerFault(Refusal):
    """10xx: the server cannot do it now."""


class BadRequest(Refusal):
    """11xx: the request is not the contract's."""


class CodeRefusal(Refusal):
    """12xx: captchas, one-time codes and limits."""


class LoginRefusal(Refusal):
    """13xx: logging in."""


class AccountRefusal(Refusal):
    """14xx: the account and what is bound to it."""


class CoinRefusal(Refusal):
    """15xx: coins and the shop."""


class PictureRefusal(Refusal):
    """16xx: pictures and their upload."""


# Made from the errors of the server by `make clients`, down to the next comment.


class NotSignedIn(Refusal):
    """The token does not belong to a live session."""

    code = -101
    zh = "未登录"
    en = "Not signed in"


class VipOnly(Refusal):
    """A VIP feature for an account without active VIP."""

    code = -1
    zh = "功能仅限VIP用户使用"
    en = "This feature is for VIP users only"


class UnknownUser(Refusal):
    """No account has this id: get-user, or save-user-remarks about it."""

    code = 4402
    zh = "该用户不存在"
    en = "This user does not exist"


class Banned(Refusal):
    """Login to a banned account after a correct code or password, its token, or get-user of it."""

    code = 7100
    zh = "因违反相关规定，该用户被封禁"
    en = "This user is banned for breaking the rules"


class ServerError(ServerFault):
    """A fault of the server; the log has it under the request's id."""

    code = 1000
    zh = "服务器内部错误，请稍后再试"
    en = "Internal server error"


class StorageFailed(ServerFault):
    """The disk or the database does not accept changes; nothing was stored."""

    code = 1001
    zh = "服务器暂时无法保存数据，请稍后再试"
    en = "The server cannot store data now"


class Busy(ServerFault):
    """Too many passwords wait to be checked, or too many changes wait to be stored."""

    code = 1002
    zh = "服务器繁忙，请稍后再试"
    en = "The server is busy, try again later"


class ShuttingDown(ServerFault):
    """The server is shutting down; HTTP 503."""

    code = 1003
    zh = "服务器正在停止，请稍后再试"
    en = "The server is shutting down"


class UpstreamUnavailable(ServerFault):
    """The message server cannot be reached, or its answer is unusable; HTTP 502."""

    code = 1004
    zh = "消息服务器暂不可用，请稍后再试"
    en = "The message server is not available, try again later"


class UpstreamTimedOut(ServerFault):
    """The message server did not answer in time; HTTP 504."""

    code = 1005
    zh = "消息服务器未及时响应，请稍后再试"
    en = "The message server did not answer in time, try again later"


class UpstreamOverloaded(ServerFault):
    """The maximum number of requests is waiting for the message server; HTTP 503."""

    code = 1006
    zh = "消息服务器繁忙，请稍后再试"
    en = "The message server is busy, try again later"


class InvalidField(BadRequest):
    """A field is missing, of the wrong type or out of range; the message names it.

    Attributes:
        field: its name on the wire.
    """

    code = 1100
    zh = "请求参数错误，{field}字段值非法"
    en = "Bad request: the value of {field} is not valid"
    field: str = ""


class UnreadableBody(BadRequest):
    """The body is not of the endpoint's form at all."""

    code = 1100
    zh = "请求参数错误，请求体无法解析"
    en = "Bad request: the body cannot be read"


class UnknownEndpoint(BadRequest):
    """No endpoint has this path and method; HTTP 404."""

    code = 1104
    zh = "接口不存在"
    en = "There is no such endpoint"


class NotAnAccountEndpoint(BadRequest):
    """An endpoint of messages, groups, stickers or the like; HTTP 404."""

    code = 1105
    zh = "本服务器只提供账号功能，没有此接口"
    en = "This server handles accounts only and does not have this endpoint"


class BodyTooLarge(BadRequest):
    """The body is larger than 64 KiB (JSON) or 16 KiB (protobuf); HTTP 413."""

    code = 1113
    zh = "请求体过大"
    en = "The body is too large"


class WrongCaptcha(CodeRefusal):
    """A captcha's answer is wrong, or the captcha was used before or expired: fetch a new one."""

    code = 1201
    zh = "图形验证码错误或已失效"
    en = "The captcha is wrong, used or expired"


class WrongCode(CodeRefusal):
    """A code is wrong, used, expired, out of its five attempts, or valid for something else."""

    code = 1202
    zh = "验证码错误或已失效"
    en = "The code is wrong, used or expired"


class TooManyTries(CodeRefusal):
    """A limit on codes sent, on wrong codes, or on profile views of an account was reached."""

    code = 1203
    zh = "操作过于频繁，请稍后再试"
    en = "Too many tries, try again later"


class TooManyFromHere(CodeRefusal):
    """A limit of the client's address or network was reached; checked before anything else."""

    code = 1204
    zh = "当前网络下操作过于频繁，请稍后再试"
    en = "Too many requests from your network, try again later"


class SendingStopped(CodeRefusal):
    """The server has sent as many codes as its operator allows in a day."""

    code = 1205
    zh = "今日验证码发送量已达上限，请明天再试"
    en = "The daily limit on codes has been reached, try again tomorrow"


class CaptchaNotOffered(CodeRefusal):
    """The server does not offer this kind of captcha (setting `captcha_kinds`)."""

    code = 1206
    zh = "本服务器未启用这种验证码，请换用另一种"
    en = "This server does not offer this kind of captcha; use the other one"


class WrongEmailOrPassword(LoginRefusal):
    """email-login with anything wrong, or after too many attempts."""

    code = 1301
    zh = "邮箱或密码错误"
    en = "The e-mail address or the password is wrong"


class WrongClientSecret(LoginRefusal):
    """A server asked about a token with a wrong name or secret; HTTP 401, never sent to clients."""

    code = 1303
    zh = "服务器的名称或密钥错误"
    en = "The server's name or secret is wrong"


class ClientExists(LoginRefusal):
    """A server of that name may ask about tokens already; only operators see it."""

    code = 1304
    zh = "已有同名的服务器"
    en = "A server with this name already exists"


class UnknownClient(LoginRefusal):
    """No server of that name may ask about tokens; only operators see it."""

    code = 1305
    zh = "没有这个名称的服务器"
    en = "There is no server with this name"


class SignUpClosed(LoginRefusal):
    """verification-login with a new number while sign-up is closed."""

    code = 1302
    zh = "本服务器暂未开放注册"
    en = "Sign-up is closed on this server"


class PhoneTaken(AccountRefusal):
    """The number belongs to another account; answered only after a correct code."""

    code = 1401
    zh = "该手机号已被使用"
    en = "This phone number is in use"


class EmailTaken(AccountRefusal):
    """The address belongs to another account; answered only after a correct code."""

    code = 1402
    zh = "该邮箱已被使用"
    en = "This e-mail address is in use"


class PhoneBound(AccountRefusal):
    """bing-phone of an account that has a number."""

    code = 1403
    zh = "已绑定手机号，如需更换请使用更换手机号"
    en = "A phone number is already bound; to replace it, change it"


class EmailBound(AccountRefusal):
    """bing-email of an account that has an address."""

    code = 1404
    zh = "已绑定邮箱，如需更换请使用更换邮箱"
    en = "An e-mail address is already bound; to replace it, change it"


class PhoneNotBound(AccountRefusal):
    """change-phone-check of an account that has no number."""

    code = 1405
    zh = "尚未绑定手机号"
    en = "No phone number is bound yet"


class EmailNotBound(AccountRefusal):
    """change-email-check of an account that has no address."""

    code = 1406
    zh = "尚未绑定邮箱"
    en = "No e-mail address is bound yet"


class ProofNeeded(AccountRefusal):
    """A change in an older session without proof of the current contact."""

    code = 1407
    zh = "请先用当前绑定的手机号或邮箱完成验证，或重新登录后再试"
    en = "First confirm the number or address that is bound now, or sign in again"


class PasswordTooShort(AccountRefusal):
    """forget-password with a password that is too short; the message names the minimum.

    Attributes:
        min_characters: the minimum.
    """

    code = 1408
    zh = "密码太短，至少需要 {min_characters} 个字符"
    en = "The password needs at least {min_characters} characters"
    min_characters: int = 0


class WeakPassword(AccountRefusal):
    """forget-password with a common password, or one made of the account's data."""

    code = 1409
    zh = "密码过于简单：请勿使用常见密码，或包含昵称、手机号、邮箱的密码"
    en = "The password is too common, or made of your name, number or address"


class TooLateToUndo(AccountRefusal):
    """An operator undoes a change that is too old or was undone; never sent to clients."""

    code = 1410
    zh = "该更换无法撤销"
    en = "This change cannot be undone"


class OlderProofNeeded(AccountRefusal):
    """The contact bound earlier must prove this, because the later one was bound without proof.

    A change of the earlier one, or a cancellation by the later one, while that binding can still be
    undone.
    """

    code = 1411
    zh = "请用较早绑定的手机号或邮箱完成验证"
    en = "First confirm the number or address that was bound earlier"


class AccountCancelled(AccountRefusal):
    """Login to a cancelled, not yet erased account, after a correct code or password."""

    code = 1421
    zh = "该账号已注销，其数据清除后方可重新注册"
    en = "This account was cancelled: sign up again once its data is erased"


class InvitationCodeTaken(AccountRefusal):
    """change-user-invite-code to one that is or was another account's."""

    code = 1431
    zh = "该邀请码已被使用"
    en = "This invitation code is in use"


class InvitationCodeChanged(AccountRefusal):
    """change-user-invite-code for the second time."""

    code = 1432
    zh = "邀请码只能修改一次"
    en = "An invitation code can be changed only once"


class TooManyRemarks(AccountRefusal):
    """save-user-remarks beyond the maximum number of remarks of one account."""

    code = 1441
    zh = "备注数量已达上限"
    en = "The maximum number of remarks has been reached"


class RemarksFull(AccountRefusal):
    """save-user-remarks beyond the maximum length of all remarks; shorter ones are accepted."""

    code = 1442
    zh = "备注总字数已达上限，请先删减其他备注"
    en = "Your remarks are too long in total: shorten or clear some first"


class NotEnoughCoins(CoinRefusal):
    """The balance is lower than a price, or would fall below zero."""

    code = 1501
    zh = "金币余额不足"
    en = "Not enough coins"


class TooManyCoins(CoinRefusal):
    """The balance would exceed what a double holds exactly; today only operators can cause this."""

    code = 1502
    zh = "金币余额超出上限"
    en = "The coin balance would be too high"


class CoinKeyReused(CoinRefusal):
    """The key of a change of coins is reused for another; today only operators can cause this."""

    code = 1503
    zh = "该金币操作编号已用于其他操作"
    en = "This key was already used for a different coin change"


class UnknownProduct(CoinRefusal):
    """product-detail or order-create of a product that the shop does not sell."""

    code = 1511
    zh = "商品不存在或已下架"
    en = "This product is not on sale"


class SoldOut(CoinRefusal):
    """order-create of a product that is sold out."""

    code = 1512
    zh = "商品已售罄"
    en = "This product is sold out"


class PriceChanged(CoinRefusal):
    """order-create with a price that does not apply to the caller now; the message has the price.

    Attributes:
        price: the one that applies, in whole coins.
    """

    code = 1513
    zh = "商品价格已变为 {price} 金币，请刷新后重试"
    en = "The price is now {price} coins, refresh and try again"
    price: int = 0


class InvalidUploadToken(PictureRefusal):
    """An upload without a token, or with a forged or expired one; HTTP 401."""

    code = 1601
    zh = "上传凭证无效或已过期，请重新获取"
    en = "The upload token is not valid or has expired: fetch a new one"


class ForbiddenPictureKey(PictureRefusal):
    """An upload with a token that is for another key; HTTP 403."""

    code = 1602
    zh = "上传凭证不适用于该文件名"
    en = "The upload token is for another key"


class InvalidPictureKey(PictureRefusal):
    """An upload with a key that is too long or has other characters; HTTP 400."""

    code = 1603
    zh = "文件名非法：至多 200 个字符，仅限字母、数字和 . _ ~ - / 等"
    en = "The key is not valid: at most 200 letters, digits and . _ ~ - / = + @ , !"


class UnreadableUpload(PictureRefusal):
    """An upload that is not a form of a token, a key and one file, or ends too early; HTTP 400."""

    code = 1604
    zh = "上传内容无法解析，应为包含 token、key 和 file 的表单"
    en = "The upload cannot be read: send a form with token, key and file"


class UploadTooLarge(PictureRefusal):
    """An upload of more than 8 MiB; HTTP 413."""

    code = 1605
    zh = "图片过大，至多 8 MB"
    en = "The picture is too large: at most 8 MB"


class UnknownPictureKind(PictureRefusal):
    """An upload that is not PNG, JPEG or WebP, under any name; HTTP 415."""

    code = 1606
    zh = "仅支持 PNG、JPEG 和 WebP 图片"
    en = "Only PNG, JPEG and WebP pictures are accepted"


class PictureTooLarge(PictureRefusal):
    """An upload with more than 4,096 pixels a side, or 16 million in all; HTTP 422."""

    code = 1607
    zh = "图片尺寸过大，长和宽至多 4096 像素"
    en = "The picture has too many pixels: at most 4096 on each side"


class BrokenPicture(PictureRefusal):
    """An upload that is damaged, or takes too long to decode; HTTP 422."""

    code = 1608
    zh = "图片已损坏或无法解码"
    en = "The picture is damaged and cannot be decoded"


class TooManyUploads(PictureRefusal):
    """An account has uploaded as many pictures as it may in a day; HTTP 429."""

    code = 1609
    zh = "今日上传图片数已达上限，请明天再试"
    en = "The daily limit on uploads has been reached, try again tomorrow"


class UploadFailed(PictureRefusal):
    """The folder or bucket of pictures cannot be written; HTTP 503."""

    code = 1610
    zh = "服务器暂时无法保存图片，请稍后再试"
    en = "The server cannot store pictures now"


class UnknownPicture(PictureRefusal):
    """No picture has this address; HTTP 404."""

    code = 1611
    zh = "图片不存在"
    en = "There is no such picture"


# End of what is made.


def refusal_types(parent: type[Refusal] = Refusal) -> list[type[Refusal]]:
    """Return the classes that have a code of their own."""
    found: list[type[Refusal]] = []
    for child in parent.__subclasses__():
        found += [child] if child.code else []
        found += refusal_types(child)
    return found


@lru_cache(maxsize=1)
def _types_by_code() -> dict[int, list[type[Refusal]]]:
    by_code: dict[int, list[type[Refusal]]] = {}
    for refusal_type in refusal_types():
        by_code.setdefault(refusal_type.code, []).append(refusal_type)
    return by_code


def find_refusal_type(code: int, message: str) -> type[Refusal]:
    """Return the class of a code; of several the one whose text it is."""
    known = _types_by_code().get(code, [Refusal])
    return next((one for one in known if match_text(one, message) is not None), known[0])
