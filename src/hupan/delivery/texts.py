"""The words of every message: fixed, Chinese first; nothing a user typed goes in (security U8)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hupan.delivery.message import Message
from hupan.delivery.options import refuse
from hupan.delivery.protocol import NotSent

DEFAULT_BRAND: Final = "湖畔"
_BRAND_LENGTH = 40
_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Text:
    """A message in words; an SMS has an empty subject."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one purpose; `{brand}`, `{code}` and `{minutes}` are filled in."""

    sms: str
    subject: str
    chinese: str
    english: str


def _notice(sms: str, subject: str, english: str) -> Wording:
    """Word a notice: its SMS sentence is the Chinese half of its e-mail as well."""
    return Wording(
        sms="【{brand}】" + sms + "如非本人操作，请尽快联系管理员。",
        subject="{brand} " + subject,
        chinese=sms + "\n如果不是您本人操作，请尽快联系管理员。",
        english=english + "\nIf this was not you, contact the operator soon.",
    )


WORDINGS: Final[dict[str, Wording]] = {
    "code": Wording(
        sms="【{brand}】验证码 {code}，{minutes} 分钟内有效。请勿告诉他人。",
        subject="{brand} 验证码 Verification code",
        chinese="您的验证码是：{code}\n\n{minutes} 分钟内有效，只能使用一次，请勿告诉任何人。\n"
        "如果不是您本人操作，请忽略本邮件。",
        english="Your verification code is: {code}\n\nIt is valid for {minutes} minutes and works "
        "once. Tell it to nobody.\nIf you did not ask for it, ignore this message.",
    ),
    "reset": Wording(
        sms="【{brand}】您正在重设密码，验证码 {code}，{minutes} 分钟内有效。请勿告诉他人。",
        subject="{brand} 重设密码 Password reset",
        chinese="您正在重设密码，验证码是：{code}\n\n"
        "{minutes} 分钟内有效，只能使用一次，请勿告诉任何人。\n"
        "如果不是您本人操作，请忽略本邮件，密码不会改变。",
        english="Your code for a new password is: {code}\n\nIt is valid for {minutes} minutes and "
        "works once. Tell it to nobody.\nIf you did not ask for it, ignore this message: your "
        "password stays as it is.",
    ),
    "notice-phone-changed": _notice(
        "您账号绑定的手机号已更换。",
        "手机号已更换 Phone number changed",
        "The phone number of your account was changed.",
    ),
    "notice-email-changed": _notice(
        "您账号绑定的邮箱已更换。",
        "邮箱已更换 E-mail address changed",
        "The e-mail address of your account was changed.",
    ),
    "notice-password-changed": _notice(
        "您账号的登录密码已更改。",
        "密码已更改 Password changed",
        "The password of your account was changed.",
    ),
    "notice-phone-bound": _notice(
        "您的账号已绑定新手机号。",
        "已绑定手机号 Phone number added",
        "A phone number was added to your account.",
    ),
    "notice-email-bound": _notice(
        "您的账号已绑定新邮箱。",
        "已绑定邮箱 E-mail address added",
        "An e-mail address was added to your account.",
    ),
    "notice-session-ended": _notice(
        "您的账号登录的设备过多，最早登录的设备已下线。",
        "设备已下线 Device signed out",
        "Too many devices were signed in to your account; the first of them was signed out.",
    ),
    "notice-password-removed": _notice(
        "管理员已清除您账号的登录密码，所有设备已下线。",
        "密码已清除 Password removed",
        "The operator removed the password of your account; all devices were signed out.",
    ),
    "notice-password-reset": _notice(
        "管理员已为您的账号发起密码重设，验证码已发送到您绑定的邮箱。",
        "重设密码 Password reset",
        "The operator started a reset of your password; the code went to your e-mail address.",
    ),
    "notice-signed-out": _notice(
        "管理员已将您账号的设备下线。",
        "设备已下线 Device signed out",
        "The operator signed devices of your account out.",
    ),
    "notice-account-restored": _notice(
        "您的账号已恢复，注销已取消。",
        "账号已恢复 Account restored",
        "Your account was restored: it is not cancelled any more.",
    ),
    "notice-account-cancelled": _notice(
        "您的账号已注销。",
        "账号已注销 Account cancelled",
        "Your account was cancelled.",
    ),
}

_MAIL = """{chinese}

{english}

—— {brand}
{time} UTC
系统邮件，请勿回复。 Sent automatically; please do not reply.
"""


def render(message: Message, brand: str) -> Text:
    """Put a message into words for its channel.

    Args:
        message: What to say; its `to` never appears in the text.
        brand: The signature, as `require_brand` lets it pass.

    Raises:
        NotSent: The purpose is unknown, or the code does not fit it; never worth another try.
    """
    wording = _wording(message)
    filling = {"brand": brand, "code": message.code, "minutes": message.valid_minutes}
    if message.channel == "sms":
        return Text(subject="", body=wording.sms.format_map(filling))
    body = _MAIL.format(
        chinese=wording.chinese.format_map(filling),
        english=wording.english.format_map(filling),
        brand=brand,
        time=datetime.fromtimestamp(message.created_at, UTC).strftime("%Y-%m-%d %H:%M"),
    )
    return Text(subject=wording.subject.format_map(filling), body=body)


def require_brand(brand: str) -> str:
    """Give the brand back if it can stand in a subject and an SMS.

    Raises:
        ValueError: It is empty, longer than 40 characters, or holds unprintable ones.
    """
    if not brand.strip() or len(brand) > _BRAND_LENGTH or not brand.isprintable():
        refuse(
            "brand",
            f"1 到 {_BRAND_LENGTH} 个可打印的字符",
            f"1 to {_BRAND_LENGTH} printable characters are needed",
        )
    return brand


def _wording(message: Message) -> Wording:
    wording = WORDINGS.get(message.purpose)
    if wording is None:
        raise NotSent("there is no text for this purpose", again=False)
    fits = _CODE.fullmatch(message.code) if "{code}" in wording.sms else message.code == ""
    if not fits:
        raise NotSent("the code does not fit the purpose", again=False)
    return wording
