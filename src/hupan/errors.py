"""Every error that a client can receive: code, message in both languages, result class (wire.md 2).

The domain raises these classes, the api writes them to the wire, and docs/protocol.md lists them:
the docstring of a class says when it occurs. Clients show the message as it is. The name of a class
is the `reason` of an auth event, so it is public.

Codes of wire.md come first; ours are positive and grouped by the hundred: 10xx the server, 11xx the
request, 12xx captchas, codes and limits, 13xx login, 14xx accounts, 15xx coins, 16xx pictures.
"""

from typing import ClassVar, Literal, TypeAlias

from hupan.model import StoreUnavailable

ResultClass: TypeAlias = Literal["ok", "refused", "unauthenticated", "limited", "error"]
"""The class of an outcome, in the header `x-result` (security D3)."""


class AppError(Exception):
    """Base of all errors of this file.

    Attributes:
        code: the number that clients receive.
        zh: the message in Chinese, the default; `{name}` stands for an attribute of the error.
        en: the message in English, chosen by Accept-Language.
        result: the class of the outcome.
    """

    code: ClassVar[int]
    zh: ClassVar[str]
    en: ClassVar[str]
    result: ClassVar[ResultClass] = "refused"

    def message(self, *, english: bool) -> str:
        """Return the message in one language."""
        return (self.en if english else self.zh).format_map(vars(self))


class NotSignedIn(AppError):
    """The token does not belong to a live session."""

    code = -101
    zh = "未登录"
    en = "Not signed in"
    result = "unauthenticated"


class MissingToken(AppError):
    """A token is required, but none was sent; answered as JSON on every endpoint (wire.md 1.7)."""

    code = NotSignedIn.code
    zh = NotSignedIn.zh
    en = NotSignedIn.en
    result = NotSignedIn.result


class VipOnly(AppError):
    """A VIP feature for an account without active VIP."""

    code = -1
    zh = "功能仅限VIP用户使用"
    en = "This feature is for VIP users only"


class UnknownUser(AppError):
    """No account has this id: get-user, or save-user-remarks about it."""

    code = 4402
    zh = "该用户不存在"
    en = "This user does not exist"


class Banned(AppError):
    """Login to a banned account after a correct code or password, its token, or get-user of it."""

    code = 7100
    zh = "因违反相关规定，该用户被封禁"
    en = "This user is banned for breaking the rules"


class ServerError(AppError):
    """A fault of the server; the log has it under the request's id."""

    code = 1000
    zh = "服务器内部错误，请稍后再试"
    en = "Internal server error"
    result = "error"


class StorageFailed(AppError):
    """The disk or the database does not accept changes; nothing was stored."""

    code = 1001
    zh = "服务器暂时无法保存数据，请稍后再试"
    en = "The server cannot store data now"
    result = "error"


class Busy(AppError):
    """Too many passwords wait to be checked, or too many changes wait to be stored."""

    code = 1002
    zh = "服务器繁忙，请稍后再试"
    en = "The server is busy, try again later"
    result = "limited"


class ShuttingDown(AppError):
    """The server is shutting down; HTTP 503."""

    code = 1003
    zh = "服务器正在停止，请稍后再试"
    en = "The server is shutting down"
    result = "error"


class UpstreamUnavailable(AppError):
    """The message server cannot be reached, or its answer is unusable; HTTP 502."""

    code = 1004
    zh = "消息服务器暂不可用，请稍后再试"
    en = "The message server is not available, try again later"
    result = "error"


class UpstreamTimedOut(AppError):
    """The message server did not answer in time; HTTP 504."""

    code = 1005
    zh = "消息服务器未及时响应，请稍后再试"
    en = "The message server did not answer in time, try again later"
    result = "error"


class UpstreamOverloaded(AppError):
    """The maximum number of requests is waiting for the message server; HTTP 503."""

    code = 1006
    zh = "消息服务器繁忙，请稍后再试"
    en = "The message server is busy, try again later"
    result = "limited"


class InvalidField(AppError):
    """A field is missing, of the wrong type or out of range; the message names it.

    Attributes:
        field: its name on the wire.
    """

    code = 1100
    zh = "请求参数错误，{field}字段值非法"
    en = "Bad request: the value of {field} is not valid"

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class UnreadableBody(AppError):
    """The body is not of the endpoint's form at all."""

    code = 1100
    zh = "请求参数错误，请求体无法解析"
    en = "Bad request: the body cannot be read"


class UnknownEndpoint(AppError):
    """No endpoint has this path and method; HTTP 404."""

    code = 1104
    zh = "接口不存在"
    en = "There is no such endpoint"


class NotAnAccountEndpoint(AppError):
    """An endpoint of messages, groups, stickers or the like (wire.md 8.2); HTTP 404."""

    code = 1105
    zh = "本服务器只提供账号功能，没有此接口"
    en = "This server handles accounts only and does not have this endpoint"


class BodyTooLarge(AppError):
    """The body is larger than 64 KiB (JSON) or 16 KiB (protobuf); HTTP 413."""

    code = 1113
    zh = "请求体过大"
    en = "The body is too large"


class WrongCaptcha(AppError):
    """A captcha's answer is wrong, or the captcha was used before or expired: fetch a new one."""

    code = 1201
    zh = "图形验证码错误或已失效"
    en = "The captcha is wrong, used or expired"


class WrongCode(AppError):
    """A code is wrong, used, expired, out of its five attempts, or valid for something else."""

    code = 1202
    zh = "验证码错误或已失效"
    en = "The code is wrong, used or expired"


class TooManyTries(AppError):
    """A limit on codes sent, on wrong codes, or on profile views of an account was reached."""

    code = 1203
    zh = "操作过于频繁，请稍后再试"
    en = "Too many tries, try again later"
    result = "limited"


class TooManyFromHere(AppError):
    """A limit of the client's address or network was reached; checked before anything else."""

    code = 1204
    zh = "当前网络下操作过于频繁，请稍后再试"
    en = "Too many requests from your network, try again later"
    result = "limited"


class SendingStopped(AppError):
    """The server has sent as many codes as its operator allows in a day (security C11)."""

    code = 1205
    zh = "今日验证码发送量已达上限，请明天再试"
    en = "The daily limit on codes has been reached, try again tomorrow"
    result = "limited"


class CaptchaNotOffered(AppError):
    """The server does not offer this kind of captcha (setting `captcha_kinds`)."""

    code = 1206
    zh = "本服务器未启用这种验证码，请换用另一种"
    en = "This server does not offer this kind of captcha; use the other one"


class WrongEmailOrPassword(AppError):
    """email-login with anything wrong, or after too many attempts (security E1)."""

    code = 1301
    zh = "邮箱或密码错误"
    en = "The e-mail address or the password is wrong"


class WrongClientSecret(AppError):
    """A server asked about a token with a wrong name or secret; HTTP 401, never sent to clients."""

    code = 1303
    zh = "服务器的名称或密钥错误"
    en = "The server's name or secret is wrong"


class ClientExists(AppError):
    """A server of that name may ask about tokens already; only operators see it."""

    code = 1304
    zh = "已有同名的服务器"
    en = "A server with this name already exists"


class UnknownClient(AppError):
    """No server of that name may ask about tokens; only operators see it."""

    code = 1305
    zh = "没有这个名称的服务器"
    en = "There is no server with this name"


class SignUpClosed(AppError):
    """verification-login with a new number while sign-up is closed."""

    code = 1302
    zh = "本服务器暂未开放注册"
    en = "Sign-up is closed on this server"


class PhoneTaken(AppError):
    """The number belongs to another account; answered only after a correct code."""

    code = 1401
    zh = "该手机号已被使用"
    en = "This phone number is in use"


class EmailTaken(AppError):
    """The address belongs to another account; answered only after a correct code."""

    code = 1402
    zh = "该邮箱已被使用"
    en = "This e-mail address is in use"


class PhoneBound(AppError):
    """bing-phone of an account that has a number."""

    code = 1403
    zh = "已绑定手机号，如需更换请使用更换手机号"
    en = "A phone number is already bound; to replace it, change it"


class EmailBound(AppError):
    """bing-email of an account that has an address."""

    code = 1404
    zh = "已绑定邮箱，如需更换请使用更换邮箱"
    en = "An e-mail address is already bound; to replace it, change it"


class PhoneNotBound(AppError):
    """change-phone-check of an account that has no number."""

    code = 1405
    zh = "尚未绑定手机号"
    en = "No phone number is bound yet"


class EmailNotBound(AppError):
    """change-email-check of an account that has no address."""

    code = 1406
    zh = "尚未绑定邮箱"
    en = "No e-mail address is bound yet"


class ProofNeeded(AppError):
    """A change in an older session without proof of the current contact (security D2)."""

    code = 1407
    zh = "请先用当前绑定的手机号或邮箱完成验证，或重新登录后再试"
    en = "First confirm the number or address that is bound now, or sign in again"


class PasswordTooShort(AppError):
    """forget-password with a password that is too short; the message names the minimum.

    Attributes:
        min_characters: the minimum.
    """

    code = 1408
    zh = "密码太短，至少需要 {min_characters} 个字符"
    en = "The password needs at least {min_characters} characters"

    def __init__(self, min_characters: int) -> None:
        super().__init__(min_characters)
        self.min_characters = min_characters


class WeakPassword(AppError):
    """forget-password with a common password, or one made of the account's data (security P3)."""

    code = 1409
    zh = "密码过于简单：请勿使用常见密码，或包含昵称、手机号、邮箱的密码"
    en = "The password is too common, or made of your name, number or address"


class TooLateToUndo(AppError):
    """An operator undoes a change that is too old or was undone; never sent to clients."""

    code = 1410
    zh = "该更换无法撤销"
    en = "This change cannot be undone"


class OlderProofNeeded(AppError):
    """The contact bound earlier must prove this, because the later one was bound without proof.

    A change of the earlier one, or a cancellation by the later one, while that binding can still be
    undone (security D2, A1).
    """

    code = 1411
    zh = "请用较早绑定的手机号或邮箱完成验证"
    en = "First confirm the number or address that was bound earlier"


class AccountCancelled(AppError):
    """Login to a cancelled, not yet erased account, after a correct code or password (E3)."""

    code = 1421
    zh = "该账号已注销，其数据清除后方可重新注册"
    en = "This account was cancelled: sign up again once its data is erased"


class InvitationCodeTaken(AppError):
    """change-user-invite-code to one that is or was another account's."""

    code = 1431
    zh = "该邀请码已被使用"
    en = "This invitation code is in use"


class InvitationCodeChanged(AppError):
    """change-user-invite-code for the second time."""

    code = 1432
    zh = "邀请码只能修改一次"
    en = "An invitation code can be changed only once"


class TooManyRemarks(AppError):
    """save-user-remarks beyond the maximum number of remarks of one account."""

    code = 1441
    zh = "备注数量已达上限"
    en = "The maximum number of remarks has been reached"


class RemarksFull(AppError):
    """save-user-remarks beyond the maximum length of all remarks; shorter ones are accepted."""

    code = 1442
    zh = "备注总字数已达上限，请先删减其他备注"
    en = "Your remarks are too long in total: shorten or clear some first"


class NotEnoughCoins(AppError):
    """The balance is lower than a price, or would fall below zero."""

    code = 1501
    zh = "金币余额不足"
    en = "Not enough coins"


class TooManyCoins(AppError):
    """The balance would exceed what a double holds exactly; today only operators can cause this."""

    code = 1502
    zh = "金币余额超出上限"
    en = "The coin balance would be too high"


class CoinKeyReused(AppError):
    """The key of a change of coins is reused for another; today only operators can cause this."""

    code = 1503
    zh = "该金币操作编号已用于其他操作"
    en = "This key was already used for a different coin change"


class UnknownProduct(AppError):
    """product-detail or order-create of a product that the shop does not sell."""

    code = 1511
    zh = "商品不存在或已下架"
    en = "This product is not on sale"


class SoldOut(AppError):
    """order-create of a product that is sold out."""

    code = 1512
    zh = "商品已售罄"
    en = "This product is sold out"


class PriceChanged(AppError):
    """order-create with a price that does not apply to the caller now; the message has the price.

    Attributes:
        price: the one that applies, in whole coins.
    """

    code = 1513
    zh = "商品价格已变为 {price} 金币，请刷新后重试"
    en = "The price is now {price} coins, refresh and try again"

    def __init__(self, price: int) -> None:
        super().__init__(price)
        self.price = price


class InvalidUploadToken(AppError):
    """An upload without a token, or with a forged or expired one; HTTP 401."""

    code = 1601
    zh = "上传凭证无效或已过期，请重新获取"
    en = "The upload token is not valid or has expired: fetch a new one"
    result = "unauthenticated"


class ForbiddenPictureKey(AppError):
    """An upload with a token that is for another key; HTTP 403."""

    code = 1602
    zh = "上传凭证不适用于该文件名"
    en = "The upload token is for another key"


class InvalidPictureKey(AppError):
    """An upload with a key that is too long or has other characters; HTTP 400."""

    code = 1603
    zh = "文件名非法：至多 200 个字符，仅限字母、数字和 . _ ~ - / 等"
    en = "The key is not valid: at most 200 letters, digits and . _ ~ - / = + @ , !"


class UnreadableUpload(AppError):
    """An upload that is not a form of a token, a key and one file, or ends too early; HTTP 400."""

    code = 1604
    zh = "上传内容无法解析，应为包含 token、key 和 file 的表单"
    en = "The upload cannot be read: send a form with token, key and file"


class UploadTooLarge(AppError):
    """An upload of more than 8 MiB; HTTP 413."""

    code = 1605
    zh = "图片过大，至多 8 MB"
    en = "The picture is too large: at most 8 MB"


class UnknownPictureKind(AppError):
    """An upload that is not PNG, JPEG or WebP, under any name; HTTP 415."""

    code = 1606
    zh = "仅支持 PNG、JPEG 和 WebP 图片"
    en = "Only PNG, JPEG and WebP pictures are accepted"


class PictureTooLarge(AppError):
    """An upload with more than 4,096 pixels a side, or 16 million in all; HTTP 422."""

    code = 1607
    zh = "图片尺寸过大，长和宽至多 4096 像素"
    en = "The picture has too many pixels: at most 4096 on each side"


class BrokenPicture(AppError):
    """An upload that is damaged, or takes too long to decode; HTTP 422."""

    code = 1608
    zh = "图片已损坏或无法解码"
    en = "The picture is damaged and cannot be decoded"


class TooManyUploads(AppError):
    """An account has uploaded as many pictures as it may in a day; HTTP 429."""

    code = 1609
    zh = "今日上传图片数已达上限，请明天再试"
    en = "The daily limit on uploads has been reached, try again tomorrow"
    result = "limited"


class UploadFailed(AppError):
    """The folder or bucket of pictures cannot be written; HTTP 503."""

    code = 1610
    zh = "服务器暂时无法保存图片，请稍后再试"
    en = "The server cannot store pictures now"
    result = "error"


class UnknownPicture(AppError):
    """No picture has this address; HTTP 404."""

    code = 1611
    zh = "图片不存在"
    en = "There is no such picture"


APP_ERRORS: tuple[type[AppError], ...] = tuple(AppError.__subclasses__())
"""All of them, in the order of this file."""


def to_app_error(error: Exception) -> AppError:
    """Return the error that a request ends with."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, StoreUnavailable):
        return Busy() if error.is_busy else StorageFailed()
    return ServerError()
