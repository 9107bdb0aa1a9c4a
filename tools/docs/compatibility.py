"""Make docs/compatibility.md and its Chinese twin from the table of endpoints."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from google.protobuf.message import Message

from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import (
    AllowLoggedOut,
    Endpoint,
    Note,
    OptionalSession,
    Public,
    RequiredSession,
    RequiredVip,
)
from tools.docs.general import GENERAL_NOTES

Language: TypeAlias = Literal["en", "zh"]
Line: TypeAlias = Endpoint[Any, Any, Any]

_HEAD: dict[Language, str] = {
    "en": """\
# Compatibility

English · [中文](compatibility.zh-CN.md)

Hupan implements every account endpoint that Yunhu clients are known to call. This page says where
each endpoint comes from, and where Hupan differs from the public service or the published
reference. [protocol.md](protocol.md) has the messages and the codes.

Generated from the contract by `make docs`; do not edit.

- **Source**: R, the published reference. C, the code of real clients. D, our decision, where the
  behaviour of the public service is unknown or where we chose a different one.
- **Access**: *none*, no token needed. *any token*, any non-empty token; a valid one identifies the
  viewer. *session*, the token of a live session. *VIP*, a live session and VIP in force.
  *session or logged out*, the token of a live or logged-out session.
- **web** is selected by a host name that begins with `chat-web-go.`, or by the path prefix `/web`.

## Endpoints

| surface | method | path | access | codec | source |
|---|---|---|---|---|---|
""",
    "zh": """\
# 兼容性

中文 · [English](compatibility.md)

湖畔实现了已知云湖客户端调用的全部账号接口。本页说明约定中每一行的来源，以及湖畔与公共服务或
公开文档的不同之处。消息与状态码见 [protocol.md](protocol.md)。

本页由 `make docs` 根据约定生成，请勿手动修改。

- **来源**：R 公开文档写明；C 从真实客户端的代码读出；D 无从得知，或有意与之不同，由湖畔自行决定。
- **权限**：*无* 不需要令牌；*任意令牌* 非空即可，有效的令牌表明谁在询问；*会话* 需要有效会话的
  令牌；*会员* 同上且会员有效；*会话或已退出* 有效会话或已退出登录的令牌。
- **web** 由以 `chat-web-go.` 开头的域名或路径前缀 `/web` 选定。

## 接口

| 接口面 | 方法 | 路径 | 权限 | 编码 | 来源 |
|---|---|---|---|---|---|
""",
}

_ACCESS: dict[type, dict[Language, str]] = {
    Public: {"en": "none", "zh": "无"},
    OptionalSession: {"en": "any token", "zh": "任意令牌"},
    RequiredSession: {"en": "session", "zh": "会话"},
    RequiredVip: {"en": "VIP", "zh": "会员"},
    AllowLoggedOut: {"en": "session or logged out", "zh": "会话或已退出"},
}

_TITLES: dict[Language, tuple[str, str]] = {
    "en": ("All endpoints", "Single endpoints"),
    "zh": ("所有接口", "单个接口"),
}


def compatibility_page(language: Language) -> str:
    """Return the page as Markdown."""
    general, single = _TITLES[language]
    return "".join(
        (
            _HEAD[language],
            *(_row(line, language) for line in ENDPOINTS),
            f"\n## {general}\n\n",
            _bullets(GENERAL_NOTES, language),
            f"\n## {single}\n",
            *(_section(line, language) for line in ENDPOINTS if line.notes),
        )
    )


def source_marks(line: Line) -> str:
    """Return the sources of an endpoint and of its notes."""
    marks = {line.source, *(note.source for note in line.notes)}
    return " ".join(mark for mark in "RCD" if mark in marks)


def _row(line: Line, language: Language) -> str:
    codec = "protobuf" if issubclass(line.response, Message) else "JSON"
    access = _ACCESS[type(line.access)][language]
    cells = (line.surface, line.method, f"`{line.path}`", access, codec, source_marks(line))
    return f"| {' | '.join(cells)} |\n"


def _section(line: Line, language: Language) -> str:
    web = "web " if line.surface == "web" else ""
    return f"\n### {web}{line.method} {line.path}\n\n{_bullets(line.notes, language)}"


def _bullets(notes: Iterable[Note], language: Language) -> str:
    return "".join(f"- {note.source}: {getattr(note, language)}\n" for note in notes)
