"""Options of the SMS gateway: request templates, and which responses count as a success."""

import codecs
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn, get_args
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from hupan.addresses import is_loopback_host
from hupan.delivery.sender import raise_invalid_option, require_option

Escape = Callable[[str], str]

_PLACEHOLDER = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")


def escape_url(value: str) -> str:
    """Escape for a URL's path or query, and for a form's value."""
    return quote(value, safe="")


def escape_json(value: str) -> str:
    """Escape for the inside of a JSON string; the result is ASCII."""
    return json.dumps(value)[1:-1]


def escape_header(value: str) -> str:
    """Return the value unchanged: values in headers are checked to be plain ASCII beforehand."""
    return value


@dataclass(frozen=True, slots=True)
class PlaceholderTemplate:
    """A text with placeholders such as `{name}`; all other braces are literal.

    Attributes:
        field: the setting's name, for error messages.
        source: the text as the operator wrote it.
        names: the allowed placeholders.
        escape: escapes a value for its context.

    Raises:
        InvalidOption: a placeholder is unknown, or braces do not balance.
    """

    field: str
    source: str
    names: Collection[str]
    escape: Escape

    def __post_init__(self) -> None:
        for found in _PLACEHOLDER.finditer(self.source):
            if found[0][1:-1] not in self.names:
                known = ", ".join(f"{{{name}}}" for name in self.names)
                self._raise_invalid(
                    f"已知的占位符（{known}），而非 {found[0]}",
                    f"unknown placeholder {found[0]}; known are {known}",
                )
        self._require_balance()

    def fill(self, values: Mapping[str, str]) -> str:
        """Replace the placeholders once: a value that looks like a placeholder stays as it is."""
        return _PLACEHOLDER.sub(lambda found: self.escape(values[found[1]]), self.source)

    def _require_balance(self) -> None:
        if "{{" in self.source:
            self._raise_invalid(
                "两侧各一个花括号的占位符",
                '"{{" has no meaning; a placeholder has one brace on each side',
            )
        depth = 0
        for brace in re.findall(r"[{}]", self.source):
            depth += 1 if brace == "{" else -1
            if depth < 0:
                break
        if depth != 0:
            self._raise_invalid("成对的花括号", f"unbalanced {'{' if depth > 0 else '}'}")

    def _raise_invalid(self, zh: str, en: str) -> NoReturn:
        """Name the option; for a header, `headers` and the header's name."""
        field, _, part = self.field.partition(": ")
        raise_invalid_option(field, f"{part} {zh}".strip(), f"{part}: {en}" if part else en)


RESPONSE_CHARSETS: Final = ("auto", "utf-8", "gb18030", "gbk", "big5")
MAX_PATTERN_BODY_CHARACTERS: Final = 2000
"""Longer bodies match no pattern: the time of a match may grow with the square of the length."""
_MAX_REPEATS = 2
_CONTENT_TYPE_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_LINEAR_CHARSET = re.compile("ascii|utf-(?:8|16|32)|gb|big5|cp[0-9]|iso8859|euc|shift_jis|koi8")
_PATH = re.compile(r"(?:\$\.?)?([^.\[\]]+|\[[0-9]{1,4}\])(?:\.[^.\[\]]+|\[[0-9]{1,4}\])*")
_JSON_PATH_SEGMENT = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")
_PATTERN_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[^:]?|[()]|[*+]|\{[0-9]*,?[0-9]*\}|.", re.DOTALL
)
_GROUP_END, _REPEATS, _CHOICES, _REFERENCES = ")", "*+{", "?|", "123456789g"
_MAX_CHOICES = 6


@dataclass(frozen=True, slots=True)
class SuccessRule:
    """What the body of a 2xx response must be; empty fields require nothing.

    Attributes:
        text: the whole body without surrounding blanks.
        pattern: a regular expression for the whole body without surrounding blanks.
        json_path: the path of the value in a JSON body: `code`, `data.0.status`, `list[0].code`.
        json_value: the value there, as text: `0` is the number 0 and the text "0".
        charset: the charset of the body; "auto" uses Content-Type, else UTF-8, else GB18030.

    Raises:
        InvalidOption: a field is not valid.
    """

    text: str = ""
    pattern: str = ""
    json_path: str = ""
    json_value: str = ""
    charset: str = "auto"

    def __post_init__(self) -> None:
        given = [bool(self.text), bool(self.pattern), bool(self.json_path)]
        require_option(
            sum(given) <= 1,
            "success_text" if self.text else "success_pattern",
            "success_text、success_pattern、success_json_path 三者至多一项",
            "at most one of success_text, success_pattern and success_json_path",
        )
        require_option(
            bool(self.json_path) == bool(self.json_value),
            "success_json_value" if self.json_path else "success_json_path",
            "success_json_path 与 success_json_value 同时设置",
            "success_json_path and success_json_value together",
        )
        require_option(
            self.charset in RESPONSE_CHARSETS, "answer_charset", "已知的编码", "a known charset"
        )
        require_option(
            not self.json_path or _PATH.fullmatch(self.json_path) is not None,
            "success_json_path",
            "JSON 中的位置，如 code、data.0.status、list[0].code",
            "a place in JSON such as code, data.0.status or list[0].code",
        )
        if self.pattern:
            _require_safe_pattern(self.pattern)

    @property
    def needs_body(self) -> bool:
        """Whether the status does not decide alone."""
        return bool(self.text or self.pattern or self.json_path)

    def matches(self, body: str) -> bool:
        """Return whether a body, decoded by its charset, is a success."""
        trimmed = body.strip().removeprefix("\ufeff").strip()
        if self.text:
            return trimmed == self.text.strip()
        if self.pattern:
            return (
                len(trimmed) <= MAX_PATTERN_BODY_CHARACTERS
                and re.fullmatch(self.pattern, trimmed, re.DOTALL) is not None
            )
        if self.json_path:
            return self.json_value.strip() in _json_values_at(trimmed, self.json_path)
        return True

    def decode(self, body: bytes, content_type: str) -> str:
        """Decode a body; bytes that cannot be decoded are replaced."""
        if self.charset != "auto":
            return body.decode(_superset_charset(self.charset), "replace")
        # A charset that does not match the bytes is a common mistake; it is ignored.
        if (found := _CONTENT_TYPE_CHARSET.search(content_type)) and _is_linear_charset(found[1]):
            with suppress(ValueError):
                return body.decode(_superset_charset(found[1]))
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return body.decode("gb18030", "replace")


def _is_linear_charset(name: str) -> bool:
    """Return whether Python decodes it in linear time: punycode takes quadratic time."""
    try:
        return _LINEAR_CHARSET.match(codecs.lookup(name).name) is not None
    except (LookupError, ValueError):
        return False


def _superset_charset(charset: str) -> str:
    """Return GB18030 for GB2312 and GBK, because it has all of their characters."""
    return "gb18030" if charset.lower() in {"gb2312", "gbk", "gb_2312-80", "cp936"} else charset


def _json_values_at(body: str, path: str) -> Iterator[str]:
    """Yield the value at a path as text; nothing if there is none, or it is a list or an object."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return
    for index, key in _JSON_PATH_SEGMENT.findall(path.removeprefix("$").removeprefix(".")):
        step = index or key
        if isinstance(value, dict) and not index:
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, bool | int | float):
        yield json.dumps(value)


def _require_safe_pattern(pattern: str) -> None:
    """Accept only patterns with bounded matching time: no repeat within a repeat."""
    try:
        re.compile(pattern, re.DOTALL)
        compiles = True
    except (re.error, OverflowError, RecursionError):
        compiles = False
    require_option(compiles, "success_pattern", "有效的正则表达式", "a valid regular expression")
    before, unbounded, choices = "", 0, 0
    for part in _PATTERN_TOKEN.findall(pattern):
        repeats = part[0] in _REPEATS and (len(part) > 1 or part[0] != "{")
        unbounded += repeats
        choices += part in _CHOICES
        is_special = part.startswith("(?") and part[2:] != ":"
        is_reference = part[0] == "\\" and part[1:] in _REFERENCES
        is_nested = repeats and before == _GROUP_END
        is_long = unbounded > _MAX_REPEATS or choices > _MAX_CHOICES
        require_option(
            not (is_special or is_reference or is_nested or is_long),
            "success_pattern",
            f"简单的正则表达式：至多 {_MAX_REPEATS} 处重复与 {_MAX_CHOICES} 处 ? 或 |，"
            "不重复括号，不用 (?…) 与反向引用",
            f"a plain regular expression: at most {_MAX_REPEATS} repeats and {_MAX_CHOICES} of "
            "? and |, no repeated group, no (?…) and no backreference",
        )
        before = part


HttpMethod = Literal["POST", "PUT", "GET"]

PLACEHOLDERS: Final = ("to", "code", "text", "purpose", "id", "timestamp")

_BODY_ESCAPES: Final[dict[str, Escape]] = {
    "application/json": escape_json,
    "application/x-www-form-urlencoded": escape_url,
}
# A header is ASCII; the text is not.
_HEADER_PLACEHOLDERS: Final = tuple(name for name in PLACEHOLDERS if name != "text")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "transfer-encoding",
        "user-agent",
        "x-timestamp",
    }
)
_MAX_PUBLIC_PATH_PART = 11
# Values that break JSON if a placeholder is not inside quotes.
_SAMPLE: Final = dict.fromkeys(PLACEHOLDERS, '+0"') | {"timestamp": "1700000000"}


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Scheme, host and port of the gateway."""

    scheme: str
    host: str
    port: int


def gateway_address(url: str) -> GatewayAddress:
    """Return the target of a URL that `require_gateway_url` accepts."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return GatewayAddress(parts.scheme, parts.hostname or "", port)


@dataclass(frozen=True, slots=True)
class RequestTemplates:
    """The templates of one request."""

    path: PlaceholderTemplate
    headers: Mapping[str, PlaceholderTemplate]
    body: PlaceholderTemplate


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """How to call the gateway for one SMS.

    `url` (path and query), header values and `body` are templates: `{to}` `{code}` `{text}`
    `{purpose}` `{id}` `{timestamp}` are filled in, escaped for their context. Headers accept no
    `{text}`. No field that may contain a secret is part of `repr` or of an error.

    Attributes:
        url: https, or http for a loopback host.
        body: empty if `method` is "GET".
        method: "POST", "PUT" or "GET".
        headers: in addition to those that the sender sets.
        content_type: application/json or application/x-www-form-urlencoded, with parameters.
        hmac_secret: empty for no signature.
        hmac_header: the header of the signature.
        success: what the body of a 2xx response must be.
        timeout_seconds: for one message, from connecting to the response.
        ca_file: PEM file of the only trusted authorities; empty for the system's.

    Raises:
        InvalidOption: a field is not valid; a wrong placeholder is named.
    """

    url: str = field(repr=False)
    body: str = field(default="", repr=False)
    method: HttpMethod = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content_type: str = "application/json"
    hmac_secret: str = field(default="", repr=False)
    hmac_header: str = "X-Signature"
    success: SuccessRule = field(default_factory=SuccessRule)
    timeout_seconds: float = 15.0
    ca_file: str = ""

    def __post_init__(self) -> None:
        require_option(
            self.method in get_args(HttpMethod), "method", "POST、PUT 或 GET", "POST, PUT or GET"
        )
        require_option(
            self.timeout_seconds > 0, "timeout_seconds", "大于 0 的秒数", "more than 0 seconds"
        )
        require_option(
            self.method != "GET" or not self.body,
            "body",
            "留空（GET 请求没有内容）",
            "a GET request has none",
        )
        require_option(_is_utf8(self.hmac_secret), "hmac_secret", "UTF-8 文本", "text in UTF-8")
        require_option(_is_utf8(self.success.text), "success_text", "UTF-8 文本", "text in UTF-8")
        require_gateway_url(self.url)
        self._require_headers()
        self._require_body(self.templates().body)

    def secrets(self) -> list[str]:
        """Return the values that no log may contain."""
        parts = urlsplit(self.url)
        values = [value for _, value in parse_qsl(parts.query)]
        values += [part for part in parts.path.split("/") if len(part) > _MAX_PUBLIC_PATH_PART]
        for header in self.headers.values():
            values += [header, *header.split()]
        values += re.findall(r'"([^"{}]*)"\s*[,}\]]', self.body)
        values += [value for _, value in parse_qsl(self.body)] if "=" in self.body else []
        return [value for value in (self.hmac_secret, *values) if value and "{" not in value]

    def address(self) -> GatewayAddress:
        return gateway_address(self.url)

    def templates(self) -> RequestTemplates:
        """Return the url's path and query, the headers and the body as templates."""
        parts = urlsplit(self.url)
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        return RequestTemplates(
            path=PlaceholderTemplate("url", path, PLACEHOLDERS, escape_url),
            headers={
                name: PlaceholderTemplate(
                    f"headers: {name}", value, _HEADER_PLACEHOLDERS, escape_header
                )
                for name, value in self.headers.items()
            },
            body=PlaceholderTemplate("body", self.body, PLACEHOLDERS, self._body_escape()),
        )

    def _body_escape(self) -> Escape:
        kind = self.content_type.partition(";")[0].strip().lower()
        known = " | ".join(_BODY_ESCAPES)
        require_option(kind in _BODY_ESCAPES, "content_type", f"{known} 之一", f"one of {known}")
        require_option(
            _is_printable_ascii(self.content_type),
            "content_type",
            "可打印的 ASCII 文本",
            "printable ASCII",
        )
        return _BODY_ESCAPES[kind]

    def _require_headers(self) -> None:
        for name, value in self.headers.items():
            _require_header("headers", name)
            require_option(
                _is_printable_ascii(value),
                "headers",
                f"{name} 的值为可打印的 ASCII 文本",
                f"the value of {name} must be printable ASCII",
            )
        _require_header("hmac_header", self.hmac_header)
        names = [name.lower() for name in [*self.headers, self.hmac_header]]
        require_option(
            len(set(names)) == len(names),
            "headers",
            "各不相同的请求头（含 hmac_header）",
            "one name is given twice (hmac_header counts too)",
        )

    def _require_body(self, body: PlaceholderTemplate) -> None:
        if not self.body:
            return
        if body.escape is escape_url:
            require_option(
                _is_printable_ascii(self.body) and " " not in self.body,
                "body",
                "编码后的表单，如 to={to}&code={code}",
                "is not an encoded form such as to={to}&code={code}",
            )
            return
        try:
            json.loads(body.fill(_SAMPLE).encode())
        except (ValueError, RecursionError):
            is_json = False
        else:
            is_json = True
        # Outside the handler: the parser's error quotes the body, which may contain a key.
        require_option(
            is_json,
            "body",
            "填入后有效的 JSON（占位符须在引号内）",
            "is not JSON once filled in (put placeholders inside quotes)",
        )


def _require_header(field_name: str, name: str) -> None:
    require_option(
        _HEADER_NAME.fullmatch(name) is not None,
        field_name,
        f"请求头的名称，而非 {name!r}",
        f"{name!r} is not a name",
    )
    require_option(
        name.lower() not in _RESERVED_HEADERS,
        field_name,
        f"其他请求头（{name} 由湖畔设置）",
        f"{name} is set by the sender",
    )


def require_gateway_url(url: str) -> None:
    """Accept https, and http for a loopback host.

    Raises:
        InvalidOption: it is not one of them.
    """
    require_option(
        _is_printable_ascii(url) and " " not in url,
        "url",
        "可打印的 ASCII 文本，不含空格",
        "must be printable ASCII without spaces",
    )
    parts = _split_url(url)
    host = parts.hostname or ""
    require_option(
        parts.scheme in {"https", "http"} and host != "",
        "url",
        "https://主机/…",
        "must be https://host/…",
    )
    require_option(
        parts.scheme == "https" or is_loopback_host(host),
        "url",
        "https 地址（http 仅限本机：验证码不可明文经过网络）",
        "http is for loopback hosts only: write https",
    )
    require_option(
        not set("{}@") & set(parts.netloc),
        "url",
        "主机部分没有占位符与用户名的地址",
        "no placeholder or login in the host",
    )
    require_option("#" not in url, "url", "不含 # 的地址", "no fragment")


def _split_url(url: str) -> SplitResult:
    try:
        parts: SplitResult | None = urlsplit(url)
        if parts is not None and parts.port == 0:
            parts = None
    except ValueError:
        parts = None
    if parts is None:
        # Outside the handler: the parser's error quotes the URL, which may contain a key.
        raise_invalid_option("url", "有效的地址，端口不为 0", "cannot be read, or its port is 0")
    return parts


def _is_printable_ascii(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _is_utf8(text: str) -> bool:
    """Return False for bytes that an environment variable contained as surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in text)
