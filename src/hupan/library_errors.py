"""Translates errors of the system and of decoders, which are in English only."""

import errno
import json
import os
import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Final

import msgspec

from hupan.localized import LocalizedError, LocalizedText


def localize_error(error: Exception) -> LocalizedText:
    """Return the text of an error of ours, of the system or of a decoder, each in its language."""
    reason = localize_reason(error)
    if not isinstance(error, OSError) or error.filename is None:
        return reason
    path = os.fsdecode(error.filename)
    return LocalizedText(f"{path}：{reason.zh}", f"{path}: {reason.en}")


@singledispatch
def localize_reason(error: Exception) -> LocalizedText:
    """Localize an error as `localize_error` does, without the path of a system error."""
    return LocalizedText(f"出错（{type(error).__name__}）", str(error) or type(error).__name__)


@localize_reason.register
def _(error: LocalizedError) -> LocalizedText:
    return error.localized


@localize_reason.register
def _(error: msgspec.MsgspecError) -> LocalizedText:
    return localize_decode_error(str(error))


@localize_reason.register
def _(_error: UnicodeDecodeError) -> LocalizedText:
    return LocalizedText("不是 UTF-8", "it is not UTF-8")


@localize_reason.register
def _(_error: RecursionError) -> LocalizedText:
    return LocalizedText("嵌套过深", "it is nested too deeply")


_OS_ERRORS: Final[Mapping[int, str]] = {
    errno.EPERM: "不允许此操作",
    errno.ENOENT: "文件或目录不存在",
    errno.EIO: "读写错误",
    errno.EACCES: "权限不足",
    errno.EBUSY: "正在被使用",
    errno.EEXIST: "文件已存在",
    errno.EXDEV: "不在同一文件系统上",
    errno.ENOTDIR: "不是目录",
    errno.EISDIR: "是目录，不是文件",
    errno.EINVAL: "参数无效",
    errno.ENFILE: "系统打开的文件过多",
    errno.EMFILE: "打开的文件过多",
    errno.ENOEXEC: "不是可执行的程序",
    errno.EFBIG: "文件过大",
    errno.ENOSPC: "磁盘空间不足",
    errno.EROFS: "文件系统只读",
    errno.EPIPE: "读取方已关闭",
    errno.ENAMETOOLONG: "名称过长",
    errno.ENOTEMPTY: "目录不是空的",
    errno.ELOOP: "符号链接，或符号链接过多",
    errno.EDQUOT: "超出磁盘配额",
    errno.ESTALE: "网络文件系统上的文件已失效",
    errno.ENOMEM: "内存不足",
    errno.EADDRINUSE: "地址已被占用",
    errno.EADDRNOTAVAIL: "本机没有这个地址",
    errno.ENETUNREACH: "网络不可达",
    errno.EHOSTUNREACH: "主机不可达",
    errno.ECONNREFUSED: "连接被拒绝，该端口没有程序在监听",
    errno.ECONNRESET: "连接被对方重置",
    errno.ECONNABORTED: "连接中断",
    errno.ETIMEDOUT: "超时",
}


@localize_reason.register
def _(error: OSError) -> LocalizedText:
    number = error.errno
    verify_message = getattr(error, "verify_message", "")  # without loading ssl
    if verify_message:
        return LocalizedText("证书不受信任", f"the certificate is not trusted: {verify_message}")
    if number is None:
        if isinstance(error, TimeoutError):
            return LocalizedText("超时", str(error) or "timed out")
        return LocalizedText(f"系统错误（{type(error).__name__}）", str(error))
    name = errno.errorcode.get(number, str(number))
    zh = _OS_ERRORS.get(number) or f"系统错误（{name}）"
    en = os.strerror(number)
    return LocalizedText(zh, en)


@localize_reason.register
def _(error: socket.gaierror) -> LocalizedText:
    return LocalizedText("找不到这个主机名", error.strerror or str(error))


_TYPE_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "int": ("整数", "a whole number"),
    "float": ("数", "a number"),
    "str": ("文本", "a text"),
    "bool": ("true 或 false", "true or false"),
    "array": ("列表", "a list"),
    "object": ("对象", "an object"),
    "null": ("null", "null"),
    "bytes": ("Base64 文本", "Base64 text"),
}
_JSON_PROBLEMS: Final[Mapping[str, tuple[str, str]]] = {
    "invalid number": ("数字有误", "invalid number"),
    "object keys must be strings": ("键须为文本", "keys must be strings"),
    "trailing characters": ("之后有多余的内容", "unexpected data after the end"),
    "trailing comma in array": ("末尾有多余的逗号", "trailing comma"),
    "trailing comma in object": ("末尾有多余的逗号", "trailing comma"),
    "expected ':'": ("缺少冒号", "expected ':'"),
    "expected ',' or ']'": ("缺少 , 或 ]", "expected ',' or ']'"),
    "expected ',' or '}'": ("缺少 , 或 }", "expected ',' or '}'"),
}
_JSON_FAULT = ("不合语法", "invalid syntax")
_PLACE = re.compile(r"(.*?) - at `(.*)`", re.DOTALL)
_COMPARISONS: Final[Mapping[str, tuple[str, str]]] = {
    ">=": ("不小于", "at least"),
    "<=": ("不大于", "at most"),
    ">": ("大于", "more than"),
    "<": ("小于", "less than"),
    "": ("为", "exactly"),
}


def localize_decode_error(text: str) -> LocalizedText:
    """Return msgspec's message about a value or a body, in both languages, with its place."""
    placed = _PLACE.fullmatch(text)
    if placed is None:
        return _localize_decode_problem(text)
    problem = _localize_decode_problem(placed[1])
    place = placed[2].rpartition("in `")[2].removeprefix("$").removeprefix(".").strip("`")
    if not place:
        return problem
    return LocalizedText(f"{place}：{problem.zh}", f"{place}: {problem.en}")


def _localize_decode_problem(text: str) -> LocalizedText:
    for pattern, localize in _DECODE_PROBLEMS.items():
        found = pattern.fullmatch(text)
        if found is not None:
            return localize(found)
    return LocalizedText("不是可用的值", "not one of the possible values")


def _localize_malformed(found: re.Match[str]) -> LocalizedText:
    zh, en = _JSON_PROBLEMS.get(found[1], _JSON_FAULT)
    return LocalizedText(f"第 {found[2]} 字节：{zh}", f"{en} at byte {found[2]}")


def _localize_comparison(found: re.Match[str]) -> LocalizedText:
    zh, en = _COMPARISONS[found[1]]
    return LocalizedText(f"须{zh} {found[2]}", f"must be {en} {found[2]}")


def _localize_length(found: re.Match[str]) -> LocalizedText:
    zh, en = _COMPARISONS[found[1] or ""]
    return LocalizedText(f"长度须{zh} {found[2]}", f"its length must be {en} {found[2]}")


def _localize_type(found: re.Match[str]) -> LocalizedText:
    names = [name for name in found[1].split(" | ") if name != "null"] or ["null"]
    expected = [_TYPE_NAMES.get(name, (name, name)) for name in names]
    *others, last = (one for one, _ in expected)
    zh = f"须为{'、'.join(others)}或{last}" if others else f"须为{last}"
    en = f"must be {' or '.join(one for _, one in expected)}"
    if found[2] is not None:
        got_zh, got_en = _FRACTION if found[2] == "float" else _TYPE_NAMES.get(found[2], _OTHER)
        zh, en = f"{zh}，不能是{got_zh}", f"{en}, not {got_en}"
    return LocalizedText(_BETWEEN_SCRIPTS.sub(" ", zh), en)


_BETWEEN_SCRIPTS = re.compile("(?<=[\u4e00-\u9fff])(?=[a-z])|(?<=[a-z])(?=[\u4e00-\u9fff])")
_FRACTION, _OTHER = ("小数", "a fraction"), ("其他类型", "of another type")
_DECODE_PROBLEMS: Final[Mapping[re.Pattern[str], Callable[[re.Match[str]], LocalizedText]]] = {
    re.compile(r"JSON is malformed: (.+) \(byte ([0-9]+)\)"): _localize_malformed,
    re.compile("Input data was truncated"): (
        lambda _: LocalizedText("内容不完整", "it ends too early")
    ),
    re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (.+)"): _localize_comparison,
    re.compile(r"Expected `.+?` of length (?:(>=|<=) )?([0-9]+)"): _localize_length,
    re.compile(r"Object missing required field `(.*)`", re.DOTALL): (
        lambda found: LocalizedText(f"缺少 {found[1]}", f"{found[1]} is missing")
    ),
    re.compile(r"Object contains unknown field `(.*)`", re.DOTALL): (
        lambda found: LocalizedText(f"没有 {found[1]} 这个键", f"there is no key {found[1]}")
    ),
    re.compile(r"Expected `(.+?)`(?:, got `(.+?)`)?"): _localize_type,
    re.compile(r".*out of range"): (
        lambda _: LocalizedText("数字超出范围", "the number is out of range")
    ),
}


_JSON_MESSAGES: Final[Mapping[str, str]] = {
    "Expecting value": "缺少值",
    "Expecting property name enclosed in double quotes": "键须写在双引号中",
    "Expecting ':' delimiter": "缺少冒号",
    "Expecting ',' delimiter": "缺少逗号",
    "Extra data": "之后有多余的内容",
    "Unterminated string starting at": "文本未结束",
    "Invalid control character at": "文本中有控制字符",
    "Invalid \\escape": "反斜线之后的字符有误",
    "Invalid \\uXXXX escape": "\\u 之后须为四个十六进制数字",
}


@localize_reason.register
def _(error: json.JSONDecodeError) -> LocalizedText:
    message = error.msg.removesuffix(": ")
    zh = _JSON_MESSAGES.get(message, "不合语法")
    return LocalizedText(
        f"第 {error.lineno} 行第 {error.colno} 列：{zh}",
        f"{message} (line {error.lineno}, column {error.colno})",
    )


_TOML_PLACE = re.compile(
    r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL
)


@localize_reason.register
def _(error: tomllib.TOMLDecodeError) -> LocalizedText:
    text = str(error)
    found = _TOML_PLACE.fullmatch(text)
    if found is None:
        return LocalizedText("不合语法", text)
    zh = "有两处相同的键或表" if found[1].startswith(("Cannot", "Duplicate")) else "不合语法"
    place = f"第 {found[2]} 行第 {found[3]} 列" if found[2] else "文件末尾"
    return LocalizedText(f"{place}：{zh}", text)
