"""Message templates, and the sanitizing of replies of mail servers and gateways (security L1)."""

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Final
from urllib.parse import unquote

from hupan.delivery.sender import Message, NotSent, raise_invalid_option

MAX_REPLY_CHARACTERS: Final = 200
_MAX_INPUT_CHARACTERS = 2000
_MASK = "***"
_MIN_SECRET_LENGTH = 4
_MAX_UNESCAPE_ROUNDS = 3
"""Maximum rounds of unescaping: a gateway may quote a reply that quotes another."""
_CHARACTER_ESCAPE = re.compile(r"(?:\\+|%)u([0-9a-fA-F]{4})|\\+x([0-9a-fA-F]{2})")
_GAP = r"[\s.\-_/()]{0,2}"
_WIDE_GAP = r"(?:<[^<>]{0,16}>|[\W_]){0,4}"
"""What may separate the digits of a known number or code."""
# Possible numbers, addresses, links with a key, and codes of other messages. No match
# may begin within another's run, else a long run would take quadratic time.
_PRIVATE = re.compile(
    rf"(?<!\d)\d(?:{_GAP}\d){{6,}}"
    r"|(?<![^\s@'\"<>])[^\s@'\"<>]+@[^\s@'\"<>]+"
    r"|(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://\S+"
)
_SIX_DIGITS = re.compile(rf"(?<!\d)\d(?:{_GAP}\d){{5}}(?!\d)")
# A key: letters and digits mixed.
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_LETTER, _DIGIT = re.compile("[A-Za-z]"), re.compile("[0-9]")


def sanitize_reply(text: str, secrets: Iterable[str]) -> str:
    """Return a reply as one line of bounded length, with everything private masked (security L1).

    Args:
        text: the reply of a gateway or a mail server; untrusted.
        secrets: the target, the code and the secrets of the settings, which it may repeat.
    """
    reply = _unescape_reply(text[:_MAX_INPUT_CHARACTERS])
    reply = "".join(c if c.isprintable() else " " for c in reply)
    reply = " ".join(reply.split())
    for private in sorted(
        {pattern for secret in secrets for pattern in _secret_patterns(secret)},
        key=len,
        reverse=True,
    ):
        reply = re.sub(private, _MASK, reply, flags=re.IGNORECASE)
    reply = _SIX_DIGITS.sub(_MASK, _LONG_WORD.sub(_mask_key, _PRIVATE.sub(_MASK, reply)))
    return reply if len(reply) <= MAX_REPLY_CHARACTERS else f"{reply[:MAX_REPLY_CHARACTERS]}…"


def _unescape_reply(text: str) -> str:
    """Return a text without escapes, full-width characters and marks on digits."""
    for _ in range(_MAX_UNESCAPE_ROUNDS):
        before = text
        text = _CHARACTER_ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
        text = unescape(unquote(text))
        if text == before:
            break
    # Without marks first: sorting a long run of them takes quadratic time.
    text = unicodedata.normalize("NFKC", _strip_combining_marks(text))[:_MAX_INPUT_CHARACTERS]
    return _strip_combining_marks(text)


def _strip_combining_marks(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in {"Mn", "Me"})


def _mask_key(found: re.Match[str]) -> str:
    word = found[0]
    return _MASK if _LETTER.search(word) and _DIGIT.search(word) else word


def _secret_patterns(secret: str) -> Iterable[str]:
    """Yield patterns of the ways in which a secret may be repeated."""
    plain = " ".join(unicodedata.normalize("NFKC", secret).split())
    if len(plain) < _MIN_SECRET_LENGTH:
        return
    if plain.removeprefix("+").isdigit():
        yield _WIDE_GAP.join(plain.removeprefix("+").removeprefix("86"))
        yield re.escape(b64encode(plain.encode()).decode().rstrip("="))
        return
    yield re.escape(plain)
    yield re.escape(b64encode(secret.encode(errors="replace")).decode().rstrip("="))


DEFAULT_BRAND: Final = "湖畔"
_MAX_BRAND_LENGTH = 40
_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered message; an SMS has an empty subject."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """The texts of one purpose; `{brand}`, `{code}` and `{minutes}` are filled in."""

    sms: str
    subject: str
    body_zh: str
    body_en: str


def _notice_template(sms: str, subject: str, english: str) -> MessageTemplate:
    """Return a notice's texts: its SMS sentence is also the Chinese half of its e-mail."""
    return MessageTemplate(
        sms="【{brand}】" + sms + "如非本人操作，请尽快联系管理员。",
        subject="{brand} " + subject,
        body_zh=sms + "\n如果不是您本人操作，请尽快联系管理员。",
        body_en=english + "\nIf this was not you, contact the operator soon.",
    )


MESSAGE_TEMPLATES: Final[dict[str, MessageTemplate]] = {
    "code": MessageTemplate(
        sms="【{brand}】验证码 {code}，{minutes} 分钟内有效。请勿告诉他人。",
        subject="{brand} 验证码 Verification code",
        body_zh="您的验证码是：{code}\n\n{minutes} 分钟内有效，只能使用一次，请勿告诉任何人。\n"
        "如果不是您本人操作，请忽略本邮件。",
        body_en="Your verification code is: {code}\n\nIt is valid for {minutes} minutes and works "
        "once. Do not share it.\nIf you did not ask for it, ignore this message.",
    ),
    "reset": MessageTemplate(
        sms="【{brand}】您正在重设密码，验证码 {code}，{minutes} 分钟内有效。请勿告诉他人。",
        subject="{brand} 重设密码 Password reset",
        body_zh="您正在重设密码，验证码是：{code}\n\n"
        "{minutes} 分钟内有效，只能使用一次，请勿告诉任何人。\n"
        "如果不是您本人操作，请忽略本邮件，密码不会改变。",
        body_en="Your code for a new password is: {code}\n\nIt is valid for {minutes} minutes and "
        "works once. Do not share it.\nIf you did not ask for it, ignore this message: your "
        "password stays as it is.",
    ),
    "notice-phone-changed": _notice_template(
        "您账号绑定的手机号已更换。",
        "手机号已更换 Phone number changed",
        "The phone number of your account was changed.",
    ),
    "notice-email-changed": _notice_template(
        "您账号绑定的邮箱已更换。",
        "邮箱已更换 E-mail address changed",
        "The e-mail address of your account was changed.",
    ),
    "notice-password-changed": _notice_template(
        "您账号的登录密码已更改。",
        "密码已更改 Password changed",
        "The password of your account was changed.",
    ),
    "notice-phone-bound": _notice_template(
        "您的账号已绑定新手机号。",
        "已绑定手机号 Phone number added",
        "A phone number was added to your account.",
    ),
    "notice-email-bound": _notice_template(
        "您的账号已绑定新邮箱。",
        "已绑定邮箱 E-mail address added",
        "An e-mail address was added to your account.",
    ),
    "notice-session-ended": _notice_template(
        "您的账号登录的设备过多，最早登录的设备已下线。",
        "设备已下线 Device signed out",
        "Too many devices were signed in to your account; the first of them was signed out.",
    ),
    "notice-password-removed": _notice_template(
        "管理员已清除您账号的登录密码，所有设备已下线。",
        "密码已清除 Password removed",
        "The operator removed the password of your account; all devices were signed out.",
    ),
    "notice-password-reset": _notice_template(
        "管理员已为您的账号发起密码重设，验证码已发送到您绑定的邮箱。",
        "重设密码 Password reset",
        "The operator started a reset of your password; the code went to your e-mail address.",
    ),
    "notice-signed-out": _notice_template(
        "管理员已将您账号的设备下线。",
        "设备已下线 Device signed out",
        "The operator signed out devices of your account.",
    ),
    "notice-account-restored": _notice_template(
        "您的账号已恢复，注销已取消。",
        "账号已恢复 Account restored",
        "Your account was restored: it is no longer cancelled.",
    ),
    "notice-account-cancelled": _notice_template(
        "您的账号已注销。",
        "账号已注销 Account cancelled",
        "Your account was cancelled.",
    ),
}

_EMAIL_BODY = """{chinese}

{english}

—— {brand}
{time} UTC
系统邮件，请勿回复。
Sent automatically; please do not reply.
"""


def render(message: Message, brand: str) -> Text:
    """Render a message for its channel.

    Args:
        message: the message; its `to` never appears in the text.
        brand: the signature, checked by `require_brand`.

    Raises:
        NotSent: the purpose is unknown, or the code does not fit it; not retryable.
    """
    template = _get_template(message)
    values = {"brand": brand, "code": message.code, "minutes": message.valid_minutes}
    if message.channel == "sms":
        return Text(subject="", body=template.sms.format_map(values))
    body = _EMAIL_BODY.format(
        chinese=template.body_zh.format_map(values),
        english=template.body_en.format_map(values),
        brand=brand,
        time=datetime.fromtimestamp(message.created_at, UTC).strftime("%Y-%m-%d %H:%M"),
    )
    return Text(subject=template.subject.format_map(values), body=body)


def require_brand(brand: str) -> str:
    """Return the brand if it can be used in a subject and an SMS.

    Raises:
        InvalidOption: it is empty, longer than 40 characters, or has unprintable ones.
    """
    if not brand.strip() or len(brand) > _MAX_BRAND_LENGTH or not brand.isprintable():
        raise_invalid_option(
            "brand",
            f"1 到 {_MAX_BRAND_LENGTH} 个可打印的字符",
            f"1 to {_MAX_BRAND_LENGTH} printable characters are needed",
        )
    return brand


def _get_template(message: Message) -> MessageTemplate:
    template = MESSAGE_TEMPLATES.get(message.purpose)
    if template is None:
        raise NotSent("there is no text for this purpose", is_retryable=False)
    fits = _CODE.fullmatch(message.code) if "{code}" in template.sms else message.code == ""
    if not fits:
        raise NotSent("the code does not fit the purpose", is_retryable=False)
    return template
