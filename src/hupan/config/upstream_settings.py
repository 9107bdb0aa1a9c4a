"""The settings of a message server behind this one (wire.md 8.5); `Settings` inherits them."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from hupan.config.client_settings import ClientSettings
from hupan.config.types import (
    HTTP_URL,
    OPTIONAL_FILE,
    WEBSOCKET_URL,
    SettingSection,
    SettingType,
    integer,
    matching,
    optional,
    parse_list,
    single_line,
)
from hupan.localized import LocalizedText

UPSTREAM = SettingSection("消息服务器", "Message server")
_COUNT_OR_ZERO = integer(0, 10_000_000)


def _parse_upstream_url(raw: object) -> str:
    """Parse the URL of a server without a path, in ASCII: it is also the Host header."""
    value = HTTP_URL.parse(raw)
    parts = urlsplit(value)
    if not value.isascii() or parts.path not in {"", "/"} or "?" in value or "#" in value:
        raise ValueError
    return value.removesuffix("/")


UPSTREAM_URL = SettingType(
    LocalizedText(
        "http:// 或 https:// 开头、不含路径的地址",
        "an http or https URL without user name and path",
    ),
    _parse_upstream_url,
)


def _parse_upstream_socket(raw: object) -> str:
    """Parse the URL of a socket in ASCII, or `true` for /ws of the message server."""
    if raw is True or raw == "true":
        return "true"
    if raw is False or raw in ("false", ""):
        return ""
    if isinstance(raw, str) and raw.startswith(("http://", "https://")):
        raw = f"ws{raw.removeprefix('http')}"
    value = WEBSOCKET_URL.parse(raw)
    parts = urlsplit(value)
    if not value.isascii() or "#" in value or not value.isprintable():
        raise ValueError
    return value if parts.path else parts._replace(path="/ws").geturl()


UPSTREAM_SOCKET = SettingType(
    LocalizedText(
        "true、false，或 ws:// 或 wss:// 开头的地址", "true, false, or a URL with ws or wss"
    ),
    _parse_upstream_socket,
)
_UPSTREAM_PATH = matching(r"/v1/[A-Za-z0-9._~/-]*\*?", "路径", "a path")
UPSTREAM_PATHS = SettingType(
    LocalizedText("以 /v1/ 开头的路径列表", "paths that begin with /v1/"),
    lambda raw: parse_list(raw, _UPSTREAM_PATH),
)


@dataclass(frozen=True, slots=True)
class UpstreamSettings(ClientSettings):
    """The value of each of these settings."""

    upstream: str = UPSTREAM(
        "",
        optional(UPSTREAM_URL),
        "消息服务器的地址，如 http://127.0.0.1:9000；本服务器没有的 /v1 接口转发至此，留空则不转发",
        "URL of a message server such as http://127.0.0.1:9000, which gets requests below /v1 that "
        "this server does not answer; if empty, there is none",
    )
    upstream_ws: str = UPSTREAM(
        "",
        UPSTREAM_SOCKET,
        "消息服务器的 WebSocket 地址，如 ws://127.0.0.1:9000/ws；true 为 upstream 之下的 /ws；"
        "留空则不转发 WebSocket",
        "URL at the message server to which the WebSocket of clients is passed on, such as "
        "ws://127.0.0.1:9000/ws; true stands for /ws of upstream; if empty, it is not",
    )
    upstream_secret: str = UPSTREAM(
        "",
        optional(single_line(16, 4096)),
        "与消息服务器共享的密钥，用于签名，至少 16 个字符",
        "Key of the signature, shared with the message server, at least 16 characters",
        secret=True,
    )
    upstream_ca_file: str = UPSTREAM(
        "",
        OPTIONAL_FILE,
        "验证消息服务器证书的 CA 证书文件；留空则使用系统的",
        "CA certificates that verify the message server; if empty, those of the system",
    )
    upstream_public_paths: tuple[str, ...] = UPSTREAM(
        (),
        UPSTREAM_PATHS,
        "未登录也转发的路径，末尾的 * 表示任意内容，如 /v1/misc/*",
        "Paths that are passed on without a session, such as /v1/misc/* (a final * is anything)",
    )
    upstream_timeout_seconds: int = UPSTREAM(
        15,
        integer(1, 300),
        "消息服务器连接、响应、停顿的最长时间（秒）",
        "Maximum seconds the message server may take to connect, to answer, or between two parts "
        "of an answer",
    )
    upstream_max_seconds: int = UPSTREAM(
        600,
        integer(1, 86_400),
        "一次转发的最长总时间（秒）",
        "Maximum seconds of one request to the message server, from beginning to end",
    )
    upstream_requests: int = UPSTREAM(
        100,
        integer(1, 10_000),
        "每个进程同时转发的请求数上限",
        "Maximum requests at the message server at a time, per process",
    )
    upstream_body_mb: int = UPSTREAM(
        32,
        integer(1, 10_000),
        "转发的请求体上限（MB）",
        "Maximum size in MB of the body of a request that is passed on",
    )
    upstream_answer_mb: int = UPSTREAM(
        256,
        integer(1, 100_000),
        "消息服务器响应体的上限（MB）",
        "Maximum size in MB of the body of the message server's response",
    )
    address_upstream_per_minute: int = UPSTREAM(
        1200,
        _COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每分钟可转发的请求数，0 表示不限",
        "Maximum requests passed on per IP (IPv6: per /64) per minute (0 = unlimited)",
    )
    address_introspections_per_minute: int = UPSTREAM(
        6000,
        _COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每分钟可查询令牌的次数，0 表示不限",
        "Maximum tokens that servers ask about per IP (IPv6: per /64) per minute (0 = unlimited)",
    )
    account_upstream_per_minute: int = UPSTREAM(
        600,
        _COUNT_OR_ZERO,
        "每个账号每分钟可转发的请求数，0 表示不限",
        "Maximum requests passed on per account per minute (0 = unlimited)",
    )
