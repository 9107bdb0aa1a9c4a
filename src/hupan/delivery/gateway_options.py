"""How to ask an SMS gateway: the operator's settings, refused at once where they cannot work."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import SplitResult, parse_qsl, urlsplit

from hupan.delivery.answer_rule import AnswerRule
from hupan.delivery.options import refuse, require
from hupan.delivery.templates import Escape, Template, for_header, for_json, for_url
from hupan.delivery.tls import is_loopback

Method = Literal["POST", "PUT", "GET"]

PLACEHOLDERS: Final = ("to", "code", "text", "purpose", "id", "timestamp")

_ESCAPES: Final[dict[str, Escape]] = {
    "application/json": for_json,
    "application/x-www-form-urlencoded": for_url,
}
# A header is ASCII; the text is not.
_HEADER_PLACEHOLDERS: Final = tuple(name for name in PLACEHOLDERS if name != "text")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADERS: Final = frozenset(
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
_LONG_PART = 11
# Values that break JSON wherever a placeholder stands outside quotes.
_SAMPLE: Final = dict.fromkeys(PLACEHOLDERS, '+0"') | {"timestamp": "1700000000"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the gateway listens."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Templates:
    """What is filled in for each message."""

    path: Template
    headers: Mapping[str, Template]
    body: Template


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """How to ask the gateway for one SMS.

    `url` (path and query), header values and `body` are templates: `{to}` `{code}` `{text}`
    `{purpose}` `{id}` `{timestamp}` are filled in, escaped for where they stand. Headers take
    no `{text}`. None of the fields that may hold a key is part of `repr` or of an error.

    Attributes:
        url: https, or http for a loopback host.
        body: Without `method` "GET" only.
        method: "POST", "PUT" or "GET".
        headers: Beside those the sender sets itself.
        content_type: application/json or application/x-www-form-urlencoded, with parameters.
        hmac_secret: Empty for no signature.
        hmac_header: The header the signature stands in.
        success: What the body of a 2xx answer must be.
        timeout_seconds: For one message, from connecting to the answer.
        ca_file: PEM file of the only authorities to trust; empty for the system's.

    Raises:
        ValueError: Names the field that does not fit, and the placeholder if it is one.
    """

    url: str = field(repr=False)
    body: str = field(default="", repr=False)
    method: Method = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content_type: str = "application/json"
    hmac_secret: str = field(default="", repr=False)
    hmac_header: str = "X-Signature"
    success: AnswerRule = field(default_factory=AnswerRule)
    timeout_seconds: float = 15.0
    ca_file: str = ""

    def __post_init__(self) -> None:
        require(self.method in get_args(Method), "method", "POST、PUT 或 GET", "POST, PUT or GET")
        require(self.timeout_seconds > 0, "timeout_seconds", "大于 0 的秒数", "more than 0 seconds")
        require(
            self.method != "GET" or not self.body,
            "body",
            "留空（GET 请求没有内容）",
            "a GET request has none",
        )
        require(_is_utf8(self.hmac_secret), "hmac_secret", "UTF-8 文本", "text in UTF-8")
        require(_is_utf8(self.success.text), "success_text", "UTF-8 文本", "text in UTF-8")
        _require_url(self.url)
        self._require_headers()
        self._require_body(self.templates().body)

    def hidden(self) -> list[str]:
        """List what no log may repeat of these options: whatever may be a key."""
        parts = urlsplit(self.url)
        values = [value for _, value in parse_qsl(parts.query)]
        values += [part for part in parts.path.split("/") if len(part) > _LONG_PART]
        for header in self.headers.values():
            values += [header, *header.split()]
        values += re.findall(r'"([^"{}]*)"\s*[,}\]]', self.body)
        values += [value for _, value in parse_qsl(self.body)] if "=" in self.body else []
        return [one for one in (self.hmac_secret, *values) if one and "{" not in one]

    def target(self) -> Target:
        """Tell where to connect."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return Target(parts.scheme, parts.hostname or "", port)

    def templates(self) -> Templates:
        """Give the url's path and query, the headers and the body as templates."""
        parts = urlsplit(self.url)
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        return Templates(
            path=Template("url", path, PLACEHOLDERS, for_url),
            headers={
                name: Template(f"headers: {name}", value, _HEADER_PLACEHOLDERS, for_header)
                for name, value in self.headers.items()
            },
            body=Template("body", self.body, PLACEHOLDERS, self._body_escape()),
        )

    def _body_escape(self) -> Escape:
        kind = self.content_type.partition(";")[0].strip().lower()
        known = " | ".join(_ESCAPES)
        require(kind in _ESCAPES, "content_type", f"{known} 之一", f"one of {known}")
        require(
            _is_plain(self.content_type), "content_type", "可打印的 ASCII 文本", "printable ASCII"
        )
        return _ESCAPES[kind]

    def _require_headers(self) -> None:
        for name, value in self.headers.items():
            _require_header("headers", name)
            require(
                _is_plain(value),
                "headers",
                f"{name} 的值为可打印的 ASCII 文本",
                f"the value of {name} must be printable ASCII",
            )
        _require_header("hmac_header", self.hmac_header)
        names = [name.lower() for name in [*self.headers, self.hmac_header]]
        require(
            len(set(names)) == len(names),
            "headers",
            "各不相同的请求头（含 hmac_header）",
            "one name is given twice (hmac_header counts too)",
        )

    def _require_body(self, body: Template) -> None:
        if not self.body:
            return
        if body.escape is for_url:
            require(
                _is_plain(self.body) and " " not in self.body,
                "body",
                "编码后的表单，如 to={to}&code={code}",
                "is no encoded form such as to={to}&code={code}",
            )
            return
        try:
            json.loads(body.fill(_SAMPLE).encode())
        except (ValueError, RecursionError):
            is_json = False
        else:
            is_json = True
        # Outside the handler: the parser's error quotes the body, which may hold a key.
        require(
            is_json,
            "body",
            "填入后有效的 JSON（占位符须在引号内）",
            "is no JSON once filled in (placeholders stand inside quotes)",
        )


def _require_header(field_name: str, name: str) -> None:
    require(
        _HEADER_NAME.fullmatch(name) is not None,
        field_name,
        f"请求头的名称，而非 {name!r}",
        f"{name!r} is no name",
    )
    require(
        name.lower() not in _OWN_HEADERS,
        field_name,
        f"其他请求头（{name} 由湖畔设置）",
        f"{name} is set by the sender",
    )


def _require_url(url: str) -> None:
    require(
        _is_plain(url) and " " not in url,
        "url",
        "可打印的 ASCII 文本，不含空格",
        "must be printable ASCII without spaces",
    )
    parts = _split(url)
    host = parts.hostname or ""
    require(
        parts.scheme in {"https", "http"} and host != "",
        "url",
        "https://主机/…",
        "must be https://host/…",
    )
    require(
        parts.scheme == "https" or is_loopback(host),
        "url",
        "https 地址（http 仅限本机：验证码不可明文经过网络）",
        "http is for loopback hosts only: write https",
    )
    require(
        not set("{}@") & set(parts.netloc),
        "url",
        "主机部分没有占位符与用户名的地址",
        "no placeholder or login in the host",
    )
    require("#" not in url, "url", "不含 # 的地址", "no fragment")


def _split(url: str) -> SplitResult:
    try:
        parts: SplitResult | None = urlsplit(url)
        if parts is not None and parts.port == 0:
            parts = None
    except ValueError:
        parts = None
    if parts is None:
        # Outside the handler: the parser's error quotes the URL, which may hold a key.
        refuse("url", "能读懂的地址，端口不为 0", "cannot be read, or its port is 0")
    return parts


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _is_utf8(text: str) -> bool:
    """Tell text from bytes that an environment variable smuggled in as surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in text)
