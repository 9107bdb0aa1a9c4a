"""Names of parts, operations and targets on the terminal.

Results and docs/performance.md keep the English names. The terminal shows each in its language.
"""

import re
from collections.abc import Mapping

from hupan.cli.language import say
from hupan.localized import LocalizedText

PART_TITLES: Mapping[str, LocalizedText] = {
    "reads": LocalizedText("读取", "Reads"),
    "writes": LocalizedText("写入", "Writes"),
    "captchas": LocalizedText("图形验证码", "Captchas"),
    "sign-ins": LocalizedText("密码登录", "Password sign-ins"),
    "growth": LocalizedText("数据增长", "Growth"),
    "start": LocalizedText("启动", "Start"),
    "postgres": LocalizedText("PostgreSQL", "PostgreSQL"),
}
CHINESE: Mapping[str, str] = {
    **{name: title.zh for name, title in PART_TITLES.items()},
    "fill": "填充数据",
    "own info": "本人信息",
    "get-user": "用户信息",
    "conversation/list": "会话列表",
    "bare answer": "空响应",
    "bare answer, uvicorn itself": "空响应（uvicorn）",
    "bare answer (64)": "空响应（64 个连接）",
    "bare SQLite look-up": "SQLite 直接查询",
    "nickname change": "修改昵称",
    "nickname change, p99": "修改昵称的 p99",
    "raw fsync of 4 KiB": "4 KiB 的 fsync",
    "captcha": "图形验证码",
    "captcha, pool full": "图形验证码（预生成充足）",
    "captcha, sustained": "图形验证码（持续生成）",
    "password sign-in": "密码登录",
    "raw argon2": "argon2 直接计算",
    "raw argon2, libsodium": "libsodium 直接计算",
    "own info, server idle": "本人信息（空闲时）",
    "own info, during sign-ins": "本人信息（密码登录期间）",
    "own info's p99 during sign-ins": "本人信息的 p99（密码登录期间）",
    "idle": "空闲时",
    "own info, PostgreSQL": "本人信息（PostgreSQL）",
    "bare asyncpg look-up": "asyncpg 直接查询",
    "asyncpg look-up": "asyncpg 直接查询",
    "the same by a prepared statement, no pool": "同一查询（预编译，无连接池）",
    "copying to PostgreSQL": "复制到 PostgreSQL",
    "a page of coins": "一页金币记录",
    "own info with sessions": "本人信息（多个会话）",
    "get-user with remarks": "用户信息（多条备注）",
    "start to the first answer": "从启动到首个响应",
    "memory of an idle process": "空闲进程的内存",
    "accounts": "账号数",
    "rows of the account": "某账号的行数",
}
_LOST = re.compile(r"own info lost from ([\d,]+) to ([\d,]+) accounts")
_SIZED = re.compile(r"(.+), ([\d,]+)")


def localize(name: str) -> str:
    """Return a name in the language of the terminal."""
    return say(in_chinese(name), name)


def in_chinese(name: str) -> str:
    """Return the Chinese name; a ratio and a size keep their form, an unknown name stays."""
    if known := CHINESE.get(name):
        return known
    if lost := _LOST.fullmatch(name):
        return f"本人信息的降幅（{lost[1]} 到 {lost[2]} 个账号）"
    if sized := _SIZED.fullmatch(name):
        return f"{in_chinese(sized[1])}，{sized[2]}"
    return " / ".join(CHINESE.get(one, one) for one in name.split(" / "))
