"""Accounts as people read them."""

from typing import Annotated, TypeAlias

import typer

from hupan.app.account_rows import Row
from hupan.cli.desks import show_row
from hupan.config import Settings

WhoArgument: TypeAlias = Annotated[
    str, typer.Argument(help="编号、手机号或邮箱 Id, phone number or e-mail", show_default=False)
]
LABELS = {
    "id": "编号\nId",
    "nickname": "昵称\nNickname",
    "phone": "手机号\nPhone",
    "email": "邮箱\nE-mail",
    "coins": "金币\nCoins",
    "vip": "会员\nVIP",
    "banned": "封禁\nBanned",
    "banReason": "封禁原因\nReason of the ban",
    "medals": "勋章\nMedals",
    "invitationCode": "邀请码\nInvitation code",
    "invitedBy": "邀请人\nInvited by",
    "onlineDays": "在线天数\nDays online",
    "country": "归属地\nCountry",
    "registeredAt": "注册时间\nRegistered",
    "lastActiveAt": "最近活跃\nLast active",
    "erasedAt": "已注销，清除时间\nCancelled, erased",
}
_IN_A_LIST = (
    *("id", "nickname", "phone", "email", "coins", "vip", "banned", "registeredAt", "erasedAt"),
)
HEADS = {key: LABELS[key] for key in _IN_A_LIST}


def show_account(told: tuple[Row, Settings], *, as_json: bool) -> None:
    """Writes one account."""
    row, settings = told
    show_row(row, LABELS, settings, as_json=as_json)
