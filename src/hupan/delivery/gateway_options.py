"""How to ask an SMS gateway: the operator's settings, refused at once where they cannot work."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import SplitResult, urlsplit

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
        success_text: What a 2xx answer must contain, for gateways that answer 200 to
            everything; empty for nothing.
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
    success_text: str = ""
    timeout_seconds: float = 15.0
    ca_file: str = ""

    def __post_init__(self) -> None:
        _require(self.method in get_args(Method), "method: must be POST, PUT or GET")
        _require(self.timeout_seconds > 0, "timeout_seconds: must be more than 0")
        _require(self.method != "GET" or not self.body, "body: a GET request has none")
        _require(_is_utf8(self.hmac_secret), "hmac_secret: must be UTF-8 text")
        _require(_is_utf8(self.success_text), "success_text: must be UTF-8 text")
        _require_url(self.url)
        self._require_headers()
        self._require_body(self.templates().body)

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
        _require(kind in _ESCAPES, "content_type: must be " + " or ".join(_ESCAPES))
        _require(_is_plain(self.content_type), "content_type: must be printable ASCII")
        return _ESCAPES[kind]

    def _require_headers(self) -> None:
        for name, value in [*self.headers.items(), (self.hmac_header, "")]:
            _require(_HEADER_NAME.fullmatch(name) is not None, f"headers: {name!r} is no name")
            _require(name.lower() not in _OWN_HEADERS, f"headers: {name} is set by the sender")
            _require(_is_plain(value), f"headers: the value of {name} must be printable ASCII")
        names = [name.lower() for name in [*self.headers, self.hmac_header]]
        _require(len(set(names)) == len(names), "headers: one name is given twice")

    def _require_body(self, body: Template) -> None:
        if not self.body:
            return
        if body.escape is for_url:
            _require(_is_plain(self.body) and " " not in self.body, "body: is no encoded form")
            return
        try:
            json.loads(body.fill(_SAMPLE).encode())
        except ValueError:
            message = "body: is no JSON once filled in (placeholders stand inside quotes)"
            raise ValueError(message) from None


def _require_url(url: str) -> None:
    _require(_is_plain(url) and " " not in url, "url: must be printable ASCII without spaces")
    parts = _split(url)
    host = parts.hostname or ""
    _require(parts.scheme in {"https", "http"} and host != "", "url: must be https://host/…")
    _require(parts.scheme == "https" or is_loopback(host), "url: http is for loopback hosts only")
    _require(not set("{}@") & set(parts.netloc), "url: no placeholder or login in the host")
    _require("#" not in url, "url: no fragment")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _require(parts.port != 0, "url: port 0")
    except ValueError:
        parts = None
    if parts is None:
        # Outside the handler: the parser's error quotes the URL, which may hold a key.
        raise ValueError("url: cannot be read")
    return parts


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _is_utf8(text: str) -> bool:
    """Tell text from bytes that an environment variable smuggled in as surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)
