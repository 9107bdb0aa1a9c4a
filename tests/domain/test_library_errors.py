"""Errors of libraries and of the system are shown in one language (names.md rule 9; web.md W-6).

The story: a developer sent a number instead of a text. The page was Chinese, and its
sentence contained "Expected `str`, got `int` - at `$.email`".
"""

import errno
import json
import os
import socket
import ssl
import tomllib
from collections.abc import Callable
from typing import Annotated, Literal

import asyncpg
import msgspec
import pytest
from msgspec import Meta, Struct

from hupan.library_errors import localize_error, localize_reason
from hupan.localized import LocalizedError
from hupan.store.postgres_pool import localize_postgres_error
from tests.support.languages import CHINESE, english_in_chinese

pytestmark = pytest.mark.one_engine


class Sample(Struct, forbid_unknown_fields=True):
    """A field for each kind of error."""

    number: int
    bounded: Annotated[int, Meta(ge=0, le=9)] = 0
    text: Annotated[str, Meta(max_length=2)] = ""
    choice: Literal["x", "y"] = "x"
    either: int | str | None = None
    flag: bool = False
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    texts: list[str] = []
    pair: tuple[int, int] = (1, 2)
    inner: "Sample | None" = None
    by_name: dict[str, int] = {}
    data: bytes = b""


BODIES = [
    ("", "内容不完整", "it ends too early"),
    ("{", "内容不完整", "it ends too early"),
    ("[1]", "须为对象，不能是列表", "must be an object, not a list"),
    ("{}", "缺少 number", "number is missing"),
    (
        '{"number":"1"}',
        "number：须为整数，不能是文本",
        "number: must be a whole number, not a text",
    ),
    (
        '{"number":1.5}',
        "number：须为整数，不能是小数",
        "number: must be a whole number, not a fraction",
    ),
    (
        '{"number":null}',
        "number：须为整数，不能是 null",
        "number: must be a whole number, not null",
    ),
    ('{"number":1e400}', "number：数字超出范围", "number: the number is out of range"),
    ('{"number":1,"numer":1}', "没有 numer 这个键", "there is no key numer"),
    ('{"number":1,"bounded":-1}', "bounded：须不小于 0", "bounded: must be at least 0"),
    ('{"number":1,"bounded":10}', "bounded：须不大于 9", "bounded: must be at most 9"),
    ('{"number":1,"text":"abc"}', "text：长度须不大于 2", "text: its length must be at most 2"),
    ('{"number":1,"choice":"z"}', "choice：不是可用的值", "choice: not one of the possible values"),
    (
        '{"number":1,"either":[]}',
        "either：须为整数或文本，不能是列表",
        "either: must be a whole number or a text, not a list",
    ),
    ('{"number":1,"share":0}', "share：须大于 0.0", "share: must be more than 0.0"),
    ('{"number":1,"share":2}', "share：须小于 1.0", "share: must be less than 1.0"),
    (
        '{"number":1,"flag":0}',
        "flag：须为 true 或 false，不能是整数",
        "flag: must be true or false, not a whole number",
    ),
    (
        '{"number":1,"texts":["",1]}',
        "texts[1]：须为文本，不能是整数",
        "texts[1]: must be a text, not a whole number",
    ),
    ('{"number":1,"pair":[1]}', "pair：长度须为 2", "pair: its length must be exactly 2"),
    ('{"number":1,"inner":{}}', "inner：缺少 number", "inner: number is missing"),
    (
        '{"number":1,"by_name":{"a":""}}',
        "by_name[...]：须为整数，不能是文本",
        "by_name[...]: must be a whole number, not a text",
    ),
    ('{"number":1,"data":"?"}', "data：不是可用的值", "data: not one of the possible values"),
    ("{number:1}", "第 1 字节：键须为文本", "keys must be strings at byte 1"),
    ('{"number":1,}', "第 12 字节：末尾有多余的逗号", "trailing comma at byte 12"),
    ('{"number" 1}', "第 10 字节：缺少冒号", "expected ':' at byte 10"),
    ('{"number":1} x', "第 14 字节：之后有多余的内容", "unexpected data after the end at byte 14"),
    ('{"number":01}', "第 11 字节：数字有误", "invalid number at byte 11"),
    ('{"number":?}', "第 10 字节：不合语法", "invalid syntax at byte 10"),
]


def error_of(work: Callable[[], object]) -> Exception:
    """Return the error that a function raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any of them
        work()
    return caught.value


@pytest.mark.parametrize(("body", "zh", "en"), BODIES)
def test_what_a_decoder_says(body: str, zh: str, en: str) -> None:
    """The message names the field and the expected type, in the reader's language (W-6)."""
    text = localize_error(error_of(lambda: msgspec.json.decode(body, type=Sample)))
    assert (text.zh, text.en) == (zh, en)


OTHERS: list[tuple[Callable[[], object], str]] = [
    (lambda: msgspec.json.decode(b'"\xff"', type=str), "UTF-8"),
    (lambda: json.loads("{"), "第 1 行第 2 列"),
    (lambda: json.loads('{"a":\n}'), "第 2 行第 1 列：缺少值"),
    (lambda: json.loads('{"a" 1}'), "缺少冒号"),
    (lambda: json.loads("[1 2]"), "缺少逗号"),
    (lambda: json.loads("1 2"), "之后有多余的内容"),
    (lambda: json.loads('"a'), "未结束"),
    (lambda: json.loads('"\\x"'), "反斜线"),
    (lambda: json.loads('"\\u00"'), "十六进制"),
    (lambda: json.loads('"\n"'), "控制字符"),
    (lambda: tomllib.loads("a = 1\nb = ?"), "第 2 行第 5 列"),
    (lambda: tomllib.loads("a = 1\na = 2\n"), "相同的键"),
    (lambda: tomllib.loads("[a"), "文件末尾"),
    (lambda: open("/none/such"), "/none/such：文件或目录不存在"),  # noqa: PTH123, SIM115 - it fails
    (lambda: open("/"), "是目录"),  # noqa: PTH123, SIM115 - it fails
    (lambda: socket.create_connection(("127.0.0.1", 1)), "连接被拒绝"),
    (lambda: socket.getaddrinfo("-", 1, type=12345), "主机名"),
    (lambda: ssl.create_default_context(cafile="/dev/null"), "系统错误"),
]


@pytest.mark.parametrize(("work", "zh"), OTHERS)
def test_what_the_system_says(work: Callable[[], object], zh: str) -> None:
    """Errors of JSON, TOML, files and addresses mix no languages (W-6)."""
    text = localize_error(error_of(work))
    assert zh in text.zh
    assert english_in_chinese(text.zh) == []
    assert text.en
    assert not CHINESE.search(text.en)


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_number_of_the_system_has_a_text(number: int) -> None:
    """Common numbers have a text, others are shown by name (W-6)."""
    text = localize_reason(OSError(number, os.strerror(number), "/a/path"))
    assert text.en == os.strerror(number)
    assert english_in_chinese(text.zh) == []
    assert CHINESE.search(text.zh)
    assert "/a/path" not in text.zh


def test_what_postgresql_says() -> None:
    """The SQLSTATE decides; the Chinese text has no words of the server (W-6)."""
    for kind, zh in (
        (asyncpg.InvalidPasswordError, "密码"),
        (asyncpg.InvalidCatalogNameError, "没有这个数据库"),
        (asyncpg.InsufficientPrivilegeError, "权限不足"),
        (asyncpg.CannotConnectNowError, "正在启动"),
        (asyncpg.TooManyConnectionsError, "连接过多"),
        (asyncpg.UndefinedTableError, "42P01"),
        (asyncpg.InterfaceError, "连接失败"),
        (ConnectionRefusedError, "系统错误"),
    ):
        text = localize_postgres_error(kind("its own words"))
        assert zh in text.zh
        assert "its own words" not in text.zh
        assert text.en == "its own words"


def test_an_error_of_ours_keeps_its_texts() -> None:
    """An unknown error is named by its class (W-6)."""
    assert localize_error(LocalizedError("湖", "lake")).zh == "湖"
    assert localize_error(KeyError("lake")).zh == "出错（KeyError）"
    assert localize_error(RecursionError("maximum recursion depth exceeded")).zh == "嵌套过深"
