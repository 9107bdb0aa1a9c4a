"""The checks of a running server and of the proxy in front of it."""

import contextlib
import email.utils
import json
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cryptography import x509
from websockets.sync.client import connect

from hupan.conformance.target import OutOfTime, Reply, Unreachable, Wire, printable
from hupan.connect.names import CHAT_NAMES
from hupan.localized import LocalizedText

Status: TypeAlias = Literal["ok", "failed", "skipped"]
_MAX_CLOCK_SECONDS = 60
_SMALL_BODY, _LARGE_BODY = 60_000, 70_000
_MAX_SHOWN = 120
_MAX_OWN_AUTHORITIES = 8
_MAX_HOSTS_CHARACTERS = 4 << 20
HOSTS_FILE = Path("/etc/hosts")
_BEFORE_OTHERS = ("chain", "listener")
_OK, _NOT_FOUND, _TOO_LARGE = 200, 404, 413
_NO_ENDPOINT = 1104


@dataclass(frozen=True, slots=True)
class Advice:
    """What a failure means: its cause, what helps, and the page about it."""

    title: LocalizedText
    cause: LocalizedText
    fix: LocalizedText
    page: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `detail` is what was seen, never a secret."""

    id: str
    status: Status
    detail: str
    advice: Advice


class NotApplicable(Exception):
    """The check does not concern this server."""


class Failed(Exception):
    """The check found something wrong; the text is what was seen."""


Examine: TypeAlias = Callable[[Wire], str]
CHECKS: Final[dict[str, tuple[Examine, Advice]]] = {}


def _check(
    name: str, title: tuple[str, str], cause: tuple[str, str], fix: tuple[str, str], page: str
) -> Callable[[Examine], Examine]:
    def add(examine: Examine) -> Examine:
        texts = (LocalizedText(*title), LocalizedText(*cause), LocalizedText(*fix))
        CHECKS[name] = (examine, Advice(*texts, page))
        return examine

    return add


def examine_server(wire: Wire) -> list[Finding]:
    """Run all checks; without a listener or a trusted certificate, skip the others."""
    findings: list[Finding] = []
    for name, (examine, advice) in CHECKS.items():
        if any(found.id in _BEFORE_OTHERS and found.status == "failed" for found in findings):
            findings.append(Finding(name, "skipped", "", advice))
        else:
            findings.append(Finding(name, *_examine(wire, examine), advice))
    return findings


def _examine(wire: Wire, examine: Examine) -> tuple[Status, str]:
    try:
        return "ok", printable(examine(wire))[:_MAX_SHOWN]
    except (NotApplicable, OutOfTime) as reason:
        return "skipped", str(reason)
    except Exception as error:  # noqa: BLE001 - the other checks continue after any answer
        return "failed", printable(str(error) or type(error).__name__)[:_MAX_SHOWN]


def _expect(holds: object, seen: object) -> None:
    if not holds:
        raise Failed(str(seen))


_OPERATIONS = "docs/operations.md"


@_check(
    "name",
    ("主机名可解析", "the host name resolves"),
    ("DNS 或 hosts 文件中没有该域名", "neither DNS nor the hosts file has the name"),
    ("添加 DNS 记录或 hosts 行", "add a DNS record or a hosts line"),
    _OPERATIONS,
)
def _name(wire: Wire) -> str:
    target = wire.target
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return ", ".join(sorted({str(entry[4][0]) for entry in found}))


@_check(
    "hosts",
    ("hosts 文件包含全部三个域名", "the hosts file has all three names"),
    (
        "有的域名没有指向服务器：客户端会把令牌发给公共服务",
        "one of them is not redirected, so clients send their token to the public service",
    ),
    ("为三个域名各添加一行，地址相同", "add a line for each of the three, with the same address"),
    "docs/connect.md",
)
def _hosts(_wire: Wire) -> str:
    addresses: dict[str, str] = {}
    try:
        text = HOSTS_FILE.read_text("utf-8", "replace")[:_MAX_HOSTS_CHARACTERS]
    except OSError as error:
        raise NotApplicable from error
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            addresses.setdefault(name.lower(), address)  # the first line counts
    if not any(name in addresses for name in CHAT_NAMES):
        raise NotApplicable
    missing = [name for name in CHAT_NAMES if name not in addresses]
    _expect(not missing, ", ".join(missing))
    seen = {addresses[name] for name in CHAT_NAMES}
    _expect(len(seen) == 1, ", ".join(f"{addresses[name]} {name}" for name in CHAT_NAMES))
    return seen.pop()


@_check(
    "chain",
    ("证书可信", "the certificate is trusted"),
    (
        "证书过期、域名不符，或不信任其签发者",
        "it has expired, is for another name, or its issuer is unknown",
    ),
    (
        "换用有效证书，或用 --ca-file 指定签发者",
        "use a valid one, or name its issuer with --ca-file",
    ),
    _OPERATIONS,
)
def _chain(wire: Wire) -> str:
    certificate = _handshake(wire, wire.tls_context())
    return str(certificate.get("notAfter", ""))


@_check(
    "certificate-names",
    ("证书包含客户端内置的域名", "the certificate is for the names in clients"),
    ("证书缺少其中某个域名", "one of the names is missing from it"),
    ("为全部三个域名签发证书", "issue it for all three names"),
    _OPERATIONS,
)
def _certificate_names(wire: Wire) -> str:
    entries = _handshake(wire, wire.tls_context()).get("subjectAltName", ())
    pairs = entries if isinstance(entries, tuple) else ()
    names = {entry[1] for entry in pairs if isinstance(entry, tuple)}
    missing = [name for name in CHAT_NAMES if name not in names]
    _expect(not missing, ", ".join(missing))
    return ", ".join(CHAT_NAMES)


@_check(
    "name-constraints",
    ("证书颁发机构只能签发已知域名", "the authority can vouch only for the known names"),
    (
        "--ca-file 中的机构没有关键的名称约束：拿到其密钥就能冒充任何网站",
        "one in --ca-file lacks critical name constraints: its key can impersonate any site",
    ),
    (
        "改用 hupan sandbox --tls 的机构，或签发带 nameConstraints 的机构",
        "use the authority of hupan sandbox --tls, or make one with nameConstraints",
    ),
    "docs/connect.md",
)
def _name_constraints(wire: Wire) -> str:
    if not wire.target.secure or not wire.ca_file:
        raise NotApplicable
    found = x509.load_pem_x509_certificates(Path(wire.ca_file).read_bytes())
    authorities = [certificate for certificate in found if _is_authority(certificate)]
    if not 0 < len(authorities) <= _MAX_OWN_AUTHORITIES:
        raise NotApplicable  # a bundle of public ones, or the server's own certificate
    permitted = {one.subject.rfc4514_string(): _permitted_names(one) for one in authorities}
    free = [subject for subject, names in permitted.items() if not names]
    _expect(not free, ", ".join(free))
    return ", ".join(name for names in permitted.values() for name in names)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return certificate.issuer == certificate.subject


def _permitted_names(certificate: x509.Certificate) -> list[str]:
    """Return what the critical name constraints permit; [] if there are none."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return []
    subtrees = found.value.permitted_subtrees or [] if found.critical else []
    return [str(subtree.value) for subtree in subtrees]


@_check(
    "tls-1.2",
    ("支持 TLS 1.2", "TLS 1.2 is on"),
    (
        "前置代理只允许 TLS 1.3，而有的旧客户端不支持",
        "the proxy allows TLS 1.3 only, which an old client lacks",
    ),
    ("在前置代理启用 TLS 1.2", "turn TLS 1.2 on in the proxy"),
    _OPERATIONS,
)
def _tls_1_2(wire: Wire) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # another check looks
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    _handshake(wire, context)
    return "TLSv1.2"


def _handshake(wire: Wire, context: ssl.SSLContext) -> dict[str, object]:
    target = wire.target
    if not target.secure:
        raise NotApplicable
    try:
        plain = socket.create_connection((target.host, target.port), wire.seconds_left())
    except OSError as error:  # `name` and `listener` say so
        raise NotApplicable from error
    with (
        plain,
        context.wrap_socket(plain, server_hostname=target.host) as connection,
    ):
        return {**(connection.getpeercert() or {})}


@_check(
    "listener",
    ("湖畔正在监听", "Hupan listens there"),
    (
        "服务器没有运行，或地址属于别的程序",
        "the server is not running, or another program uses the port",
    ),
    ("启动服务器，并检查端口与前置代理的转发", "start the server; check the port and the proxy"),
    _OPERATIONS,
)
def _listener(wire: Wire) -> str:
    status = wire.send("GET", "/healthz").status
    captcha = json.loads(wire.send("POST", "/v1/user/captcha").body)
    _expect(status == _OK and captcha.get("code") == 1, f"HTTP {status}")
    return wire.target.url


@_check(
    "host",
    ("前置代理保留 Host", "the proxy keeps Host"),
    (
        "前置代理改写了 Host，Web 与图片域名因此失效",
        "it rewrites Host, so the names of the web API and of pictures fail",
    ),
    ("nginx：proxy_set_header Host $host", "nginx: proxy_set_header Host $host"),
    _OPERATIONS,
)
def _host(wire: Wire) -> str:
    headers = {"host": "chat-web-go.jwzhd.com"}
    status = wire.send("GET", "/v1/user/homepage?userId=0", None, headers).status
    _expect(status == _OK, f"HTTP {status}")
    return ""


@_check(
    "x-result",
    ("前置代理保留 x-result", "the proxy keeps x-result"),
    (
        "前置代理删除了响应头，日志与封禁工具看不到结果",
        "the proxy drops headers that logs and ban tools read",
    ),
    (
        "不要在前置代理隐藏 x-result 与 x-request-id",
        "do not hide x-result and x-request-id in the proxy",
    ),
    _OPERATIONS,
)
def _x_result(wire: Wire) -> str:
    reply = _without_token(wire)
    _expect(reply.header("x-result") == "unauthenticated", reply.header("x-result"))
    return "unauthenticated"


@_check(
    "token",
    ("令牌到达服务器", "tokens reach the server"),
    ("前置代理删除了 token 请求头", "the proxy drops the header `token`"),
    ("让前置代理转发所有请求头", "let the proxy pass on every header"),
    _OPERATIONS,
)
def _token(wire: Wire) -> str:
    reply = wire.send("GET", "/v1/user/info", None, {"token": "doctor"})
    kind = reply.header("content-type")
    _expect(kind == "application/x-protobuf", kind)  # a missing token would be JSON
    return ""


@_check(
    "error-pages",
    ("前置代理不替换错误响应", "the proxy does not replace errors"),
    ("前置代理用自己的页面替换了 404", "the proxy replaces 404 by a page of its own"),
    ("nginx：proxy_intercept_errors off", "nginx: proxy_intercept_errors off"),
    _OPERATIONS,
)
def _error_pages(wire: Wire) -> str:
    reply = wire.send("GET", "/v1/user/no-such-path")
    code = json.loads(reply.body).get("code")
    _expect((reply.status, code) == (_NOT_FOUND, _NO_ENDPOINT), f"HTTP {reply.status}, {code}")
    return ""


@_check(
    "retries",
    ("前置代理不重发 POST", "the proxy sends no POST twice"),
    (
        "连接中断后前置代理重发了 POST，同一操作会执行两次",
        "after a broken connection it sends a POST again, which is then executed twice",
    ),
    (
        "nginx：从 proxy_next_upstream 中去掉 non_idempotent",
        "nginx: leave non_idempotent out of proxy_next_upstream",
    ),
    _OPERATIONS,
)
def _retries(wire: Wire) -> str:
    """Break the connection of one POST, by a fault that no other request can meet."""
    if _faults(wire, "GET") != []:
        raise NotApplicable  # no sandbox, or one whose faults another client set
    path = f"/v1/doctor/{secrets.token_hex(8)}"
    _faults(wire, "PUT", [{"path": path, "reset": "before"}])
    try:
        with contextlib.suppress(Unreachable):
            wire.send("POST", path, b"{}")
        hits = [fault.get("hits") for fault in _faults(wire, "GET") or []]
    finally:
        _faults(wire, "PUT", [])
    _expect(hits == [1], f"POST: {hits}")
    return ""


def _faults(wire: Wire, method: str, faults: object = None) -> list[dict[str, object]] | None:
    """Read or replace the faults of a sandbox; return None if there is none."""
    body = None if faults is None else json.dumps(faults).encode()
    reply = wire.send(method, "/sandbox/faults", body)
    if reply.status != _OK or not reply.header("content-type").startswith("application/json"):
        return None
    answer = json.loads(reply.body)
    return answer if isinstance(answer, list) else None


@_check(
    "cors",
    ("浏览器可跨源访问", "browsers can call the API"),
    ("前置代理自行响应 OPTIONS，或 cors_origins 不含该来源", "the proxy answers OPTIONS itself"),
    (
        "让前置代理转发 OPTIONS；检查 cors_origins",
        "let the proxy pass on OPTIONS; check cors_origins",
    ),
    "docs/settings.md",
)
def _cors(wire: Wire) -> str:
    asked = {"origin": "https://client.example", "access-control-request-method": "GET"}
    reply = wire.send("OPTIONS", "/v1/user/info", None, asked)
    allowed = reply.header("access-control-allow-headers").lower()
    _expect("token" in allowed, allowed or f"HTTP {reply.status}")
    return reply.header("access-control-allow-origin")


@_check(
    "socket",
    ("WebSocket 可连接", "the WebSocket opens"),
    ("前置代理没有转发 Upgrade", "the proxy does not pass on Upgrade"),
    ("按 deploy/ 中的示例配置 /ws", "set up /ws as the files in deploy/ do"),
    _OPERATIONS,
)
def _socket(wire: Wire) -> str:
    target = wire.target
    scheme, context = ("wss", wire.tls_context()) if target.secure else ("ws", None)
    with connect(
        f"{scheme}://{target.authority}{target.prefix}/ws",
        ssl=context,
        compression=None,
        proxy=None,
        open_timeout=wire.seconds_left(),
        close_timeout=1,
    ) as opened:
        opened.send('{"seq": "1", "cmd": "heartbeat", "data": {}}')
        answer = opened.recv(timeout=wire.seconds_left())
    _expect(b"heartbeat_ack" in answer if isinstance(answer, bytes) else False, "another answer")
    return "heartbeat_ack"


@_check(
    "clock",
    ("时钟一致", "the clocks agree"),
    ("服务器或本机的时钟偏差超过一分钟", "one of the clocks is more than a minute off"),
    ("启用 NTP", "turn NTP on"),
    _OPERATIONS,
)
def _clock(wire: Wire) -> str:
    date = wire.send("GET", "/healthz").header("date")
    if not date:
        raise NotApplicable
    seconds = email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    _expect(abs(seconds) <= _MAX_CLOCK_SECONDS, f"{seconds:+.0f} s")
    return f"{seconds:+.0f} s"


@_check(
    "body-passes",
    ("60 KB 的请求可通过", "bodies of 60 KB pass"),
    ("前置代理的请求体上限过低", "the proxy's limit is too low"),
    ("nginx：client_max_body_size 9m", "nginx: client_max_body_size 9m"),
    _OPERATIONS,
)
def _body_passes(wire: Wire) -> str:
    status = _send_body(wire, _SMALL_BODY)
    _expect(status == _OK, f"HTTP {status}")
    return f"HTTP {status}"


@_check(
    "body-bound",
    ("过大的请求被拒绝", "bodies that are too large are refused"),
    ("前置代理改写了 413，或响应的不是湖畔", "the proxy changes 413, or it is not Hupan"),
    ("不要在前置代理改写状态码", "do not rewrite status codes in the proxy"),
    _OPERATIONS,
)
def _body_bound(wire: Wire) -> str:
    status = _send_body(wire, _LARGE_BODY)
    _expect(status == _TOO_LARGE, f"HTTP {status}")
    return f"HTTP {status}"


def _send_body(wire: Wire, size: int) -> int:
    body = b'{"captcha":"' + b"0" * size + b'"}'
    return wire.send("POST", "/v1/user/verification-login", body).status


@_check(
    "compression",
    ("客户端未要求时不压缩", "nothing is compressed unless requested"),
    (
        "前置代理总是压缩，而有的客户端不会解压",
        "the proxy always compresses; one client cannot decompress",
    ),
    ("只在请求带有 Accept-Encoding 时压缩", "compress only for Accept-Encoding"),
    _OPERATIONS,
)
def _compression(wire: Wire) -> str:
    encoding = wire.send("POST", "/v1/user/captcha").header("content-encoding")
    _expect(not encoding, encoding)
    return ""


@_check(
    "cache",
    ("前置代理不缓存响应", "the proxy caches nothing"),
    ("前置代理缓存了带 no-store 的响应", "the proxy caches answers with no-store"),
    ("关闭 /v1 的缓存", "turn its cache off for /v1"),
    _OPERATIONS,
)
def _cache(wire: Wire) -> str:
    first, second = (_without_token(wire).header("x-request-id") for _ in range(2))
    _expect(first != second or not first, "the same x-request-id twice")
    return ""


def _without_token(wire: Wire) -> Reply:
    return wire.send("GET", "/v1/user/info")
